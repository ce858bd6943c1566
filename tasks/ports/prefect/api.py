"""Health check of and plain requests to a Prefect API, without importing Prefect, which takes a second.

Every error is one line. No message shows credentials: those of the URL, PREFECT_API_KEY, PREFECT_API_AUTH_STRING, and
the password of the local server, which goes to that server alone.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from kubeferry.tasks.core.errors import (
    CredentialsError,
    KubeferryError,
    NotFoundError,
    PermanentError,
    UnavailableError,
    UnreachableError,
    UsageError,
)
from kubeferry.tasks.ports.prefect import local_server

ANSWER = 5.0
"""Timeout of a health check in seconds, where it is repeated or its failure ends nothing."""
QUERY = 20.0
"""Timeout of all other requests in seconds: the database may be large."""
NOT_FOUND = 404
FORBIDDEN = (401, 403)
"""Statuses of a request whose credentials are missing or wrong."""
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def check(url: str, *, patient: bool = False) -> None:
    """Return if the Prefect API at `url` (which ends in `/api`, or names a workspace) reports that it is healthy.

    `patient` gives it the time of all other requests: a server that is busy with many runs is slow.

    Raises:
        UnreachableError: no answer: refused, timed out, no such host, a certificate that does not match.
        UnavailableError: it answers that it cannot serve now.
        CredentialsError: it refuses the credentials, or requires some.
        UsageError: `url` is not a URL, or not a Prefect API.
    """
    _send(url, "/health", None, QUERY if patient else ANSWER)


def greet(url: str) -> None:
    """Do as `check` does, but send no credentials: it may be anybody who listens there."""
    _send(url, "/health", None, ANSWER, known=False)


def ask(url: str, path: str, body: Any = None) -> Any:
    """Return the answer to a GET of `path`, or to a POST of `body`; None if the API does not find it.

    Raises:
        KubeferryError: as `check`; a UsageError also for an answer that is not JSON.
    """
    try:
        return json.loads(_send(url, path, body, QUERY))
    except ValueError as error:
        raise UsageError(f"{shown(url)} is no Prefect API: {path} is not answered by JSON") from error
    except NotFoundError:
        return None


def _send(url: str, path: str, body: Any, seconds: float, *, known: bool = True) -> bytes:
    where = shown(url)
    data = None if body is None else json.dumps(body).encode()
    headers = (_credentials(url) if known else {}) | {"Content-Type": "application/json"}
    request = Request(f"{where.rstrip('/')}{path}", data, headers)  # noqa: S310 - `shown` refuses other schemes
    try:
        with build_opener(*_handlers(url)).open(request, timeout=seconds) as answer:
            return bytes(answer.read())
    except HTTPError as error:
        answered = error.read() if error.code == NOT_FOUND else b""
        error.close()
        if path != "/health" and b"detail" in answered:
            raise NotFoundError(f"the Prefect API at {where} knows no {path}") from error
        raise refused(where, error.code) from error
    except (URLError, HTTPException, OSError) as error:
        cause = getattr(error, "reason", None) or error
        raise UnreachableError(f"no Prefect API answers at {where}: {cause}") from error


def shown(url: str) -> str:
    """Return `url` without credentials, for messages.

    Raises:
        UsageError: it is not an http:// or https:// URL.
    """
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and parts.hostname
    except ValueError:
        named = False
    if not named:
        raise UsageError("the URL of the Prefect API is not understood: it is http://host:port/api, or https://…")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def loopback(url: str) -> bool:
    """Return whether `url` is a loopback address."""
    return urlsplit(url).hostname in LOOPBACK


def refused(where: str, status: int) -> KubeferryError:
    """Return the error for a status with which the API at `where` answers."""
    if status in FORBIDDEN:
        hint = "set PREFECT_API_AUTH_STRING to its password (kubeferry server password), or PREFECT_API_KEY"
        return CredentialsError(f"the Prefect API at {where} refuses the credentials (HTTP {status}): {hint}")
    if status in (429, 500, 502, 503, 504):
        return UnavailableError(f"the Prefect API at {where} cannot serve now (HTTP {status})")
    return UsageError(f"{where} is no Prefect API (HTTP {status}): its URL ends in /api")


def _credentials(url: str) -> dict[str, str]:
    """Return the header that Prefect's own client sends (prefect/client/orchestration; httpx for those of the URL)."""
    pair = local_server.password_for(url) or os.environ.get("PREFECT_API_AUTH_STRING")
    key = os.environ.get("PREFECT_API_KEY")
    if key and not pair:
        return {"Authorization": f"Bearer {key}"}
    if pair := pair or unquote(urlsplit(url).netloc.rpartition("@")[0]):
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _handlers(url: str) -> list[ProxyHandler | HTTPSHandler]:
    handlers: list[ProxyHandler | HTTPSHandler] = []
    if loopback(url):
        handlers.append(ProxyHandler({}))  # a proxy cannot reach this machine's loopback
    if authority := os.environ.get("PREFECT_API_SSL_CERT_FILE"):
        try:
            handlers.append(HTTPSHandler(context=ssl.create_default_context(cafile=authority)))
        except OSError as error:
            raise PermanentError(f"PREFECT_API_SSL_CERT_FILE {authority} cannot be used: {error}") from error
    return handlers
