"""The password of the local Prefect server: whom it is shown to, and where it is sent."""

import base64
import json
import os
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509

from kubeferry.tasks.core.errors import PermanentError, UsageError
from kubeferry.tasks.ports.local import processes
from kubeferry.tasks.ports.prefect import api, local_server
from kubeferry.tasks.ports.prefect import server as prefect_server


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home in which no server was ever started, and no credentials for another."""
    monkeypatch.setenv("KUBEFERRY_HOME", str(tmp_path))
    for name in ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "state" / "prefect"


@contextmanager
def listening(answer=b"true", status=200):
    """Something on loopback that is no Prefect server; yields its port, and the credentials that it was sent."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append(self.headers.get("Authorization"))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self):
            self.do_POST()

        def log_message(self, *_):
            """Keep the tests' output clean."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], seen
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def process():
    """A process of this user's, in a session of its own, as the server is."""
    with subprocess.Popen(["/bin/sleep", "600"], start_new_session=True) as child:
        yield processes.Process(child.pid, processes._stat(child.pid).started)
        child.kill()


def sent(pair):
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def test_it_is_long_new_each_time_and_for_this_user_alone(home):
    old_mask = os.umask(0)
    try:
        first = local_server.new_password()
    finally:
        os.umask(old_mask)
    assert local_server.password() == first
    assert (home / "password").stat().st_mode & 0o7777 == 0o600
    assert home.stat().st_mode & 0o7777 == 0o700
    assert len(first.removeprefix("kubeferry:")) >= 32
    assert local_server.new_password() != first


def test_there_is_none_before_the_first_start(home):
    assert local_server.password() is None
    with pytest.raises(UsageError, match="kubeferry server start"):
        prefect_server.password()
    assert not home.exists()


def readable_by_the_group(path, _):
    path.chmod(0o640)


def readable_by_all(path, _):
    path.chmod(0o604)


def in_a_folder_that_all_may_change(path, _):
    path.parent.chmod(0o777)


def a_link_to_another_file(path, _):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def a_pipe(path, _):
    path.unlink()
    os.mkfifo(path, 0o600)
    path.chmod(0o600)


def of_another_user(_, monkeypatch):
    mine = os.geteuid()
    monkeypatch.setattr(local_server.os, "geteuid", lambda: mine + 1)


def empty(path, _):
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "harm",
    [
        readable_by_the_group,
        readable_by_all,
        in_a_folder_that_all_may_change,
        a_link_to_another_file,
        a_pipe,
        of_another_user,
        empty,
    ],
)
def test_a_file_that_others_may_know_or_made_is_refused_in_one_line(home, monkeypatch, harm):
    made = local_server.new_password()
    harm(home / "password", monkeypatch)
    with pytest.raises(PermanentError, match="is not used: ") as caught:
        local_server.password()
    assert "\n" not in str(caught.value)
    assert made.partition(":")[2] not in str(caught.value)
    assert "kubeferry server stop" in str(caught.value)


def test_no_password_is_made_in_a_folder_that_others_may_change(home):
    """They could give the server another database, whose deployments the worker runs."""
    home.mkdir(parents=True)
    home.chmod(0o777)
    with pytest.raises(PermanentError, match="its folder is open to other users"):
        local_server.new_password()
    assert not (home / "password").exists()


def test_it_is_sent_to_the_server_that_was_started(process):
    password = local_server.new_password()
    with listening() as (port, seen):
        local_server.save(local_server.Record(process, port, guarded=True))
        api.ask(local_server.local(port), "/admin/version")
        assert seen == [sent(password)]
    environment = prefect_server.environment(local_server.local(port))
    assert "PREFECT_API_AUTH_STRING" not in environment, "nobody listens there by now"


def test_its_clients_read_one_certificate_that_proves_nothing():
    """Of all authorities, Prefect's clients would read more than a hundred, each time one is made."""
    context = ssl.create_default_context(cafile=prefect_server.TO_LOCAL["PREFECT_API_SSL_CERT_FILE"])
    assert context.cert_store_stats() == {"x509": 1, "crl": 0, "x509_ca": 0}
    text = Path(prefect_server.TO_LOCAL["PREFECT_API_SSL_CERT_FILE"]).read_text()
    found = x509.load_pem_x509_certificate(text.encode())
    assert found.not_valid_after_utc.year == 2000
    assert "PRIVATE" not in text


def test_credentials_for_another_server_are_not_sent_to_this_one(process, monkeypatch):
    monkeypatch.setenv("PREFECT_API_KEY", "OTHER")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "OTHER")
    password = local_server.new_password()
    with listening() as (port, seen):
        local_server.save(local_server.Record(process, port, guarded=True))
        url = local_server.local(port)
        api.ask(url, "/admin/version")
        environment = prefect_server.environment(url)
        assert environment["PREFECT_API_AUTH_STRING"] == password
        assert environment.items() >= prefect_server.TO_LOCAL.items()
        assert seen == [sent(password)]


def another_port(record, url, _):
    return local_server.Record(record.process, record.port + 1, guarded=True), url


def another_name(record, url, _):
    return record, url.replace("127.0.0.1", "localhost")


