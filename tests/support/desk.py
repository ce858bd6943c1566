"""Deployments and workers of a test's own, made by commands in processes of their own."""

import json
import os
import signal
import subprocess
from pathlib import Path

from tests.support.bench import A
from tests.support.cli import COMMAND
from tests.support.limits import LIMIT
from tests.support.prefect_api import Api

from kubeferry.tasks.ports.records.backups import backups
from kubeferry.tasks.ports.store.open import open_store

DONE = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
"""How Prefect calls the ends of a run."""


def environment(**settings):
    """Return this process's environment with no settings of Kubeferry and Prefect but these."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("KUBEFERRY_", "PREFECT_"))}
    soon = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_WORKER_PREFETCH_SECONDS": "1"}
    given = {"PREFECT_API_AUTH_STRING": os.environ["PREFECT_API_AUTH_STRING"]} if "PREFECT_API_URL" in settings else {}
    return env | soon | given | settings


class Desk:
    """Deployments of a test's own work pool and store, and workers for them.

    `command` is the program that all of it is done with, `folder` where it is started, `notify` a block of Prefect.
    """

    def __init__(self, env, pool, store, *, notify="", command=COMMAND, folder=None):
        self.api, self.env, self.pool, self.store = Api(env["PREFECT_API_URL"]), env, pool, store
        self.notify = ["--notify", notify] if notify else []
        self.command, self.folder = command, folder
        self.workers = []

    def does(self, *args):
        """Run a command that has to succeed; return what it prints as JSON."""
        argv = [self.command, *args, "--store", self.store, "--context", A, "-o", "json"]
        done = subprocess.run(
            argv, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False, timeout=LIMIT
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def deploy(self, *args):
        self.does("deploy", *args, "--pool", self.pool, *self.notify)

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
        # As a script starts it with `&`: with SIGINT ignored. It must end at SIGTERM nevertheless.
        argv = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", self.command, "worker", "--pool", self.pool, *args]
        path = Path(self.env["KUBEFERRY_HOME"], f"worker-{len(self.workers)}.log")
        with path.open("wb") as log:
            started = subprocess.Popen(
                argv, cwd=self.folder, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        self.workers.append(started)
        return started

    def rest(self):
        """Have no worker."""
        for each in self.workers:
            self.stop(each)

    def stop(self, worker, number=signal.SIGTERM):
        if worker.poll() is None:
            os.killpg(worker.pid, number)
            worker.wait(timeout=LIMIT)

    def clear(self):
        """Have no schedule and no worker."""
        left = self.api.deployment("backup/nightly")
        for each in left["schedules"]:
            self.api.ask(f"/deployments/{left['id']}/schedules/{each['id']}", method="DELETE")
        for each in self.workers:
            self.stop(each, signal.SIGKILL)

    def saved(self):
        return sorted(each.name for each in backups(open_store(self.store)) if each.phase == "Completed")

    def states(self, ids):
        return [self.api.run(each)["state"] for each in ids]
