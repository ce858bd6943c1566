"""Connections to one API server, by libcurl: one HTTP exchange, or one stream of bytes; no retries, no credentials.

libcurl sends, receives, parses and encrypts outside of the interpreter lock, so that many threads write at once: a POST
takes a third of the CPU that it takes in http.client. HTTP/1.1, since each thread has a connection of its own anyway,
and API servers need more CPU for HTTP/2. What fails is an exception of urllib3, whose retry policy knows these.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
from contextlib import suppress
from functools import cached_property
from io import BytesIO
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

import pycurl
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import (
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from kubeferry.tasks.core.errors import CredentialsError
from kubeferry.tasks.ports.local.threads import in_background

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kubeferry.tasks.ports.cluster.kubeconfig import Server

BUFFER = 512 * 1024
"""Bytes that libcurl reads at once: the most that it takes, for lists of a megabyte a page."""

ESTABLISHED = 200
"""The status with which a proxy opens a tunnel (RFC 9110, 9.3.6)."""

_UNREACHED = frozenset({pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY})
_TLS = frozenset({pycurl.E_SSL_CONNECT_ERROR, pycurl.E_SSL_CIPHER, pycurl.E_PEER_FAILED_VERIFICATION})
_PAIR = frozenset({pycurl.E_SSL_CERTPROBLEM, pycurl.E_BAD_FUNCTION_ARGUMENT})
"""What it says of a client certificate and of its key; all other arguments are ours."""

_PROXY = 97
"""CURLE_PROXY, which pycurl does not name."""


class Timeout(NamedTuple):
    """Seconds to connect, with look-up, proxy and TLS, and seconds in which no byte arrives."""

    connect: int
    read: int


class UntrustedServerError(SSLError):
    """The server's certificate proves nothing."""


class Response:
    """An answer: its status, its body, and its headers, which are parsed when they are looked at."""

    def __init__(self, status: int, body: bytes, lines: Sequence[bytes]) -> None:
        self.status, self._lines = status, lines
        self.data = body

    @property
    def headers(self) -> HTTPHeaderDict:
        """Return the headers of the last of the answers, which may have come after an interim one."""
        found = HTTPHeaderDict()
        for line in self._last():
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                found.add(name.strip(), value.strip())
        return found

    def _last(self) -> Sequence[bytes]:
        """Return the lines of the last answer: one of a proxy, and interim ones, come before it."""
        starts = [at for at, line in enumerate(self._lines) if line.startswith(b"HTTP/")]
        return self._lines[starts[-1] :] if len(starts) > 1 else self._lines

    @property
    def ends_by_itself(self) -> bool:
        """Return whether it says where it ends, not the end of its connection."""
        names = {line.partition(b":")[0].lower() for line in self._last()}
        return b"content-length" in names or b"transfer-encoding" in names

    def get_redirect_location(self) -> None:
        """Return None, for the retry policy: no redirect is followed, since it could lead a token elsewhere."""

    def close(self) -> None:
        """Do nothing: it is read."""


