"""A small HTTP proxy that passes connections on by CONNECT, for tests of proxies."""

import select
import socket
from http.server import BaseHTTPRequestHandler


class Proxy(BaseHTTPRequestHandler):
    """Passes one connection on (CONNECT), and remembers to where and who asked."""

    def do_CONNECT(self):
        self.server.seen.append((self.path, self.headers.get("Proxy-Authorization")))
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port)), timeout=20) as behind:
            self.send_response(200)
            self.end_headers()
            sides = {self.connection: behind, behind: self.connection}
            while ready := select.select(list(sides), [], [], 20)[0]:
                for side in ready:
                    data = side.recv(65536)
                    if not data:
                        return
                    sides[side].sendall(data)

    def log_message(self, *_):
        """Keep the tests' output clean."""
