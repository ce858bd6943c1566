"""HTTP to one API server: raw bytes, explicit timeouts, one retry policy for all verbs, Kubeferry's own errors.

Every request to Kubernetes goes through here; client.py supplies connections and credentials. A POST that is retried
after a lost answer may get AlreadyExists: the caller compares the objects before it reports a conflict.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import orjson
import urllib3

from kubeferry.tasks.core.errors import PermanentError, UnreachableError, UntrustedError
from kubeferry.tasks.core.kube.api_errors import SERVER_ERROR, api_error
from kubeferry.tasks.core.kube.api_errors import retries as retries_after
from kubeferry.tasks.core.ops.concurrency import MOST, REFUSALS
from kubeferry.tasks.ports.cluster.cancellation import Cancellation
from kubeferry.tasks.ports.cluster.limiter import Limiter
from kubeferry.tasks.ports.cluster.pages import NO_SERVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.ports.cluster.credentials import Credentials, Session

THREADS = 16
"""Threads of one step. The limiter bounds the concurrent requests of all steps to one API server."""

CONNECTIONS = MOST + THREADS
"""Connections in the pool: one for each concurrent request, and for each watch of a step."""

TIMEOUT = urllib3.Timeout(connect=5, read=60)
"""Seconds. A page of 500 objects of 1 MiB takes a few; 60 is also the API server's own request timeout."""


class Guarded(urllib3.Retry):
    """A retry policy that asks before each further try whether it is still allowed, and whether it can help."""

    check: Callable[[], None] = staticmethod(lambda: None)
    """Raises if it is not."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: urllib3.BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Self:
        """Return the policy for the rest of the tries: fewer, or none, after an answer that does not pass.

        Raises:
            MaxRetryError: there are none left; the caller of the request gets the answer.
        """
        most = retries_after(response.status, response.data) if response and response.status == SERVER_ERROR else None
        if most is not None and sum(each.status == SERVER_ERROR for each in self.history) >= most:
            raise urllib3.exceptions.MaxRetryError(_pool, url or "")
        return super().increment(method, url, response, error, _pool, _stacktrace)

    def sleep(self, response: urllib3.BaseHTTPResponse | None = None) -> None:
        """Wait before a retry."""
        super().sleep(response)
        self.check()

    def new(self, **changes: Any) -> Self:
        """Return the policy for the rest of the tries."""
        made = super().new(**changes)
        made.check = self.check
        return made


RETRY = Guarded(
    total=6,
    connect=3,
    read=4,
    redirect=0,
    other=1,  # a broken TLS handshake: one retry, since an untrusted certificate stays untrusted
    allowed_methods=None,  # all verbs: callers of create compare on AlreadyExists, the rest are idempotent
    status_forcelist=(429, 500, 502, 503, 504),
    backoff_factor=0.2,
    backoff_jitter=0.2,
    backoff_max=10,
    retry_after_max=30,
    raise_on_status=False,
)
"""The retry policy of all HTTP to API servers: 0.4 to 10 s apart, or Retry-After up to 30 s."""

UNAUTHORIZED = 401
"""The status of an answer after which credentials are renewed, once, and the request is sent again, once."""

WHOLE = 3
"""Attempts of a request whose answers are truncated and have no length."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: the raw body, and whether the request was sent more than once."""

    body: bytes
    retried: bool
    date: str = ""
    """The server's time, from its Date header."""

    def json(self) -> Any:
        """Return the body as JSON values.

        Raises:
            PermanentError: it is not JSON, such as the answer of a login page in front of the API server.
        """
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise PermanentError(f"the answer is not JSON: {NO_SERVER}") from error


