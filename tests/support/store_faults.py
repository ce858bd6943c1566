"""A proxy before a real HTTP server that breaks one thing at a time: what a network and other servers do."""

import http.client
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.http_server import running


class Faults:
    """What to break; by default nothing. Every request is in `seen` (method, headers) and `asked` (with its path)."""

    def __init__(self):
        self.seen, self.asked = [], []
        self.add = {}
        """Headers that answers get besides."""
        self.date = None
        """What answers say as their Date."""
        self.refuse = None
        """A header that the server refuses with 501, as one that does not know it does."""
        self.hide = None
        """A header that the server ignores: its answers do not name it."""
        self.cut = 0
        """How many answers to GET of an object end in the middle."""
        self.flip = 0
        """How many answers to GET of an object have one bit flipped."""
        self.lose = 0
        """How many answers to PUT get lost after the server has done its work."""
        self.deny = {}
        """What is answered at once: (method, part of the path) → status."""


class Handler(BaseHTTPRequestHandler):
    """Passes a request on to `server.upstream`, unless `server.faults` says otherwise."""

    protocol_version = "HTTP/1.1"

    def forward(self):
        faults = self.server.faults
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        faults.seen.append((self.command, {name.lower(): value for name, value in self.headers.items()}))
        faults.asked.append((self.command, self.path, faults.seen[-1][1]))
        denied = [s for (method, part), s in faults.deny.items() if self.command == method and part in self.path]
        if denied:
            self.answer(denied[0], {}, b"")
        elif faults.refuse and faults.refuse in self.headers:
            self.answer(501, {}, b"<Error><Code>NotImplemented</Code><Message>no such header</Message></Error>")
        else:
            self.spoil(*self.passed_on(body))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward  # noqa: N815 - http.server looks for these names

    def passed_on(self, body):
        upstream = http.client.HTTPConnection(*self.server.upstream, timeout=30)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            upstream.request(self.command, self.path, body, headers)
            got = upstream.getresponse()
            return got.status, dict(got.getheaders()), got.read()
        finally:
            upstream.close()

    def spoil(self, status, headers, data):
        faults = self.server.faults
        headers = {name: value for name, value in headers.items() if name.lower() != (faults.hide or "").lower()}
        content = self.command == "GET" and "list-type" not in self.path and data
        if self.command == "PUT" and faults.lose:
            faults.lose -= 1
            self.close_connection = True
        elif content and faults.cut:
            faults.cut -= 1
            self.answer(status, headers, data[: len(data) // 2], len(data))
            self.close_connection = True
        elif content and faults.flip:
            faults.flip -= 1
            self.answer(status, headers, bytes([data[0] ^ 1]) + data[1:])
        else:
            self.answer(status, headers, data)

    def date_time_string(self, timestamp=None):
        return self.server.faults.date or super().date_time_string(timestamp)

    def answer(self, status, headers, data, length=None):
        self.send_response(status)
        for name, value in {**headers, **self.server.faults.add}.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "server", "date"):
                self.send_header(name, value)
        given = headers.get("Content-Length", "0") if self.command == "HEAD" else len(data)
        self.send_header("Content-Length", str(length or given))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_):
        """Keep the tests' output clean."""


@contextmanager
def faulty(host, port):
    """Yield the endpoint of the proxy before `host`:`port`, and its Faults."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.upstream, server.faults = (host, port), Faults()
    with running(server):
        yield f"http://127.0.0.1:{server.server_address[1]}", server.faults
