"""HTTP as API servers, proxies and signals have it, where a library could do otherwise."""

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from tests.support.connect_proxy import Proxy
from tests.support.http_server import running

from kubeferry.tasks.core.errors import CredentialsError, UntrustedError
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.ports.cluster import connections
from kubeferry.tasks.ports.cluster.cancellation import Cancellation
from kubeferry.tasks.ports.cluster.client import connect

NAMESPACES = ResourceType("", "v1", "Namespace", "namespaces", namespaced=False)


@pytest.fixture
def entries(sandbox_env):
    """The sandbox's own cluster and user of a kubeconfig."""
    found = yaml.safe_load(Path(sandbox_env.kubeconfig).read_text(encoding="utf-8"))
    of = {kind: {each["name"]: each[kind] for each in found[f"{kind}s"]} for kind in ("cluster", "user")}
    return dict(of["cluster"]["kubeferry-a"]), dict(of["user"]["kubeferry-a"])


@pytest.fixture
def to(tmp_path):
    """Connect to what a kubeconfig's cluster and user say."""
    opened = []

    def connected(cluster, user=None):
        path = tmp_path / f"{len(opened)}.yaml"
        named = {"clusters": [{"name": "c", "cluster": cluster}], "users": [{"name": "u", "user": user or {}}]}
        contexts = [{"name": "x", "context": {"cluster": "c", "user": "u"}}]
        path.write_text(yaml.safe_dump({"current-context": "x", "contexts": contexts} | named))
        opened.append(connect(None, str(path)))
        return opened[-1]

    yield connected
    for each in opened:
        each.close()


@contextmanager
def talking(talk):
    """A server that does what `talk(connection, request)` does with each connection's first request."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def serve():
            while not done.is_set():
                connection, _ = server.accept()
                with connection, suppress(ConnectionError):  # a client that was killed resets it
                    if not done.is_set():
                        talk(connection, connection.recv(65536))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            done.set()
            socket.create_connection(server.getsockname()).close()
            thread.join()


def test_the_answer_of_a_proxy_that_opens_a_tunnel_is_not_that_of_a_watch(to, entries):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.seen = []
    with running(server):
        cluster = to(entries[0] | {"proxy-url": f"http://127.0.0.1:{server.server_address[1]}"}, entries[1])
        revision = cluster.revision()
        events = list(cluster.watch(NAMESPACES, revision=revision, seconds=1))
        cluster.close()
    assert server.seen
    assert {kind for kind, _ in events} <= {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"}


def test_a_watch_that_is_refused_behind_a_proxy_says_so(to, entries):
    """The proxy's own answer, which opens the tunnel, is a 200."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.seen = []
    with running(server):
        cluster = to(entries[0] | {"proxy-url": f"http://127.0.0.1:{server.server_address[1]}"}, {"token": "wrong"})
        with pytest.raises(CredentialsError, match="401"):
            next(cluster.watch(NAMESPACES, revision="1", seconds=1))
        cluster.close()


def test_a_watch_through_a_proxy_is_ended_by_another_thread_at_once(to, entries):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.seen = []
    stop = Cancellation()
    with running(server):
        cluster = to(entries[0] | {"proxy-url": f"http://127.0.0.1:{server.server_address[1]}"}, entries[1])
        watch = cluster.watch(NAMESPACES, revision=cluster.revision(), seconds=300, stop=stop)
        thread = threading.Thread(target=lambda: list(watch))
        thread.start()
        stop.set()
        thread.join(30)
        cluster.close()
    assert not thread.is_alive()


def test_an_interim_answer_is_not_the_answer(to):
    """RFC 9110, 15.2: any number of them may come first."""
    body = b'{"gitVersion": "v9"}'

    def talk(connection, _):
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n")
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body))
        connection.sendall(body)

    with talking(talk) as url:
        answer = to({"server": url}).request("GET", "/version")
    assert answer.json() == {"gitVersion": "v9"}
    assert answer.date == ""


