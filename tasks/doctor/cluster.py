"""Look at an API server for `kubeferry doctor`: its version, its clock, and what these credentials may do there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError, NotFoundError
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.ops import health, rights
from kubeferry.tasks.core.ops.rights import NAMESPACES, Right, gives
from kubeferry.tasks.ports.cluster.client import Cluster, connect
from kubeferry.tasks.ports.local import clock as local

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kubeferry.tasks.core.models.options_maintenance import DoctorOptions
    from kubeferry.tasks.core.ops.health import Finding

ANYTHING = ResourceType("*", "*", "*", "*", namespaced=True)


def cluster(asked: DoctorOptions) -> Finding:
    """Reach it, with credentials that it takes."""
    found = _connect(asked)
    return health.kubernetes(f"{found.name} ({found.host})", found.version(), found.discover().problems)


def clock(asked: DoctorOptions) -> Finding:
    """Compare its clock with this machine's."""
    found = _connect(asked)
    found.version()  # the connection is up then, which takes some of the time
    before = local.now()
    date = found.request("GET", "/version").date
    return health.clock(date, before, local.now())


def to_back_up(asked: DoctorOptions) -> Finding:
    """Ask for the rights of a backup."""
    found = _connect(asked)
    wanted = rights.for_backup(found.discover().types, asked.namespaces)
    return rights.to_back_up(wanted, _missing(found, wanted), _absent(found, asked.namespaces))


def to_restore(asked: DoctorOptions) -> Finding:
    """Ask for the rights of a restore."""
    found = _connect(asked)
    wanted = rights.for_restore(found.discover().types, asked.namespaces)
    return rights.to_restore(wanted, _missing(found, wanted))


def _connect(asked: DoctorOptions) -> Cluster:
    return connect(asked.context or None, asked.kubeconfig or None)


def _missing(found: Cluster, wanted: Sequence[Right]) -> list[Right]:
    """Return the rights that are not given: by the rules of each namespace, right by right what these leave open."""
    whole = {verb for verb in sorted({each.verb for each in wanted}) if found.allowed(verb, ANYTHING, "")}
    spaces = sorted({each.namespace for each in wanted if each.verb not in whole} - {""})
    rules = {space: found.rules(space) for space in spaces}
    lacking = []
    for each in wanted:
        if each.verb in whole:
            continue
        known, complete = rules.get(each.namespace, ([], False))
        # Rules of a namespace tell nothing of what is cluster-wide: a RoleBinding does not reach there.
        if each.namespace and (gives(known, each) or complete):
            given = gives(known, each)
        else:
            given = found.allowed(each.verb, each.kind, each.namespace)
        lacking += [] if given else [each]
    return lacking


def _absent(found: Cluster, names: Iterable[str]) -> list[str]:
    """Return the names of namespaces that are not there; who may not look cannot tell."""
    lacking = []
    for name in names:
        try:
            found.get(NAMESPACES, "", name)
        except NotFoundError:
            lacking.append(name)
        except ForbiddenError:
            continue  # told with the rights
    return lacking
