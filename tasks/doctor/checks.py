"""The checks of what backups, restores and schedules need; they run concurrently, with one time limit.

Nothing is changed, and nothing remains in the store. A check that fails, or does not end, does not stop the others.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.ops.health import Finding, related
from kubeferry.tasks.core.ops.health_prefect import NIGHTLY
from kubeferry.tasks.doctor import cluster, prefect, store
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.store.open import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeferry.tasks.core.models.options_maintenance import DoctorOptions

SLOW = "try again with a larger --wait-seconds"

CLUSTER, STORE, SERVER = "cluster", "store", "Prefect server"


def _schedule(name: str) -> Callable[[DoctorOptions], Finding]:
    return lambda asked: prefect.schedule(asked, name)


CHECKS: dict[str, tuple[str, Callable[[DoctorOptions], Finding], str]] = {
    "versions": ("", store.versions, "install with deployments/constraints.txt"),
    CLUSTER: ("", cluster.cluster, "name the cluster with --context and --kubeconfig; see kubectl version"),
    "cluster clock": (CLUSTER, cluster.clock, ""),
    "rights to back up": (CLUSTER, cluster.to_back_up, ""),
    "rights to restore": (CLUSTER, cluster.to_restore, ""),
    "volumes": (CLUSTER, cluster.volumes, ""),
    STORE: ("", store.store, "name the store with --store; S3's credentials come from the AWS chain"),
    "store clock": (STORE, store.clock, ""),
    SERVER: ("", prefect.server, "set PREFECT_API_URL to a server that is up, or unset it"),
    "worker": (SERVER, prefect.worker, ""),
    "deployments": (SERVER, prefect.deployments, ""),
    **{f"schedule {name}": (SERVER, _schedule(name), "") for name in NIGHTLY},
    "newest backup": (STORE, prefect.newest_backup, ""),
}
"""Check → the check that it depends on, its function, and the advice if it cannot run at all."""


def examine(asked: DoctorOptions) -> list[Finding]:
    """Return what each check found, in the order of CHECKS."""
    with suppress(KubeferryError):
        open_store(asked.store)  # imports that may take seconds, which must not count for a check
    deadline = monotonic() + asked.seconds
    running = {name: _Running(name, look, todo, asked) for name, (_, look, todo) in CHECKS.items()}
    found = []
    for done, each in enumerate(running.values(), start=1):
        found.append(each.wait(deadline))
        progress.step("doctor", done, len(running))
    return related(found, {name: needs for name, (needs, _, _) in CHECKS.items() if needs})


class _Running:
    """A running check. Its thread is abandoned if it takes too long, and ends with the process."""

    def __init__(self, name: str, look: Callable[[DoctorOptions], Finding], todo: str, asked: DoctorOptions) -> None:
        self._name, self._look, self._todo, self._asked = name, look, todo, asked
        self._found: Finding | None = None
        self._thread = Thread(target=copy_context().run, args=(self._run,), name=f"doctor {name}", daemon=True)
        self._thread.start()

    def wait(self, deadline: float) -> Finding:
        """Return its finding, or that it gave no answer by the deadline."""
        self._thread.join(max(0, deadline - monotonic()))
        found = self._found
        if found is None:
            found = Finding.blind(f"no answer within {self._asked.seconds} s", self._todo or SLOW)
        return replace(found, check=self._name)

    def _run(self) -> None:
        try:
            self._found = self._look(self._asked)
        except KubeferryError as error:
            self._found = Finding.blind(str(error), self._todo or "see the message")
        except Exception as error:  # noqa: BLE001 - a bug in one check must not stop the others
            cause = " ".join(str(error).split())
            self._found = Finding.failed(f"unexpected {type(error).__name__}: {cause}", "report this as a bug")
