"""Which cluster it is: what a record says of one is compared with the cluster that the operator names, never followed.

A cluster is known by the uid of its namespace kube-system, which is no secret and which whoever runs an API server can
choose; so its certificates or its address have to be the same as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.journal import Header, Target
from kubeferry.tasks.core.jsondoc.printable import one_line
from kubeferry.tasks.ports.cluster.cached import cluster_uid

if TYPE_CHECKING:
    from kubeferry.tasks.ports.cluster.client import Cluster


def identity(cluster: Cluster, uid: str | None = None) -> Target:
    """Return what a record says of a cluster; `uid` if it is known already."""
    known = cluster_uid(cluster) if uid is None else uid
    return Target(context=cluster.name, host=cluster.host, uid=known, authority=cluster.authority)


def check_same(recorded: Target, cluster: Cluster, what: str, option: str = "--context") -> None:
    """Return if a cluster is the recorded one.

    Args:
        recorded: what the record says.
        cluster: the one that the operator named.
        what: what was done there, such as `restore r was made on`.
        option: by which the operator names it.

    Raises:
        UsageError: it is another one, or nothing tells.
    """
    there, uid = f"{one_line(recorded.context)} ({one_line(recorded.host)})", cluster_uid(cluster)
    if not (recorded.uid and uid):
        whose = "this account may not read the uid" if recorded.uid else "its record lacks the uid"
        raise UsageError(f"{what} cluster {there}: {whose} of namespace kube-system, by which it would be recognised")
    known = recorded.host == cluster.host or bool(recorded.authority and recorded.authority == cluster.authority)
    if recorded.uid != uid or not known:
        raise UsageError(
            f"{what} cluster {there}, and this is {cluster.name} ({cluster.host}); name the right one with {option}"
        )


def same_cluster(header: Header, cluster: Cluster) -> None:
    """Return if a cluster is the one that a restore wrote to.

    Raises:
        UsageError: it is another one, or nothing tells.
    """
    check_same(header.target, cluster, f"restore {header.name} was made on")
