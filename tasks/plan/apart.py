"""What a plan says about status and finalizers, which a restore writes apart from their objects, or leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import Finalizers
from kubeferry.tasks.plan.unpacked import archived_object

if TYPE_CHECKING:
    from kubeferry.tasks.plan.state import Plan, Source


def report_apart(source: Source, plan: Plan) -> None:
    """Note the statuses that are left, and the finalizers if they are to be dropped.

    A controller of Kubernetes writes the status of a built-in kind again; that of another one may keep its state there.
    """
    here = {item.source: item for item in plan.items.values() if not is_built_in(item.ref.group)}
    for item in plan.items.values():
        if item.finalizers and source.options.finalizers is Finalizers.DROP:
            drop_finalizers(plan, item.ref, "--finalizers drop")
    for each in source.archived if here else ():
        if is_built_in(each.member.group_resource.partition(".")[2]):
            continue
        obj = archived_object(source, each)
        found = here.get(Ref.of(obj))
        if found and found.status is None and obj.get("status") and "status" not in plan.contents.read(found.slot):
            plan.losses.append(Loss.of(found.ref, LossCode.STATUS_LEFT, path="/status"))


def drop_finalizers(plan: Plan, ref: Ref, why: str) -> None:
    """Leave an object without the finalizers of others, and note them."""
    item = plan.items[ref]
    for each in item.finalizers:
        plan.losses.append(Loss.of(ref, LossCode.FINALIZER_LEFT, f"{each}: {why}", path="/metadata/finalizers"))
    item.finalizers = ()
