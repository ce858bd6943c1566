"""The S3 server of the sandbox: versitygw on a folder, with one bucket and generated credentials."""

from __future__ import annotations

import os
import secrets
import tempfile
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path  # noqa: TC003 - a dataclass field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from kubeferry.deployments.sandbox import http, local, network
from kubeferry.deployments.sandbox.components import Component
from kubeferry.deployments.sandbox.processes import Program

if TYPE_CHECKING:
    from collections.abc import Mapping

BUCKET = "kubeferry"
REGION = "us-east-1"
HEALTH = "/health"


@dataclass(frozen=True)
class S3:
    """The S3 server of the sandbox in the folder `home`."""

    home: Path

    @property
    def folder(self) -> Path:
        """Its folder: data/, run/, logs/, credentials.json, ports.json."""
        return self.home / "s3"

    @cached_property
    def port(self) -> int:
        """The port that it listens on."""
        return network.assign(self.folder / "ports.json", ["versitygw"])["versitygw"]

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://{network.LOOPBACK}:{self.port}"

    @property
    def store(self) -> str:
        """The store URL of its bucket."""
        return f"s3://{BUCKET}?{urlencode({'endpoint': self.endpoint, 'region': REGION}, safe=':/')}"

    @cached_property
    def credentials(self) -> Mapping[str, str]:
        """Its AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, generated once."""
        path = self.folder / "credentials.json"
        known = local.read_json(path)
        if set(known) != {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}:
            known = {
                "AWS_ACCESS_KEY_ID": f"SANDBOX{secrets.token_hex(6).upper()}",
                "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
            }
            local.write_json(path, known)
        return known

    def _sidecar(self) -> Path:
        """Return a folder for what the server would otherwise keep in extended attributes."""
        folder = self.folder / "attributes"
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder

    def component(self, binaries: Path) -> Component:
        """Return its process; the bucket is a folder in its data folder, created here."""
        data = self.folder / "data"
        (data / BUCKET).mkdir(parents=True, exist_ok=True, mode=0o700)
        argv = [
            str(binaries / "versitygw"),
            f"--port={network.LOOPBACK}:{self.port}",
            f"--region={REGION}",
            f"--health={HEALTH}",
            "--quiet",
            "posix",
            *([] if keeps_attributes(data) else [f"--sidecar={self._sidecar()}"]),
            str(data),
        ]
        # Credentials in the environment, not in arguments, which every user of the machine can see.
        env = {
            "ROOT_ACCESS_KEY": self.credentials["AWS_ACCESS_KEY_ID"],
            "ROOT_SECRET_KEY": self.credentials["AWS_SECRET_ACCESS_KEY"],
        }
        program = Program("versitygw", self.folder, argv, env)
        return Component(program, self.port, partial(http.healthy, self.endpoint + HEALTH))


def keeps_attributes(folder: Path) -> bool:
    """Return whether files in `folder` may have extended attributes: not on some tmpfs, and only on Linux."""
    with tempfile.NamedTemporaryFile(dir=folder.parent) as probe:
        try:
            os.setxattr(probe.name, "user.probe", b"1")
        except (OSError, AttributeError):
            return False
    return True
