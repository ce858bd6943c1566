"""A server of `http.server`, run in a thread for the time of a test."""

import contextlib
import socket
import threading
from contextlib import contextmanager


@contextmanager
def running(server):
    """Run a server, then stop it; of one that lists its connections in `open`, end those too."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        for connection in list(getattr(server, "open", [])):
            with contextlib.suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)
        server.server_close()
