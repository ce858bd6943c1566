"""In which version each object is written: the one that was saved, or else one that the target serves and that fits.

The API server converts between what it serves and what it stores. What it does not serve, a restore converts only where
a conversion changes `apiVersion` and nothing else; core/kube/schemas/versions.py has the rules.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.links import packed
from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.kube.resources import served
from kubeferry.tasks.core.kube.schemas.versions import Writing, definition_of, writing_built_in, writing_custom
from kubeferry.tasks.core.plan.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeferry.tasks.core.formats.links import Owner
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.plan.state import Item, Plan
    from kubeferry.tasks.preflight.target import Target


def other_versions(plan: Plan, target: Target) -> Iterator[Fault]:
    """Change the plan of objects in versions that the target does not serve; yield those that it cannot take at all.

    What is changed is reported as a loss, which is none of weight. What a CRD of the backup will define is served.
    """
    saved = definitions(plan)
    new = {kind: served(body) for kind, body in saved.items() if kind not in target.discovery.versions}
    wanted: dict[tuple[str, str, str], list[Item]] = defaultdict(list)
    for item in plan.items.values():
        wanted[item.ref.group, item.ref.kind, item.api_version].append(item)
    written = dict[tuple[str, str], str]()
    for (group, kind, api_version), items in sorted(wanted.items(), key=lambda each: each[0]):
        version = api_version.rpartition("/")[2]
        has = [*target.discovery.versions.get((group, kind), ()), *new.get((group, kind), ())]
        if version in has:
            written[group, kind] = version
            continue
        found = _writing(plan, target, items, version, has, saved.get((group, kind))) if has else Writing()
        if found.version:
            written[group, kind] = found.version
            _write_as(plan, items, f"{group}/{found.version}" if group else found.version)
        else:
            instead = f"it serves {', '.join(has)}, and {found.why}" if has else "it does not know this kind"
            yield Fault.of(f"{kind} in {api_version} ({len(items)} objects): {instead}", (item.ref for item in items))
    target.write_in(written)
    for item in plan.items.values():
        _own(target, written, item)


def _writing(
    plan: Plan, target: Target, items: list[Item], version: str, has: list[str], saved: Object | None
) -> Writing:
    group, kind = items[0].ref.group, items[0].ref.kind
    if is_built_in(group):
        objects = (plan.contents.read(item.slot) for item in items)
        return writing_built_in(group, kind, version, has, objects)
    there = target.discovery.by_kind(group, kind)
    live = target.cached.definition(there) if there else saved
    return writing_custom(version, has, definition_of(saved) if saved else None, definition_of(live) if live else None)


def _own(target: Target, written: Mapping[tuple[str, str], str], item: Item) -> None:
    """Name the owners of an object in versions that the target serves.

    Its garbage collector deletes no dependents of an owner that is named in another one: such an owner has no REST
    mapping (pkg/controller/garbagecollector).
    """
    owners = tuple(_served(target, written, each) for each in item.links.owners)
    if owners != item.links.owners:
        item.links = replace(item.links, owners=owners)


def _served(target: Target, written: Mapping[tuple[str, str], str], owner: Owner) -> Owner:
    group, _, version = owner.api_version.rpartition("/")
    has = target.discovery.versions.get((group, owner.kind), ())
    if not has or version in has:
        return owner
    new = written.get((group, owner.kind), has[0])
    return replace(owner, api_version=f"{group}/{new}" if group else new)


def _write_as(plan: Plan, items: list[Item], api_version: str) -> None:
    new = {"apiVersion": api_version}
    for item in items:
        both = f"{item.api_version} and is restored in {api_version}"
        plan.losses.append(Loss.of(item.ref, LossCode.VERSION_CHANGED, both, path="/apiVersion"))
        # The fields have the same names, and entries in the version that is not served would be dropped.
        old = item.api_version
        managers = tuple(each | new if each.get("apiVersion") == old else each for each in item.links.managers)
        item.links = replace(item.links, packed=packed(managers))
        item.api_version = api_version
        plan.edit(item, lambda obj: obj | new)


def definitions(plan: Plan) -> dict[tuple[str, str], Object]:
    """Return the CRDs that the backup holds, by the (group, kind) that they define."""
    return {kind: plan.contents.read(plan.items[ref].slot) for kind, ref in plan.defined().items()}


def coming(plan: Plan, target: Target) -> dict[tuple[str, str], Object]:
    """Return the CRDs that the backup brings, by the kind they define; one that the target has stays as it is."""
    return {kind: body for kind, body in definitions(plan).items() if kind not in target.discovery.versions}
