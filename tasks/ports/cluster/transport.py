"""HTTP to one API server: raw bytes, explicit timeouts, one retry policy for all verbs, Kubeferry's own errors.

Every request to Kubernetes goes through here; client.py supplies connections and credentials. A POST that is retried
after a lost answer may get AlreadyExists: the caller compares the objects before it reports a conflict.
"""

from __future__ import annotations

import time
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlencode

import orjson
from urllib3 import Retry
from urllib3.exceptions import HTTPError, MaxRetryError, ProxyError

from kubeferry.tasks.core.errors import ConflictError, PermanentError, UnreachableError, UntrustedError
from kubeferry.tasks.core.kube.api_errors import SERVER_ERROR, api_error
from kubeferry.tasks.core.kube.api_errors import retries as retries_after
from kubeferry.tasks.core.ops.concurrency import REFUSALS
from kubeferry.tasks.ports.cluster.cancellation import Cancellation
from kubeferry.tasks.ports.cluster.connections import Response, Stream, Timeout, UntrustedServerError
from kubeferry.tasks.ports.cluster.limiter import Limiter
from kubeferry.tasks.ports.cluster.pages import NO_SERVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.ports.cluster.credentials import Credentials, Session

A = TypeVar("A", bound=Response)
R = TypeVar("R")

THREADS = 16
"""Threads of one step. The limiter bounds the concurrent requests of all steps to one API server."""

TIMEOUT = Timeout(connect=10, read=60)
"""A page of 500 objects of 1 MiB takes a few seconds; 60 is also the API server's own request timeout."""


class Policy(Retry):
    """A retry policy that asks whether another try can help."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
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
            raise MaxRetryError(_pool, url or "")
        return super().increment(method, url, response, error, _pool, _stacktrace)


RETRY = Policy(
    total=6,
    connect=3,
    read=4,
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

CONFLICT_PAUSES = (0.01, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Seconds before what a 409 Conflict refused is tried again: nine tries in six seconds.

The controller of an object writes its status many times a second while its pods begin. client-go waits up to 0.3 s for
that (DefaultBackoff in util/retry), which a busy API server needs for one request.
"""


def retry_on_conflict(attempt: Callable[[], R]) -> R:
    """Return what `attempt` returns, which reads an object and writes it if nobody has changed it in between.

    Raises:
        ConflictError: somebody changes it each time.
    """
    for pause in CONFLICT_PAUSES:
        try:
            return attempt()
        except ConflictError:
            time.sleep(pause)
    return attempt()


UNAUTHORIZED = 401
"""The status of an answer after which credentials are renewed, once, and the request is sent again, once."""

