"""Run an exec plugin of a kubeconfig, a program that returns credentials: the protocol of client-go.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins. What the plugin
says on stderr goes to the user as it is, as with kubectl: it may say where to log in, and no message of ours repeats
it, nor what it printed on stdout, which is secret.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.errors import CredentialsError
from kubeferry.tasks.core.jsondoc.printable import one_line

if TYPE_CHECKING:
    from kubeferry.tasks.ports.cluster.kubeconfig import Exec, Server

SECONDS = 300
"""How long a plugin may take: a person may have to log in meanwhile."""

COMPLETING = "_KUBEFERRY_COMPLETE"
"""Set while a shell completes a word: nothing may be asked or printed then."""


@dataclass(frozen=True)
class Issued:
    """What a plugin returned: a token, a client certificate with its key, or both. Its repr shows no secret."""

    token: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    expires: datetime | None = None


def run(plugin: Exec, server: Server) -> Issued:
    """Ask a plugin for credentials.

    Raises:
        CredentialsError: it is missing, fails, or does not answer with credentials; one line that shows none of them.
    """
    interactive = _interactive(plugin)
    env = {**os.environ, **dict(plugin.env), "KUBERNETES_EXEC_INFO": _info(plugin, server, interactive=interactive)}
    try:
        done = subprocess.run(  # noqa: S603 - the program that the user's kubeconfig names; no shell
            [plugin.command, *plugin.args],
            env=env,
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if COMPLETING in os.environ else None,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _failed(plugin, f"it took longer than {SECONDS} s") from None  # its own text has the arguments
    except OSError as error:
        raise _failed(plugin, f"it cannot be run: {error.strerror}") from None
    if done.returncode:
        raise _failed(plugin, f"it ended with exit code {done.returncode}; what it says is above")
    return _issued(plugin, done.stdout)


def _interactive(plugin: Exec) -> bool:
    """Return whether the plugin may read from the terminal (client-go: `isInteractive`)."""
    terminal = sys.stdin is not None and sys.stdin.isatty() and COMPLETING not in os.environ
    if plugin.interactive == "Always" and not terminal:
        raise _failed(plugin, "its interactiveMode is Always, and there is no terminal to ask at")
    return terminal and plugin.interactive != "Never"


def _info(plugin: Exec, server: Server, *, interactive: bool) -> str:
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.cluster_info:
        authority = server.authority.read_bytes() if isinstance(server.authority, Path) else server.authority
        cluster = {
            "server": server.url,
            "tls-server-name": server.name,
            "insecure-skip-tls-verify": not server.verify,
            "certificate-authority-data": base64.b64encode(authority).decode(),
            "proxy-url": server.proxy,
            "disable-compression": not server.compress,
            "config": server.config,
        }
        spec["cluster"] = {key: value for key, value in cluster.items() if value}
    return orjson.dumps({"apiVersion": plugin.version, "kind": "ExecCredential", "spec": spec}, default=str).decode()


def _issued(plugin: Exec, out: bytes) -> Issued:
    try:
        found = orjson.loads(out)
    except orjson.JSONDecodeError:
        raise _failed(plugin, "its answer is not JSON") from None
    found = found if isinstance(found, dict) else {}
    if (found.get("kind"), found.get("apiVersion")) != ("ExecCredential", plugin.version):
        raise _failed(plugin, f"its answer is no ExecCredential of {plugin.version}")
    status = found.get("status")
    status = {key: value for key, value in status.items() if value} if isinstance(status, dict) else {}
    fields = ("token", "clientCertificateData", "clientKeyData", "expirationTimestamp")
    token, certificate, key, expires = (status.get(each, "") for each in fields)
    if not all(isinstance(each, str) for each in (token, certificate, key, expires)):
        raise _failed(plugin, "the fields of its answer are not strings")
    if bool(certificate) != bool(key):
        raise _failed(plugin, "its answer has only one of clientCertificateData and clientKeyData")
    if not (token or certificate):
        raise _failed(plugin, "its answer has neither a token nor a client certificate")
    return Issued(token.strip(), certificate.encode(), key.encode(), _time(plugin, expires) if expires else None)


def _time(plugin: Exec, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _failed(plugin, "expirationTimestamp in its answer is not a time") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _failed(plugin: Exec, why: str) -> CredentialsError:
    hint = f" ({one_line(plugin.hint)})" if plugin.hint else ""
    return CredentialsError(f"exec plugin {one_line(plugin.command)}: {why}{hint}")
