"""Ports on loopback: picked once where nothing listens, then kept, so that a restart changes no address.

They are taken from below the range that the system hands to outgoing connections: one from that range could be in use
whenever the sandbox comes back.
"""

from __future__ import annotations

import random
import socket
from typing import TYPE_CHECKING

from kubeferry.deployments.sandbox import local as files
from kubeferry.deployments.sandbox.failure import SandboxError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOOPBACK = "127.0.0.1"
RANGE = range(20000, 32000)
TRIES = 200


def assign(path: Path, names: Sequence[str]) -> dict[str, int]:
    """Return a port for each of `names`: the one kept in the file `path`, else a free one, which is then kept there."""
    known = {name: port for name, port in files.read_json(path).items() if isinstance(port, int)}
    ports = {name: known[name] for name in names if name in known}
    for name in names:
        if name not in ports:
            ports[name] = pick(taken=set(ports.values()))
    if ports != known:
        files.write_json(path, ports)
    return ports


def pick(taken: set[int]) -> int:
    """Return a port that nothing listens on and that is not in `taken`."""
    for _ in range(TRIES):
        port = random.choice(RANGE)  # noqa: S311 - spreads two sandboxes apart, keeps no secret
        if port not in taken and free(port):
            return port
    raise SandboxError(f"no free port found between {RANGE.start} and {RANGE.stop} in {TRIES} tries")


def free(port: int) -> bool:
    """Tell whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
