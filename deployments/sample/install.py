"""Install the sample shop into a cluster, in the order of its references, and wait until it is ready.

Running it again completes an earlier run. Existing objects are never changed: one that was edited since is reported,
not reset.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from kubeferry.deployments.sample.addresses import filled, named
from kubeferry.deployments.sample.live import context_of
from kubeferry.deployments.sample.objects import HOME, linked, objects, owner_ref
from kubeferry.deployments.sample.remove import wait_until_gone
from kubeferry.tasks.core.errors import AlreadyExistsError, NotFoundError, PermanentError
from kubeferry.tasks.core.graph.order import Edge, Strength, order
from kubeferry.tasks.core.kube.objects import Ref, owners_of
from kubeferry.tasks.core.needs.cluster_scoped import CRD
from kubeferry.tasks.core.needs.references.find import references
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.restore.wait import Wait

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.readiness.verdict import Context
    from kubeferry.tasks.core.kube.resources import Discovery, ResourceType
    from kubeferry.tasks.ports.cluster.client import Cluster

WAIT_SECONDS = 180
"""How long the objects of one level may take to become ready; on an idle sandbox it is 1 to 5 s."""

SERVED_SECONDS = 60
"""How long discovery may lag behind an established CRD."""

WRITTEN_ONLY = {("Secret", "stringData")}
"""(kind, field) that the API server accepts but never returns."""


@dataclass
class Installed:
    """What an installation did."""

    created: int = 0
    found: int = 0
    """Objects that existed already, with the sample's content."""
    changed: dict[Ref, list[str]] = field(default_factory=dict)
    """Objects that existed with other content, and the fields; they are left as they are."""
    uids: dict[Ref, str] = field(default_factory=dict)
    """Uid of every object of the sample."""


def install(cluster: Cluster, namespace: str = HOME) -> Installed:
    """Return when all objects of the sample, namespaced and cluster-scoped, exist and are ready.

    Raises:
        PermanentError: an object failed or was not ready in time; each is named with the reason.
        KubeferryError: the cluster refuses an object or does not answer.
    """
    shop = {Ref.of(obj): obj for obj in objects(namespace)}
    wait_until_gone(cluster, namespace)
    done = Installed()
    levels = order(shop, edges(shop)).levels
    discovery = cluster.discover()
    context = context_of(cluster, discovery)
    for level in levels:
        if any(discovery.by_kind(ref.group, ref.kind) is None for ref in level):
            discovery = _served(cluster, level)
        for ref, (wanted, obj, created) in zip(
            level, in_threads(partial(_put, cluster, discovery, shop, done.uids), level, THREADS), strict=True
        ):
            _note(done, ref, wanted, obj, created=created)
        _wait(cluster, discovery, context, _with_account(level))
        progress.step(f"install {namespace}", len(done.uids), len(shop))
    return done


def edges(shop: Mapping[Ref, Object]) -> Iterator[Edge]:
    """Yield what each object needs: references of its fields, addresses, owners, namespace, CRD."""
    definitions = {
        (obj["spec"]["group"], obj["spec"]["names"]["kind"]): ref
        for ref, obj in shop.items()
        if (ref.group, ref.kind) == CRD
    }
    for ref, obj in shop.items():
        yield from (Edge(ref, each.target, Strength.REFERENCE, each.path) for each in references(obj))
        needed = {"metadata.ownerReferences": [owner_ref(obj, owner) for owner in owners_of(obj)]}
        needed["an address"] = list(named(obj))
        needed["metadata.namespace"] = [Ref("", "Namespace", "", ref.namespace)] if ref.namespace else []
        needed["kind"] = [definitions[kind] for kind in [(ref.group, ref.kind)] if kind in definitions]
        for why, targets in needed.items():
            yield from (Edge(ref, target, Strength.OWNER, why) for target in targets)


def uncovered(wanted: Any, live: Any, path: str = "") -> Iterator[str]:
    """Yield the paths at which `live` differs from `wanted`; additional fields of `live` are ignored."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        for key, value in wanted.items():
            yield from uncovered(value, live.get(key), f"{path}.{key}" if path else key)
    elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) <= len(live):  # admission appends
        for index, (one, other) in enumerate(zip(wanted, live, strict=False)):
            yield from uncovered(one, other, f"{path}[{index}]")
    elif wanted != live and (wanted or live):  # {} and [] come back as nothing
        yield path


def _put(
    cluster: Cluster, discovery: Discovery, shop: Mapping[Ref, Object], uids: Mapping[Ref, str], ref: Ref
) -> tuple[Object, Object, bool]:
    """Create an object; return it as wanted and as in the cluster, and whether it is new."""
    kind = _type(discovery, ref)
    wanted = linked(shop[ref], uids.__getitem__)
    wanted = filled(wanted, lambda each: cluster.get(_type(discovery, each), each.namespace, each.name))
    # Looked up first: a create that fails is charged to the quota all the same, until the quota is recalculated.
    there = cluster.find(kind, ref.namespace, ref.name)
    if there:
        return wanted, there, False
    try:
        return wanted, cluster.create(kind, ref.namespace, wanted)[0], True
    except AlreadyExistsError:  # our own first attempt, whose answer was lost
        return wanted, cluster.get(kind, ref.namespace, ref.name), True


def _note(done: Installed, ref: Ref, wanted: Object, live: Object, *, created: bool) -> None:
    done.uids[ref] = live["metadata"]["uid"]
    shown = {key: value for key, value in wanted.items() if (ref.kind, key) not in WRITTEN_ONLY}
    differing = [] if created else list(uncovered(shown, live))
    if differing:
        done.changed[ref] = differing
    done.created += created
    done.found += not (created or differing)


def _served(cluster: Cluster, level: list[Ref]) -> Discovery:
    """Return the discovery of the cluster as soon as it has all kinds of `level`."""
    limit = time.monotonic() + SERVED_SECONDS
    while True:
        found = cluster.discover()
        missing = sorted({ref.type for ref in level if found.by_kind(ref.group, ref.kind) is None})
        if not missing:
            return found
        if time.monotonic() > limit:
            raise PermanentError(
                f"cluster {cluster.name} does not serve {', '.join(missing)} within {SERVED_SECONDS} s"
            )
        time.sleep(0.1)


def _with_account(level: list[Ref]) -> list[Ref]:
    """Add the ServiceAccount `default` of each new namespace, without which Pods are refused."""
    accounts = [Ref("", "ServiceAccount", ref.name, "default") for ref in level if ref.kind == "Namespace"]
    return [*level, *accounts]


def _wait(cluster: Cluster, discovery: Discovery, context: Context, refs: list[Ref]) -> None:
    names: dict[Ref, set[str]] = {}
    for ref in refs:
        names.setdefault(Ref(ref.group, ref.kind, ref.namespace, ""), set()).add(ref.name)
    limit = time.monotonic() + WAIT_SECONDS
    waits = [
        Wait(cluster, _type(discovery, at), at.namespace, frozenset(some), context, limit) for at, some in names.items()
    ]
    left = [
        f"{ref.kind} {ref.name}: {verdict.why}"
        for verdicts in in_threads(Wait.until_ready, waits, THREADS)
        for ref, verdict in verdicts.items()
    ]
    if left:
        raise PermanentError(f"the sample is not ready: {'; '.join(sorted(left))}")


def _type(discovery: Discovery, ref: Ref) -> ResourceType:
    found = discovery.by_kind(ref.group, ref.kind)
    if found is None:
        raise NotFoundError(f"{ref}: the cluster does not serve {ref.type}")
    return found
