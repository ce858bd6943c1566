"""Find the fields that the API defines as a namespace: the tables of rename_table.py, applied. Nothing is guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import Every, Path, get
from kubeferry.tasks.core.kube.objects import type_of
from kubeferry.tasks.core.needs.references import RBAC
from kubeferry.tasks.core.transform.rename.classes import Case, Hit
from kubeferry.tasks.core.transform.rename.dns_names import Hosts, replaced, uses
from kubeferry.tasks.core.transform.rename.rename_table import LABEL, RULE_AT, SELECTOR_VALUES_AT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object, Place

_SUBJECTS = ("RoleBinding", "ClusterRoleBinding")


def fields(obj: Object, case: Case) -> Iterator[Hit]:
    """Yield the typed fields of `obj` to rewrite."""
    kind = type_of(obj)
    for path, rule in RULE_AT.get(kind, {}).items():
        for at, value in places(obj, path):
            yield from _one(case.whole(at, value, rule))
    for path in SELECTOR_VALUES_AT.get(kind, ()):
        for at, requirement in places(obj, path):
            yield from requirement_hits(requirement, at, case)
    if kind[0] == RBAC and kind[1] in _SUBJECTS:
        yield from _subjects(obj, case)
    if kind == (RBAC, "Role"):
        yield from _named_namespaces(obj, case)


def selector_hits(selector: Any, at: Place, case: Case) -> Iterator[Hit]:
    """Yield what names a namespace in a LabelSelector that selects namespaces."""
    yield from _one(case.whole((*at, "matchLabels", LABEL), get(selector, "matchLabels", LABEL), "selector"))
    requirements = get(selector, "matchExpressions")
    for index, requirement in enumerate(requirements if isinstance(requirements, list) else ()):
        yield from requirement_hits(requirement, (*at, "matchExpressions", index), case)


def requirement_hits(requirement: Any, at: Place, case: Case) -> Iterator[Hit]:
    """Yield the values of one requirement of a selector, if it is about the name of namespaces."""
    if get(requirement, "key") == LABEL:
        yield from items(requirement.get("values"), (*at, "values"), case, "selector")


def items(value: Any, at: Place, case: Case, rule: str) -> Iterator[Hit]:
    """Yield the items of a list that are namespaces to rename."""
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from _one(case.whole((*at, index), item, rule))


def _subjects(obj: Object, case: Case) -> Iterator[Hit]:
    """Yield the subjects whose name spells a namespace (kubernetes.io: RBAC, referring to subjects)."""
    for at, name in places(obj, ("subjects", Every.ITEM, "name")):
        # A subject's name is the whole user name: one that only holds such a name is a user of its own.
        if isinstance(name, str) and name.startswith("system:serviceaccount"):
            found = [each for each in uses(name, Hosts(case.names)) if each.rule == "account" and each.whole[0] == 0]
            if found:
                new = replaced(name, found, case.names)
                yield Hit(at, "subject", name, new, new)


def _named_namespaces(obj: Object, case: Case) -> Iterator[Hit]:
    """Yield the namespaces that a Role's rule about nothing but namespaces names."""
    for at, rule in places(obj, ("rules", Every.ITEM)):
        if get(rule, "resources") == ["namespaces"]:
            yield from items(rule.get("resourceNames"), (*at, "resourceNames"), case, "field")


def places(value: Any, path: Path, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield the place and the value of every part of `value` at `path`."""
    if not path:
        yield at, value
        return
    step, rest = path[0], path[1:]
    if isinstance(step, Every):
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from places(item, rest, (*at, index))
    elif isinstance(value, dict) and step in value:
        yield from places(value[step], rest, (*at, step))


def _one(hit: Hit | None) -> tuple[Hit, ...]:
    return () if hit is None else (hit,)
