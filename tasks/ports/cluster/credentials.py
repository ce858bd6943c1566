"""Whom requests come from, for as long as a flow runs: credentials are renewed, and connections with them.

A token file is read again, and an exec plugin asked again, before they expire and when the server refuses them. A new
client certificate needs new connections, since it is shown when a connection begins. Threads share it all: one of them
renews, the others wait for it.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import RLock
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import CredentialsError
from kubeferry.tasks.ports.cluster import exec_plugin
from kubeferry.tasks.ports.cluster.connections import Connections
from kubeferry.tasks.ports.local import clock

if TYPE_CHECKING:
    from pathlib import Path

    from kubeferry.tasks.ports.cluster.kubeconfig import Content, Exec, Server, Settings

FILES = timedelta(minutes=1)
"""Age after which a token file is read again, as in client-go (transport/token_source.go)."""

MARGIN = timedelta(minutes=1)
"""How long before its end a plugin's credential is renewed; at most a tenth of its life, and of what is left of it."""

AGAIN = timedelta(seconds=10)
"""Pause after a renewal that failed while the credential was good still."""

PAUSES = (1.0, 3.0)
"""Seconds before a plugin that worked before is asked once more: a flow of hours outlives an outage of its issuer."""


@dataclass(frozen=True)
class _Shown:
    """What a server is shown. Its repr shows no secret."""

    token: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, eq=False)
class Session:
    """Connections, and the headers that each request gets. Its repr shows no secret."""

    shown: _Shown
    headers: tuple[bytes, ...] = field(repr=False)
    """Whole lines."""
    connections: Connections = field(repr=False)
    due: datetime | None
    """When to renew it; None: when the server refuses it."""
    expires: datetime | None


class Credentials:
    """The credentials of a context and the connections to its server. Safe for use by many threads.

    Nothing is read and no plugin is run before the first request.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = RLock()
        self._session: Session | None = None
        user = settings.user
        self._plugin = None if user.token or user.token_file or user.password else user.plugin
        """An exec plugin yields to a token and a password (client-go: plugin/pkg/client/auth/exec)."""

    def session(self) -> Session:
        """Return the session to send a request with.

        Raises:
            CredentialsError: there are none, or they have expired and cannot be renewed.
        """
        session = self._session
        if session and not _passed(session.due):
            return session
        with self._lock:  # whoever waited finds the new one
            session = self._session
            if session is None or _passed(session.due):
                session = self._session = self._renewed(session)
            return session

    def refused(self, session: Session) -> Session | None:
        """Return another session after a 401, None where the credentials cannot change.

        Raises:
            CredentialsError: they cannot be renewed.
        """
        with self._lock:
            if self._session is session:
                newer = self._made(session)
                if self._plugin is None and newer.shown == session.shown:
                    return None
                self._session = newer
            return self._session

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._session:
                self._session.connections.clear()

    def _renewed(self, old: Session | None) -> Session:
        try:
            return self._made(old)
        except CredentialsError:
            if old is None or _passed(old.expires):
                raise
            # It is good still: the server judges it.
            return Session(old.shown, old.headers, old.connections, clock.now() + AGAIN, old.expires)

    def _made(self, old: Session | None) -> Session:
        user, now = self._settings.user, clock.now()
        token, expires, due = user.token, None, None
        certificate, key = _bytes(user.certificate), _bytes(user.key)
        if user.token_file:
            token, due = _read_token(user.token_file), now + FILES
        if self._plugin:
            issued = self._asked(self._plugin, again=old is not None)
            token, expires = issued.token, issued.expires
            if issued.certificate:
                certificate, key = issued.certificate, issued.key
            due = _before(expires, clock.now()) if expires else None
        shown = _Shown(token, certificate, key)
        same = old is not None and (old.shown.certificate, old.shown.key) == (certificate, key)
        server = self._settings.server
        connections = old.connections if old and same else Connections(server, authority(server), certificate, key)
        return Session(shown, self._headers(token), connections, due, expires)

    def _asked(self, plugin: Exec, *, again: bool) -> exec_plugin.Issued:
        for pause in PAUSES if again else ():
            try:
                return exec_plugin.run(plugin, self._settings.server)
            except CredentialsError:
                time.sleep(pause)
        return exec_plugin.run(plugin, self._settings.server)

    def _headers(self, token: str) -> tuple[bytes, ...]:
        user, headers = self._settings.user, list[tuple[str, str]]()
        if token:
            if not (token.isascii() and token.isprintable()):  # a line break would begin another header
                raise CredentialsError(f"cluster {self._settings.name}: its token has characters that no token has")
            headers.append(("Authorization", f"Bearer {token}"))
        elif user.password:
            headers.append(("Authorization", f"Basic {base64.b64encode(':'.join(user.password).encode()).decode()}"))
        headers += user.impersonate
        return tuple(f"{name}: {value}".encode("latin-1") for name, value in headers)


def _passed(moment: datetime | None) -> bool:
    return moment is not None and clock.now() >= moment


def _before(expires: datetime, now: datetime) -> datetime:
    """Return when to renew a credential that was issued now."""
    return expires - min(MARGIN, max(expires - now, timedelta(0)) / 10)


def _read_token(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        token = ""  # the error would show its bytes
    except OSError as error:
        raise CredentialsError(f"token file {path}: {error.strerror}") from error
    if not token:
        raise CredentialsError(f"token file {path} has no token")
    return token


def _bytes(content: Content) -> bytes:
    """Return the content of a field or a file.

    Raises:
        CredentialsError: the file cannot be read.
    """
    if isinstance(content, bytes):
        return content
    try:
        return content.read_bytes()
    except OSError as error:
        raise CredentialsError(f"{content}: {error.strerror}") from error


def authority(server: Server) -> bytes:
    """Return the PEM certificates that prove a server, b"" where the system's do; see `_bytes` for what it raises."""
    return _bytes(server.authority)
