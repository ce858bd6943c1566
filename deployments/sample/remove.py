"""Delete a namespace of the sandbox and the ClusterRoleBindings of its ServiceAccounts, and wait until it is gone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.needs.references.fields import RBAC
from kubeferry.tasks.ports.local import progress

if TYPE_CHECKING:
    from kubeferry.tasks.ports.cluster.client import Cluster

NAMESPACES = ResourceType("", "v1", "Namespace", "namespaces", namespaced=False)
BINDINGS = ResourceType(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False)

GONE_SECONDS = 180
"""How long the deletion of a namespace may take, including the grace period of its pods."""


def remove(cluster: Cluster, namespace: str) -> bool:
    """Delete a namespace, and ClusterRoleBindings with only its accounts as subjects; return whether it existed.

    Raises:
        PermanentError: it is still there after GONE_SECONDS.
    """
    found = cluster.find(NAMESPACES, "", namespace)
    if found:
        cluster.delete(NAMESPACES, "", namespace, uid=found["metadata"]["uid"])
    for binding in cluster.list(BINDINGS):
        subjects = binding.get("subjects") or []
        if subjects and all(subject.get("namespace") == namespace for subject in subjects):
            cluster.delete(BINDINGS, "", binding["metadata"]["name"], uid=binding["metadata"]["uid"])
    wait_until_gone(cluster, namespace)
    return found is not None


def wait_until_gone(cluster: Cluster, namespace: str) -> None:
    """Return when no namespace of this name is being deleted.

    Raises:
        PermanentError: it is still being deleted after GONE_SECONDS.
    """
    limit = time.monotonic() + GONE_SECONDS
    while (found := cluster.find(NAMESPACES, "", namespace)) and found["metadata"].get("deletionTimestamp"):
        if time.monotonic() > limit:
            raise PermanentError(
                f"namespace {namespace} on cluster {cluster.name} is still being deleted after {GONE_SECONDS} s"
            )
        progress.step(f"wait until {namespace} is gone from {cluster.name}", 0)
        time.sleep(0.2)
    progress.step(f"wait until {namespace} is gone from {cluster.name}", 1, 1)
