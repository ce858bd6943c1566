"""What a plan says of status and finalizers, which are written apart from their objects or left, and of --at-rest."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.kube.resources import defined
from kubeferry.tasks.core.models.options import Finalizers
from kubeferry.tasks.core.transform.at_rest import awake, has_no_value, scale_path, scaled_to_none, waking

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
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


AT_REST = "at rest (--at-rest)"


def noted_at_rest(ref: Ref, obj: Object, spaces: Collection[str]) -> Iterator[Loss]:
    """Yield how to wake up an object that is at rest, or why one acts all the same."""
    command = waking(obj)
    why = f"is at rest; wake it up with: {command}" if command else awake(obj, spaces)
    if why:
        yield Loss.of(ref, LossCode.AT_REST, why)


def rest_all(plan: Plan) -> None:
    """Give up what only running pods have, and do not wait for what they answer; it is the end of planning."""
    for ref, item in plan.items.items():
        gone = [each for each in item.bindings if has_no_value(each.chain)]
        item.bindings = tuple(each for each in item.bindings if each not in gone)
        for each in gone:
            why = f"keeps a value of the old cluster: only running pods have a new one, {each.chain.text()}"
            plan.losses.append(Loss.of(ref, LossCode.AT_REST, why, path=each.use.pointer))
        if ref.kind in ("Pod", "APIService") and any(each.code == LossCode.AT_REST for each in item.noted):
            item.not_ready = item.not_ready or AT_REST
    definitions = [plan.contents.read(plan.items[ref].slot) for ref in plan.definitions]
    rest_custom(plan, {(kind.group, kind.kind): body for body in definitions if (kind := defined(body))}.get)


def rest_custom(plan: Plan, definition: Callable[[tuple[str, str]], Object | None]) -> None:
    """Take the replicas from custom resources whose definition says where their number is (subresource `scale`)."""
    for ref, item in plan.items.items():
        if is_built_in(ref.group) or not ref.namespace:
            continue
        found = definition((ref.group, ref.kind))
        path = scale_path(found, item.api_version.rpartition("/")[2]) if found else ()
        body = plan.contents.read(item.slot) if path else {}
        if path and scaled_to_none(body, path) is not body:
            plan.edit(item, partial(scaled_to_none, path=path))
            plan.losses += noted_at_rest(ref, plan.contents.read(item.slot), ())
