"""A schedule that really fires, and notifies whoever is to know: a real Prefect server and worker, backups in S3.

The schedule is every few seconds, which Prefect allows by interval, so that nobody waits for minutes.
"""

import os
import signal
import uuid
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.error import HTTPError

import pytest
from tests.support.bench import B
from tests.support.desk import DONE, Desk, environment
from tests.support.limits import until

from kubeferry.tasks.ports.records.backups import open_backup
from kubeferry.tasks.ports.store.open import open_store

pytestmark = pytest.mark.exclusive  # its deployments and workers have the names that others would use

EVERY = 8
"""Seconds between two runs of the schedule."""


@pytest.fixture(scope="module")
def webhook():
    """What arrives at somebody's webhook, and its address."""
    arrived = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            arrived.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        Thread(target=server.serve_forever, name="webhook", daemon=True).start()
        yield arrived, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def desk(bench, prefect_server, sandbox_env, home, webhook):
    store = sandbox_env.env()["KUBEFERRY_STORE"]
    bucket, question, query = store.partition("?")
    named = uuid.uuid4().hex[:6]
    env = environment(PREFECT_API_URL=prefect_server, KUBEFERRY_HOME=str(home), KUBECONFIG=bench.where["kubeconfig"])
    store = f"{bucket.rstrip('/')}/{named}{question}{query}"
    pool = f"pool-{named}"
    made = Desk(env, pool, store, notify=f"custom-webhook/{pool}")
    made.api.make_webhook(pool, webhook[1])
    yield made
    made.clear()


@pytest.mark.soak(minutes=4)
def test_a_schedule_fires_refuses_what_overlaps_and_catches_up_once(bench, desk):
    ns = bench.namespace("night")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: '1'}}", ns)
    desk.deploy(ns)
    nightly = desk.api.deployment("backup/nightly")
    schedule = desk.every(nightly, EVERY)
    worker = desk.worker()
    until(lambda: len(desk.saved()) >= 2)
    kept = open_backup(open_store(desk.store), desk.saved()[0]).manifest
    assert (kept.asked, kept.deployment) == (ns, "nightly")

    # Two at once: of runs that are due together one is refused.
    desk.pause(nightly, schedule)
    until(lambda: all(each["state_type"] in DONE | {"SCHEDULED"} for each in desk.api.runs(nightly["id"])))
    pair = [desk.api.start(nightly["id"])["id"] for _ in range(2)]
    until(lambda: all(state["type"] in DONE for state in desk.states(pair)))
    ended = sorted((state["type"], state["message"] or "") for state in desk.states(pair))
    assert ended[0] == ("CANCELLED", "Deployment concurrency limit reached.")
    assert ended[1][0] == "COMPLETED"

    # Missed: the worker is down while runs come due.
    desk.stop(worker)
    before = desk.saved()
    schedule = desk.every(nightly | {"schedules": [schedule]}, 2)
    missed = until(lambda: three_late(desk.api, nightly["id"]))
    desk.pause(nightly, schedule)
    desk.worker("--limit", "1")  # one after the other: none of them collides with another
    until(lambda: all(state["type"] in DONE for state in desk.states(missed)))
    states = desk.states(missed)
    assert sorted(state["name"] for state in states) == ["Completed"] + ["Skipped"] * (len(missed) - 1)
    assert len(set(desk.saved()) - set(before)) == 1


def three_late(api, deployment):
    """Return the runs that nobody has started in time, once the server calls three of them late.

    A run that it comes to call late while another is under way, it cancels itself: there is nothing to be missed then.
    """
    late = [each["id"] for each in api.runs(deployment) if each["state_name"] == "Late"]
    return late if len(late) >= 3 else None


