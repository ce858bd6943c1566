"""Prefect's server on a real PostgreSQL, by the settings that deployments/README.md names, with real work at it.

The database runs as an unprivileged user on a free port of loopback, with a data folder of its own.
"""

import json
import os
import pwd
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.support.limits import LIMIT, until
from tests.support.prefect_api import headers

from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.ports.local import processes
from kubeferry.tasks.ports.prefect import api
from kubeferry.tasks.ports.prefect import server as prefect_server

README = (Path(__file__).parents[3] / "deployments/README.md").read_text()
"""Seconds in which a server has to be up: its first start makes all tables."""


def test_the_tests_database_is_there_in_ci():
    if not programs():
        absent()


def programs():
    """The folder of PostgreSQL's newest programs, None where it is not installed."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


def absent():
    reason = "PostgreSQL is not installed: .ci/install brings it"
    pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


class Postgres:
    """A server of its own; `psql` answers what a statement does."""

    def __init__(self, folder, user):
        self.bin, self.port, self.password = programs(), processes.free_port(), secrets.token_hex(16)
        self._user = {"user": user, "group": pwd.getpwnam(user).pw_gid} if user else {}
        self._folder, self._env = folder, {"PATH": os.defpath, "LANG": "C", "PGPASSWORD": self.password}
        self._running = None

    def start(self):
        word = self._folder / "password"
        word.write_text(self.password)
        if self._user:
            for path in (self._folder, word):
                shutil.chown(path, self._user["user"], self._user["group"])
        self._run("initdb", "-D", "data", "-U", "prefect", "--auth=scram-sha-256", f"--pwfile={word}", "--no-sync")
        word.unlink()
        quick = ["-c", "fsync=off", "-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1"]
        argv = [self.bin / "postgres", "-D", "data", "-p", str(self.port), *quick]
        with (self._folder / "log").open("wb") as log:
            self._running = subprocess.Popen(argv, cwd=self._folder, env=self._env, stderr=log, **self._user)
        until(self._ready)
        self._run("createdb", *self._where, "prefect")

    def _ready(self):
        assert self._running.poll() is None, (self._folder / "log").read_text()
        with suppress(subprocess.CalledProcessError):
            self._run("pg_isready", *self._where[:4])
            return True
        return False

    @property
    def _where(self):
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", "prefect"]

    def _run(self, program, *argv):
        done = subprocess.run(
            [self.bin / program, *argv], cwd=self._folder, env=self._env, capture_output=True, text=True, check=True,
            timeout=LIMIT, **self._user,
        )  # fmt: skip
        return done.stdout.strip()

    def psql(self, statement):
        return self._run("psql", *self._where, "-d", "prefect", "-tAc", statement)

    def stop(self):
        if self._running:
            self._running.terminate()
            self._running.wait(timeout=LIMIT)


@pytest.fixture(scope="module")
def postgres():
    if not programs():
        absent()
    # Not below pytest's own folder, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="kf-pg-"))
    made = Postgres(folder, "postgres" if os.geteuid() == 0 else None)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


def settings_of_the_readme():
    """The variables that the README says to start a server with: name to value."""
    block = re.search(r"```sh\n((?:export PREFECT_SERVER_DATABASE_.*\n)(?:.*\n)*?)```", README)
    assert block, "the README does not say how to run Prefect's server on PostgreSQL"
    assert "prefect server start" in block[1]
    return dict(re.findall(r"^export ([A-Z_]+)=(\S+)", block[1], re.MULTILINE))


@contextmanager
def prefect_on(postgres, home, **more):
    """A Prefect server with the README's settings; only place and password are those of the test."""
    named = settings_of_the_readme()
    place = {
        "PREFECT_SERVER_DATABASE_HOST": "127.0.0.1",
        "PREFECT_SERVER_DATABASE_PORT": str(postgres.port),
        "PREFECT_SERVER_DATABASE_PASSWORD": postgres.password,
        "PREFECT_SERVER_API_AUTH_STRING": os.environ["PREFECT_API_AUTH_STRING"],
    }
    assert place.keys() <= named.keys()
    port = processes.free_port()
    log = home / "server.log"
    # Of the local server's environment only what is for any server: offline, and its home.
    env = prefect_server.settings(port, os.environ["PREFECT_API_AUTH_STRING"])
    env = {name: value for name, value in env.items() if not name.startswith("PREFECT_SERVER_SERVICES_DB_VACUUM")}
    env |= {"PREFECT_HOME": str(home), "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home / "ui")} | named | place | more
    argv = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    process = processes.spawn(argv, log, env, home)

    def up():
        assert processes.alive(process), log.read_text()
        with suppress(KubeferryError):
            api.check(prefect_server.local(port))
            return True
        return False

    try:
        until(up)
        yield prefect_server.local(port)
    finally:
        processes.stop(process, 30)


@pytest.fixture(scope="module")
def server(postgres, tmp_path_factory):
    """The vacuum works each second, so that a test can wait for it; how long runs are kept is the least it takes."""
    quick = {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "2",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "86400",
    }
    with prefect_on(postgres, tmp_path_factory.mktemp("prefect"), **quick) as url:
        yield url


@pytest.fixture(scope="module")
def namespaces(sandbox_env, kubectl):
    names = [f"pg-{uuid.uuid4().hex[:6]}-{n}" for n in range(3)]
    for name in names:
        kubectl(sandbox_env, "create", "namespace", name)
        kubectl(sandbox_env, "-n", name, "create", "configmap", "web", "--from-literal=greeting=hello")
    yield names
    for context in ("kubeferry-a", "kubeferry-b"):
        kubectl(sandbox_env, "delete", "namespace", *names, "--ignore-not-found", "--wait=false", context=context)


def ask(url, path, body=None):
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{url}{path}", None if body is None else json.dumps(body).encode(), headers(url)
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=LIMIT) as answer:
        return json.loads(answer.read())


