"""Find the objects to delete, of a bundle or by labels, and the objects that need them, on the cluster.

All objects in the namespaces and all cluster-scoped ones are read once, page by page, to report before the deletion
what needs the deleted objects. Users of a bundle's cluster-scoped members are looked up in all namespaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from kubeferry.tasks.core.deletion.authorization import Authority
from kubeferry.tasks.core.deletion.cascade import of_bundles, of_selection
from kubeferry.tasks.core.deletion.inventory import Inventory
from kubeferry.tasks.core.errors import ForbiddenError, InvalidError, NotFoundError, UnavailableError, UsageError
from kubeferry.tasks.core.formats.target.bundle import BUNDLES, GROUP, KIND, PART, label
from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.kube.label_selectors import parse_selector
from kubeferry.tasks.core.needs.references.find import kinds_naming
from kubeferry.tasks.core.selection.exclusions import type_left_out
from kubeferry.tasks.core.selection.policy import UNKNOWN_CLUSTER, ClusterContext
from kubeferry.tasks.ports.cluster.definitions import as_stored
from kubeferry.tasks.ports.cluster.namespaces import existing, there
from kubeferry.tasks.ports.cluster.pages import begun_again
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.delete.state import Deleting


@step("find what goes: {deleting}")
async def gather(deleting: Deleting) -> None:
    """Find the objects; hold the Leases of the namespaces, except in a dry run.

    Raises:
        NotFoundError: there is no such bundle or namespace.
        UsageError: the selector is invalid, or the namespace of the bundle is ambiguous.
        PermanentError: a restore, an undo or another deletion holds a Lease there.
    """
    await in_thread(look, deleting, alone=not deleting.options.dry_run)


def look(deleting: Deleting, *, alone: bool = False) -> None:
    """Find the objects; `alone` holds the Leases of the namespaces until they are released. Raises as `gather`."""
    options, selector = deleting.options, parse_selector(deleting.options.selector)
    cluster = deleting.target()
    deleting.discovery = as_stored(cluster, cluster.discover()).discovery
    deleting.namespaces = sorted(set(options.namespaces)) or _namespace_of_bundle(deleting)
    _check_namespaces(deleting)
    if alone:
        deleting.hold.take(_usable(deleting))
    if options.bundle:
        deleting.charters = [_authority(deleting, name) for name in deleting.namespaces]
    deleting.facts = Inventory(deleting.facts.rules, selector)
    deleting.facts.unread |= {(what.partition("/")[0], ""): why for what, why in deleting.discovery.problems.items()}
    places = _places(deleting)
    for done, facts in enumerate(in_threads(partial(_read, deleting), places, THREADS), start=1):
        deleting.facts.add(facts)
        progress.step(repr(deleting), done, len(places))
    deleting.group = of_bundles(deleting.charters, deleting.facts) if options.bundle else of_selection(deleting.facts)


def _check_namespaces(deleting: Deleting) -> None:
    cluster = deleting.target()
    for name in deleting.namespaces:
        try:
            found = existing(cluster, name)
        except ForbiddenError:  # these credentials may still delete in it
            continue
        if found is None:
            raise NotFoundError(f"namespace {name} does not exist on cluster {cluster.name} ({cluster.host})")


def _usable(deleting: Deleting) -> list[str]:
    """Return the namespaces that are not being deleted: nothing can be created in the others, not even a Lease."""
    try:
        return there(deleting.target(), deleting.namespaces)
    except ForbiddenError:
        return deleting.namespaces


# --- bundles


def _namespace_of_bundle(deleting: Deleting) -> list[str]:
    """Return the one namespace with a bundle of this name."""
    name = deleting.options.bundle
    _check_served(deleting)
    try:
        found = deleting.target().list(BUNDLES, query={"fieldSelector": f"metadata.name={name}"})
    except ForbiddenError as error:
        raise UsageError(f"name the namespace of bundle {name} with -n: {error}") from error
    namespaces = sorted(each["metadata"]["namespace"] for each in found)
    if not namespaces:
        raise NotFoundError(f"no bundle {name} on cluster {deleting.target().name} ({deleting.target().host})")
    if len(namespaces) > 1:
        raise UsageError(f"bundle {name} is in namespaces {', '.join(namespaces)}: say which, or all, with -n")
    return namespaces


def _authority(deleting: Deleting, namespace: str) -> Authority:
    cluster, name = deleting.target(), deleting.options.bundle
    _check_served(deleting)
    first = cluster.find(BUNDLES, namespace, name)
    if first is None:
        raise NotFoundError(f"no bundle {name} in namespace {namespace} of cluster {cluster.name} ({cluster.host})")
    return Authority.of(first, cluster.list(BUNDLES, namespace, query={"labelSelector": f"{PART}={label(name)}"}))


def _check_served(deleting: Deleting) -> None:
    if deleting.discovery.by_kind(GROUP, KIND) is None:
        cluster = deleting.target()
        raise NotFoundError(f"cluster {cluster.name} ({cluster.host}) has no bundles: no restore has created one there")


# --- reading


@dataclass(frozen=True, slots=True)
class _Place:
    """One LIST; `namespace` is "" for a cluster-wide list."""

    kind: ResourceType
    namespace: str = ""
    around: ClusterContext = UNKNOWN_CLUSTER


def _places(deleting: Deleting) -> list[_Place]:
    types = [each for each in deleting.discovery.types if type_left_out(each.group, each.resource, each.verbs) is None]
    wide = {
        (each.ref.group, each.ref.kind) for one in deleting.charters for each in one.members if not each.ref.namespace
    }
    users = set(kinds_naming(wide))
    if any(not is_built_in(group) for group, _ in wide):  # a ClusterIssuer is named by Certificates, wherever they are
        users |= {(each.group, each.kind) for each in types if not is_built_in(each.group)}
    elsewhere = {
        (each.ref.group, each.ref.kind)
        for one in deleting.charters
        for each in one.members
        if each.ref.namespace not in {"", one.namespace} and not one.out_of_reach(each.ref)
    }
    everywhere = [each for each in types if not each.namespaced or (each.group, each.kind) in users | elsewhere]
    served = deleting.discovery.by_kind(GROUP, KIND)
    inside = [each for each in types if each not in everywhere] + ([BUNDLES] if served else [])
    around = {name: _context_of(deleting, name) for name in deleting.namespaces}
    return [_Place(kind) for kind in everywhere] + [
        _Place(kind, name, around[name]) for name in deleting.namespaces for kind in inside
    ]


def _context_of(deleting: Deleting, namespace: str) -> ClusterContext:
    kind = deleting.discovery.by_kind("", "Service")
    try:
        services = deleting.target().list(kind, namespace) if kind else []
    except ForbiddenError:
        return UNKNOWN_CLUSTER  # reported when Services are read
    return ClusterContext(
        selecting_services=frozenset(each["metadata"]["name"] for each in services if get(each, "spec", "selector"))
    )


def _read(deleting: Deleting, place: _Place) -> Inventory:
    try:
        return begun_again(partial(_pages, deleting, place))
    except (ForbiddenError, NotFoundError, InvalidError, UnavailableError) as error:
        facts = Inventory(deleting.facts.rules)
        if not (isinstance(error, NotFoundError) and _gone(deleting, place.kind)):
            facts.unread[place.kind.group, place.kind.kind] = str(error)
        return facts


def _gone(deleting: Deleting, kind: ResourceType) -> bool:
    """Return whether a type is not served any more: all of its objects were deleted with its CRD."""
    return deleting.target().discover().by_kind(kind.group, kind.kind) is None


def _pages(deleting: Deleting, place: _Place) -> Inventory:
    facts = Inventory(deleting.facts.rules, deleting.facts.selector)
    for page in deleting.target().pages(place.kind, place.namespace):
        for item in page.items:
            facts.look(item, place.around)
    return facts


def unread(deleting: Deleting) -> Iterator[tuple[str, str]]:
    """Yield what could not be read, and why: it may need the deleted objects."""
    for (group, kind), why in sorted(deleting.facts.unread.items()):
        yield f"{kind}.{group}" if kind and group else kind or group, why
    for ref, why in sorted(deleting.facts.unclear.items()):
        yield str(ref), why
