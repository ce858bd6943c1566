"""The first step of a backup: its namespaces, types and revision, and a check that the store is writable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.backup.state import Scope, Unread
from kubeferry.tasks.core.errors import ForbiddenError, NotFoundError, PermanentError, UsageError
from kubeferry.tasks.core.formats.layout import BackupKeys, alike, backup_name
from kubeferry.tasks.core.formats.manifest import Source
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.jsondoc.duration import until
from kubeferry.tasks.core.kube.label_selectors import parse_selector
from kubeferry.tasks.core.selection.exclusions import type_left_out
from kubeferry.tasks.core.selection.namespaces import is_system, without
from kubeferry.tasks.core.selection.resource_types import (
    ELSEWHERE,
    FEW,
    INDEXED,
    INDEXED_EVERYWHERE,
    NAMESPACES,
    RELATED,
    asks_by_kind,
    choose_types,
    is_custom_wide,
    list_cluster_wide,
    read_by_name,
)
from kubeferry.tasks.core.selection.selector import Selector
from kubeferry.tasks.ports.archive.encryption import recipients
from kubeferry.tasks.ports.cluster.cached import cluster_uid
from kubeferry.tasks.ports.cluster.client import Cluster, connect
from kubeferry.tasks.ports.cluster.definitions import as_stored
from kubeferry.tasks.ports.cluster.namespaces import listed, live_namespaces
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.step import in_thread, log, step

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import Discovery, ResourceType
    from kubeferry.tasks.core.models.options import BackupOptions

_API_SERVICES = ("apiregistration.k8s.io", "APIService")


@step("discover")
async def discover(options: BackupOptions, work: str) -> Scope:
    """Return the scope of a new backup.

    Raises:
        NotFoundError: a namespace does not exist.
        UsageError: no namespace matches, a kind, selector or key is invalid, or the store has a backup of this name.
        StoreError: the store is not writable.
    """
    scope = await in_thread(_discover, options, work)
    store = open_store(options.store)
    for limit in store.limits:  # as its check has found
        log(f"store {store.url}: {limit}", noted=True)
    return scope


def _discover(options: BackupOptions, work: str) -> Scope:
    selector = Selector.of(options)
    parse_selector(options.namespace_selector)
    encrypt_to = recipients(options.encrypt_to)
    cluster = connect(options.context or None, options.kubeconfig or None)
    namespaces = _namespaces(cluster, options)
    name = _free(options, backup_name(options.name, list(namespaces), clock.now()))
    served = cluster.discover()
    own_revisions, problems = _aggregated(cluster, served)
    stored = as_stored(cluster, served, own_revisions)
    found = stored.discovery
    listable = [each for each in found.types if not type_left_out(each.group, each.resource, each.verbs)]
    chosen = choose_types(listable, selector)
    unchosen = [each for each in listable if each not in chosen.read]
    by_kind = asks_by_kind(selector)
    return Scope(
        name=name,
        options=options,
        work=work,
        namespaces=namespaces,
        source=Source(uid=cluster_uid(cluster), version=cluster.version(), context=cluster.name, host=cluster.host),
        revision=_revision(cluster, namespaces[0], [each for each in chosen.read if each.namespaced]),
        types=tuple(each for each in chosen.read if each.namespaced),
        related=tuple(each for each in chosen.read if (each.group, each.resource) in RELATED),
        named=tuple(each for each in chosen.read if read_by_name(each)),
        indexed=tuple(each for each in unchosen if (each.group, each.resource) in INDEXED),
        everywhere=tuple(each for each in found.types if (each.group, each.resource) in INDEXED_EVERYWHERE),
        own_revisions=own_revisions,
        problems=() if by_kind else problems,
        losses_by_kind=stored.losses,
        followed=chosen.followed,
        excluded=chosen.excluded,
        unread=tuple(Unread(_group(each.what), "", "", each.what, each.why) for each in problems if by_kind),
        recipients=encrypt_to,
        at_once=list_cluster_wide(len(namespaces), _number(cluster, namespaces)),
        wide=tuple(each for each in chosen.read if is_custom_wide(each)),
        elsewhere=tuple(each for each in chosen.read if (each.group, each.resource) in ELSEWHERE),
    )


def _namespaces(cluster: Cluster, options: BackupOptions) -> tuple[str, ...]:
    names = set(options.namespaces)
    for name, live in live_namespaces(cluster, names).items():
        _check_namespace(cluster, name, live)
    if options.namespace_selector:
        names |= listed(cluster, options.namespace_selector)
    if options.all_namespaces:
        names |= {name for name in listed(cluster) if not is_system(name)}
    if not names:
        message = f"no namespace of cluster {cluster.name} matches {options.namespace_selector!r}"
        raise UsageError(message if options.namespace_selector else "name a namespace to back up")
    return tuple(sorted(without(names, options.exclude_namespace, "what is asked for")))


def _number(cluster: Cluster, asked: tuple[str, ...]) -> int | None:
    """Return the number of namespaces in the cluster; None without the right to list them, or if few are asked for."""
    try:
        return len(cluster.list(NAMESPACES)) if len(asked) > FEW else None
    except ForbiddenError:
        return None


def _check_namespace(cluster: Cluster, name: str, live: Object | None) -> None:
    if live is None:
        raise NotFoundError(f"namespace {name} does not exist on cluster {cluster.name} ({cluster.host})")
    if live["metadata"].get("deletionTimestamp"):
        raise PermanentError(f"namespace {name} on cluster {cluster.name} is being deleted")


def _free(options: BackupOptions, name: str) -> str:
    """Return the name of the backup once its store was checked; one that we made up gets a number if it is taken."""
    store, now = open_store(options.store), clock.now()
    if options.lock_until:
        end = until(options.lock_until, now)
        if end <= now:
            raise UsageError(f"--lock-until {options.lock_until} is over: name a later time, or a duration such as 30d")
        store.locking(end)
    store.check_writable()
    free = (each for each in alike(name) if not store.exists(BackupKeys(each).metadata))
    found = next(free)
    if options.name and found != name:
        raise UsageError(f"backup {name} exists already in {store.url}")
    return found


def _group(version: str) -> str:
    """Return the group of a group version in discovery: `apps/v1`, `v1`."""
    return version.rpartition("/")[0]


def _revision(cluster: Cluster, namespace: str, types: list[ResourceType]) -> str:
    """Return the revision to read at, from the first LIST that these credentials allow."""
    for path in ["/api/v1/namespaces", *(each.path(namespace) for each in types)]:
        try:
            return cluster.revision(path)
        except ForbiddenError as error:
            refused = error
    raise refused


def _aggregated(cluster: Cluster, found: Discovery) -> tuple[frozenset[str], tuple[Problem, ...]]:
    """Return the groups of aggregated API servers, and the groups that discovery could not read."""
    problems = tuple(Problem(what=group, why=why) for group, why in sorted(found.problems.items()))
    services = found.by_kind(*_API_SERVICES)
    if not services:
        return frozenset(), problems
    try:
        behind = [each for each in cluster.list(services) if (each.get("spec") or {}).get("service")]
    except ForbiddenError:
        return frozenset(), problems  # each list then shows whether it is at the revision
    return frozenset(each["spec"]["group"] for each in behind), problems
