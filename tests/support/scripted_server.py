"""A way to a real API server that breaks what it is asked to break, request by request, on real sockets."""

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.http_server import running

from kubeferry.tasks.ports.cluster.transport import TIMEOUT

PASS, CUT, LOSE = "pass", "cut", "lose"
"""Pass the request on and answer; hang up at once; pass it on and hang up instead of answering."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.open.append(self.connection)

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
        self.server.seen.append((self.command, self.path.partition("?")[0]))
        plan = self.server.plan.pop(0) if self.server.plan else PASS
        if plan == CUT:
            self.close_connection = True
        elif isinstance(plan, tuple):
            self.answer(*plan)
        else:
            session = self.server.real._credentials.session()
            passed = {
                "Content-Type": self.headers.get("Content-Type", "application/json"),
                "Accept": self.headers["Accept"],
            }
            lines = [*session.headers, *(f"{name}: {value}".encode() for name, value in passed.items())]
            answer = session.connections.exchange(self.command, self.path, lines, body, TIMEOUT)
            if plan == LOSE:
                self.close_connection = True
            else:
                self.answer(answer.status, {"Content-Type": "application/json"}, answer.data)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any  # noqa: N815 - http.server looks for these names

    def answer(self, status, headers=None, body=b""):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Keep the tests' output clean."""


class Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, real):
        super().__init__(("127.0.0.1", 0), Handler)
        self.real, self.plan, self.seen, self.open = real, [], [], []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def scripted(real):
    """Yield a server before `real` (a Cluster) that does what its `plan` says with each request, then passes all on."""
    with running(Server(real)) as server:
        yield server
