"""Run the real Velero on a cluster of the sandbox: its server as a process on loopback, with the sandbox's S3 store.

No node agent and no snapshots: volumes of the sandbox have no contents. What the server needs on its cluster (its CRDs,
the namespace `velero`, a BackupStorageLocation) is cluster-wide: give it a sandbox of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubeferry.deployments.sandbox import build, http, local, network, processes
from kubeferry.deployments.sandbox.local import SandboxError
from kubeferry.deployments.sandbox.processes import Program
from kubeferry.deployments.sandbox.s3 import BUCKET, REGION
from kubeferry.deployments.velero.build import PLUGIN, VELERO, VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeferry.deployments.sandbox.sandbox import Sandbox

NAMESPACE = "velero"
COMMAND_SECONDS = 300
"""How long one command may take; a restore of the sample takes 10 s."""

LISTENERS = ("metrics", "profiler")
"""The server's listeners; controller-runtime's port is switched off, see deployments/velero/build.py."""


@dataclass(frozen=True)
class Velero:
    """Velero on the cluster `context` of a sandbox; `prefix` is its folder of the bucket."""

    sandbox: Sandbox
    context: str
    prefix: str = ""
    options: tuple[str, ...] = ()
    """More options of `velero server`, such as --client-qps=1000."""

    @property
    def folder(self) -> Path:
        """Its folder: run/, logs/, plugins/, credentials; the sandbox's `down` ends and deletes it too."""
        return self.sandbox.home / f"velero-{self.context}"

    def up(self) -> None:
        """Return when the server runs and its store is available.

        Raises:
            SandboxError: the build fails, the server does not start, or it reports that its store is unavailable.
        """
        binaries = build.binaries(VELERO)
        self._plugins(build.binaries(PLUGIN))
        local.write(self.folder / "credentials", credentials(self.sandbox.s3.credentials))
        self._kubectl(
            "apply", "--server-side", "-f", "-", text=self.run("install", "--crds-only", "--dry-run", "-o", "yaml")
        )
        self._kubectl("wait", "crd", "-l", "component=velero", "--for=condition=Established", "--timeout=60s")
        self._kubectl("apply", "--server-side", "-f", "-", text=json.dumps(self._objects()))
        program = Program("velero", self.folder, self._server(binaries), self._env())
        at = f"http://{network.LOOPBACK}:{self._ports()['metrics']}/metrics"
        processes.ensure(program, self._ports()["metrics"], partial(http.healthy, at))

    def down(self) -> None:
        """Stop the server. What it created on the cluster stays."""
        processes.stop(self.folder / "run" / "velero.json")

    def run(self, *arguments: str, seconds: int = COMMAND_SECONDS) -> str:
        """Return what `velero ARGUMENTS` prints; it has so many seconds.

        Raises:
            SandboxError: it exits with an error, which is in the message.
        """
        binary = build.binaries(VELERO) / "velero"
        where = ("--kubeconfig", str(self.sandbox.kubeconfig), "--kubecontext", self.context, "--namespace", NAMESPACE)
        return self._run([str(binary), *arguments, *where], self._env(), seconds=seconds)

    def _server(self, binaries: Path) -> list[str]:
        listen = {name: f"{network.LOOPBACK}:{port}" for name, port in self._ports().items()}
        return [
            str(binaries / "velero"),
            "server",
            f"--kubeconfig={self.sandbox.kubeconfig}",
            f"--kubecontext={self.context}",
            f"--namespace={NAMESPACE}",
            f"--plugin-dir={self.folder / 'plugins'}",
            *(f"--{name}-address={address}" for name, address in listen.items()),
            *self.options,
        ]

    def _env(self) -> dict[str, str]:
        """Return the environment: its own folders, so that it neither reads the user's settings nor leaves files."""
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
        return {
            "HOME": str(self.folder),
            "TMPDIR": str(temporary),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "credentials"),
        }

    def _ports(self) -> dict[str, int]:
        return network.assign(self.folder / "ports.json", list(LISTENERS))

    def _plugins(self, built: Path) -> None:
        """Make the plugin folder: the server starts each program that is in it."""
        folder = self.folder / "plugins"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in PLUGIN.binaries:
            if not (folder / name).exists():
                (folder / name).hardlink_to(built / name)

    def _objects(self) -> dict[str, Any]:
        """Return its namespace, a Deployment without pods, and its BackupStorageLocation."""
        storage = {"bucket": BUCKET} | ({"prefix": self.prefix} if self.prefix else {})
        config = {"region": REGION, "s3ForcePathStyle": "true", "s3Url": self.sandbox.s3.endpoint}
        location = {
            "apiVersion": "velero.io/v1",
            "kind": "BackupStorageLocation",
            "metadata": {"name": "default", "namespace": NAMESPACE},
            "spec": {"default": True, "provider": "aws", "objectStorage": storage, "config": config},
        }
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        return {"apiVersion": "v1", "kind": "List", "items": [namespace, deployment(), location]}

    def _kubectl(self, *arguments: str, text: str | None = None) -> str:
        binary = build.Recipe().place() / "kubectl"
        where = ("--kubeconfig", str(self.sandbox.kubeconfig), "--context", self.context)
        return self._run([str(binary), *where, *arguments], {}, text)

    @staticmethod
    def _run(argv: list[str], env: dict[str, str], text: str | None = None, *, seconds: int = COMMAND_SECONDS) -> str:
        done = subprocess.run(  # noqa: S603 - our own binaries
            argv,
            env=os.environ | env,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        if done.returncode:
            raise SandboxError(f"{Path(argv[0]).name} {argv[1]} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
        return done.stdout


def deployment() -> dict[str, Any]:
    """Return a Deployment without pods: a restore reads the image of this Deployment, even without volumes."""
    labels = {"deploy": "velero"}
    spec = {"containers": [{"name": "velero", "image": f"velero/velero:{VERSION}"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "velero", "namespace": NAMESPACE},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def credentials(known: Mapping[str, str]) -> str:
    """Return a credentials file for the AWS SDK."""
    lines = [f"{name.lower()}={value}" for name, value in known.items()]
    return "\n".join(["[default]", *lines, ""])
