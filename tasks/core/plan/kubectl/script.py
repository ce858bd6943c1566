"""A plan as a bash script that does the restore with kubectl alone: the same order, look-ups and waits.

The script holds every object in the clear, including Secrets, and says so. Each object is one quoted here-document, so
that bash interprets nothing in it; all else is quoted with `shlex.quote`. The script can be run again. It waits for an
object by kind, by the rules of kube/readiness, as far as `kubectl wait` and `kubectl rollout status` support them.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.links import owner_ref
from kubeferry.tasks.core.jsondoc.edit import Object, get, group_of
from kubeferry.tasks.core.jsondoc.printable import one_line
from kubeferry.tasks.core.kube.kinds import TOKEN_TYPE, is_built_in
from kubeferry.tasks.core.kube.resources import defined
from kubeferry.tasks.core.plan.kubectl.bash import LIBRARY, STEPS, heredoc, identity, named
from kubeferry.tasks.core.plan.kubectl.lookups import Tokens, Values, patched
from kubeferry.tasks.core.plan.parts import level_phases
from kubeferry.tasks.core.transform.addresses import unasked
from kubeferry.tasks.core.transform.node_ports import give_up, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kubeferry.tasks.core.formats.links import Owner
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.plan.parts import Part, Parts


def _field(path: str, value: object = None) -> str:
    return f"ready_by 'jsonpath={{{path}}}" + ("'" if value is None else f"={value}'")


def _condition(name: str) -> str:
    return f"ready_by condition={name}"


def _replicas(obj: Object) -> int:
    replicas = get(obj, "spec", "replicas")
    return replicas if isinstance(replicas, int) else 1


def _deployment(obj: Object) -> str:
    return "" if get(obj, "spec", "paused") else "ready_rollout"


def _stateful_set(obj: Object) -> str:
    """`kubectl rollout status` refuses the strategy OnDelete; without replicas the field does not exist."""
    if get(obj, "spec", "updateStrategy", "type") != "OnDelete":
        return "ready_rollout"
    return _available(".status.availableReplicas", obj)


def _daemon_set(obj: Object) -> str:
    on_delete = get(obj, "spec", "updateStrategy", "type") == "OnDelete"
    return _field(".status.observedGeneration") if on_delete else "ready_rollout"


def _available(path: str, obj: Object) -> str:
    return _field(path, _replicas(obj)) if _replicas(obj) else ""


def _job(obj: Object) -> str:
    return "" if get(obj, "spec", "suspend") else _field(".status.startTime")


WAITS: Mapping[tuple[str, str], Callable[[Object], str]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): lambda obj: _available(".status.availableReplicas", obj),
    ("", "ReplicationController"): lambda obj: _available(".status.availableReplicas", obj),
    ("batch", "Job"): _job,
    ("", "Pod"): lambda _: _condition("Ready"),
    ("", "PersistentVolumeClaim"): lambda _: "ready_claim",
    ("", "Namespace"): lambda _: _field(".status.phase", "Active"),
    ("", "ResourceQuota"): lambda _: _field(".status.hard"),
    ("", "Secret"): lambda obj: _field(".data.token") if obj.get("type") == TOKEN_TYPE else "",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): lambda _: _condition("Established"),
    ("apiregistration.k8s.io", "APIService"): lambda _: _condition("Available"),
}


def wait_for(obj: Object) -> str:
    """Return the script function (with its first arguments) that waits for `obj`; "" if no wait is needed."""
    group = group_of(obj["apiVersion"])
    known = WAITS.get((group, obj["kind"]))
    if known:
        return known(obj)
    return "" if is_built_in(group) else "ready_custom"


OWNERS = "@@kubeferry:owners@@"
"""Placeholder for the ownerReferences of an object until the script has looked up their uids."""

HEAD = """\
#!/usr/bin/env bash
# Restores backup {backup} ({moved}): {objects} objects in {levels} levels, with kubectl and bash only.
# Written by: kubeferry plan {backup} --kubectl
#
# WARNING: This script holds the contents of {secrets} in the clear. Keep it private, and delete it after use.
#
# Usage: bash FILE [CONTEXT]
# Existing objects are not changed, and are listed; the script can be run again. It exits 3 if all objects exist and
# one did not become ready in time.
"""


def script(parts: Parts, body: Callable[[Ref], Object], whole: Callable[[Ref], Object]) -> Iterator[str]:
    """Yield the script piece by piece.

    Args:
        parts: the plan.
        body: returns an object as it is created, without ownerReferences and late values.
        whole: returns it with both.

    Raises:
        PermanentError: the plan has objects that cannot be restored.
    """
    if parts.impossible:
        raise PermanentError("; ".join(parts.impossible))
    secrets = sum((ref.group, ref.kind) == ("", "Secret") for ref in parts.items)
    moved = ", ".join(old if old == new else f"{old} → {new}" for old, new in parts.namespaces.items())
    yield HEAD.format(
        backup=one_line(parts.backup),
        moved=one_line(moved),
        objects=len(parts.items),
        levels=len(parts.order.levels),
        secrets=f"{secrets} Secret{'' if secrets == 1 else 's'}",
    )
    yield LIBRARY
    if any(part.bindings for part in parts.items.values()):
        yield STEPS
    writer = _Writer(parts, body, whole)
    yield from writer.first()
    for number, (level, phase) in enumerate(zip(parts.order.levels, level_phases(parts.order), strict=True), start=1):
        yield f"\nbegin 'level {number} of {len(parts.order.levels)}: {phase}'\n"
        yield from writer.level(level)
    yield from writer.relinked()
    yield "\nfinish\n"


class _Writer:
    def __init__(self, parts: Parts, body: Callable[[Ref], Object], whole: Callable[[Ref], Object]) -> None:
        self.parts = parts
        self.body = body
        self.whole = whole
        self.values = Values(parts.absent, parts.items)
        self.level_of = {ref: number for number, refs in enumerate(parts.order.levels, start=1) for ref in refs}

    def first(self) -> Iterator[str]:
        """Yield what is created before all levels: namespaces, then CRDs, and the wait until these are served."""
        yield "\nbegin 'namespaces and definitions'\n"
        yield from self.level(self.parts.first)
        for ref in self.parts.first:
            yield f"ready_namespace {shlex.quote(ref.name)}\n"
        yield from self.level(self.parts.definitions)
        for ref in self.parts.definitions:
            kind = defined(self.body(ref))
            yield f"served {shlex.quote(f'{kind.group}/{kind.version}')} {shlex.quote(kind.resource)}\n"

    def level(self, refs: Sequence[Ref]) -> Iterator[str]:
        """Yield the creates of one level, then its waits."""
        waits = []
        for ref in refs:
            obj = self.body(ref)
            yield from self._create(self.parts.items[ref], obj)
            wait = "" if self.parts.items[ref].not_ready else wait_for(obj)
            waits += [f"{wait} {named(ref, self.parts.items[ref].api_version)}\n"] if wait else []
        yield from waits

    def _create(self, part: Part, obj: Object) -> Iterator[str]:
        owners = [each for each in part.owners if not self._later(part, each)]
        tokens = Tokens(obj, [each for each in part.bindings if each not in part.late], self.values)
        made = _with_owners(tokens.obj) if owners else tokens.obj
        yield f"object {named(part.ref, part.api_version)} {_json(made)}"
        if (part.ref.group, part.ref.kind) == ("", "Service"):
            freed, _ = give_up(unasked(made), dict.fromkeys(wanted(obj), part.ref))
            yield f"otherwise {_json(freed)}" if freed != made else ""
        yield from tokens.commands()
        for each in part.unowned:
            yield f"note {shlex.quote(one_line(f'{part.ref} is not owned by {each}'))}\n"
        yield from (self._owner(part, each) for each in owners)
        if owners:
            yield f'put \'"{OWNERS}"\' "[$owners]"\n'
        if (part.ref.group, part.ref.kind) == ("", "ServiceAccount"):
            yield f"account {shlex.quote(part.ref.namespace)} {shlex.quote(part.ref.name)}\n"
        else:
            yield "namespace\n" if part.ref in self.parts.first else "create\n"

    def relinked(self) -> Iterator[str]:
        """Yield the patches of objects whose owners or values exist only after them (a cycle)."""
        for ref in [*self.parts.first, *self.parts.definitions, *self.level_of]:
            part = self.parts.items[ref]
            if any(self._later(part, each) for each in part.owners):
                yield f"object {named(part.ref, part.api_version)} </dev/null\n"
                yield from (self._owner(part, each) for each in part.owners)
                yield "relink\n"
            if part.late:
                yield from patched(part, self.body(ref), self.whole(ref), self.values)

    def _later(self, part: Part, owner: Owner) -> bool:
        found = self._planned(part, owner)
        return found is not None and self.level_of.get(found, 0) >= self.level_of.get(part.ref, 0)

    def _planned(self, part: Part, owner: Owner) -> Ref | None:
        both = (owner_ref(owner, namespace) for namespace in (part.ref.namespace, ""))
        return next((ref for ref in both if ref in self.parts.items), None)

    def _owner(self, part: Part, owner: Owner) -> str:
        """Return the look-up of one owner: where the plan creates it, else in the object's own namespace."""
        ref = self._planned(part, owner) or owner_ref(owner, part.ref.namespace)
        version = self.parts.items[ref].api_version if ref in self.parts.items else owner.api_version
        flags = {"controller": owner.controller, "blockOwnerDeletion": owner.block_owner_deletion}
        reference: dict[str, Any] = {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name}
        reference |= {flag: value for flag, value in flags.items() if value is not None}
        begun = orjson.dumps(reference).decode()[:-1] + ',"uid":"'
        words = shlex.quote(one_line(f"{owner.kind} {owner.name}"))
        return f"owner {words} {shlex.quote(identity(ref, version))} {shlex.quote(begun)}\n"


def _json(obj: Object) -> str:
    return heredoc(orjson.dumps(obj).decode())


def _with_owners(obj: Object) -> Object:
    return obj | {"metadata": obj["metadata"] | {"ownerReferences": OWNERS}}
