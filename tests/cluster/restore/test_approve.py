"""A restore that waits for approval writes nothing until a person has approved what it would do, in time."""

import asyncio
import json
import re
import signal
import subprocess
import urllib.request
from urllib.error import HTTPError

import pytest
from tests.support.bench import B, name
from tests.support.cli import COMMAND
from tests.support.limits import LIMIT
from tests.support.prefect_api import headers

from kubeferry.flows.restore import restore
from kubeferry.tasks.core.errors import NotApprovedError
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.ports.cluster.namespaces import there
from kubeferry.tasks.ports.prefect import approvals

SOME = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: "1", host: web.SPACE.svc}
---
apiVersion: v1
kind: Secret
metadata: {name: token}
stringData: {password: hunter2-approve, host: web.SPACE.svc}
"""
SECRET = ("hunter2-approve", "aHVudGVyMi1hcHByb3Zl")
LONG = 1200
"""Seconds to wait for approval, where it comes."""


@pytest.fixture(scope="module")
def saved(bench):
    ns = bench.namespace()
    bench.make(SOME.replace("SPACE", ns), ns)
    return ns, bench.backup(ns)


class Asked:
    """One restore that waits for approval, in this process, and the Prefect API as its UI uses it."""

    def __init__(self, bench, url, saved, **options):
        self.bench, self.url = bench, url
        self.ns, backup = saved
        self.new = options.pop("new", "") or bench.name()
        asked = {"context": B, "approve": True, "approve_seconds": LONG, "name": name(), **bench.where, **options}
        self.options = RestoreOptions(backup=backup.name, map={self.ns: self.new}, **asked)

    def run(self, *answers):
        """Restore; when it waits, call the answers, one after the other, in a thread. Return the restore's answer."""

        async def both():
            restoring = asyncio.create_task(restore(self.options))
            waiting = asyncio.create_task(asyncio.to_thread(self._answered, answers, restoring))
            try:
                await waiting
                return await restoring
            finally:
                restoring.cancel()
                await asyncio.gather(restoring, return_exceptions=True)

        return self.bench.run_flow(both())

    def _answered(self, answers, restoring):
        self.bench.until(lambda: restoring.done() or self.paused())
        for each in answers:
            each(self)

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - a test's own server
            f"{self.url}{path}", data, headers(self.url), method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return json.loads(answer.read() or "null")

    @property
    def state(self):
        return self.flow_run()["state"]

    def flow_run(self):
        """Return the flow run, which is known by its tag; None before it has one."""
        wanted = {"flow_runs": {"tags": {"all_": [f"restore:{self.options.name}"]}}}
        return next(iter(self.call("POST", "/flow_runs/filter", wanted)), None)

    def paused(self):
        """Return whether it is paused, with its form."""
        run = self.flow_run()
        return run and run["state"]["type"] == "PAUSED" and self.form()

    def form(self):
        """Return the JSON schema of which Prefect's UI makes the form; None before it is there."""
        run = self.flow_run()
        key = run["state"]["state_details"]["run_input_keyset"]["schema"]
        try:
            return self.call("GET", f"/flow_runs/{run['id']}/input/{key}")
        except HTTPError as error:
            assert error.code == 404  # noqa: PT017 - what else is there is an error of the test
            return None

    def resume(self, **form):
        """Press Resume in Prefect's UI, which posts this."""
        return self.call("POST", f"/flow_runs/{self.flow_run()['id']}/resume", {"run_input": form})

    def artifacts(self):
        wanted = {"artifacts": {"flow_run_id": {"any_": [self.flow_run()["id"]]}}}
        return {each["key"]: each["data"] for each in self.call("POST", "/artifacts/filter", wanted)}

    def untouched(self):
        """Return whether the target and the store are as before: no namespace, no lease, no journal."""
        journals = self.bench.folder / "restores" / self.options.name
        return not there(self.bench.clusters[B], [self.new]) and not journals.exists()


