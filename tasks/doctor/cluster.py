"""Checks of an API server for `kubeferry doctor`: version, clock, the rights of these credentials, and volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError, NotFoundError
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.ops import health, rights
from kubeferry.tasks.core.ops.cluster_roles import cluster_roles
from kubeferry.tasks.core.ops.rights import NAMESPACES, Right, gives
from kubeferry.tasks.core.transform.strip.storage import was_bound
from kubeferry.tasks.core.transform.volumes import CLAIM, UNKNOWN_SIZE, size_of
from kubeferry.tasks.ports.cluster.client import Cluster, connect
from kubeferry.tasks.ports.local import clock as local

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.models.options_maintenance import DoctorOptions
    from kubeferry.tasks.core.ops.health import Finding

ANYTHING = ResourceType("*", "*", "*", "*", namespaced=True)


def cluster(asked: DoctorOptions) -> Finding:
    """Check that the API server answers and accepts the credentials."""
    found = _connect(asked)
    return health.kubernetes(f"{found.name} ({found.host})", found.version(), found.discover().problems)


def clock(asked: DoctorOptions) -> Finding:
    """Compare the clock of the API server with the local one."""
    found = _connect(asked)
    found.version()  # opens the connection, so that this does not count
    before = local.now()
    date = found.request("GET", "/version").date
    return health.clock(date, before, local.now())


def to_back_up(asked: DoctorOptions) -> Finding:
    """Check the rights that a backup needs."""
    found = _connect(asked)
    wanted = rights.for_backup(found.discover().types, asked.namespaces)
    return rights.to_back_up(wanted, _missing(found, wanted), _absent(found, asked.namespaces))


def to_restore(asked: DoctorOptions) -> Finding:
    """Check the rights that a restore needs."""
    found = _connect(asked)
    wanted = rights.for_restore(found.discover().types, asked.namespaces)
    return rights.to_restore(wanted, _missing(found, wanted))


def volumes(asked: DoctorOptions) -> Finding:
    """Count the claims whose contents a backup does not have, in the namespaces asked for, or in all."""
    found = _connect(asked)
    kind = found.discover().by_kind(*CLAIM)
    sizes: list[str] = []
    for namespace in asked.namespaces or [""]:
        try:
            claims = found.list(kind, namespace) if kind else []
        except ForbiddenError:
            where = f" in namespace {namespace}" if namespace else ""
            return health.Finding.skipped(f"contents of volumes are not saved; not allowed to list the claims{where}")
        sizes += [size for each in claims if was_bound(each) and (size := size_of(each)) != UNKNOWN_SIZE]
    return health.contents(sizes)


def roles(asked: DoctorOptions) -> tuple[list[Object], Mapping[str, str]]:
    """Return the ClusterRoles for the types that a cluster serves, and the API groups of which it does not say them."""
    found = _connect(asked).discover()
    return cluster_roles(found.types, "cluster"), found.problems


def _connect(asked: DoctorOptions) -> Cluster:
    return connect(asked.context or None, asked.kubeconfig or None)


def _missing(found: Cluster, wanted: Sequence[Right]) -> list[Right]:
    """Return the rights that are not granted: by the rules of each namespace, and single reviews of the rest."""
    whole = {verb for verb in sorted({each.verb for each in wanted}) if found.allowed(verb, ANYTHING, "")}
    namespaces = sorted({each.namespace for each in wanted if each.verb not in whole} - {""})
    rules = {namespace: found.rules(namespace) for namespace in namespaces}
    lacking = []
    for each in wanted:
        if each.verb in whole:
            continue
        known, complete = rules.get(each.namespace, ([], False))
        # The rules of a namespace do not cover cluster-scoped objects: a RoleBinding grants nothing there.
        if each.namespace and (gives(known, each) or complete):
            given = gives(known, each)
        else:
            given = found.allowed(each.verb, each.kind, each.namespace)
        lacking += [] if given else [each]
    return lacking


def _absent(found: Cluster, names: Iterable[str]) -> list[str]:
    """Return the names of namespaces that do not exist, as far as these credentials may get them."""
    lacking = []
    for name in names:
        try:
            found.get(NAMESPACES, "", name)
        except NotFoundError:
            lacking.append(name)
        except ForbiddenError:
            continue  # reported by the check of rights
    return lacking
