"""The local Prefect server runs programs as its user: other users and web pages get nothing from it."""

import base64
import http.client
import json
import os
import socket
import subprocess
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.support.cli import COMMAND
from tests.support.limits import LIMIT, until
from tests.support.prefect_api import Api, headers
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

REQUESTS = [
    ("GET", "/api/admin/version", None),
    ("GET", "/api/admin/settings", None),
    ("POST", "/api/flow_runs/filter", {}),
    ("POST", "/api/work_pools/", {"name": "evil", "type": "process"}),
    ("POST", "/api/variables/", {"name": "evil", "value": "1"}),
    ("POST", "/api/block_documents/filter", {"include_secrets": True}),
    ("DELETE", "/api/work_pools/kubeferry", None),
    ("GET", "/api/docs", None),
]
NOBODY = 65534


@pytest.fixture(scope="module")
def kept():
    """The folder of this run's server."""
    return Path(os.environ["KUBEFERRY_TEST_HOME"], "all", "state", "prefect")


@pytest.fixture(scope="module")
def password(prefect_server, kept):  # noqa: ARG001 - it is started
    return (kept / "password").read_text()


def send(server, method, path, body=None, **more):
    """Return the status, headers and content of an answer; only what is given is sent."""
    place = urlsplit(server)
    given = {name.replace("_", "-"): value for name, value in more.items()}
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=LIMIT)
    try:
        connection.putrequest(method, path, skip_host="Host" in given)
        data = b"" if body is None else json.dumps(body).encode()
        for name, value in ({"Content-Type": "application/json"} | given | {"Content-Length": len(data)}).items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(data)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_the_api_answers_nobody_without_the_password(prefect_server, method, path, body):
    wrong = base64.b64encode(b"kubeferry:wrong").decode()
    for sent in ({}, {"Authorization": f"Basic {wrong}"}, {"Authorization": "Basic"}, {"Authorization": "Bearer x"}):
        status, _, content = send(prefect_server, method, path, body, **sent)
        assert (status, b"Unauthorized" in content) == (401, True)


def test_with_the_password_it_answers(prefect_server):
    sent = {"Authorization": headers(prefect_server)["Authorization"]}
    assert send(prefect_server, "GET", "/api/admin/version", **sent)[0] == 200
    assert send(prefect_server, "GET", "/api/variables/name/evil", **sent)[0] == 404


@pytest.mark.parametrize("token", ["kubeferry:wrong", "", None])
@pytest.mark.parametrize("path", ["events/in", "events/out", "logs/out", "work_pools/kubeferry/workers/connect"])
def test_no_event_comes_in_or_out_without_the_password(prefect_server, path, token):
    url = f"{prefect_server.replace('http', 'ws', 1)}/{path}"
    answer = None
    with (
        suppress(ConnectionClosed, InvalidHandshake),
        connect(url, subprotocols=["prefect"], open_timeout=LIMIT) as opened,
    ):
        opened.send(json.dumps({"type": "auth", "token": token}))
        answer = opened.recv(timeout=LIMIT)
    assert answer is None


def test_nor_in_the_protocol_of_old_clients(prefect_server):
    with (
        pytest.raises((ConnectionClosed, InvalidHandshake)),
        connect(f"{prefect_server.replace('http', 'ws', 1)}/events/in", open_timeout=LIMIT),
    ):
        pytest.fail("it was let in")


def test_an_event_of_the_password_comes_in(prefect_server, password):
    with connect(
        f"{prefect_server.replace('http', 'ws', 1)}/events/in", subprotocols=["prefect"], open_timeout=LIMIT
    ) as opened:
        opened.send(json.dumps({"type": "auth", "token": password}))
        assert json.loads(opened.recv(timeout=LIMIT)) == {"type": "auth_success"}


NAMES = [
    "evil.example",
    "evil.example:80",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "[::1]",
    "127.0.0.2",
    "",
]