def test_what_is_approved_in_the_ui_goes_on(bench, prefect_server, saved):
    seen = {}

    def look(asked):
        seen.update(form=json.loads(asked.form()) if isinstance(asked.form(), str) else asked.form())
        seen.update(artifacts=asked.artifacts(), untouched=asked.untouched(), state=asked.state["type"])

    asked = Asked(bench, prefect_server, saved)
    result = asked.run(look, lambda asked: asked.resume(decision="approve", by="alice"))
    assert (result.phase, result.error) == ("Completed", "")
    assert (bench.folder / "restores" / asked.options.name).exists()  # where `untouched` looks
    assert bench.get("ConfigMap", asked.new, "settings", B)["data"]["host"] == f"web.{asked.new}.svc"
    assert (seen["state"], seen["untouched"]) == ("PAUSED", True)
    assert seen["form"]["required"] == ["decision"]
    run = bench.until(lambda: asked.state["type"] == "COMPLETED" and asked.flow_run())
    assert "approved" in run["tags"]
    page = seen["artifacts"][f"restore-{asked.options.name}-plan"]
    assert f"`{asked.ns}` → `{asked.new}`" in page
    assert f"kubeferry approve {asked.options.name}" in page
    assert f"`web.{asked.ns}.svc` → `web.{asked.new}.svc`" in page
    assert f"`Secret {asked.new}/token` `/data/host`: `(not shown: in a Secret)`" in page
    rows = json.loads(seen["artifacts"][f"restore-{asked.options.name}-plan-objects"])
    assert [(0, f"Namespace {asked.new}", "created")] == [
        (row["level"], row["object"], row["will be"]) for row in rows if row["level"] == 0
    ]
    assert f"Secret {asked.new}/token" in [row["object"] for row in rows]
    assert not any(secret in str(seen) for secret in SECRET)


def test_what_is_refused_in_the_ui_ends_and_wrote_nothing(bench, prefect_server, saved):
    asked = Asked(bench, prefect_server, saved)
    with pytest.raises(
        NotApprovedError, match=f"{asked.options.name} was not approved by bob: not on a Friday"
    ) as failed:
        asked.run(lambda asked: asked.resume(decision="refuse", by="bob", reason="not on a Friday"))
    assert asked.untouched()
    assert (failed.value.result.phase, failed.value.result.actions) == ("Failed", {})
    assert bench.until(lambda: asked.state["type"] == "FAILED")


def test_a_run_that_is_resumed_without_the_form_still_waits(bench, prefect_server, saved):
    answers = []

    def bare(asked):
        answers.append(asked.resume())
        answers.append(asked.resume(decision="perhaps"))
        answers.append(asked.state["type"])
        asked.resume(decision="refuse")

    asked = Asked(bench, prefect_server, saved)
    with pytest.raises(NotApprovedError, match="no reason was given"):
        asked.run(bare)
    assert [each["status"] for each in answers[:2]] == ["REJECT", "REJECT"]
    assert answers[2] == "PAUSED"


def test_a_state_that_is_set_by_hand_does_not_approve(bench, prefect_server, saved):
    def force(asked):
        body = {"state": {"type": "RUNNING"}, "force": True}
        asked.call("POST", f"/flow_runs/{asked.flow_run()['id']}/set_state", body)

    asked = Asked(bench, prefect_server, saved)
    with pytest.raises(NotApprovedError, match="resumed without an answer"):
        asked.run(force)
    assert asked.untouched()


def test_nobody_answers_in_time(bench, prefect_server, saved):
    asked = Asked(bench, prefect_server, saved, approve_seconds=5)
    with pytest.raises(NotApprovedError, match=f"{asked.options.name} was not approved within 5 s"):
        asked.run()
    assert asked.untouched()
    assert bench.until(lambda: asked.state["type"] == "FAILED")
    assert asked.resume(decision="approve")["status"] == "ABORT"


def test_a_run_that_is_cancelled_while_it_waits_ends_at_once(bench, prefect_server, saved):
    def cancel(asked):
        body = {"state": {"type": "CANCELLING"}}
        asked.call("POST", f"/flow_runs/{asked.flow_run()['id']}/set_state", body)

    asked = Asked(bench, prefect_server, saved)
    with pytest.raises(NotApprovedError, match=r"its flow run was ended by hand \(Cancelling\)"):
        asked.run(cancel)
    assert asked.untouched()
    assert bench.until(lambda: asked.state["type"] == "FAILED")


def test_what_is_not_any_more_what_was_approved_is_not_done(bench, prefect_server, saved):
    new = bench.namespace(context=B)
    bench.make('{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: "2"}}', new, B)

    def change(asked):
        bench.make(
            "{apiVersion: v1, kind: Secret, metadata: {name: token}, stringData: {mine: hunter2-approve}}", new, B
        )
        asked.resume(decision="approve")

    pages = []
    asked = Asked(bench, prefect_server, saved, new=new, existing="update")
    with pytest.raises(NotApprovedError) as failed:
        asked.run(lambda asked: pages.extend(asked.artifacts().values()), change)
    message = str(failed.value)
    assert "would now do something else than what was approved" in message
    assert f"Secret {new}/token was to be created, and would now be updated (had other content: data" in message
    assert "hunter2" not in message
    assert bench.get("ConfigMap", new, "settings", B)["data"] == {"a": "2"}
    assert any(
        f"`ConfigMap {new}/settings`: updated (`had other content: data.a, data.host`)" in page for page in pages
    )


def test_what_the_target_lacks_by_now_is_reported_after_approval(bench, prefect_server, saved):
    new = bench.namespace(context=B)

    def change(asked):
        bench.make('{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: "2"}}', new, B)
        asked.resume(decision="approve")

    asked = Asked(bench, prefect_server, saved, new=new)
    with pytest.raises(Exception, match=r"exists with other content: data\.a"):
        asked.run(change)
    assert bench.find("Secret", new, "token", B) is None


