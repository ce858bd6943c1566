"""Look at what the target has already where a restore wants to write: objects with other content."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.records import Action
from kubeferry.tasks.core.kube.immutable_fields import can_freeze
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.bindings import bind
from kubeferry.tasks.core.models.options import Existing
from kubeferry.tasks.core.plan.existing import advice, decide, mode_of
from kubeferry.tasks.core.plan.faults import Fault
from kubeferry.tasks.ports.cluster.leases import busy
from kubeferry.tasks.ports.cluster.namespaces import stays
from kubeferry.tasks.preflight.lookup import Lookups, follow

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.core.lookup.chain import Chain
    from kubeferry.tasks.plan.state import Item, Plan, Source
    from kubeferry.tasks.ports.cluster.cancellation import Cancellation
    from kubeferry.tasks.preflight.target import Target


def conflicts(
    source: Source, plan: Plan, target: Target, lookups: Lookups, cancellation: Cancellation, made: Container[Ref]
) -> Iterator[Fault]:
    """Yield objects that are there with other content, where the restore has to fail on them or cannot change them.

    What an update cannot change is known for Kubernetes' own kinds; of others the API server says so at the update.
    """
    for namespace in plan.namespaces:
        if not target.namespace(namespace.name):
            continue
        items = list(inside(plan, namespace.name))
        values = follow(target, lookups, cancellation, {each.chain for item in items for each in item.bindings}, 0)
        for kind in sorted({(item.ref.group, item.ref.kind, item.api_version) for item in items}):
            yield from _conflicting(source, plan, target, made, kind, namespace.name, values)


def _conflicting(
    source: Source,
    plan: Plan,
    target: Target,
    made: Container[Ref],
    of: tuple[str, str, str],
    namespace: str,
    values: Mapping[Chain, str],
) -> Iterator[Fault]:
    group, kind_name, api_version = of
    found = target.discovery.by_kind(group, kind_name)
    kind = replace(found, version=api_version.rpartition("/")[2]) if found else None
    mode = mode_of(kind, source.options) if kind else Existing.SKIP
    if kind is None or not serves(target, group, kind) or not (mode is Existing.FAIL or _may_be_stuck(mode, kind)):
        return
    for live in target.cluster().list(kind, namespace):
        item = plan.items.get(Ref.of(live))
        # What is going is waited for; what this restore made before it was resumed may lack what comes late.
        if item is None or item.ref in made or live["metadata"].get("deletionTimestamp"):
            continue
        wanted, adopter = as_bound(plan, item, values), plan.adopters.get(item.ref)
        decision = decide(wanted, source.rules.without_dynamic(live), mode, adopter)
        if decision.action == Action.CONFLICT:
            yield Fault(f"{item.ref} {decision.why}; --existing says what to do about it", (item.ref,))
        # A value that is not known yet may be the live one: meet() looks again when it is.
        if decision.action == Action.IMMUTABLE and all(each.chain in values for each in item.bindings):
            yield Fault(f"{item.ref} {decision.why}; {advice(kind)}", (item.ref,))


def _may_be_stuck(mode: Existing, kind: ResourceType) -> bool:
    return mode is Existing.UPDATE and can_freeze((kind.group, kind.kind))


def as_bound(plan: Plan, item: Item, values: Mapping[Chain, str]) -> Object:
    """Return what would be written with the values that are known now; the others stay as they are."""
    body: Object = plan.contents.read(item.whole or item.slot)
    bound, _ = bind(body, [each for each in item.bindings if each.chain in values], lambda each: values[each.chain])
    return bound


def serves(target: Target, group: str, kind: ResourceType) -> bool:
    """Return whether the target serves a kind in the version that `kind` names."""
    return kind.version in target.discovery.versions.get((group, kind.kind), ())


def held(source: Source, plan: Plan, target: Target) -> Iterator[Fault]:
    """Yield namespaces that another restore, an undo or a deletion is at work in."""
    for name in sorted({*plan.spaces().values()}):
        holder = busy(target.cluster(), name, source.name) if stays(target.namespace(name)) else ""
        if holder:
            yield Fault(f"Namespace {name} is being worked on by {holder}: wait for its end")


def inside(plan: Plan, namespace: str) -> Iterator[Item]:
    """Return what is planned in a namespace."""
    return (item for item in plan.items.values() if item.ref.namespace == namespace)
