"""Whether the target's kinds have the fields of what is restored: one look at each object, no request for any.

A field of another type is refused by the API server. A field that the kind does not have is dropped without an error:
by the structural schema of the target's definition for custom resources, by the OpenAPI document for all others and
where the definition cannot be read.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.kube.schemas.openapi import Misfit, Schemas, is_newer_default
from kubeferry.tasks.core.kube.schemas.structural import pruned
from kubeferry.tasks.core.kube.schemas.versions import Definition, definition_of, schema_or_all
from kubeferry.tasks.core.kube.strings import pointer
from kubeferry.tasks.core.models.options import Existing
from kubeferry.tasks.core.plan.existing import mode_of
from kubeferry.tasks.core.plan.faults import Fault
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.preflight.checks.versions import coming

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.plan.state import Item, Plan, Source
    from kubeferry.tasks.preflight.target import Target


def field_faults(source: Source, plan: Plan, target: Target) -> Iterator[Fault]:
    """Yield objects with a field of a type that its kind does not have, the first of each, and fields that get lost.

    With --allow-pruned, the latter are losses of the plan instead.
    """
    plan.losses = [each for each in plan.losses if each.code != LossCode.PRUNED]
    items: dict[str, list[Item]] = defaultdict(list)
    for item in plan.items.values():
        items[item.api_version].append(item)
    versions = sorted(items)
    custom = _definitions(plan, target)
    plain = target.cached.schemas("v1") if custom else Schemas({})
    for version, schemas in zip(versions, in_threads(target.cached.schemas, versions, THREADS), strict=True):
        for item in items[version]:
            obj = plan.contents.read(item.whole or item.slot)
            definition = custom.get((item.ref.group, item.ref.kind))
            found = _faults(obj, schemas, plain, definition)
            if found.misfit:
                wanted, has = _a(found.misfit.wanted), _a(found.misfit.has)
                text = f"{item.ref} {found.misfit.pointer}: {item.ref.kind} has {wanted} there, not {has}"
                yield Fault(text, (item.ref,))
            if found.unknown and not _stays(source, target, item):
                yield from _unknown(source, plan, item, found.unknown)


def _definitions(plan: Plan, target: Target) -> dict[tuple[str, str], Definition]:
    """Return the definitions of the custom kinds of a plan, as they will be on the target; those that can be read."""
    asked = sorted({(ref.group, ref.kind) for ref in plan.items if not is_built_in(ref.group)})
    found = {kind: body for kind, body in coming(plan, target).items() if kind in asked}
    types = [kind for key in asked if key not in found and (kind := target.discovery.by_kind(*key))]
    live = zip(types, in_threads(target.cached.definition, types, THREADS), strict=True)
    found |= {(kind.group, kind.kind): body for kind, body in live if body}
    return {kind: definition_of(body) for kind, body in found.items()}


@dataclass
class _Faults:
    misfit: Misfit | None
    unknown: list[str]
    """JSON pointers."""


def _faults(obj: Object, schemas: Schemas, plain: Schemas, definition: Definition | None) -> _Faults:
    misfit, unknown = None, list[str]()
    for each in schemas.faults(obj):
        if isinstance(each, Misfit):
            misfit = misfit or each
        elif definition is None and not is_newer_default(each.pointer, each.value):
            unknown.append(each.pointer)
    version = obj["apiVersion"].rpartition("/")[2]
    if definition and version in definition.schemas:
        places = pruned(obj, schema_or_all(definition, version))
        own = {("status",)} if version in definition.status else set()  # written by the subresource, if at all
        unknown += [pointer(place) for place in places if place[:1] not in own]
        unknown += [each.pointer for each in plain.metadata_faults(obj)]
    return _Faults(misfit, sorted(unknown))


def _stays(source: Source, target: Target, item: Item) -> bool:
    """Return whether the target has an object that stays as it is; asked only where a field would be lost."""
    kind = target.discovery.by_kind(item.ref.group, item.ref.kind)
    kept = not item.ref.namespace or (kind is not None and mode_of(kind, source.options) is Existing.SKIP)
    return bool(kept and kind and target.cluster().find(kind, item.ref.namespace, item.ref.name))


def _unknown(source: Source, plan: Plan, item: Item, pointers: list[str]) -> Iterator[Fault]:
    for each in pointers:
        if source.options.allow_pruned:
            plan.losses.append(Loss.of(item.ref, LossCode.PRUNED, path=each))
        else:
            text = (
                f"{item.ref} {each}: {item.ref.kind} in {item.api_version} has no such field there, and it would be "
                "lost; --allow-pruned restores without it"
            )
            yield Fault(text, (item.ref,))


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aio" else f"a {kind}"
