"""A schedule that really fires: a real Prefect server, a real worker, real backups in S3.

The schedule is every few seconds, which Prefect allows by interval, so that nobody waits for minutes.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tasks.ports.backups import backups
from tasks.ports.store import open_store
from tests.cluster.restores import A, B
from tests.prefect_api import Api

COMMAND = Path(sys.executable).with_name("kubeferry")
EVERY = 8
"""Seconds between two runs of the schedule."""
LIMIT = 400
"""Seconds for anything that takes seconds on a machine with nothing else to do."""
DONE = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def until(true, seconds=LIMIT):
    limit = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.5)
    return found


class Desk:
    """Deployments of this module's own namespace and store, and workers for them."""

    def __init__(self, api, env, pool, store):
        self.api, self.env, self.pool, self.store = api, env, pool, store
        self.workers = []

    def deploy(self, *args):
        argv = [COMMAND, "deploy", *args, "--pool", self.pool, "--store", self.store, "--context", A, "-o", "json"]
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True, check=False, timeout=LIMIT)
        assert done.returncode == 0, done.stderr

    def every(self, deployment, seconds):
        """Give a deployment a schedule by interval in the place of its cron."""
        body = {"schedule": {"interval": seconds}, "active": True}
        for each in deployment["schedules"]:
            self.api.ask(f"/deployments/{deployment['id']}/schedules/{each['id']}", method="DELETE")
        (made,) = self.api.ask(f"/deployments/{deployment['id']}/schedules", [body])
        return made

    def pause(self, deployment, schedule):
        path = f"/deployments/{deployment['id']}/schedules/{schedule['id']}"
        self.api.ask(path, {"active": False}, "PATCH")

    def worker(self, *args):
        argv = [COMMAND, "worker", "--pool", self.pool, *args]
        path = Path(self.env["KUBEFERRY_HOME"], f"worker-{len(self.workers)}.log")
        with path.open("wb") as log:
            started = subprocess.Popen(argv, env=self.env, stdout=log, stderr=log, start_new_session=True)
        self.workers.append(started)
        return started

    def stop(self, worker, number=signal.SIGTERM):
        if worker.poll() is None:
            os.killpg(worker.pid, number)
            worker.wait(timeout=LIMIT)

    def saved(self):
        return sorted(each.name for each in backups(open_store(self.store)) if each.phase == "Completed")

    def states(self, ids):
        return [self.api.run(each)["state"] for each in ids]


@pytest.fixture(scope="module")
def desk(bench, prefect_server, sandbox_env, home):
    store = sandbox_env.env()["KUBEFERRY_STORE"]
    bucket, question, query = store.partition("?")
    named = uuid.uuid4().hex[:6]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("KUBEFERRY_", "PREFECT_"))}
    env |= {
        "PREFECT_API_URL": prefect_server,
        "KUBEFERRY_HOME": str(home),
        "KUBECONFIG": bench.where["kubeconfig"],
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_WORKER_PREFETCH_SECONDS": "1",
    }
    made = Desk(Api(prefect_server), env, f"pool-{named}", f"{bucket.rstrip('/')}/{named}{question}{query}")
    yield made
    left = made.api.deployment("backup/nightly")
    for each in left["schedules"]:
        made.api.ask(f"/deployments/{left['id']}/schedules/{each['id']}", method="DELETE")
    for each in made.workers:
        made.stop(each, signal.SIGKILL)


def test_a_schedule_fires_refuses_what_overlaps_and_catches_up_once(bench, desk):
    ns = bench.namespace("night")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: '1'}}", ns)
    desk.deploy(ns)
    nightly = desk.api.deployment("backup/nightly")
    schedule = desk.every(nightly, EVERY)
    worker = desk.worker()
    until(lambda: len(desk.saved()) >= 2)

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


def test_restores_into_one_cluster_come_one_after_the_other(bench, desk):
    """Both are started from the UI at the same moment; each takes a turn by a strict limit of Prefect."""
    ns = bench.namespace("turn")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: '1'}}", ns)
    saved = bench.backup(ns, store=desk.store)
    desk.deploy(ns)
    for each in desk.workers:
        desk.stop(each)
    desk.worker()  # of the test above there may be one that starts one run at a time
    restoring = desk.api.deployment("restore/on-demand")
    host = bench.clusters[B].host.partition("//")[2]
    limit = {"name": f"kubeferry restore into {host}", "limit": 1, "active": True}
    with suppress(HTTPError):  # there is one of that name
        desk.api.ask("/v2/concurrency_limits/", limit)
    taken = desk.api.ask(
        "/v2/concurrency_limits/increment", {"names": [limit["name"]], "slots": 1, "mode": "concurrency"}
    )
    targets = [bench.name("turn") for _ in range(2)]
    runs = [desk.api.start(restoring["id"], backup=saved.name, context=B, map={ns: target})["id"] for target in targets]
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
    tasks = api.ask("/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
    steps = [each for each in tasks if not each["name"].startswith("download")]
    return min(each["start_time"] for each in steps), max(each["end_time"] for each in steps)
