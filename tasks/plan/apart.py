"""What a plan says about status and finalizers, which a restore writes apart from their objects, or leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.models.options import Finalizers

if TYPE_CHECKING:
    from collections.abc import Collection

    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Plan, Source


def report_apart(source: Source, plan: Plan) -> None:
    """Note the statuses that are left, and the finalizers if they are to be dropped.

    A controller of Kubernetes writes the status of a built-in kind again; that of another one may keep its state there.
    """
    for ref, item in plan.items.items():
        if item.finalizers and source.options.finalizers is Finalizers.DROP:
            drop_finalizers(plan, ref, "--finalizers drop", item.finalizers)
        if item.status_left and not is_built_in(ref.group):
            plan.losses.append(Loss.of(ref, LossCode.STATUS_LEFT, path="/status"))


def drop_finalizers(plan: Plan, ref: Ref, why: str, gone: Collection[str]) -> None:
    """Leave an object without some finalizers of others, and note them."""
    item = plan.items[ref]
    for each in gone:
        plan.losses.append(Loss.of(ref, LossCode.FINALIZER_LEFT, f"{each}: {why}", path="/metadata/finalizers"))
    item.finalizers = tuple(each for each in item.finalizers if each not in gone)
