"""HTTP requests to the sandbox's own servers: health checks, and the objects of a new cluster.

Only for starting the sandbox. Everything else uses tasks/ports/cluster, which imports the official client.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import urllib3

from kubeferry.deployments.sandbox.local import SandboxError

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = urllib3.Timeout(connect=2, read=10)
OK, CREATED, NOT_FOUND, CONFLICT = 200, 201, 404, 409


def healthy(url: str, ca: Path | None = None, token: str = "") -> bool:
    """Return whether GET `url` returns 200; False for no answer, a wrong certificate or another status."""
    try:
        with pool(ca) as http:
            return http.request("GET", url, headers=headers(token), timeout=urllib3.Timeout(2)).status == OK
    except urllib3.exceptions.HTTPError:
        return False


class Api:
    """One API server, as its administrator."""

    def __init__(self, server: str, ca: Path, token: str) -> None:
        """Connect by its URL, the file of its CA, and a bearer token; no request is sent yet."""
        self.server = server
        self.ca = ca
        self.token = token

    def get(self, path: str) -> dict[str, Any] | None:
        """Return the object or list at `path`; None if it does not exist."""
        status, body = self._ask("GET", path, None)
        if status == NOT_FOUND:
            return None
        return self._good(status, body, f"GET {path}")

    def create(self, path: str, obj: dict[str, Any]) -> None:
        """Create `obj` in the collection `path`; an existing object of this name is left as it is."""
        status, body = self._ask("POST", path, obj)
        if status != CONFLICT:
            self._good(status, body, f"POST {path} {obj['metadata']['name']}")

    def _ask(self, method: str, path: str, obj: dict[str, Any] | None) -> tuple[int, bytes]:
        body = json.dumps(obj).encode() if obj else None
        try:
            with pool(self.ca) as http:
                got = http.request(method, self.server + path, body=body, headers=headers(self.token), timeout=TIMEOUT)
                return got.status, got.data
        except urllib3.exceptions.HTTPError as error:
            raise SandboxError(f"{self.server} does not answer to {method} {path}: {error}") from error

    def _good(self, status: int, body: bytes, what: str) -> dict[str, Any]:
        if status not in (OK, CREATED):
            raise SandboxError(f"{self.server} refused {what}: {status} {body[:500].decode(errors='replace')}")
        found: dict[str, Any] = json.loads(body)
        return found


def pool(ca: Path | None) -> urllib3.PoolManager:
    """Return a pool that trusts only `ca` and does not retry."""
    if ca is None:
        return urllib3.PoolManager(retries=False)
    return urllib3.PoolManager(retries=False, cert_reqs="REQUIRED", ca_certs=str(ca))


def headers(token: str) -> dict[str, str]:
    """Return the headers of a request with a bearer token, if there is one."""
    json_body = {"Content-Type": "application/json"}
    return json_body | {"Authorization": f"Bearer {token}"} if token else json_body