@pytest.mark.soak(minutes=4)
def test_a_run_that_fails_and_one_whose_machine_is_gone_are_notified(bench, desk, webhook):
    arrived, _ = webhook
    ns = bench.namespace("notify")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: '1'}}", ns)
    saved = bench.backup(ns, store=desk.store)
    desk.deploy(ns)
    desk.rest()
    absent = bench.name("absent")
    failed = desk.api.start(desk.api.deployment("backup/on-demand")["id"], namespaces=[absent])["id"]
    # Prefect notifies at once only of a run that has an event of being scheduled, or was scheduled long before.
    until(lambda: any("Late" in each for each in arrived))
    worker = desk.worker()
    until(lambda: desk.states([failed])[0]["type"] == "FAILED")
    text = until(lambda: [each for each in arrived if absent in each])[0]
    assert "Failed" in text

    # A restore that waits for approval, so that it is surely there to be killed; no process is left to say so.
    (dead,) = desk.api.ask("/automations/filter", {"automations": {"name": {"any_": ["Kubeferry: a run is dead"]}}})
    sooner = {key: dead[key] for key in ("name", "description", "enabled", "actions", "tags")}
    desk.api.ask(f"/automations/{dead['id']}", sooner | {"trigger": dead["trigger"] | {"within": 20}}, "PUT")
    restoring = desk.api.deployment("restore/on-demand")["id"]
    killed = desk.api.start(restoring, backup=saved.name, context=B, map={ns: bench.name("notify")}, approve=True)["id"]
    until(lambda: desk.states([killed])[0]["type"] == "PAUSED")
    desk.stop(worker, signal.SIGKILL)
    with suppress(ProcessLookupError):  # where it is in the worker's group of processes, it is gone
        os.kill(int(desk.api.run(killed)["infrastructure_pid"]), signal.SIGKILL)
    until(lambda: desk.states([killed])[0]["type"] == "CRASHED")
    assert desk.states([killed])[0]["message"].startswith("No heartbeat for ")
    until(lambda: any("Crashed" in each for each in arrived))
    desk.api.ask(f"/automations/{dead['id']}", sooner | {"trigger": dead["trigger"]}, "PUT")


def test_restores_into_one_cluster_come_one_after_the_other(bench, desk):
    """Both are started from the UI at the same moment; each takes a turn by a strict limit of Prefect."""
    ns = bench.namespace("turn")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: '1'}}", ns)
    saved = bench.backup(ns, store=desk.store)
    desk.deploy(ns)
    desk.rest()
    desk.worker()
    restoring = desk.api.deployment("restore/on-demand")
    host = bench.clusters[B].host.partition("//")[2]
    limit = {"name": f"kubeferry restore into {host}", "limit": 1, "active": True}
    with suppress(HTTPError):  # there is one of that name
        desk.api.ask("/v2/concurrency_limits/", limit)
    taken = desk.api.ask(
        "/v2/concurrency_limits/increment", {"names": [limit["name"]], "slots": 1, "mode": "concurrency"}
    )
    targets = [bench.name("turn") for _ in range(2)]
    # Names of their own: those that are made up end in the second, and these two begin in the same one.
    asked = [{"backup": saved.name, "context": B, "map": {ns: target}, "name": target} for target in targets]
    runs = [desk.api.start(restoring["id"], **each)["id"] for each in asked]
    until(lambda: all(waits(desk.api, run) for run in runs))
    assert not any(bench.find("Namespace", "", target, B) for target in targets)
    assert taken
    desk.api.ask("/v2/concurrency_limits/decrement", {"names": [limit["name"]], "slots": 1})
    until(lambda: all(state["type"] in DONE for state in desk.states(runs)))
    assert [state["type"] for state in desk.states(runs)] == ["COMPLETED"] * 2
    spans = sorted(written(desk.api, run) for run in runs)
    assert spans[0][1] <= spans[1][0]


def waits(api, run):
    wanted = {"logs": {"flow_run_id": {"any_": [run]}}}
    return any("waits for its turn" in each["message"] for each in api.ask("/logs/filter", wanted))


def written(api, run):
    """Return when the first and the last of the steps that write took place."""
    steps = [each for each in until(lambda: ended(api, run)) if not each["name"].startswith("download")]
    return min(each["start_time"] for each in steps), max(each["end_time"] for each in steps)


def ended(api, run):
    """Return the task runs of a restore, once their ends have come in: by events, later than that of the flow run."""
    tasks = api.ask("/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
    last = any(each["name"] == "close the journal" for each in tasks)
    return tasks if last and all(each["end_time"] for each in tasks) else None
