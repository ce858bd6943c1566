"""A proxy before a real server that breaks what its rules say (actions.py), and remembers what it broke.

It speaks plain HTTP on loopback, whatever the server behind it speaks. The Host header is passed on as it came, since
S3 clients sign it. Answers are read whole and sent with their length, but for watches, which go on as they come.
Every request has a connection of its own to the server: what a restarted server did not get is not sent to it twice.
"""

import contextlib
import http.client
import itertools
import re
import socket
import ssl
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.support.http_server import running

SECONDS = 60
"""How long the server behind may take to answer."""

HOPS = {"connection", "content-length", "date", "expect", "keep-alive", "server", "transfer-encoding"}
"""Headers that are about one connection only (RFC 9110, 7.6.1), and what http.server writes itself."""

GONE = (ConnectionError, http.client.HTTPException, ssl.SSLEOFError, ssl.SSLSyscallError, ssl.SSLZeroReturnError)
"""How a server shows that it was killed, perhaps in the middle of a handshake."""

EVERY = range(1, 10**9)
"""Each time that a rule matches."""


class Reply(NamedTuple):
    """An answer of the server, read whole."""

    status: int
    headers: dict
    body: bytes


@dataclass
class Rule:
    """Do `action` with the requests whose method and path (with its query) match, the `hits`-th times that they do.

    Dry runs, by which preflight asks what the server would refuse, are met only by a rule whose path names dryRun.
    """

    method: str
    """A regular expression for the whole of it."""
    path: str
    """A regular expression for any part of it."""
    action: object
    hits: range = range(1, 2)
    each: bool = False
    """Count by method, path and body, not in total: every request is hit when it first comes."""
    done: int = 0
    """How often it was hit."""
    seen: Counter = field(default_factory=Counter)

    def take(self, method, path, body):
        """Return the action if it is this request's turn."""
        if not (re.fullmatch(self.method, method) and re.search(self.path, path)):
            return None
        if "dryRun=All" in path and "dryRun" not in self.path:
            return None
        key = (method, path, body) if self.each else ""
        self.seen[key] += 1
        if self.seen[key] not in self.hits:
            return None
        self.done += 1
        return self.action


class Storm:
    """A share of all requests gets a random fault; the same `rng` draws the same numbers.

    None gets `most` in a row, after which a client may give up.
    """

    def __init__(self, rng, share, actions, most=5):
        self.rng, self.share, self.actions, self.most = rng, share, actions, most
        self.in_a_row = Counter()

    def take(self, *request):
        if self.rng.random() >= self.share or self.in_a_row[request] == self.most:
            self.in_a_row[request] = 0
            return None
        self.in_a_row[request] += 1
        return self.rng.choice(self.actions)


class Exchange(BaseHTTPRequestHandler):
    """One connection of a client, and what actions may do with its requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.open.add(self.connection)

    def handle(self):
        with contextlib.suppress(ConnectionError):  # the client has gone, perhaps in the middle of an answer
            super().handle()

    def finish(self):
        self.server.open.discard(self.connection)
        with contextlib.suppress(OSError):  # as above
            super().finish()

    def handle_any(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        action = self.server.take(self.command, self.path, self.body)
        try:
            (action or Exchange.relay)(self)
        # The server behind has gone: so does its proxy.
        except GONE:
            self.hang_up()
        except Exception as error:  # noqa: BLE001 - a test that breaks things by mistake must not look like a fault
            self.server.mistakes.append(error)
            self.hang_up()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - http.server looks for these

    def relay(self):
        """Pass the request on, and the answer."""
        if "watch=1" in self.path:
            self.stream()
        else:
            self.send(self.forward())

    @contextmanager
    def asked(self):
        """Send the request to the server; yield its answer, not read yet."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOPS}
        with contextlib.closing(self.server.connect()) as upstream:
            upstream.request(self.command, self.path, self.body or None, headers)
            yield upstream.getresponse()

    def forward(self):
        """Return the server's whole answer."""
        with self.asked() as got:
            return Reply(got.status, dict(got.getheaders()), got.read())

    def start(self, status, headers, **more):
        """Send the beginning of an answer."""
        self.send_response(status)
        kept = {name: value for name, value in headers.items() if name.lower() not in HOPS}
        for name, value in {**kept, **{name.replace("_", "-"): value for name, value in more.items()}}.items():
            self.send_header(name, str(value))
        self.end_headers()

    def send(self, reply):
        """Answer."""
        length = reply.headers.get("Content-Length", 0) if self.command == "HEAD" else len(reply.body)
        self.start(reply.status, reply.headers, Content_Length=length)
        self.wfile.write(reply.body)

    def stream(self, lines=None):
        """Pass a watch on as it comes; hang up in the middle of the line after so many."""
        with self.asked() as got:
            self.start(got.status, dict(got.getheaders()), Transfer_Encoding="chunked")
            for number in itertools.count():
                line = got.readline()
                last = number == lines and bool(line)
                part = line[: len(line) // 2] if last else line
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                if last or not line:
                    break
        if last:
            self.hang_up()

    def hang_up(self):
        """End the connection."""
        self.close_connection = True
        with contextlib.suppress(OSError):  # the client was faster
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_):
        """Keep the tests' output clean."""


class Proxy(ThreadingHTTPServer):
    """The proxy before the server at `url`; what has a certificate is verified by the authority in the file `ca`."""

    daemon_threads = False

    def __init__(self, url, ca=None):
        super().__init__(("127.0.0.1", 0), Exchange)
        self.behind = urlsplit(url)
        self.context = ssl.create_default_context(cafile=ca) if ca else None
        self.rules, self.open, self._lock = [], set(), threading.Lock()
        self.injected = Counter()
        """How often each fault was done."""
        self.seen = Counter()
        """How often each method and path was asked for."""
        self.mistakes = []
        """What went wrong in the tests themselves."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take(self, method, path, body):
        """Return what the first rule whose turn it is says, None where none has one."""
        with self._lock:
            self.seen[method, path.partition("?")[0]] += 1
            found = next(filter(None, (rule.take(method, path, body) for rule in self.rules)), None)
            self.injected.update([found.name] if found else [])
            return found

    def connect(self):
        """Return a new connection to the server behind."""
        place = (self.behind.hostname, self.behind.port)
        if self.context:
            return http.client.HTTPSConnection(*place, timeout=SECONDS, context=self.context)
        return http.client.HTTPConnection(*place, timeout=SECONDS)


@contextmanager
def proxying(url, ca=None):
    """Yield a Proxy that runs."""
    with running(Proxy(url, ca)) as proxy:
        yield proxy
