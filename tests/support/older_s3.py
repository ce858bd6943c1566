"""S3 servers of different age: a proxy before the sandbox's real one that lacks what an older server lacks.

It signs each request anew, since a header that it takes away was signed.
"""

import http.client
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.support.http_server import running

CONDITIONS = ("if-none-match", "if-match")
CHECKSUMS = ("x-amz-checksum-sha256", "x-amz-checksum-algorithm", "x-amz-sdk-checksum-algorithm")
KEPT = {"content-type", "content-md5", "content-encoding", "x-amz-content-sha256"}


@dataclass
class Age:
    """What a server lacks; header names in lower case."""

    ignores: tuple[str, ...] = ()
    refuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Header → status and code of the answer."""
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers of each request."""


NOT_IMPLEMENTED = (501, "NotImplemented")
AGES = {
    "checks no reads": lambda: Age(refuses={"x-amz-checksum-mode": (400, "InvalidArgument")}),
    "ignores conditions": lambda: Age(ignores=CONDITIONS),
    "refuses conditions": lambda: Age(refuses=dict.fromkeys(CONDITIONS, NOT_IMPLEMENTED)),
    "before 2022": lambda: Age(
        ignores=("x-amz-checksum-mode", *CONDITIONS), refuses=dict.fromkeys(CHECKSUMS, (400, "InvalidRequest"))
    ),
    "knows no new header": lambda: Age(
        refuses=dict.fromkeys(("x-amz-checksum-mode", *CONDITIONS, *CHECKSUMS), NOT_IMPLEMENTED)
    ),
}
"""`checks no reads` is Backblaze B2 (diced/zipline#746); conditional writes are of 2024, SHA-256 is of 2022."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        age = self.server.age
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        age.seen.append((self.command, self.path, headers))
        # None of them knows checksums in trailers, which are of 2022 too.
        refused = [answer for name, answer in age.refuses.items() if name in headers]
        if "x-amz-trailer" in headers or "aws-chunked" in headers.get("content-encoding", ""):
            refused.append(NOT_IMPLEMENTED)
        if refused:
            status, code = refused[0]
            text = f"<Error><Code>{code}</Code><Message>Unsupported header received for this API call</Message></Error>"
            self.answer(status, {}, text.encode())
        else:
            self.answer(*self.passed_on(headers, body))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward  # noqa: N815 - http.server looks for these names

    def passed_on(self, headers, body):
        host, port = self.server.upstream
        mine = {
            name: value
            for name, value in headers.items()
            if (name in KEPT or name.startswith("x-amz-") or name in CONDITIONS) and name not in self.server.age.ignores
        }
        mine = {name: value for name, value in mine.items() if name not in ("x-amz-date", "x-amz-content-sha256")}
        request = AWSRequest(self.command, f"http://{host}:{port}{self.path}", headers=mine, data=body)
        S3SigV4Auth(self.server.keys, "s3", "us-east-1").add_auth(request)
        upstream = http.client.HTTPConnection(host, port, timeout=30)
        try:
            upstream.request(self.command, self.path, body, dict(request.headers.items()))
            got = upstream.getresponse()
            return got.status, dict(got.getheaders()), got.read()
        finally:
            upstream.close()

    def answer(self, status, headers, data):
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "server", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", headers.get("Content-Length", "0") if self.command == "HEAD" else len(data))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_):
        """Keep the tests' output clean."""


@contextmanager
def older(host, port, age, tls=None):
    """Yield the endpoint of a server of that age; the one behind it is at `host`:`port`. `tls` is a context for it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.upstream, server.age = (host, port), age
    server.keys = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    with running(server):
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