def a_dead_process(record, url, _):
    return local_server.Record(processes.Process(record.process.pid, "long ago"), record.port, guarded=True), url


def row(port, user, state="0A", address="0100007F"):
    """A socket as Linux lists it; 0A: it listens."""
    return f"0: {address}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {user} 0 1"


def sockets(monkeypatch, *rows):
    path = local_server.home() / "tcp"
    path.write_text("\n".join(["header", *rows, ""]))
    monkeypatch.setattr(local_server, "SOCKETS", path)


def another_users_port(record, url, monkeypatch):
    sockets(monkeypatch, row(record.port, os.geteuid() + 1))
    return record, url


MINE, OTHER = os.geteuid(), os.geteuid() + 1


@pytest.mark.parametrize(
    ("rows", "ours"),
    [
        ([row(81, OTHER), row(80, MINE), row(80, OTHER, "01")], True),
        ([row(80, MINE), row(80, OTHER, address="00000000")], True),
        ([row(80, MINE), row(80, OTHER)], False),
        ([row(80, MINE), row(80, OTHER, address="7F000001")], False),
        ([row(80, OTHER, "01"), row(81, MINE, "01"), row(80, MINE)], True),
        ([row(80, OTHER, "01"), row(80, OTHER)], False),
        ([row(80, MINE, "01")], False),
        ([], False),
    ],
)
@pytest.mark.usefixtures("home")
def test_a_port_is_ours_if_nobody_else_listens_there(monkeypatch, rows, ours):
    local_server.new_password()  # makes the folder
    sockets(monkeypatch, *rows)
    assert local_server.ours(80) is ours


@pytest.mark.usefixtures("home")
def test_a_port_is_not_ours_in_an_empty_list_and_is_where_there_is_no_list(monkeypatch):
    local_server.new_password()
    sockets(monkeypatch)
    local_server.SOCKETS.write_text("")
    assert local_server.ours(80) is False
    local_server.SOCKETS.unlink()
    assert local_server.ours(80) is True


def an_older_version(record, url, _):
    return local_server.Record(record.process, record.port, guarded=False), url


@pytest.mark.parametrize("differs", [another_port, another_name, a_dead_process, another_users_port, an_older_version])
def test_it_is_sent_to_nothing_else(process, monkeypatch, differs):
    local_server.new_password()
    with listening() as (port, seen):
        record = local_server.Record(process, port, guarded=True)
        record, url = differs(record, local_server.local(port), monkeypatch)
        local_server.save(record)
        api.ask(url, "/admin/version")
        api.check(url)
        assert not {"PREFECT_API_AUTH_STRING", *prefect_server.TO_LOCAL} & prefect_server.environment(url).keys()
        prefect_server.status()
    assert set(seen) == {None}


def test_whoever_listens_at_the_old_port_is_not_sent_it_by_a_start(process, monkeypatch):
    """The server was killed, and another program took its port: the new server is elsewhere, with a new password."""
    old = local_server.new_password()
    spawned = []

    def spawn(argv, log, env, cwd):  # noqa: ARG001 - the signature of the original
        spawned.append((argv, env))
        raise PermanentError("not in this test")

    monkeypatch.setattr(prefect_server.processes, "spawn", spawn)
    with listening() as (port, seen):
        gone = processes.Process(process.pid, "long ago")
        local_server.save(local_server.Record(gone, port, guarded=True))
        with pytest.raises(PermanentError, match="not in this test"):
            prefect_server.start()
    ((argv, env),) = spawned
    assert seen == []
    assert str(port) not in argv
    assert env["PREFECT_SERVER_API_AUTH_STRING"] == local_server.password() != old
    assert not [word for word in argv if local_server.password().partition(":")[2] in word]


def older(home, process, port):
    """The file that a version without passwords wrote."""
    home.mkdir(parents=True)
    kept = {"pid": process.pid, "started": process.started, "port": port}
    (home / "server.json").write_text(json.dumps(kept))


def test_a_server_of_an_older_version_stays_while_it_has_runs(home, process):
    with listening(b"2") as (port, _):
        older(home, process, port)
        with pytest.raises(PermanentError, match=r"no password, and flow runs are in progress \(2\)"):
            prefect_server.start()
    assert processes.alive(process)


def test_a_server_of_an_older_version_without_runs_is_replaced(home, process, monkeypatch):
    def spawn(*_):
        raise PermanentError("a new one")

    monkeypatch.setattr(prefect_server, "_spawn", spawn)
    with listening(b"0") as (port, _):
        older(home, process, port)
        with pytest.raises(PermanentError, match="a new one"):
            prefect_server.start()
    assert not processes.alive(process)


def test_a_server_with_another_password_is_reported_in_one_line(process):
    local_server.new_password()
    with listening() as (port, _):
        local_server.save(local_server.Record(process, port, guarded=True))
        assert prefect_server.start() == local_server.local(port)
    with listening(status=401) as (port, _):
        local_server.save(local_server.Record(process, port, guarded=True))
        with pytest.raises(PermanentError, match="asks for another password"):
            prefect_server._open(local_server.load())
