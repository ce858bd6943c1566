"""Objects that a webhook judges whose own Service comes with the restore: they come after what serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.pod_templates import pod_of
from kubeferry.tasks.plan.build import ordered
from kubeferry.tasks.plan.choice import FIRST
from kubeferry.tasks.step import log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeferry.tasks.core.errors import WebhookError
    from kubeferry.tasks.plan.state import Plan, Source

SERVED_LATER = "; its Service comes with this restore, and what serves it needs {}"
NOT_OURS = "; the target has the webhook, and its Service does not come with this restore"


def after_their_webhooks(source: Source, plan: Plan, called: Mapping[Ref, WebhookError]) -> dict[Ref, str]:
    """Order objects behind what serves the webhooks that did not answer for them.

    Returns:
        Those for which that is impossible, each with the end of a sentence that says why.
    """
    impossible: dict[Ref, str] = {}
    needs = {ref: {edge.target for edge in edges} for ref, edges in plan.order.needs.items()}
    added: list[Edge] = []
    for ref, error in sorted(called.items(), key=lambda each: each[0]):
        service = Ref("", "Service", *error.service) if error.service else None
        if service is None or service not in plan.items:
            beside = {*source.company.names.values()} - {*plan.spaces().values()} if source.company else set()
            if not (service and service.namespace in beside):  # another restore of the migration may bring it
                impossible[ref] = NOT_OURS
            continue
        serving = {service, *_serving(plan, service)}
        if (ref.group, ref.kind) in FIRST or any(_reaches(needs, each, ref) for each in serving):
            impossible[ref] = SERVED_LATER.replace("{}", str(ref))
            continue
        needs.setdefault(ref, set()).update(serving)
        why = f"webhook {error.webhook or 'of a conversion'} judges it"
        added += [Edge(ref, each, Strength.EXPLICIT, why, Via.IMPLICIT) for each in sorted(serving)]
    if added:
        broken = plan.order.broken
        kept = [edge for edges in plan.order.needs.values() for edge in edges]
        plan.order = ordered(source, plan, [*kept, *added])
        plan.order.broken.extend(broken)
        plan.__dict__.pop("level_of", None)
        count = len({edge.source for edge in added})
        log(f"{count} objects come after what serves the webhooks that judge them")
    return impossible


def _serving(plan: Plan, service: Ref) -> list[Ref]:
    """Return the planned objects whose pods a Service leads to."""
    selector = get(plan.contents.read(plan.items[service].slot), "spec", "selector") or {}
    found = []
    for ref, item in plan.items.items():
        if ref.namespace != service.namespace or not selector:
            continue
        obj = plan.contents.read(item.slot)
        pod = obj if (ref.group, ref.kind) == ("", "Pod") else pod_of(obj)
        labels = get(pod, "metadata", "labels") or {}
        if selector.items() <= labels.items():
            found.append(ref)
    return found


def _reaches(needs: Mapping[Ref, set[Ref]], start: Ref, wanted: Ref) -> bool:
    """Return whether an object is, or needs, another one."""
    todo, seen = [start], {start}
    while todo:
        ref = todo.pop()
        if ref == wanted:
            return True
        more = needs.get(ref, set()) - seen
        seen |= more
        todo += more
    return False