def test_others_may_restore_into_a_namespace_while_a_person_thinks(bench, prefect_server, saved):
    new = bench.namespace(context=B)
    leases = []

    def look(asked):
        leases.extend(bench.list("Lease.coordination.k8s.io", new, B))
        asked.resume(decision="refuse")

    asked = Asked(bench, prefect_server, saved, new=new)
    with pytest.raises(NotApprovedError):
        asked.run(look)
    assert leases == []


def test_a_pause_passed_over_by_prefect_approves_nothing(bench, prefect_server, saved, monkeypatch):
    async def passed_over(*_args, **_kwargs):
        """Return as Prefect does when a pause of that key has fired before."""

    monkeypatch.setattr(approvals, "apause_flow_run", passed_over)
    asked = Asked(bench, prefect_server, saved)
    with pytest.raises(Exception, match="cannot wait for approval: Prefect skipped the pause"):
        asked.run()
    assert asked.untouched()


# --- from the command line


@pytest.fixture
def started(kubeferry, bench, saved, prefect_server, monkeypatch):  # noqa: ARG001 - it sets the environment
    """Start `kubeferry restore --approve` and wait until it waits, with its form; end it in the end."""
    running = []
    monkeypatch.setattr(approvals, "TAKEN_SECONDS", LIMIT)

    def start():
        ns, backup = saved
        named, new = name(), bench.name()
        argv = [COMMAND, "restore", backup.name, "--map", f"{ns}={new}", "--name", named, "--approve", "-o", "json"]
        argv += ["--context", B, "--store", bench.where["store"]]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        question = next((line for line in process.stderr if "waits for approval until" in line), "")
        assert question, process.communicate()
        # Prefect stores the form after the state.
        bench.until(Asked(bench, prefect_server, saved, new=new, name=named).paused)
        return process, named, new, question

    yield start
    for process in running:
        process.kill()
        process.communicate()


def untouched(bench, named, new):
    return not there(bench.clusters[B], [new]) and not (bench.folder / "restores" / named).exists()


def test_kubeferry_approve_lets_it_go_on(bench, kubeferry, started):
    process, named, new, question = started()
    assert re.search(r"http://127\.0\.0\.1:\d+/runs/flow-run/[0-9a-f-]{36}", question)
    code, out, err = kubeferry("approve", named, "-o", "json")
    assert (code, err) == (0, "")
    assert (json.loads(out)["restore"], json.loads(out)["decision"]) == (named, "approved")
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, err
    assert json.loads(out)["phase"] == "Completed"
    assert f"restore {named} was approved by " in err
    assert bench.get("Secret", new, "token", B)
    code, out, err = kubeferry("approve", named)
    assert (code, out) == (2, "")
    assert f"restore {named} does not wait for approval" in err
    assert "is Completed" in err


def test_kubeferry_approve_refuses(bench, kubeferry, started):
    process, named, new, _ = started()
    code, out, _ = kubeferry("approve", named, "--refuse", "wrong cluster")
    assert (code, out.partition(",")[0]) == (0, f"restore {named}: refused")
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith(f"error: restore {named} was not approved by ")
    assert err.splitlines()[-1].endswith(": wrong cluster")
    assert json.loads(out)["phase"] == "Failed"
    assert untouched(bench, named, new)


def test_an_empty_reason_refuses_too(kubeferry, started):
    process, named, *_ = started()
    assert kubeferry("approve", named, "--refuse", "")[0] == 0
    process.communicate(timeout=LIMIT)
    assert process.returncode == 1


def test_approve_of_what_does_not_wait(kubeferry):
    code, out, err = kubeferry("approve", "nobody-asked")
    assert (code, out) == (2, "")
    assert err.startswith("error: no restore nobody-asked waits for approval at http://")


def test_ctrl_c_while_it_waits_ends_at_once_and_leaves_nothing(bench, kubeferry, started):
    process, named, new, _ = started()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, err.splitlines()[-1]) == (130, "interrupted")
    assert untouched(bench, named, new)
    code, _, err = kubeferry("approve", named)
    assert code == 2
    assert "is Crashed" in err


def test_a_kill_while_it_waits_leaves_nothing_and_the_answer_is_not_taken(bench, run_flow, started, monkeypatch):
    process, named, new, _ = started()
    process.kill()
    process.communicate()
    monkeypatch.setattr(approvals, "TAKEN_SECONDS", approvals.POLL + 1)
    with pytest.raises(NotApprovedError, match=f"the process of restore {named} did not take the answer"):
        run_flow(approvals.answer(named, "approve", ""))
    assert untouched(bench, named, new)