def test_backup_and_restore_of_a_few_namespaces(
    postgres, server, namespaces, kubeferry_process, kubectl, sandbox_env, tmp_path
):
    """Its history is in PostgreSQL: the runs of both flows, with their tasks."""
    store = tmp_path.as_uri()
    code, out, err = kubeferry_process(
        "backup", *namespaces, "--name", "many", "--store", store, "-o", "json", PREFECT_API_URL=server
    )
    assert code == 0, err
    assert json.loads(out)["phase"] == "Completed"
    code, out, err = kubeferry_process(
        "restore", "many", "--store", store, "--context", "kubeferry-b", "-o", "json", PREFECT_API_URL=server
    )
    assert code == 0, err
    assert json.loads(out)["phase"] == "Completed"
    for name in namespaces:
        found = kubectl(sandbox_env, "-n", name, "get", "configmap", "web", "-o", "json", context="kubeferry-b")
        assert json.loads(found)["data"] == {"greeting": "hello"}
    kept = postgres.psql("select f.name, r.state_type from flow_run r join flow f on f.id = r.flow_id order by 1")
    assert kept.splitlines() == ["backup|COMPLETED", "restore|COMPLETED"]
    # The task runs come by events, a moment later.
    until(lambda: int(postgres.psql("select count(*) from task_run where state_type = 'COMPLETED'")) > 10)


@pytest.fixture(scope="module")
def many(sandbox_env, kubectl):
    """Twenty namespaces with an object each, known by a label."""
    label = f"pg-{uuid.uuid4().hex[:6]}"
    names = [f"{label}-{n:02}" for n in range(20)]
    objects = [
        obj
        for name in names
        for obj in (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"test": label}}},
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "web", "namespace": name},
                "data": {"is": name},
            },
        )
    ]
    kubectl(sandbox_env, "apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    yield label, names
    for context in ("kubeferry-a", "kubeferry-b"):
        kubectl(sandbox_env, "delete", "namespace", *names, "--ignore-not-found", "--wait=false", context=context)


@pytest.mark.soak
def test_the_bulk_migration(postgres, server, many, kubeferry_process, kubectl, sandbox_env, tmp_path):
    """One flow run a namespace, side by side, all kept by PostgreSQL."""
    label, names = many
    code, out, err = kubeferry_process(
        "migrate", "--namespace-selector", f"test={label}", "--from-context", "kubeferry-a",
        "--to-context", "kubeferry-b", "--store", tmp_path.as_uri(), "-o", "json", PREFECT_API_URL=server,
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["phase"] == "Completed"
    for name in names:
        found = kubectl(sandbox_env, "-n", name, "get", "configmap", "web", "-o", "json", context="kubeferry-b")
        assert json.loads(found)["data"] == {"is": name}
    kept = "select count(*) from flow_run where state_type = 'COMPLETED' and parent_task_run_id is {}"
    assert int(postgres.psql(kept.format("not null"))) >= len(names)
    ended = "select count(*) from flow_run where state_type not in ('COMPLETED')"
    assert postgres.psql(ended) == "0"


@pytest.mark.soak
def test_doctor_names_the_database(server, kubeferry_process, tmp_path):
    _, out, _ = kubeferry_process("doctor", "--store", tmp_path.as_uri(), "-o", "json", PREFECT_API_URL=server)
    found = {each["check"]: each for each in json.loads(out)["checks"]}["Prefect server"]
    assert found["level"] == "ok"
    assert "the one of PREFECT_API_URL" in found["found"]
    assert "database: PostgreSQL at 127.0.0.1" in found["found"]


@pytest.mark.soak(minutes=2)
def test_the_vacuum_that_the_readme_names_removes_old_runs_and_keeps_young_ones(postgres, server):
    """The README's setting is accepted, and what it promises happens: `flow_runs` has to be in it."""
    assert settings_of_the_readme()["PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED"] == "events,flow_runs"
    vacuum = ask(server, "/admin/settings")["server"]["services"]["db_vacuum"]
    assert set(vacuum["enabled"]) == {"events", "flow_runs"}
    flow = ask(server, "/flows/", {"name": "vacuum"})["id"]
    for name in ("old", "young"):
        ask(server, "/flow_runs/", {"flow_id": flow, "name": name, "state": {"type": "COMPLETED"}})
    postgres.psql("update flow_run set end_time = now() where name in ('old', 'young')")
    postgres.psql("update flow_run set end_time = now() - interval '2 days' where name = 'old'")
    until(lambda: postgres.psql("select name from flow_run where name in ('old', 'young')") == "young", 90)
