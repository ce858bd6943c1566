"""Whether a value that is not there may still come, so that waiting for it makes sense.

Judged by what the target has and what the restore brings: nobody makes what is neither, no pod comes of an owner that
wants none, and no address of a family that the cluster does not have. It refuses to say that a value will come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.lookup.chain import FIXED
from kubeferry.tasks.core.lookup.follow import Live, values_at, walk
from kubeferry.tasks.core.lookup.steps import Named, Newest, Nodes, Pods, Read

if TYPE_CHECKING:
    from collections.abc import Container

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.lookup.chain import Chain

COMPLETE = ("podIP", "hostIP", "clusterIP", "nodeAddress")
"""What is handed out all at once: where one address is there, no other comes later."""


def hopeless(chain: Chain, live: Live, coming: Container[Ref]) -> str:
    """Return why the value of a chain cannot come, in one sentence; "" where it may.

    Args:
        chain: one whose value is not there.
        live: all that it asks for.
        coming: what the restore creates.
    """
    if isinstance(chain.steps[0], Nodes):
        return _given(chain, live) if walk(chain.steps[:-1], live) else "no such node is there, and none is restored"
    start = chain.start
    if start is None or start in FIXED:
        return ""
    owner = live.get(start)
    if owner is None:
        return "" if start in coming else f"{start} is neither there nor restored"
    return _no_pods(chain, owner) or _no_address(chain.read, owner) or _given(chain, live)


def _no_pods(chain: Chain, owner: Object) -> str:
    """Return why the owner makes no such pod."""
    wanted, first = get(owner, "spec", "replicas"), get(owner, "spec", "ordinals", "start")
    for step in chain.steps[1:-1]:
        if isinstance(step, Newest) and step.kind == "Job" and get(owner, "spec", "suspend") is True:
            return f"{chain.start} is suspended"
        at = step.ordinal if isinstance(step, Pods) else _number(step.name) if isinstance(step, Named) else None
        if isinstance(step, Named) and at is not None and isinstance(first, int):
            at -= first
        if isinstance(wanted, int) and at is not None and not 0 <= at < wanted:
            return f"{chain.start} wants {wanted} replicas"
    return ""


def _number(name: str) -> int | None:
    number = name.rpartition("-")[2]
    return int(number) if number.isdecimal() else None


def _no_address(read: Read, service: Object) -> str:
    """Return why a Service is given no such address."""
    if service["kind"] != "Service":
        return ""
    of, ip = get(service, "spec", "type"), get(service, "spec", "clusterIP")
    if read.what == "clusterIP" and (ip == "None" or of == "ExternalName"):
        return "the Service has no address of its own"
    return f"the Service is of type {of}" if read.what == "ingress" and of != "LoadBalancer" else ""


def _given(chain: Chain, live: Live) -> str:
    """Return why no further address comes: the object has been given its own, and this one is not among them."""
    read, obj = chain.read, walk(chain.steps[:-1], live)
    if obj is None or read.what not in COMPLETE or not values_at(read.what, "", obj):
        return ""
    return f"it has no {read.family or 'such'} address"
