"""The local Prefect server: one for all commands, private and offline, which never loses its history."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.support.http_server import running
from tests.support.limits import LIMIT
from tests.support.prefect_api import headers
from typer.testing import CliRunner

from kubeferry.flows.commands.server import app
from kubeferry.tasks.core.errors import CredentialsError, PermanentError, UnavailableError, UnreachableError, UsageError
from kubeferry.tasks.ports.local import processes, progress
from kubeferry.tasks.ports.prefect import api
from kubeferry.tasks.ports.prefect import server as prefect_server

ENSURE = "from kubeferry.tasks.ports.prefect import server; print(server.ensure())"
FLOW = """
import logging
from prefect import flow, get_run_logger, task

@task
async def step(n):
    get_run_logger().info(f"step {n} was here")

@flow
async def walk():
    get_run_logger().warning("the flow was here")
    for n in range(5):
        await step(n)
    print("RESULT")

import asyncio
asyncio.run(walk())
"""


def ask(url, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}{path}", data, headers(url))  # noqa: S310 - loopback
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=LIMIT) as answer:
        return json.loads(answer.read())


def kept():
    """The local server's pid and port, as its state file has them."""
    state = json.loads((Path(os.environ["KUBEFERRY_HOME"]) / "state" / "prefect" / "server.json").read_bytes())
    return state["pid"], state["port"]


def with_argument(text):
    """The pids of all processes that have `text` in their arguments."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in path.read_bytes():
                found.add(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A home in which no server was ever started."""
    monkeypatch.setenv("KUBEFERRY_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    yield tmp_path
    prefect_server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for the tests that need one, started the way a race would: by two commands at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBEFERRY_HOME", str(tmp_path_factory.mktemp("home")))
        for name in [name for name in os.environ if name.startswith("PREFECT_")]:
            patch.delenv(name)
        patch.setenv("PREFECT_LOGGING_LEVEL", "NOT-FOR-THE-SERVER")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "NOT-FOR-THE-SERVER")
        racing = [subprocess.Popen([sys.executable, "-c", ENSURE], stdout=subprocess.PIPE, text=True) for _ in range(2)]
        urls = [process.communicate(timeout=LIMIT)[0].strip() for process in racing]
        patch.delenv("PREFECT_LOGGING_LEVEL")
        try:
            assert [process.returncode for process in racing] == [0, 0]
            assert urls[0] == urls[1]
            yield urls[0]
        finally:
            prefect_server.stop()


@pytest.mark.cluster
def test_two_commands_at_once_start_one(server):
    pid, port = kept()
    assert server == f"http://127.0.0.1:{port}/api"
    assert with_argument(f"--port\0{port}\0") == {pid}


@pytest.mark.cluster
def test_with_a_server_up_none_is_started(server, monkeypatch):
    monkeypatch.setattr(prefect_server.processes, "spawn", lambda *_, **__: pytest.fail("another one was started"))
    before = kept()
    assert prefect_server.ensure() == server
    assert kept() == before


@pytest.mark.cluster
def test_it_is_private(server):
    pid, port = kept()
    environment = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    assert {"DO_NOT_TRACK=1", "PREFECT_SERVER_ANALYTICS_ENABLED=false"} <= set(environment)
    assert not [each for each in environment if "NOT-FOR-THE-SERVER" in each]
    assert not ask(server, "/admin/settings")["server"]["analytics_enabled"]
    listening = [
        line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"
    ]
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    assert not [
        line for line in Path("/proc/net/tcp6").read_text().splitlines() if f":{port:04X} " in line and " 0A " in line
    ]


@pytest.mark.cluster
def test_its_store_does_not_grow_for_ever(server):
    settings = ask(server, "/admin/settings")["server"]
    vacuum = settings["services"]["db_vacuum"]
    assert set(vacuum["enabled"]) == {"events", "flow_runs"}
    assert vacuum["retention_period"] in ("P90D", 90 * 86400.0)
    assert settings["events"]["retention_period"] in ("P7D", 7 * 86400.0)


@pytest.mark.cluster
def test_its_ui_talks_to_it(server):
    base = server.removesuffix("/api")
    assert ask(base, "/ui-settings")["api_url"] == server
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(base, timeout=LIMIT) as page:
        assert b"<!DOCTYPE html>" in page.read()


