"""The API server's own limit: clients that send bytes and read answers, and do nothing else. None of it is Kubeferry's.

`urllib3` is plain urllib3 in 16 threads, the yardstick. `aiohttp` (uvloop) and `pycurl` (libcurl: HTTP and TLS outside
of the GIL) show what other clients can do on the same machine.
"""

from __future__ import annotations

import asyncio
import base64
import io
import ssl
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import urllib3
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

THREADS = 16
PAGE = 500


@dataclass(frozen=True)
class Server:
    """An API server as a kubeconfig of the sandbox names it."""

    url: str
    ca: bytes
    token: str
    acting_as: str = ""
    """A user that the token's owner acts as, or nobody else."""

    @property
    def headers(self) -> dict[str, str]:
        """Return what each request says."""
        found = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", "User-Agent": "raw"}
        return found | ({"Impersonate-User": self.acting_as} if self.acting_as else {})

    def pool(self) -> urllib3.PoolManager:
        """Return a pool of connections."""
        return urllib3.PoolManager(maxsize=THREADS, block=True, retries=False, ssl_context=self.tls())

    def tls(self) -> ssl.SSLContext:
        """Return the TLS context that trusts its authority."""
        return ssl.create_default_context(cadata=self.ca.decode())


def server(kubeconfig: str, context: str) -> Server:
    """Return the API server of a context."""
    config = yaml.safe_load(Path(kubeconfig).read_text())
    named = {part: {each["name"]: each for each in config[part]} for part in ("contexts", "clusters", "users")}
    found = named["contexts"][context]["context"]
    cluster = named["clusters"][found["cluster"]]["cluster"]
    token = named["users"][found["user"]]["user"]["token"]
    return Server(cluster["server"], base64.b64decode(cluster["certificate-authority-data"]), token)


def ask(to: Server, method: str, path: str, obj: Any = None) -> Any:
    """Send one request; return the answer's object."""
    with to.pool() as pool:
        body = None if obj is None else orjson.dumps(obj)
        answer = pool.request(method, to.url + path, body=body, headers=to.headers)
    if answer.status >= 400:
        raise RuntimeError(f"{method} {path}: {answer.status} {answer.data[:300]!r}")
    return orjson.loads(answer.data)


def post(client: str, to: Server, requests: Sequence[tuple[str, bytes]]) -> None:
    """POST all, (path, body) each; each has to be answered with 201."""
    _check(client, CLIENTS[client](to, requests), 201)


def put(to: Server, requests: Sequence[tuple[str, bytes]]) -> None:
    """PUT all, by plain urllib3; each has to be answered with 200."""
    _check("urllib3", _urllib3(to, requests, "PUT"), 200)


def _check(client: str, statuses: Sequence[int], wanted: int) -> None:
    if bad := [each for each in statuses if each != wanted]:
        raise RuntimeError(f"{client}: {len(bad)} of {len(statuses)} answers are not {wanted}: {bad[:5]}")


def _urllib3(to: Server, requests: Sequence[tuple[str, bytes]], method: str = "POST") -> list[int]:
    headers = to.headers
    with to.pool() as pool, ThreadPoolExecutor(THREADS) as threads:

        def one(request: tuple[str, bytes]) -> int:
            return pool.request(method, to.url + request[0], body=request[1], headers=headers).status

        return list(threads.map(one, requests))


def _aiohttp(to: Server, requests: Sequence[tuple[str, bytes]]) -> list[int]:
    import aiohttp
    import uvloop

    async def every() -> list[int]:
        waiting, statuses = iter(requests), []
        connector = aiohttp.TCPConnector(limit=THREADS, ssl=to.tls())
        async with aiohttp.ClientSession(connector=connector, headers=to.headers) as session:

            async def work() -> None:
                for path, body in waiting:
                    async with session.post(to.url + path, data=body) as answer:
                        await answer.read()
                        statuses.append(answer.status)

            await asyncio.gather(*(work() for _ in range(THREADS)))
        return statuses

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(every())


def _pycurl(to: Server, requests: Sequence[tuple[str, bytes]]) -> list[int]:
    """HTTP/2 over one connection, `THREADS` requests at a time, in one thread."""
    import pycurl

    with tempfile.NamedTemporaryFile() as ca:
        ca.write(to.ca)
        ca.flush()
        multi, waiting, statuses = pycurl.CurlMulti(), iter(requests), []
        multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, 1)

        def handle() -> Any:
            curl = pycurl.Curl()
            curl.setopt(pycurl.CAINFO, ca.name)
            curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
            curl.setopt(pycurl.PIPEWAIT, 1)
            curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in to.headers.items()])
            curl.setopt(pycurl.POST, 1)
            return curl

        def begin(curl: Any) -> bool:
            request = next(waiting, None)
            if request is None:
                return False
            curl.setopt(pycurl.URL, to.url + request[0])
            curl.setopt(pycurl.POSTFIELDS, request[1])
            curl.setopt(pycurl.WRITEDATA, io.BytesIO())
            multi.add_handle(curl)
            return True

        busy = sum(begin(handle()) for _ in range(THREADS))
        while busy:
            multi.perform()
            _, good, failed = multi.info_read()
            if failed:
                raise RuntimeError(f"pycurl: {failed[0][2]}")
            for curl in good:
                statuses.append(curl.getinfo(pycurl.RESPONSE_CODE))
                multi.remove_handle(curl)
                busy -= not begin(curl)
            if not good:
                multi.select(1.0)
        return statuses


CLIENTS = {"urllib3": _urllib3, "aiohttp": _aiohttp, "pycurl": _pycurl}


def pages(to: Server, path: str) -> Iterable[bytes]:
    """Yield the pages of a LIST, as bytes: of each, only the continue token is looked for."""
    with to.pool() as pool:
        query = f"?limit={PAGE}"
        while query:
            answer = pool.request("GET", to.url + path + query, headers=to.headers)
            yield answer.data
            token = answer.data[:4096].partition(b'"continue":"')[2].partition(b'"')[0].decode()
            query = f"?limit={PAGE}&continue={token}" if token else ""
