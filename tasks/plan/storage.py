"""What a restore makes of claims and volumes: claims that come back empty, static volumes that are retained.

What the backup itself lost is a loss of its restore too, under the names of the target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.formats.reasons import ReasonCode
from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.transform.strip.storage import was_bound
from kubeferry.tasks.core.transform.volumes import (
    CLAIM,
    RETAIN,
    VOLUME,
    is_static,
    lost_source,
    reclaim_policy,
    size_of,
    with_policy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.plan.state import Item, Plan, Source

GONE = frozenset(
    {
        ReasonCode.BEING_DELETED,
        ReasonCode.EXCLUDED_BY_LABEL,
        ReasonCode.FINISHED,
        ReasonCode.BY_PLUGIN,
        ReasonCode.UNKNOWN_KIND,
        ReasonCode.OTHER_VERSIONS,
        ReasonCode.NOT_READ,
    }
)
"""Why an object is not in a backup that nobody makes again, and that no option asked for."""

RECLAIM = "/spec/persistentVolumeReclaimPolicy"


def look_at_claim(item: Item, archived: Object, portable: Object) -> None:
    """Note what a claim was, where the archive holds it as it was on its cluster (as Velero's does)."""
    if (item.source.group, item.source.kind) != CLAIM or "status" not in archived:
        return
    item.was_bound = was_bound(archived)
    item.lost = tuple(lost_source(archived, portable))


def plan_storage(source: Source, plan: Plan) -> None:
    """Add to the plan's losses what comes of claims and volumes; volumes that nobody provisioned are retained."""
    plan.losses += _of_backup(source, plan)
    manifest = source.backup.manifest
    codes = {LossCode.CONTENTS_NOT_SAVED.value}
    saved_without = {each.object for each in manifest.losses if each.code in codes} if manifest else set[str]()
    for ref, item in plan.items.items():
        if (ref.group, ref.kind) == CLAIM:
            plan.losses += _of_claim(item, plan.contents.read(item.slot), saved_without)
        elif (ref.group, ref.kind) == VOLUME:
            _retain(plan, item)


def _of_claim(item: Item, claim: Object, saved_without: set[str]) -> Iterator[Loss]:
    """Yield the losses of a claim; one with a volume of its own name keeps its contents, one that had none loses none.

    An older backup does not say whether a claim was bound: unless it was not ready, it counts as bound.
    """
    yield from (each.model_copy(update={"object": str(item.ref)}) for each in item.lost)
    known = item.was_bound
    bound = known if known is not None else str(item.source) in saved_without or not item.not_ready
    if bound and not get(claim, "spec", "volumeName"):
        yield Loss.of(item.ref, LossCode.COMES_BACK_EMPTY, size_of(claim))


def _retain(plan: Plan, item: Item) -> None:
    volume = plan.contents.read(item.slot)
    policy = reclaim_policy(volume)
    if policy == RETAIN or not is_static(volume):
        return
    item.slot = plan.contents.append(orjson.dumps(with_policy(volume, RETAIN)))
    plan.retained[item.ref] = policy
    plan.losses.append(Loss.of(item.ref, LossCode.RECLAIM_RETAINED, policy, path=RECLAIM))


def _of_backup(source: Source, plan: Plan) -> Iterator[Loss]:
    """Yield what the backup lost of what is restored, under the names of the target.

    What is said of an object of a namespace that is not restored is left out; a claim's contents are said anew.
    """
    manifest = source.backup.manifest
    if manifest is None:
        return
    spaces = {"", *plan.spaces()}
    for gap in manifest.left_out:
        if gap.code in GONE and gap.namespace in spaces:
            yield Loss.of(gap.text, LossCode.LEFT_OUT, f"is not in the backup: {gap.why}")
    targets = {str(item.source): str(item.ref) for item in plan.items.values()}
    for each in manifest.losses:
        if each.code == LossCode.CONTENTS_NOT_SAVED:
            continue
        if each.object in targets:
            yield each.model_copy(update={"object": targets[each.object]})
        elif _namespace(each.object) in spaces:
            yield each


def _namespace(what: str) -> str:
    try:
        return Ref.parse(what).namespace
    except ValueError:
        return ""