def test_a_large_body_is_not_announced_first(to):
    """A server that knows no `Expect` would be waited for, a second each time."""
    seen = []

    def talk(connection, request):
        head, _, rest = request.partition(b"\r\n\r\n")
        while len(rest) < 3_000_000:
            rest += connection.recv(65536)
        seen.append((head.lower(), len(rest)))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    with talking(talk) as url:
        to({"server": url}).request("POST", "/x", body=b"x" * 3_000_000)
    assert [size for _, size in seen] == [3_000_000]
    assert b"expect" not in seen[0][0]
    assert b"content-type: application/json" in seen[0][0]
    assert seen[0][0].count(b"accept:") == 1


def test_what_a_server_compresses_or_redirects_is_not_asked_for(to):
    """Nothing else goes out than what is said here: no cookies, no other encodings, no password of a .netrc file."""
    seen = []

    def talk(connection, request):
        seen.append(request.decode())
        connection.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    with talking(talk) as url:
        cluster = to({"server": url}, {"token": "t"})
        for _ in range(2):
            cluster.request("GET", "/x")
    wanted = ["Host", "Authorization", "Accept", "User-Agent"]
    for each in seen:
        names = [line.partition(":")[0] for line in each.split("\r\n")[1:] if line]
        assert sorted(names) == sorted(wanted)


def test_a_server_that_is_known_by_another_name_is_asked_for_at_its_own_address(to, entries):
    """The name is for the certificate (client-go: tls-server-name); a proxy in front goes by the Host."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self):
            seen.append(self.path)
            self.send_error(403)

        def log_message(self, *_):
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    assert to(entries[0] | {"tls-server-name": "localhost"}, entries[1]).version()
    with running(server):
        away = entries[0] | {"tls-server-name": "localhost", "proxy-url": f"http://127.0.0.1:{server.server_port}"}
        with pytest.raises(Exception, match="its proxy"):
            to(away, entries[1]).version()
    assert set(seen) == {entries[0]["server"].removeprefix("https://")}


def test_the_systems_authorities_prove_a_server_without_one_in_the_kubeconfig(to, entries, tmp_path, monkeypatch):
    import base64

    authority = tmp_path / "ca.crt"
    authority.write_bytes(base64.b64decode(entries[0].pop("certificate-authority-data")))
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda _: None)
    with pytest.raises(UntrustedError):
        to(entries[0], entries[1]).version()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    assert to(entries[0], entries[1]).version()


@pytest.mark.parametrize("begun", [True, False])
def test_an_interrupt_while_a_request_is_handed_over_leaves_nothing_running(to, monkeypatch, begun):
    arrived, ended, in_background = threading.Event(), threading.Event(), connections.in_background

    def talk(connection, _):
        arrived.set()
        connection.recv(1)  # until it hangs up
        ended.set()

    def interrupted(work):
        later.append(work)
        if begun:
            in_background(work)
            assert arrived.wait(60)
        raise KeyboardInterrupt

    later = []
    with talking(talk) as url:
        cluster = to({"server": url}, {"token": "t"})
        monkeypatch.setattr(connections, "in_background", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cluster.request("GET", "/x")
        if not begun:
            later[0]()  # a thread that comes to it only now has nothing to do
        assert arrived.is_set() is begun
        assert not begun or ended.wait(60)


def test_an_interrupt_ends_a_request_that_is_not_answered(tmp_path):
    """Signals are for the main thread, which only waits: libcurl would not let them through."""
    (tmp_path / "ask.py").write_text(
        "import sys\n"
        "from kubeferry.tasks.ports.cluster.client import connect\n"
        "print('asks', flush=True)\n"
        "connect(None, sys.argv[1]).version()\n"
    )
    asked = threading.Event()

    def talk(connection, _):
        asked.set()
        connection.recv(1)  # until it hangs up

    with talking(talk) as url:
        clusters = [{"name": "c", "cluster": {"server": url}}]
        contexts = [{"name": "x", "context": {"cluster": "c", "user": "u"}}]
        users = [{"name": "u", "user": {}}]
        (tmp_path / "config").write_text(
            yaml.safe_dump({"current-context": "x", "contexts": contexts, "clusters": clusters, "users": users})
        )
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "ask.py"), str(tmp_path / "config")],
            stderr=subprocess.PIPE,
            env=os.environ | {"NO_PROXY": "*"},
        )
        assert asked.wait(60)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in err
