"""Make the namespaces of a restore and wait until they can be used."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.verdict import Context
from kubeferry.tasks.ports.cluster.namespaces import existing
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.preflight.target import seen, type_of
from kubeferry.tasks.restore.apply import write
from kubeferry.tasks.restore.watching import Wait
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.plan.state import Restoring
    from kubeferry.tasks.ports.cluster.client import Cluster

GONE_SECONDS = 120
"""How long a namespace that is being deleted may take to go."""

ACCOUNT_SECONDS = 60
"""How long the service-account controller may take to make the account `default`; Pods are refused before."""


@step("create namespace {namespace.name}")
async def create_namespace(restoring: Restoring, namespace: Ref) -> None:
    """Create one namespace and wait for its `default` account.

    Raises:
        PermanentError: it is being deleted and does not go, or never becomes usable.
    """
    await in_thread(_create, restoring, namespace)


def _create(restoring: Restoring, namespace: Ref) -> None:
    cluster = restoring.target()
    # One that was not there a moment ago is made; if it is there by now, that is told then.
    if seen(restoring, namespace.name) and _once_gone(cluster, namespace.name):
        restoring.old_namespaces.add(namespace.name)
    write(restoring, [namespace], f"create namespace {namespace.name}")
    if namespace not in restoring.made:  # somebody was faster
        restoring.old_namespaces.add(namespace.name)
    kind = type_of(restoring, Ref("", "ServiceAccount", namespace.name, "default"))
    limit = time.monotonic() + ACCOUNT_SECONDS
    if Wait(cluster, kind, namespace.name, frozenset({"default"}), Context(), limit).until_ready():
        raise PermanentError(f"namespace {namespace.name}: no account `default` within {ACCOUNT_SECONDS} s")


def _once_gone(cluster: Cluster, name: str) -> Object | None:
    """Return a namespace, or None where there is none; one that is being deleted is waited for to go."""
    limit = time.monotonic() + GONE_SECONDS
    while (live := existing(cluster, name)) and live["metadata"].get("deletionTimestamp"):
        progress.note(f"namespace {name} is being deleted: waiting until it is gone")
        if time.monotonic() > limit:
            raise PermanentError(f"namespace {name} is still being deleted after {GONE_SECONDS} s: see its finalizers")
        time.sleep(1)
    return live