class Transport:
    """HTTP connections to one API server, for `THREADS` threads at once.

    `name` is the name in messages, `host` the URL; `credentials` are asked for each request, since they are renewed.
    """

    def __init__(self, name: str, host: str, credentials: Credentials) -> None:
        self.name = name
        self.host = host
        self.gate = Limiter()
        self._credentials = credentials
        self._check: Callable[[], None] = lambda: None

    def guarded(self, check: Callable[[], None]) -> Self:
        """Return the same cluster, with the same connections, for work that may have to stop.

        `check` is called before each write and each of its retries, and raises where nothing may be written any more.
        """
        found = copy(self)
        found._check = check  # noqa: SLF001 - its own class
        return found

    def request(  # noqa: PLR0913 - the parts of an HTTP request
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        subject: str = "",
        timeout: urllib3.Timeout | None = None,
    ) -> Answer:
        """Send one request, retried by `RETRY`, and return its answer; `timeout` is TIMEOUT by default.

        Raises:
            UnreachableError: no answer after the retries.
            KubeferryError: any status >= 400, by `api_error`; `subject` names the object in the message.
        """
        with self.gate.through(f"{method} {'list' if query and 'limit' in query else ''}") as refuse:
            answer, again = self._whole(
                lambda: self._send(method, path, query, body, content_type, accept, timeout or TIMEOUT, preload=True)
            )
            if _refused(answer):
                refuse()
        if answer.status >= 400:  # noqa: PLR2004 - HTTP's classes of errors
            raise api_error(answer.status, answer.data, subject or f"{method} {path}", secret="/secrets" in path)
        retries = answer.retries
        again = again or bool(retries and retries.history)
        return Answer(answer.data, again, answer.headers.get("Date", ""))

    def _whole(self, send: Callable[[], urllib3.BaseHTTPResponse]) -> tuple[urllib3.BaseHTTPResponse, bool]:
        """Return an answer that is not truncated, and whether it took a retry; urllib3 does all other retries."""
        for attempt in range(WHOLE):
            answer = send()
            if not _cut_short(answer):
                return answer, attempt > 0
        raise UnreachableError(f"cluster {self.name} ({self.host}) is out of reach: its answers are cut short")

    def _send(  # noqa: PLR0913 - as request
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | None,
        content_type: str,
        accept: str,
        timeout: urllib3.Timeout,
        *,
        preload: bool,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": accept, "User-Agent": "kubeferry"}
        if body is not None:
            headers["Content-Type"] = content_type
        url = f"{self.host}{path}" + (f"?{urlencode(query)}" if query else "")

        retries = RETRY.new()
        retries.check = (lambda: None) if method == "GET" else self._check

        def send(session: Session) -> urllib3.BaseHTTPResponse:
            retries.check()
            own = session.headers.copy()
            own.update(headers)
            return session.pool.request(
                method, url, body=body, headers=own, timeout=timeout, retries=retries, preload_content=preload
            )

        try:
            return self._authorized(send)
        except urllib3.exceptions.HTTPError as error:
            if _untrusted(error):
                raise UntrustedError(f"cluster {self.name} ({self.host}) is not trusted: {_why(error)}") from error
            raise UnreachableError(f"cluster {self.name} ({self.host}) is out of reach: {_why(error)}") from error

    def _authorized(self, send: Callable[[Session], urllib3.BaseHTTPResponse]) -> urllib3.BaseHTTPResponse:
        """Send a request, and once more with newer credentials where the server refuses these."""
        session = self._credentials.session()
        answer = send(session)
        if answer.status != UNAUTHORIZED or not (newer := self._credentials.refused(session)):
            return answer
        answer.close()
        return send(newer)

    def stream(
        self, path: str, query: Mapping[str, str], *, seconds: int, subject: str, stop: Cancellation | None = None
    ) -> Iterator[tuple[str, Object]]:
        """Yield (event type, object) of a watch, for at most `seconds`, or until another thread sets `stop`.

        Raises:
            ExpiredError: the revision is too old.
            UnreachableError: the connection broke.
        """
        limit, stop = urllib3.Timeout(connect=5, read=seconds + 5), stop or Cancellation()
        answer = self._send("GET", path, query, None, "", "application/json", limit, preload=False)
        try:
            with stop.ends(answer.shutdown):
                yield from self._events(answer, subject, stop)
        finally:
            answer.close()  # the rest of the stream is unread, so the connection cannot be reused

    def _events(
        self, answer: urllib3.BaseHTTPResponse, subject: str, stop: Cancellation
    ) -> Iterator[tuple[str, Object]]:
        rest = b""
        try:
            if answer.status >= 400:  # noqa: PLR2004 - HTTP's classes of errors
                raise api_error(answer.status, answer.data, subject)
            for chunk in answer.stream(2**16):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    yield self._event(line, subject)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if stop.is_set():
                return  # a socket shut down during a TLS read fails in any of these ways
            if not isinstance(error, urllib3.exceptions.HTTPError):
                raise
            raise UnreachableError(f"{subject}: cluster {self.name} closed the watch: {_why(error)}") from error

    def _event(self, line: bytes, subject: str) -> tuple[str, Object]:
        try:
            event = orjson.loads(line)
            kind, obj = event["type"], event["object"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:  # a proxy in between sent this
            raise UnreachableError(f"{subject}: cluster {self.name} does not answer with watch events") from error
        if kind == "ERROR":
            raise api_error(obj.get("code", 500), orjson.dumps(obj), subject)
        return kind, obj

    def close(self) -> None:
        """Close the connections."""
        self._credentials.close()


def _refused(answer: urllib3.BaseHTTPResponse) -> bool:
    """Return whether the server throttled this request, now or in an earlier try."""
    before = answer.retries.history if answer.retries else ()
    return answer.status in REFUSALS or any(each.status in REFUSALS for each in before)


def _cut_short(answer: urllib3.BaseHTTPResponse) -> bool:
    """Return whether a JSON answer is truncated.

    urllib3 verifies an answer with a length or in chunks. An answer that ends with its connection, as some proxies send
    it (RFC 9112, 6.3), looks complete wherever it is cut.
    """
    if "Content-Length" in answer.headers or "Transfer-Encoding" in answer.headers:
        return False
    if not answer.data.startswith(b"{"):
        return answer.data == b"" and answer.status == 200  # noqa: PLR2004 - a web page is recognized by its content
    try:
        orjson.loads(answer.data)
    except orjson.JSONDecodeError:
        return True
    return False


def _untrusted(error: urllib3.exceptions.HTTPError) -> bool:
    cause = getattr(error, "reason", None)
    return isinstance(cause, urllib3.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(cause)


def _why(error: urllib3.exceptions.HTTPError) -> str:
    """Return the innermost cause in one line, for the user to act on."""
    cause: object = getattr(error, "reason", None) or error
    where = ""
    if isinstance(cause, urllib3.exceptions.ProxyError):
        # Its own text has the URL of neither; NO_PROXY is the way out where a cluster needs no proxy.
        cause, where = cause.original_error, "its proxy (proxy-url, or HTTPS_PROXY without NO_PROXY for it): "
    while isinstance(cause, urllib3.exceptions.ProtocolError) and isinstance(cause.args[-1], Exception):
        cause = cause.args[-1]  # ("Connection aborted.", what happened)
    return where + (str(cause).rpartition(": ")[2] or type(cause).__name__)
