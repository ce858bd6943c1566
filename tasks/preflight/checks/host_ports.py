"""Host ports: found before anything is written, where the target's nodes have too few of them free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError
from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.needs.host_ports import PODS_AT, host_ports, replicas, short
from kubeferry.tasks.core.plan.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.preflight.target import Target


def ports_taken(source: Source, plan: Plan, target: Target, made: Container[Ref]) -> Iterator[Fault]:
    """Yield workloads that would wait for a port of a node; those that are there have theirs already.

    What was not ready when it was backed up is not waited for here either, nor is anything with --no-wait.
    """
    asking = dict(_asking(plan, target, made)) if source.options.wait else {}
    if not asking:
        return
    try:
        pods, nodes = target.cached.everywhere("", "Pod"), target.cached.everywhere("", "Node")
    except ForbiddenError:
        return  # who may not see them hears of it from the scheduler
    for ref, obj in asking.items():
        why = short(obj, pods, nodes)
        if why:
            yield Fault(f"{ref}: {why}", (ref,))


def _asking(plan: Plan, target: Target, made: Container[Ref]) -> Iterator[tuple[Ref, Object]]:
    for ref, item in plan.items.items():
        path = PODS_AT.get((ref.group, ref.kind))
        if not path or item.not_ready or ref in made:
            continue
        body = plan.contents.read(item.slot)
        if host_ports(get(body, *path)) and replicas(body) != 0 and target.find(ref) is None:
            yield ref, body