@pytest.mark.cluster
@pytest.mark.parametrize("debug", [False, True])
def test_logs_reach_the_server_and_the_console_only_when_asked(server, debug, tmp_path):
    environment = os.environ | prefect_server.environment(server, debug=debug)
    before = ask(server, "/flow_runs/count", {})
    done = subprocess.run(
        [sys.executable, "-c", FLOW],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT,
    )
    assert done.stdout == "RESULT\n"
    assert ("the flow was here" in done.stderr) is debug
    assert debug or done.stderr == ""
    assert ask(server, "/flow_runs/count", {}) == before + 1
    logs = {log["message"] for log in ask(server, "/logs/filter", {"limit": 200})}
    assert {"the flow was here", "step 4 was here"} <= logs


@pytest.mark.cluster
def test_stopping_right_after_a_run_loses_nothing_and_leaves_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setattr(prefect_server, "GRACE", float(LIMIT))  # a slow server is not to be killed
    own = {"flows": {"name": {"any_": ["stroll"]}}}  # what other tests ran may come in late
    environment = os.environ | prefect_server.environment(server)
    flow = FLOW.replace("walk", "stroll")
    subprocess.run([sys.executable, "-c", flow], env=environment, cwd=tmp_path, check=True, timeout=LIMIT)
    pid, port = kept()
    assert prefect_server.stop()
    assert not processes.listens(port)
    assert with_argument(f"--port\0{port}\0") == set()
    assert (stat := processes._stat(pid)) is None or stat.ended
    assert not prefect_server.stop()
    assert prefect_server.status().state == prefect_server.STOPPED
    assert prefect_server.ensure() == server
    assert ask(server, "/task_runs/count", own) == 5


@pytest.mark.cluster
def test_a_killed_one_comes_back_with_its_history(server):
    ask(server, "/variables/", {"name": "kept", "value": "here"})
    pid, _ = kept()
    os.kill(pid, signal.SIGKILL)
    assert prefect_server.ensure() == server
    assert kept()[0] != pid
    assert ask(server, "/variables/name/kept")["value"] == "here"