@pytest.mark.parametrize("path", ["/api/admin/version", "/api/health", "/", "/ui-settings", "/v2/runs"])
@pytest.mark.parametrize("name", NAMES)
def test_by_another_name_nothing_is_served(prefect_server, name, path):
    """A page whose name points to 127.0.0.1 (DNS rebinding) is, to a browser, a page of this server."""
    sent = {"Authorization": headers(prefect_server)["Authorization"]}
    assert send(prefect_server, "GET", path, Host=name, **sent)[0] == 400


def test_a_websocket_by_another_name_is_refused(prefect_server):
    place = urlsplit(prefect_server)
    with (
        socket.create_connection((place.hostname, place.port)) as direct,
        pytest.raises(InvalidHandshake, match="400"),
        connect(f"ws://evil.example:{place.port}/api/events/in", sock=direct, open_timeout=LIMIT),
    ):
        pytest.fail("it was let in")


def test_its_own_names_are_served(prefect_server):
    port = urlsplit(prefect_server).port
    for name in (f"127.0.0.1:{port}", f"localhost:{port}", "LOCALHOST"):
        assert send(prefect_server, "GET", "/api/health", Host=name)[0] == 200


ORIGINS = ["http://evil.example", "https://127.0.0.1", "http://127.0.0.1:1", "http://localhost", "null", ""]


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_page_of_another_site_may_read_nothing_and_send_nothing(prefect_server, origin):
    """A browser asks first (OPTIONS) where a request is not "simple"; it may also send what it remembers."""
    known = {"Authorization": headers(prefect_server)["Authorization"]}
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for method, more in (("GET", {}), ("GET", known), ("OPTIONS", asks), ("POST", known)):
        path = "/api/admin/version" if method == "GET" else "/api/variables/"
        status, answered, _ = send(prefect_server, method, path, None, Origin=origin, **more)
        assert status == 403
        assert not [each for each in answered if each.startswith("access-control-")]


def test_a_simple_post_of_another_site_changes_nothing(prefect_server):
    """A form, or fetch without a preflight: text/plain, or no type at all, which Prefect takes for JSON."""
    name = f"evil-{uuid.uuid4().hex[:6]}"
    for kind in ("text/plain", None):
        for origin in ({"Origin": "http://evil.example"}, {}):
            body = {"name": name, "value": "1"}
            status, _, _ = send(prefect_server, "POST", "/api/variables/", body, Content_Type=kind, **origin)
            assert status in (401, 403)
    assert Api(prefect_server).ask("/variables/filter", {"variables": {"name": {"any_": [name]}}}) == []


def test_a_websocket_of_another_site_is_refused(prefect_server):
    url = f"{prefect_server.replace('http', 'ws', 1)}/events/in"
    with pytest.raises(InvalidHandshake, match="403"), connect(url, origin="http://evil.example", open_timeout=LIMIT):
        pytest.fail("it was let in")


def test_its_own_pages_may(prefect_server):
    port = urlsplit(prefect_server).port
    for name in ("127.0.0.1", "localhost"):
        origin = f"http://{name}:{port}"
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        status, answered, _ = send(prefect_server, "OPTIONS", "/api/variables/", Origin=origin, **asks)
        assert (status, answered["access-control-allow-origin"]) == (200, origin)


@pytest.mark.usefixtures("prefect_server")
def test_another_user_sees_no_password(kept):
    """By the modes of files; and as such a user, where the tests may become one."""
    pid = json.loads((kept / "server.json").read_bytes())["pid"]
    assert kept.stat().st_mode & 0o777 == 0o700
    assert (kept / "password").stat().st_mode & 0o7777 == 0o600
    if os.geteuid() == 0:
        for path in (kept / "password", f"/proc/{pid}/environ"):
            done = subprocess.run(
                ["/bin/cat", path], user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, check=False
            )
            assert (done.returncode, done.stdout) == (1, b"")


