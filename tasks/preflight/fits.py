"""Look whether the target's schemas take what is to be restored, before anything is written."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.plan.state import Item, Restoring


def misfits(restoring: Restoring) -> Iterator[str]:
    """Tell objects of which a field has a type that its kind does not have; the first such field of each."""
    items: dict[str, list[Item]] = defaultdict(list)
    for item in restoring.plan.items.values():
        items[item.api_version].append(item)
    versions = sorted(items)
    for version, schemas in zip(versions, in_threads(restoring.asked.schemas, versions, THREADS), strict=True):
        for item in items[version]:
            for odd in schemas.misfits(restoring.planned.read(item.whole or item.slot)):
                yield f"{item.ref} {odd.pointer}: {item.ref.kind} has {_a(odd.wanted)} there, not {_a(odd.has)}"
                break


def misplaced(restoring: Restoring) -> Iterator[str]:
    """Tell objects that stand in a namespace though the target has their kind cluster-wide only, or the other way."""
    for ref in restoring.plan.items:
        kind = restoring.discovery.by_kind(ref.group, ref.kind)
        if kind and kind.namespaced != bool(ref.namespace):
            yield f"{ref}: the cluster has this kind {'in namespaces' if kind.namespaced else 'cluster-wide'} only"


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aio" else f"a {kind}"