@pytest.mark.cluster
def test_a_given_server_is_used_and_none_is_started(server, fresh, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", server)
    assert prefect_server.ensure() == server
    assert list(fresh.iterdir()) == []
    monkeypatch.setenv("PREFECT_API_URL", server.replace("/api", "/nothing"))
    with pytest.raises(UsageError, match="no Prefect API"):
        prefect_server.ensure()


@pytest.mark.cluster
def test_the_commands_show_it(server):
    shown = CliRunner().invoke(app, ["status", "-o", "json"])
    assert shown.exit_code == 0
    assert json.loads(shown.stdout) == {
        "state": "running", "url": server, "ui": server.removesuffix("/api"), "login": "kubeferry server password",
        "pid": kept()[0],
        "database": prefect_server.status().database, "log": prefect_server.status().log,
    }  # fmt: skip
    assert Path(prefect_server.status().database).stat().st_size > 0
    started = CliRunner().invoke(app, ["start"])
    assert started.exit_code == 0
    assert server in started.stdout


def test_the_commands_say_that_none_is_up(fresh):
    shown = CliRunner().invoke(app, ["status", "-o", "yaml"])
    assert shown.exit_code == 1
    assert "state: stopped" in shown.stdout
    stopped = CliRunner().invoke(app, ["stop", "-o", "json"])
    assert stopped.exit_code == 0
    assert json.loads(stopped.stdout)["state"] == "stopped"
    assert fresh.exists()


def test_an_unreachable_one_is_named_in_one_line_without_credentials(fresh, monkeypatch):
    url = f"http://me:SECRET@127.0.0.1:{processes.free_port()}/api"
    monkeypatch.setenv("PREFECT_API_URL", url)
    with pytest.raises(UnreachableError, match=re.escape(url.replace("me:SECRET@", ""))) as caught:
        prefect_server.ensure()
    assert "SECRET" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(fresh.iterdir()) == []


@pytest.mark.parametrize("url", ["", "x", "ftp://host/api", "http://", "http://[SECRET"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(UsageError) as caught:
        api.check(url)
    assert "SECRET" not in str(caught.value)


ANSWERS = [(200, None), (401, CredentialsError), (403, CredentialsError), (404, UsageError), (503, UnavailableError)]
CREDENTIALS = [
    ("PREFECT_API_KEY", "key", "", "Bearer key"),
    ("PREFECT_API_AUTH_STRING", "me:pass", "", "Basic bWU6cGFzcw=="),
    ("NOTHING", "", "me:pass@", "Basic bWU6cGFzcw=="),
    ("NOTHING", "", "", None),
]


@pytest.mark.parametrize(("status", "error"), ANSWERS)
@pytest.mark.parametrize(("variable", "value", "user", "sent"), CREDENTIALS)
def test_an_answer_is_understood(monkeypatch, status, error, variable, value, user, sent):
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers.get("Authorization")))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            """Keep the tests' output clean."""

    for name in ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    with HTTPServer(("127.0.0.1", 0), Handler) as answering:
        thread = threading.Thread(target=answering.handle_request)
        thread.start()
        url = f"http://{user}127.0.0.1:{answering.server_address[1]}/api/"
        if error:
            with pytest.raises(error, match=f"HTTP {status}"):
                api.check(url)
        else:
            api.check(url)
        thread.join()
    assert seen == [("/api/health", sent)]


def test_a_given_one_that_is_busy_gets_the_time_of_any_request(monkeypatch):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with suppress(OSError):  # who asked has gone
                left.wait(LIMIT)
                self.send_response(200)
                self.end_headers()

        def log_message(self, *_):
            """Keep the tests' output clean."""

    left = threading.Event()
    monkeypatch.setattr(api, "ANSWER", 0.2)
    monkeypatch.setattr(api, "QUERY", float(LIMIT))
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as busy:
        url = f"http://127.0.0.1:{busy.server_address[1]}/api"
        monkeypatch.setenv("PREFECT_API_URL", url)
        with pytest.raises(UnreachableError, match="timed out"):
            api.check(url)
        threading.Timer(0.5, left.set).start()  # longer than a health check waits
        assert prefect_server.ensure() == url


def test_one_that_does_not_start_shows_the_end_of_its_log(fresh, monkeypatch):
    broken = fresh / "broken"
    broken.write_text("#!/bin/sh\necho first\necho boom\nexit 3\n")
    broken.chmod(0o700)
    monkeypatch.setattr(prefect_server.sys, "executable", str(broken))
    lines = []

    class Notes:
        note = lines.append

    with (
        progress.listening(Notes()),
        pytest.raises(PermanentError, match=r"does not start: boom \(its log is .*server.log\)"),
    ):
        prefect_server.ensure()
    assert lines[-1] == "first\nboom"


def test_one_that_never_answers_is_given_up_and_stopped(fresh, monkeypatch):
    deaf = fresh / "deaf"
    deaf.write_text("#!/bin/sh\nexec sleep 60\n")
    deaf.chmod(0o700)
    monkeypatch.setattr(prefect_server.sys, "executable", str(deaf))
    monkeypatch.setattr(prefect_server, "LIMIT", 0.3)
    with pytest.raises(UnreachableError, match="not up within"):
        prefect_server.ensure()
    assert prefect_server.status().state == prefect_server.STOPPED


def test_a_recycled_pid_is_left_alone(fresh):
    folder = fresh / "state" / "prefect"
    folder.mkdir(parents=True)
    (folder / "server.json").write_text(json.dumps({"pid": os.getpid(), "started": "long ago", "port": 1}))
    assert prefect_server.status().state == prefect_server.STOPPED
    assert not prefect_server.stop()


def test_a_damaged_state_is_reported(fresh):
    folder = fresh / "state" / "prefect"
    folder.mkdir(parents=True)
    (folder / "server.json").write_text("{")
    with pytest.raises(PermanentError, match=r"server\.json cannot be understood"):
        prefect_server.ensure()
    (folder / "server.json").unlink()


def test_a_client_is_given_nothing_but_the_server(fresh, monkeypatch):
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    monkeypatch.setenv("no_proxy", "intern")
    local = prefect_server.environment("http://127.0.0.1:1/api")
    assert local["PREFECT_API_URL"] == "http://127.0.0.1:1/api"
    assert local["PREFECT_HOME"].startswith(str(fresh))
    assert (local["DO_NOT_TRACK"], local["PREFECT_SERVER_ANALYTICS_ENABLED"]) == ("1", "false")
    assert local["no_proxy"] == local["NO_PROXY"] == "intern,127.0.0.1,::1,localhost"
    monkeypatch.setenv("PREFECT_HOME", "mine")
    remote = prefect_server.environment("https://prefect.example/api")
    assert remote["PREFECT_HOME"] == "mine"
    assert "no_proxy" not in remote
