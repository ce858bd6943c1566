"""Turn a plan into a bash script that does the restore by kubectl alone: the same order, look-ups and waits.

The script holds every object, Secrets too, in the clear, and says so. Each object is one quoted here-document, so that
nothing in it means anything to bash; what is written around it comes from `shlex.quote`. It can be run again.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.links import owner_ref
from kubeferry.tasks.core.jsondoc.printable import one_line
from kubeferry.tasks.core.kube.resources import defined
from kubeferry.tasks.core.plan.kubectl.bash import LIBRARY
from kubeferry.tasks.core.plan.kubectl.kubectl_steps import STEPS
from kubeferry.tasks.core.plan.kubectl.kubectl_text import heredoc, identity, named
from kubeferry.tasks.core.plan.kubectl.kubectl_waits import wait_for
from kubeferry.tasks.core.plan.kubectl.lookups import Tokens, Values, patched
from kubeferry.tasks.core.plan.parts import level_phases
from kubeferry.tasks.core.transform.node_ports import give_up, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kubeferry.tasks.core.formats.links import Owner
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.plan.parts import Part, Parts

OWNERS = "@@kubeferry:owners@@"
"""Stands in an object for its ownerReferences until the script has looked their uids up."""

HEAD = """\
#!/usr/bin/env bash
# Restores backup {backup} ({moved}): {objects} objects in {levels} levels, with nothing but kubectl and bash.
# Written by: kubeferry plan {backup} --kubectl
#
# WARNING: it holds the contents of {secrets} in the clear. Keep it private, and delete it after use.
#
# Usage: bash FILE [CONTEXT]
# What is there already is left as it is, and told; the script can be run again. It exits 3 when all was created and
# something did not become ready in time.
"""


def script(parts: Parts, body: Callable[[Ref], Object], whole: Callable[[Ref], Object]) -> Iterator[str]:
    """Yield the script piece by piece.

    Args:
        parts: the plan.
        body: returns an object as it is to be created, without ownerReferences and without values that come late.
        whole: returns it with those.

    Raises:
        PermanentError: the plan holds what cannot be carried out.
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
        """Yield what comes before all levels: namespaces, then definitions until they are served."""
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
        if (part.ref.group, part.ref.kind) == ("", "Service") and wanted(obj):
            freed, _ = give_up(made, dict.fromkeys(wanted(obj), part.ref))
            yield f"otherwise {_json(freed)}"
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
        """Yield the patches of objects whose owners or values come with them or after them (a cycle)."""
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
        """Return the look-up of one owner: where it was planned, else in the object's own namespace."""
        ref = self._planned(part, owner) or owner_ref(owner, part.ref.namespace)
        version = self.parts.items[ref].api_version if ref in self.parts.items else owner.api_version
        flags = {"controller": owner.controller, "blockOwnerDeletion": owner.block_owner_deletion}
        reference: dict[str, Any] = {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name}
        reference |= {flag: value for flag, value in flags.items() if value is not None}
        begun = orjson.dumps(reference).decode()[:-1] + ',"uid":"'
        told = shlex.quote(one_line(f"{owner.kind} {owner.name}"))
        return f"owner {told} {shlex.quote(identity(ref, version))} {shlex.quote(begun)}\n"


def _json(obj: Object) -> str:
    return heredoc(orjson.dumps(obj).decode())


def _with_owners(obj: Object) -> Object:
    return obj | {"metadata": obj["metadata"] | {"ownerReferences": OWNERS}}
