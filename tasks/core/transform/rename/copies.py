"""Copies of objects from outside of a renamed namespace: each has a name of its own, and serves the clone alone.

What judges requests in the whole cluster must not judge those of others twice: the copy of a webhook configuration
judges only namespaced objects in the clone's namespaces, and these Namespaces themselves. A selector of namespaces does
not hold objects of other cluster-wide kinds back ("it never skips the webhook"), so that a scope does.

Source: API reference v1.36, ValidatingWebhook: namespaceSelector; RuleWithOperations: scope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.outside import METADATA_NAME, WEBHOOKS, selected_names
from kubeferry.tasks.core.needs.references.fields import RBAC

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object

__all__ = ["WEBHOOKS", "as_copy", "copy_name", "limited"]

_NAMESPACES = ("namespaces", "namespaces/")


def copy_name(name: str, spaces: Iterable[str]) -> str:
    """Return the name of a copy: the old name and the namespaces that it serves."""
    return "-".join([name, *sorted(spaces)])


def as_copy(obj: Object, copies: Mapping[Ref, str]) -> Object:
    """Return an object under the name of its copy, if it is one, with the role that it then gives."""
    ref = Ref.of(obj)
    if ref in copies:
        obj = obj | {"metadata": obj["metadata"] | {"name": copies[ref]}}
    role = obj.get("roleRef")
    if ref.kind == "RoleBinding" and isinstance(role, dict) and role.get("kind") == "Role":
        to = copies.get(Ref(RBAC, "Role", ref.namespace, str(role.get("name"))))
        return obj | {"roleRef": role | {"name": to}} if to else obj
    return obj


def limited(configuration: Object, spaces: Collection[str]) -> Object:
    """Return a webhook configuration that judges only what is in some namespaces."""
    webhooks = [_limited(each, spaces) for each in configuration.get("webhooks") or () if isinstance(each, dict)]
    return configuration | {"webhooks": [each for each in webhooks if each.get("rules") != []]}


def _limited(webhook: dict[str, Any], spaces: Collection[str]) -> dict[str, Any]:
    selector = webhook.get("namespaceSelector") or {}
    by_name = selected_names(selector)
    if not by_name or not by_name <= set(spaces):
        only = {"key": METADATA_NAME, "operator": "In", "values": sorted(spaces)}
        selector = selector | {"matchExpressions": [*(selector.get("matchExpressions") or ()), only]}
    found = webhook | {"namespaceSelector": selector}
    rules = webhook.get("rules")
    return found | ({"rules": [each for rule in rules for each in _rules(rule)]} if isinstance(rules, list) else {})


def _rules(rule: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a rule for Namespaces, which the selector chooses by their own labels, and one for what is in them."""
    resources = [str(each) for each in rule.get("resources") or ()]
    of_spaces = [each for each in resources if each == _NAMESPACES[0] or each.startswith(_NAMESPACES[1])]
    others = [each for each in resources if each not in of_spaces]
    if of_spaces:
        yield rule | {"resources": of_spaces}
    if others and rule.get("scope") != "Cluster":
        yield rule | {"resources": others, "scope": "Namespaced"}
