"""Modify an object as the user asks: `object -> object`, before names are rewritten and the order is computed.

Conditions look at the object as it is in the archive (Velero's semantics: internal/resourcemodifiers, 1.18), so rules
do not depend on each other. A patch that does not apply is an error that names rule and object; it is never ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.records import Cause, Rewrite
from kubeferry.tasks.core.jsondoc.confidential import is_secret, may_show
from kubeferry.tasks.core.jsondoc.edit import Object, change
from kubeferry.tasks.core.jsondoc.globs import glob_pattern
from kubeferry.tasks.core.jsondoc.patch import (
    MISSING,
    PatchError,
    TestFailedError,
    apply_patch,
    at,
    differences,
    merge_patch,
    null_at,
    same,
    steps,
)
from kubeferry.tasks.core.kube.kinds import NAMESPACE, is_built_in
from kubeferry.tasks.core.kube.label_selectors import parse_selector, selects
from kubeferry.tasks.core.kube.objects import Ref, labels_of
from kubeferry.tasks.core.kube.strategic_merge_patch import strategic_merge
from kubeferry.tasks.core.needs.beside import EXPOSED
from kubeferry.tasks.core.selection.selector import is_like

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kubeferry.tasks.core.kube.resources import Words
    from kubeferry.tasks.core.models.modifications import Modifications, Rule

SCALED = {("apps", "Deployment"), ("apps", "StatefulSet"), ("", "ReplicationController")}

MODIFIED = "modified as asked"
SHOWN = 200
"""Most characters of a value in a message."""


@dataclass(frozen=True, slots=True)
class Modified:
    """An object to restore, and what was modified in it."""

    obj: Object
    rewrites: tuple[Rewrite, ...] = ()

    @property
    def pointers(self) -> tuple[str, ...]:
        """Return the JSON pointers of the modified fields."""
        return tuple(each.path for each in self.rewrites)


def modified(obj: Object, archived: Object, group_resource: str, words: Words, asked: Modifications) -> Modified:
    """Return the modified object; conditions look at `archived`, the object in the archive.

    Raises:
        UsageError: a patch does not apply, or would change the object's identity.
    """
    new = obj
    for step in (_labelled, _scaled, _hosted):
        new = step(new, asked)
    for number, rule in enumerate(asked.rules, start=1):
        if meets(archived, group_resource, words, rule):
            new = _refused(number, Ref.of(obj), lambda now=new, rule=rule: _patched(now, rule))  # type: ignore[misc] # mypy cannot type the defaults
    if new is obj:
        return Modified(obj)
    _check(obj, new)
    return Modified(new, tuple(_rewrites(obj, new)))


def _refused(number: int, ref: Ref, work: Callable[[], Object]) -> Object:
    try:
        return work()
    except PatchError as error:
        raise UsageError(f"modify: rule {number} does not apply to {ref}: {error}") from None


def _check(obj: Object, new: Any) -> None:
    ref = Ref.of(obj)
    try:
        kept = Ref.of(new) == ref and new["apiVersion"] == obj["apiVersion"]
    except (KeyError, TypeError, AttributeError):
        kept = False
    if not kept:
        raise UsageError(f"modify: {ref} would become another object: names are changed with --map only")
    if (ref.group, ref.kind) == ("", "Secret") and any(
        obj.get(each) != new.get(each) for each in ("data", "stringData")
    ):
        raise UsageError(f"modify: the content of {ref} cannot be modified: the value would be stored with the run")


def _rewrites(obj: Object, new: Object) -> list[Rewrite]:
    ref = Ref.of(obj)
    return [
        Rewrite.of(ref, path, _shown(old), _shown(value), MODIFIED, cause=Cause.MODIFIED)
        for path, old, value in differences(obj, new)
    ]


def _shown(value: Any) -> str:
    if value is MISSING:
        return "(none)"
    return (value if isinstance(value, str) else orjson.dumps(value).decode())[:SHOWN]


# --- parameters


def _labelled(obj: Object, asked: Modifications) -> Object:
    ref = Ref.of(obj)
    is_namespace = (ref.group, ref.kind) == NAMESPACE
    metadata = {"labels": asked.labels} if asked.labels and (ref.namespace or is_namespace) else {}
    metadata |= {"annotations": asked.annotations} if asked.annotations and is_namespace else {}
    return merge_patch(obj, {"metadata": metadata}) if metadata else obj


def _scaled(obj: Object, asked: Modifications) -> Object:
    ref = Ref.of(obj)
    if (ref.group, ref.kind) not in SCALED:
        return obj
    exact = asked.replicas.get(ref.name)
    like = (count for pattern, count in asked.replicas.items() if is_like(ref.name, pattern))
    count = exact if exact is not None else next(like, None)
    return obj if count is None else merge_patch(obj, {"spec": {"replicas": count}})


def _hosted(obj: Object, asked: Modifications) -> Object:
    ref = Ref.of(obj)
    if not asked.hosts:
        return obj
    for path in EXPOSED.get((ref.group, ref.kind), ()):
        obj = change(obj, path, lambda host: new_host(host, asked.hosts))
    return obj


def new_host(host: Any, hosts: dict[str, str]) -> Any:
    """Return the new name of a host: by its whole name, by the longest `.suffix`, by `*`; else it stays."""
    if not isinstance(host, str):
        return host
    if host in hosts:
        return hosts[host]
    for suffix in sorted((each for each in hosts if each.startswith(".")), key=len, reverse=True):
        if host.endswith(suffix):
            return host.removesuffix(suffix) + hosts[suffix]
    return hosts.get("*", host)


# --- rules


def meets(obj: Object, group_resource: str, words: Words, rule: Rule) -> bool:
    """Return whether an object matches all conditions of a rule."""
    ref = Ref.of(obj)
    return (
        (not rule.kind or any(fnmatchcase(word, rule.kind.lower()) for word in words))
        and (
            not rule.group_resource
            or glob_pattern(rule.group_resource, apart=".").fullmatch(group_resource) is not None
        )
        and (not rule.name or is_like(ref.name, rule.name))
        and (not rule.name_regex or re.search(rule.name_regex, ref.name) is not None)
        and (not ref.namespace or not rule.namespaces or _within(ref.namespace, rule.namespaces))
        and selects(parse_selector(rule.selector), labels_of(obj))
        and all(_has(obj, each.path, each.value) for each in rule.matches)
    )


def _is(group_resource: str, glob: str) -> bool:
    return glob_pattern(glob, apart=".").fullmatch(group_resource) is not None


def _within(namespace: str, globs: Iterable[str]) -> bool:
    return any(glob_pattern(each).fullmatch(namespace) for each in globs)


def _has(obj: Object, path: str, value: Any) -> bool:
    if value is None:
        return null_at(obj, path)
    try:
        return same(at(obj, path), value)
    except PatchError:
        return False


def _check_sources(obj: Object, operations: list[dict[str, Any]]) -> None:
    """Check that no value of a Secret is moved or copied to a place where it is shown.

    Raises:
        PatchError: an operation takes one from its data, or from its annotations, which may repeat them.
    """
    if is_secret(obj):
        for each in operations:
            if each["op"] in ("copy", "move") and not may_show(steps(str(each.get("from") or ""))):
                raise PatchError(f"{each.get('from')!r} of a Secret cannot be copied: its value would be shown")


def _patched(obj: Object, rule: Rule) -> Object:
    found: Object = obj
    if rule.patches:
        operations = [each.plain() for each in rule.patches]
        _check_sources(obj, operations)
        try:
            found = apply_patch(obj, operations)
        except TestFailedError:
            return obj
    for each in rule.merge_patches:
        found = merge_patch(found, each)
    for each in rule.strategic_patches:
        ref = Ref.of(obj)
        if not is_built_in(ref.group):
            raise PatchError("a strategic merge patch is for Kubernetes' own kinds only: use merge_patches")
        found = strategic_merge(found, each)
    return found
