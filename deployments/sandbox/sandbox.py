"""The sandbox as a whole: clusters and an S3 server as processes on loopback.

`up` may be called any number of times, by several processes at once, whatever state an earlier run left; `down` leaves
no process and no open port.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from kubeferry.deployments.sandbox import build, credentials, local, processes, seed
from kubeferry.deployments.sandbox.cluster import Cluster
from kubeferry.deployments.sandbox.components import FIRST, Component, components
from kubeferry.deployments.sandbox.local import locked, run_all
from kubeferry.deployments.sandbox.network import MOST
from kubeferry.deployments.sandbox.s3 import REGION, S3
from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.ports.local import paths, progress

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


@dataclass(frozen=True)
class Row:
    """The state of one process: `name` is `CLUSTER/PROCESS`, `pid` is None if it does not run."""

    name: str
    pid: int | None
    port: int
    healthy: bool


class Sandbox:
    """The sandbox whose state is in the folder `home` (default: in the user's state folder)."""

    def __init__(self, home: Path | None = None) -> None:
        """Set the folder; nothing is created or started yet."""
        self.home = (home or paths.state() / "sandbox").absolute()
        self.kubeconfig = self.home / "kubeconfig"
        self.s3 = S3(self.home)

    def up(self, clusters: int = 2) -> None:
        """Return when `clusters` clusters and the S3 server are healthy: builds, starts and repairs as needed.

        Further clusters that run already are kept running. Raises UsageError for an invalid number, SandboxError when
        the build fails or a process does not start.
        """
        if not 1 <= clusters <= MOST:
            raise UsageError(f"a sandbox has 1 to {MOST} clusters, not {clusters}")
        binaries = build.binaries()
        with self._alone("`up`"):
            self.home.mkdir(exist_ok=True)
            self.home.chmod(0o700)
            wanted = self._wanted(clusters)
            run_all([partial(self._up_s3, binaries), *(partial(self._up_cluster, one, binaries) for one in wanted)])
            self._write_kubeconfig(wanted)

    def down(self, *, purge: bool = False) -> None:
        """End every process of this sandbox, if any; with `purge` delete its data too."""
        with self._alone("`down`"):
            run_all([partial(stop_cluster, run.parent) for run in sorted(self.home.glob("*/run"))])
            lost = processes.marked(f"{self.home}{os.sep}")  # processes without a record
            for pid in sorted(lost, key=lambda pid: rank(lost[pid])):
                processes.end(pid)
            if purge and self.home.exists():
                shutil.rmtree(self.home)

    def status(self) -> list[Row]:
        """Return a row per process of the clusters in the kubeconfig and of the S3 server; [] before the first `up`."""
        binaries = build.Recipe().place()
        parts = [part for one in self._known() for part in components(one, binaries)]
        return [row(part) for part in ([*parts, self.s3.component(binaries)] if parts else [])]

    def env(self) -> dict[str, str]:
        """Return the variables that a shell needs: KUBECONFIG, PATH with kubectl first, AWS_*, KUBEFERRY_STORE.

        The tools that were built (`build.TOOLS`) are on PATH, too.
        """
        places = [build.Recipe().place(), *(tool.place() for tool in build.TOOLS.values() if tool.place().is_dir())]
        first = list(map(str, places))
        path = [part for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if part not in first]
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": os.pathsep.join([*first, *path]),
            **self.s3.credentials,
            "AWS_REGION": REGION,
            "KUBEFERRY_STORE": self.s3.store,
        }

    def contexts(self) -> list[str]:
        """Return the contexts of the clusters' administrators: `kubeferry-a`, `kubeferry-b`…; [] before `up`."""
        return [one.name for one in self._known()]

    def _alone(self, what: str) -> AbstractContextManager[None]:
        """Lock starting and stopping; the lock file is beside the folder, since the folder may be deleted."""
        return locked(self.home.with_name(f"{self.home.name}.lock"), what)

    def _known(self) -> list[Cluster]:
        """Return the clusters in the kubeconfig."""
        if not self.kubeconfig.exists():
            return []
        names = {entry["name"] for entry in yaml.safe_load(self.kubeconfig.read_text())["clusters"]}
        return [one for one in self._every() if one.name in names]

    def _every(self) -> list[Cluster]:
        """Return all possible clusters."""
        return [Cluster(self.home, index) for index in range(MOST)]

    def _wanted(self, count: int) -> list[Cluster]:
        """Return the first `count` clusters, or all up to the last one that runs, if these are more."""
        every = self._every()
        alive = [one.index + 1 for one in every if any(map(processes.running, (one.folder / "run").glob("*.json")))]
        return every[: max([count, *alive])]

    def _up_s3(self, binaries: Path) -> None:
        part = self.s3.component(binaries)
        processes.ensure(part.program, part.port, part.healthy)

    def _up_cluster(self, cluster: Cluster, binaries: Path) -> None:
        """Start one cluster: etcd, then the API server, then its clients, side by side."""
        cluster.prepare()
        parts = components(cluster, binaries)
        step = f"sandbox: start {cluster.name}"
        for done, part in enumerate(parts[: len(FIRST)]):
            progress.step(step, done, len(parts))
            processes.ensure(part.program, part.port, part.healthy)
        progress.step(step, len(FIRST), len(parts))
        others = parts[len(FIRST) :]
        run_all(
            [
                partial(seed.seed, cluster),
                *(partial(processes.ensure, part.program, part.port, part.healthy) for part in others),
            ]
        )
        seed.wait(cluster)
        progress.step(step, len(parts), len(parts))

    def _write_kubeconfig(self, clusters: list[Cluster]) -> None:
        """Write one kubeconfig with an administrator's and a viewer's context for each cluster."""
        entries = [credentials.cluster_entry(one.name, one.server, one.ca) for one in clusters]
        contexts = [(one.name, one.name, one.tokens["admin"]) for one in clusters]
        contexts += [(f"{one.name}-viewer", one.name, one.tokens["viewer"]) for one in clusters]
        local.write(self.kubeconfig, credentials.kubeconfig(entries, contexts, clusters[0].name))


def stop_cluster(folder: Path) -> None:
    """End the recorded processes of `folder` (a cluster's or the S3 server's): the API server and etcd last."""
    records = {path.stem: path for path in (folder / "run").glob("*.json")}
    run_all([partial(processes.stop, path) for name, path in records.items() if name not in FIRST])
    for name in sorted(set(records) & set(FIRST), key=rank):
        processes.stop(records[name])


def rank(record: str) -> int:
    """Return the position at which the process of the record file `record` is stopped: clients before API servers."""
    name = Path(record).stem
    return len(FIRST) - FIRST.index(name) if name in FIRST else 0


def row(part: Component) -> Row:
    """Return the state of `part` now."""
    pid = processes.running(part.program.record)
    name = processes.label(part.program)
    return Row(name, pid, part.port, healthy=pid is not None and part.healthy())
