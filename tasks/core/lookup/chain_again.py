"""Follow chains a second time: what was found before and is still there counts, and not who comes first by name now.

Pods that are made anew have other names, so that each may be another's successor by number: a value changes only where
what gave it is gone. It refuses to wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.kube.objects import labels_of
from kubeferry.tasks.core.lookup.follow import POD, Live, ready_pods, roles_of, walk
from kubeferry.tasks.core.lookup.steps import Nodes, Pods, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.lookup.chain import Chain

Way = tuple[Step, ...]
"""A chain without what it reads: chains of one way read the same object."""


def again(chains: Iterable[Chain], live: Live, held: Mapping[Chain, str]) -> dict[Chain, Object]:
    """Return the objects that chains read now, without those that are not there.

    Args:
        chains: those to follow.
        live: all that they ask for.
        held: uid of the object that each chain read before.
    """
    ways: dict[Way, list[Chain]] = {}
    for chain in chains:
        ways.setdefault(chain.steps[:-1], []).append(chain)
    before = {way: next((held[each] for each in some if each in held), "") for way, some in ways.items()}
    now = _of_pods({way: uid for way, uid in before.items() if isinstance(way[-1], Pods)}, live)
    now |= {way: _node(way[-1], uid, live) for way, uid in before.items() if isinstance(way[-1], Nodes)}
    found = {way: now[way] if way in now else walk(way, live) for way in ways}
    return {chain: obj for way, some in ways.items() if (obj := found[way]) is not None for chain in some}


def _of_pods(before: Mapping[Way, str], live: Live) -> dict[Way, Object | None]:
    """Return the pod of each way: the one that it had, else one of its owner's that no other way has."""
    now: dict[Way, Object | None] = {}
    for way, uid in before.items():
        owner = walk(way[:-1], live)
        now[way] = next((pod for pod in live.owned(owner, POD) if _uid(pod) == uid), None) if owner else None
    taken = {_uid(pod) for pod in now.values() if pod}
    for way in sorted((way for way, pod in now.items() if not pod), key=_ordinal):
        owner = walk(way[:-1], live)
        free = [pod for pod in _ready(way[-1], owner, live) if _uid(pod) not in taken]
        now[way] = free[0] if free else walk(way, live)
        taken |= {_uid(pod) for pod in free[:1]}
    return now


def _ready(step: Step, owner: Object | None, live: Live) -> list[Object]:
    return ready_pods(step, owner, live) if isinstance(step, Pods) and owner else []


def _ordinal(way: Way) -> tuple[int, str]:
    step = way[-1]
    return step.ordinal if isinstance(step, Pods) else 0, " → ".join(each.text() for each in way)


def _node(step: Step, uid: str, live: Live) -> Object | None:
    """Return the node that it was while that is there with the same roles: others may have come before it by name."""
    roles = step.roles if isinstance(step, Nodes) else ()
    same = (node for node in live.nodes() if _uid(node) == uid and roles_of(labels_of(node)) == roles)
    return next(same, None) or walk((step,), live)


def _uid(obj: Object) -> str:
    return str(obj["metadata"].get("uid", ""))