class Connections:
    """The connections to one API server. Safe for use by many threads; each exchange has one of its own meanwhile."""

    def __init__(self, server: Server, authority: bytes, certificate: bytes, key: bytes) -> None:
        """Begin; `authority`, `certificate` and `key` are PEM, b"" for the system's authorities, and for none.

        Raises:
            CredentialsError: the URL of a proxy is none.
        """
        at = urlsplit(server.url)
        self._server, self._tls = server, at.scheme == "https"
        self._proxy = _proxy_of(server)
        # A server that is known by another name is asked for by that, at its own address (CONNECT_TO).
        named = at._replace(netloc=f"{server.name}:{at.port or 443}") if server.name and self._tls else at
        self._url = f"{named.scheme}://{named.netloc}{named.path.rstrip('/')}"
        self._lines = [b"Expect:"]  # a large body is not announced first
        if server.name:
            self._lines.append(f"Host: {at.netloc.rpartition('@')[2]}".encode())
        self._options = [*_options(self._proxy), *_tls(server, authority, certificate, key)]
        self._idle: list[_Connection] = []

    def exchange(
        self, method: str, target: str, headers: Sequence[bytes], body: bytes | None, timeout: Timeout
    ) -> Response:
        """Send one request and return its answer; `target` is the path with its query, `headers` are whole lines.

        Raises:
            HTTPError: there is no whole answer.
            CredentialsError: the client certificate, or the authority, is none.
        """
        connection, lines, answer = self._taken(), list[bytes](), BytesIO()
        connection.prepare(f"{self._url}{target}", method, [*headers, *self._lines], body, timeout)
        connection.handle.setopt(pycurl.HEADERFUNCTION, lines.append)
        connection.handle.setopt(pycurl.WRITEDATA, answer)
        try:
            connection.perform()
            status = connection.handle.getinfo(pycurl.RESPONSE_CODE)
        except pycurl.error as error:
            failure = self._failure(connection, *error.args)
            connection.close()
            raise failure from None
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return Response(status, answer.getvalue(), lines)

    def stream(self, target: str, headers: Sequence[bytes], timeout: Timeout) -> Stream:
        """GET an answer without an end; return it when its headers are there.

        Raises:
            HTTPError: none begins.
            CredentialsError: as in `exchange`.
        """
        connection = _Connection(self._options)
        connection.prepare(f"{self._url}{target}", "GET", [*headers, *self._lines], None, timeout)
        # The proxy's own answer, which opens the tunnel, comes first.
        before = 1 if self._proxy and self._tls else 0
        return Stream(connection, before, lambda error: self._failure(connection, *error.args))

    def clear(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def _taken(self) -> _Connection:
        try:
            return self._idle.pop()  # the one that was used last
        except IndexError:
            return _Connection(self._options)

    def _failure(self, connection: _Connection, code: int, text: str) -> HTTPError | CredentialsError:
        """Return the error for what libcurl says."""
        if code in _PAIR:
            return CredentialsError("client-certificate and client-key are no pair of PEM without a password")
        if code == pycurl.E_SSL_CACERT_BADFILE:
            return CredentialsError(f"certificate-authority of {self._server.url} is not a PEM certificate")
        if code in _TLS:
            return UntrustedServerError(text) if code == pycurl.E_PEER_FAILED_VERIFICATION else SSLError(text)
        return self._network_failure(connection, code, text)

    def _network_failure(self, connection: _Connection, code: int, text: str) -> HTTPError:
        ask = connection.handle.getinfo
        if number := ask(pycurl.OS_ERRNO):
            text = f"[Errno {number}] {os.strerror(number)}"
        late = code == pycurl.E_OPERATION_TIMEDOUT
        failure: HTTPError = ProtocolError(text)
        if unreached := code in _UNREACHED or (late and not ask(pycurl.PRETRANSFER_TIME)):
            failure = NewConnectionError(self._server.url, text)  # type: ignore[arg-type] # it is only shown
        elif late:
            failure = ReadTimeoutError(None, None, "no answer in time")  # type: ignore[arg-type] # as above
        open_ = self._tls and ask(pycurl.HTTP_CONNECTCODE) == ESTABLISHED
        if code == _PROXY or (self._proxy and not open_ and (unreached or self._tls)):
            return ProxyError("the proxy does not let it through", failure)
        return failure


class Stream(Response):
    """An answer that is read while it comes, and may be ended by another thread."""

    def __init__(self, connection: _Connection, before: int, failure: Callable[[pycurl.error], Exception]) -> None:
        self._connection, self._before, self._failure = connection, before, failure
        self._arrived: SimpleQueue[bytes | int | Exception | None] = SimpleQueue()
        self._lines: list[bytes] = []
        connection.handle.setopt(pycurl.HEADERFUNCTION, self._header)
        connection.handle.setopt(pycurl.WRITEFUNCTION, self._arrived.put)
        self._work = in_background(self._run)
        first = self._arrived.get()
        if not isinstance(first, int):
            self.close()
            raise first if isinstance(first, Exception) else ProtocolError("the answer is empty")
        self.status = first

    def _header(self, line: bytes) -> None:
        if line.startswith(b"HTTP/"):
            self._lines = []
        self._lines.append(line)
        if line.strip() or (status := int(self._lines[0].split()[1])) < ESTABLISHED:
            return  # an interim answer
        if self._before:
            self._before -= 1
        else:
            self._arrived.put(status)

    def _run(self) -> None:
        try:
            self._connection.handle.perform()
        except pycurl.error as error:
            self._arrived.put(self._failure(error))
        else:
            self._arrived.put(None)
        finally:
            self._connection.close()

    @cached_property
    def data(self) -> bytes:  # type: ignore[override] # read when it is asked for
        """Return the rest of the body."""
        return b"".join(self)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body as it comes.

        Raises:
            HTTPError: it ends before its end.
        """
        while isinstance(chunk := self._arrived.get(), bytes):
            yield chunk
        if isinstance(chunk, Exception):
            raise chunk

    def shutdown(self) -> None:
        """End it at once, by any thread: who reads it gets an HTTPError."""
        self._connection.shutdown()

    def close(self) -> None:
        """End it and return when nothing runs any more."""
        self._connection.shutdown()
        self._work.result()


class _Connection:
    """A handle of libcurl, which keeps one connection open, and the sockets of that: another thread may end these."""

    def __init__(self, options: Sequence[tuple[int, Any]]) -> None:
        self.handle = pycurl.Curl()
        self._sockets: dict[int, socket.socket] = {}
        self._ended, self._lock, self._rests = False, threading.Lock(), threading.Event()
        self._rests.set()
        for option, value in options:
            self.handle.setopt(option, value)
        self.handle.setopt(pycurl.OPENSOCKETFUNCTION, self._opened)
        self.handle.setopt(pycurl.CLOSESOCKETFUNCTION, self._closed)

    def prepare(self, url: str, method: str, headers: list[bytes], body: bytes | None, timeout: Timeout) -> None:
        """Set what belongs to one request."""
        set_ = self.handle.setopt
        set_(pycurl.URL, url)
        set_(pycurl.HTTPHEADER, headers)
        if body is None:
            set_(pycurl.HTTPGET, 1)
        else:
            set_(pycurl.POSTFIELDS, body)
        set_(pycurl.CUSTOMREQUEST, method)
        set_(pycurl.CONNECTTIMEOUT, timeout.connect)
        set_(pycurl.LOW_SPEED_TIME, timeout.read)

    def perform(self) -> None:
        """Do the request; the main thread, which handles signals, only waits for it."""
        if threading.current_thread() is not threading.main_thread():
            self.handle.perform()
            return
        work = None
        try:
            work = in_background(self._performed)
            work.result()
        finally:
            if work is None or not work.done():  # a signal's handler raised, perhaps while the work was handed over
                self.shutdown()
                self._rests.wait()

    def _performed(self) -> None:
        with self._lock:
            if self._ended:
                return
            self._rests.clear()
        try:
            self.handle.perform()
        finally:
            self._rests.set()

    def shutdown(self) -> None:
        """Make what is under way fail at once."""
        with self._lock:
            self._ended = True
            for each in self._sockets.values():
                with suppress(OSError):  # it is not connected yet, or not any more
                    each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; only by the thread that uses it."""
        self.handle.close()

    def _opened(self, _purpose: int, at: Any) -> socket.socket | int:
        with self._lock:
            if self._ended:
                return int(pycurl.SOCKET_BAD)
            made = socket.socket(at.family, at.socktype, at.protocol)
            self._sockets[os.fstat(made.fileno()).st_ino] = made  # libcurl has its own number for it
            return made

    def _closed(self, number: int) -> int:
        with self._lock:
            mine = self._sockets.pop(os.fstat(number).st_ino, None)
            if mine:
                mine.close()
            os.close(number)
        return 0


def _options(proxy: str) -> Iterator[tuple[int, Any]]:
    yield pycurl.NOSIGNAL, 1  # signals are for the main thread
    yield pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1
    yield pycurl.BUFFERSIZE, BUFFER
    yield pycurl.LOW_SPEED_LIMIT, 1
    yield pycurl.TCP_KEEPALIVE, 1
    yield pycurl.PROXY, proxy  # "" for none, whatever the environment says
    yield pycurl.NOPROXY, ""


def _tls(server: Server, authority: bytes, certificate: bytes, key: bytes) -> Iterator[tuple[int, Any]]:
    yield pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2
    if not server.verify:
        yield pycurl.SSL_VERIFYPEER, 0
        yield pycurl.SSL_VERIFYHOST, 0
    elif authority:
        yield pycurl.CAINFO_BLOB, authority
    # Those of Python's OpenSSL: the library that comes with pycurl does not know where this system keeps them.
    paths, own = ssl.get_default_verify_paths(), server.verify and not authority
    for path, of_proxy, of_server in (
        (paths.cafile, pycurl.PROXY_CAINFO, pycurl.CAINFO),
        (paths.capath, pycurl.PROXY_CAPATH, pycurl.CAPATH),
    ):
        if path:
            yield of_proxy, path
        if path and own:
            yield of_server, path
    if certificate:
        yield pycurl.SSLCERT_BLOB, certificate
        yield pycurl.SSLKEY_BLOB, key
        yield pycurl.KEYPASSWD, ""  # without it OpenSSL asks at the terminal for that of a key
    if server.name:
        at = urlsplit(server.url)
        host = f"[{at.hostname}]" if ":" in str(at.hostname) else at.hostname
        yield pycurl.CONNECT_TO, [f"{server.name}:{at.port or 443}:{host}:{at.port or 443}"]


def _proxy_of(server: Server) -> str:
    """Return the URL of the proxy to a server, "" for none; the official client knows those of the environment.

    Raises:
        CredentialsError: it is none that can be used.
    """
    proxy = server.proxy
    if not proxy and any(name != "no" for name in getproxies()):
        from kubernetes.client import Configuration  # 0.2 s, which most do not need
        from kubernetes.client.rest import should_bypass_proxies

        found = Configuration(host=server.url)
        bypass = should_bypass_proxies(found.host, found.no_proxy or "")
        proxy = "" if bypass else found.proxy or ""
    try:
        usable = not proxy or (urlsplit(proxy).hostname and urlsplit(proxy).port != 0)
    except ValueError:
        usable = False
    if not usable:  # its text may have a password
        raise CredentialsError(f"the proxy of {server.url} is none that can be used")
    # Both leave it to the proxy to look up names, as Go does.
    return re.sub(r"^socks5://", "socks5h://", proxy)