def command_lines():
    """Return the arguments of all processes of this machine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue


@pytest.fixture
def worker(kubeferry_process, prefect_server, tmp_path):  # noqa: ARG001 - it sets the environment
    """A worker that works, and what it says."""
    pool = f"quiet-{uuid.uuid4().hex[:6]}"
    Api(prefect_server).ask("/work_pools/", {"name": pool, "type": "process"})
    with (tmp_path / "log").open("wb") as log:
        started = subprocess.Popen([COMMAND, "worker", "--pool", pool], stdout=log, stderr=log)
    try:
        until(lambda: Api(prefect_server).ask(f"/work_pools/{pool}/workers/filter", {}))
        yield tmp_path / "log"
    finally:
        started.terminate()
        started.wait(LIMIT)


def test_the_password_is_in_no_command_line_no_log_and_no_database(kubeferry_process, worker, kept, password):
    code, out, err = kubeferry_process("server", "status", "-o", "json", KUBEFERRY_HOME=str(kept.parents[1]))
    assert code == 0, err
    secret = password.partition(":")[2]
    encoded = base64.b64encode(password.encode()).decode()
    files = [worker, *(path for path in kept.rglob("*") if path.is_file() and path.name != "password")]
    assert any(path.name == "prefect.db" for path in files)
    for mark in (secret, encoded.rstrip("=")[:-1]):
        assert mark not in out + err
        assert not [line for line in command_lines() if mark.encode() in line]
        assert not [path for path in files if mark.encode() in path.read_bytes()]


def test_a_command_without_the_password_is_told_so_in_one_line(kubeferry_process, bench_without_flows, tmp_path):
    ns = bench_without_flows.namespace("locked")
    other = {"KUBEFERRY_HOME": str(tmp_path), "PREFECT_API_AUTH_STRING": ""}
    code, _, err = kubeferry_process("backup", ns, "--context", "kubeferry-a", **other)
    assert code != 0
    assert err.splitlines()[-1].startswith("error: the Prefect API at http://127.0.0.1:")
    assert "refuses the credentials (HTTP 401): set PREFECT_API_AUTH_STRING" in err.splitlines()[-1]
    assert "Traceback" not in err
    code, _, err = kubeferry_process("worker", **other)
    assert code != 0
    assert [line for line in err.splitlines() if "refuses the credentials (HTTP 401)" in line] == err.splitlines()


def test_the_password_is_printed_when_it_is_asked_for(kubeferry_process, kept, password):
    code, out, _ = kubeferry_process("server", "password", KUBEFERRY_HOME=str(kept.parents[1]))
    assert (code, out) == (0, f"{password}\n")


def test_a_server_is_not_started_for_a_password_that_others_may_have_read(kubeferry_process, tmp_path):
    folder = tmp_path / "state" / "prefect"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "password").write_text(f"kubeferry:{'0' * 64}")
    (folder / "password").chmod(0o644)
    code, _, err = kubeferry_process("server", "start", KUBEFERRY_HOME=str(tmp_path))
    assert (code, (folder / "server.json").exists()) == (1, False)
    (line,) = err.splitlines()
    assert "open to other users (mode 0644)" in line


def test_its_automations_act_all_the_same(prefect_server):
    """The server asks itself then, by a name that it would refuse from others; all notifications depend on it."""
    api, name = Api(prefect_server), f"guarded-{uuid.uuid4().hex[:8]}"
    pool = api.ask("/work_pools/", {"name": name, "type": "process"})["id"]
    trigger = {"type": "event", "posture": "Reactive", "threshold": 1, "within": 0, "expect": [name]}
    pause = {"type": "pause-work-pool", "source": "selected", "work_pool_id": pool}
    made = api.ask("/automations/", {"name": name, "trigger": trigger, "actions": [pause]})["id"]

    def paused():
        event = {"event": name, "resource": {"prefect.resource.id": name}, "id": str(uuid.uuid4())}
        api.ask("/events", [event | {"occurred": datetime.now(UTC).isoformat()}])
        return api.ask(f"/work_pools/{name}")["is_paused"]

    try:
        until(paused)
    finally:
        api.ask(f"/automations/{made}", method="DELETE")
        api.ask(f"/work_pools/{name}", method="DELETE")
