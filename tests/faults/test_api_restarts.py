"""An API server that is restarted in the middle: of clusters that are this module's own."""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest
from tests.faults.actions import doing
from tests.faults.proxy import Rule
from tests.support.bench import B
from tests.support.limits import LIMIT
from tests.support.tiers import fast

import kubeferry.tasks.step
from kubeferry.deployments.sandbox import build, processes
from kubeferry.deployments.sandbox.cluster import Cluster
from kubeferry.deployments.sandbox.components import components
from kubeferry.deployments.sandbox.sandbox import Sandbox
from kubeferry.tasks.core.errors import UnavailableError, UnreachableError
from kubeferry.tasks.ports.cluster import transport


@pytest.fixture(scope="module")
def sandbox_env(home):
    """Clusters that may be broken, in place of those that all tests share."""
    folder = Path(tempfile.mkdtemp(prefix="kf-"))
    own = Sandbox(folder / "state" / "sandbox")
    try:
        own.up()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (own.env() | {"KUBEFERRY_HOME": str(home)}).items():
                patch.setenv(name, value)
            yield own
    finally:
        own.down(purge=True)
        shutil.rmtree(folder)


class ApiServer:
    """The API server of a cluster of the sandbox: A or B."""

    def __init__(self, sandbox, index):
        parts = components(Cluster(sandbox.home, index), build.Recipe().place())
        self.part = next(each for each in parts if each.program.name == "kube-apiserver")

    def end(self, number=signal.SIGKILL):
        """Send it a signal; return when it has ended (SIGTERM is followed by SIGKILL where it takes long)."""
        pid = processes.running(self.part.program.record)
        if number == signal.SIGTERM:
            processes.end(pid)
            return
        born, limit = processes.born(pid), time.monotonic() + LIMIT
        os.kill(pid, number)
        while processes.born(pid) == born:
            assert time.monotonic() < limit
            time.sleep(0.02)

    def begin(self):
        """Start it, unless it runs; return when it is healthy."""
        processes.ensure(self.part.program, self.part.port, self.part.healthy)

    def restart(self, number):
        self.end(number)
        self.begin()


@pytest.fixture
def patient(monkeypatch):
    """Steps are tried again over the time that a server may need to come up on a busy machine."""
    monkeypatch.setattr(kubeferry.tasks.step, "BACKOFF", 12.0)


SIGNALS = [signal.SIGTERM, signal.SIGKILL]


@pytest.mark.parametrize("number", fast(SIGNALS, signal.SIGKILL))
def test_a_restore_goes_on_when_the_api_server_is_restarted(rigged, kiosk, patient, number):  # noqa: ARG001 - waits
    rigged.quiet()
    server, copy = ApiServer(rigged.sandbox, 1), rigged.bench.name()
    restarted = doing(lambda: server.restart(number), name="API server restarted")
    rigged.b.rules = [rule := Rule("POST", f"/{copy}/configmaps", restarted)]
    result = rigged.restore(kiosk.saved, map={kiosk.ns: copy})
    assert rule.done == 1
    rigged.same_namespace(kiosk, result)


@pytest.mark.parametrize("number", fast(SIGNALS, signal.SIGTERM))
def test_a_backup_goes_on_when_the_api_server_is_restarted(rigged, kiosk, patient, number):  # noqa: ARG001 - waits
    rigged.quiet()
    server = ApiServer(rigged.sandbox, 0)
    restarted = doing(lambda: server.restart(number), name="API server restarted")
    rigged.a.rules = [rule := Rule("GET", f"/{kiosk.ns}/configmaps", restarted)]
    result = rigged.backup(kiosk.ns)
    assert rule.done == 1
    rigged.same_backup(kiosk.saved, result)


@pytest.fixture
def hasty(monkeypatch):
    """Return a block in which nothing that does not answer is waited for."""

    @contextlib.contextmanager
    def block():
        with monkeypatch.context() as patch:
            retry = transport.RETRY.new(total=1, backoff_factor=0, backoff_jitter=0)
            patch.setattr(transport, "RETRY", retry)
            patch.setattr(kubeferry.tasks.step, "BACKOFF", 0.0)
            yield

    return block


def test_a_restore_whose_api_server_stays_away_reports_it_and_is_undone_later(rigged, kiosk, hasty, patient):  # noqa: ARG001 - waits
    """Nothing can be rolled back either: that is reported, and done when the server is there again.

    Only the restore is hasty: the undo waits, as any command, while the start of the server keeps the machine busy.
    """
    rigged.quiet()
    server, copy = ApiServer(rigged.sandbox, 1), rigged.bench.namespace(context=B)
    before = rigged.there(copy)
    rigged.b.rules = [rule := Rule("POST", f"/{copy}/configmaps", doing(server.end, name="API server killed"))]
    try:
        with hasty(), rigged.refused("is out of reach: ", (UnavailableError, UnreachableError)) as caught:
            rigged.restore(kiosk.saved, map={kiosk.ns: copy})
    finally:
        server.begin()
    assert rule.done == 1
    assert caught.value.result.taken_back.left
    rigged.undo(caught.value.result)
    rigged.bench.until(lambda: rigged.there(copy) == before)
    rigged.once_more(kiosk, copy)
