"""Deployments and workers of a test's own."""

import os
import signal
import subprocess
from pathlib import Path

from tests.support.bench import A
from tests.support.cli import COMMAND
from tests.support.prefect_api import LIMIT

from kubeferry.tasks.ports.records.backups import backups
from kubeferry.tasks.ports.store.open import open_store


class Desk:
    """Deployments of this module's own namespace and store, and workers for them."""

    def __init__(self, api, env, pool, store, told):
        self.api, self.env, self.pool, self.store, self.told = api, env, pool, store, told
        self.workers = []

    def deploy(self, *args):
        place = ["--pool", self.pool, "--store", self.store, "--context", A, "--notify", f"custom-webhook/{self.pool}"]
        argv = [COMMAND, "deploy", *args, *place, "-o", "json"]
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
        # As a script starts it with `&`: with SIGINT ignored. It must end at SIGTERM nevertheless.
        argv = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", COMMAND, "worker", "--pool", self.pool, *args]
        path = Path(self.env["KUBEFERRY_HOME"], f"worker-{len(self.workers)}.log")
        with path.open("wb") as log:
            started = subprocess.Popen(argv, env=self.env, stdout=log, stderr=log, start_new_session=True)
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

    def saved(self):
        return sorted(each.name for each in backups(open_store(self.store)) if each.phase == "Completed")

    def states(self, ids):
        return [self.api.run(each)["state"] for each in ids]