WHOLE = 3
"""Attempts of a request whose answers are truncated and have no length."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer, and whether the request was sent more than once."""

    response: Response
    retried: bool

    @property
    def body(self) -> bytes:
        """Return the raw body."""
        return self.response.data

    @property
    def date(self) -> str:
        """Return the server's time, from its Date header, "" without one."""
        return self.response.headers.get("Date", "")

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
        timeout: Timeout | None = None,
    ) -> Answer:
        """Send one request, retried by `RETRY`, and return its answer; `timeout` is TIMEOUT by default.

        Raises:
            UnreachableError: no answer after the retries.
            KubeferryError: any status >= 400, by `api_error`; `subject` names the object in the message.
        """
        with self.gate.through(f"{method} {'list' if query and 'limit' in query else ''}") as refuse:
            answer, retries = self._whole(
                method,
                f"{path}?{urlencode(query)}" if query else path,
                _lines(accept, content_type if body is not None else ""),
                body,
                timeout or TIMEOUT,
            )
            if answer.status in REFUSALS or any(each.status in REFUSALS for each in retries.history):
                refuse()
        if answer.status >= 400:  # noqa: PLR2004 - HTTP's classes of errors
            raise api_error(answer.status, answer.data, subject or f"{method} {path}", secret="/secrets" in path)
        if answer.status >= 300:  # noqa: PLR2004 - as above
            raise PermanentError(f"{subject or f'{method} {path}'}: a redirect, which is not followed: {NO_SERVER}")
        return Answer(answer, retried=bool(retries.history))

    def _whole(
        self, method: str, target: str, headers: Sequence[bytes], body: bytes | None, timeout: Timeout
    ) -> tuple[Response, Policy]:
        """Return an answer that is not truncated, and what its tries left of the retry policy."""

        def exchange(session: Session) -> Response:
            return session.connections.exchange(method, target, [*session.headers, *headers], body, timeout)

        for _ in range(WHOLE):
            answer, retries = self._answer(method, target, exchange)
            if not _cut_short(answer):
                return answer, retries
        raise UnreachableError(f"cluster {self.name} ({self.host}) is out of reach: its answers are cut short")

    def _answer(self, method: str, target: str, send: Callable[[Session], A]) -> tuple[A, Policy]:
        """Send by `send` until there is an answer that is not retried, with newer credentials after a 401."""
        try:
            session = self._credentials.session()
            answer, retries = self._tried(method, target, session, send)
            if answer.status == UNAUTHORIZED and (newer := self._credentials.refused(session)):
                answer.close()
                answer, retries = self._tried(method, target, newer, send)
        except HTTPError as error:
            if isinstance(getattr(error, "reason", None), UntrustedServerError):
                raise UntrustedError(f"cluster {self.name} ({self.host}) is not trusted: {_why(error)}") from error
            raise UnreachableError(f"cluster {self.name} ({self.host}) is out of reach: {_why(error)}") from error
        return answer, retries

    def _tried(self, method: str, target: str, session: Session, send: Callable[[Session], A]) -> tuple[A, Policy]:
        """Send with one set of credentials, and again by the retry policy, as urllib3's own pool does.

        Raises:
            MaxRetryError: no answer.
        """
        retries = RETRY
        while True:
            if method != "GET":
                self._check()
            answer = None
            try:
                answer = send(session)
            except HTTPError as error:
                retries = retries.increment(method, target, error=error)
            else:
                if not retries.is_retry(method, answer.status):
                    return answer, retries
                try:
                    retries = retries.increment(method, target, response=answer)
                except MaxRetryError:
                    return answer, retries
                answer.close()
            retries.sleep(answer)  # type: ignore[arg-type] # it asks for headers only

    def stream(
        self, path: str, query: Mapping[str, str], *, seconds: int, subject: str, stop: Cancellation | None = None
    ) -> Iterator[tuple[str, Object]]:
        """Yield (event type, object) of a watch, for at most `seconds`, or until another thread sets `stop`.

        Raises:
            ExpiredError: the revision is too old.
            UnreachableError: the connection broke.
        """
        limit, stop = Timeout(connect=TIMEOUT.connect, read=seconds + 5), stop or Cancellation()
        target = f"{path}?{urlencode(query)}"
        answer, _ = self._answer(
            "GET", target, lambda to: to.connections.stream(target, [*to.headers, *_lines("application/json")], limit)
        )
        try:
            with stop.ends(answer.shutdown):
                yield from self._events(answer, subject, stop)
        finally:
            answer.close()

    def _events(self, answer: Stream, subject: str, stop: Cancellation) -> Iterator[tuple[str, Object]]:
        rest = b""
        try:
            if answer.status >= 400:  # noqa: PLR2004 - HTTP's classes of errors
                raise api_error(answer.status, answer.data, subject)
            for chunk in answer:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    yield self._event(line, subject)
        except HTTPError as error:
            if stop.is_set():
                return
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


@cache
def _lines(accept: str, content_type: str = "") -> tuple[bytes, ...]:
    """Return header lines."""
    content = (f"Content-Type: {content_type}".encode(),) if content_type else ()
    return (f"Accept: {accept}".encode(), b"User-Agent: kubeferry", *content)


def _cut_short(answer: Response) -> bool:
    """Return whether a JSON answer is truncated.

    libcurl verifies an answer with a length or in chunks. An answer that ends with its connection, as some proxies send
    it (RFC 9112, 6.3), looks complete wherever it is cut.
    """
    if answer.ends_by_itself:
        return False
    if not answer.data.startswith(b"{"):
        return answer.data == b"" and answer.status == 200  # noqa: PLR2004 - a web page is recognized by its content
    try:
        orjson.loads(answer.data)
    except orjson.JSONDecodeError:
        return True
    return False


def _why(error: HTTPError) -> str:
    """Return the innermost cause in one line, for the user to act on."""
    cause: object = getattr(error, "reason", None) or error
    where = ""
    if isinstance(cause, ProxyError):
        # Its own text has the URL of neither; NO_PROXY is the way out where a cluster needs no proxy.
        cause, where = cause.original_error, "its proxy (proxy-url, or HTTPS_PROXY without NO_PROXY for it): "
    return where + (str(cause).rpartition(": ")[2] or type(cause).__name__)
