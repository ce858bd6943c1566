"""What a step of a restore does about errors of several kinds, others' changes and lists that end in the middle."""

import asyncio
from datetime import timedelta

import pytest
from tests.support.bench import B
from tests.support.steps import CONFIG, do, expiring_once, levels, make_namespaces

from kubeferry.tasks import step
from kubeferry.tasks.core.errors import (
    ForbiddenError,
    InvalidError,
    PermanentError,
    PreflightError,
    UnavailableError,
)
from kubeferry.tasks.core.formats.target.lease import LEASES, Holder, lease
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.preflight import approve
from kubeferry.tasks.preflight import run as checking
from kubeferry.tasks.restore.after.relink import _unpause
from kubeferry.tasks.restore.after.verify import _verify
from kubeferry.tasks.restore.apply import write


@pytest.fixture(scope="module")
def five(steps, bench):
    """A namespace with ConfigMaps a to e, and its backup."""
    ns = bench.namespace("five")
    for named in "abcde":
        bench.make(CONFIG.format(named, 1), ns)
    return ns, steps.backup(ns)


def configs(ns, names="abcde"):
    return [Ref("", "ConfigMap", ns, named) for named in names]


# --- errors


class Refusing:
    """Refuses to create some objects."""

    def __init__(self, monkeypatch, cluster, errors):
        self.errors, self._real = errors, cluster.create
        monkeypatch.setattr(cluster, "create", self.create)

    def create(self, kind, namespace, obj, **options):
        error = self.errors.get(obj["metadata"]["name"])
        if error and kind.kind == "ConfigMap":
            raise error
        return self._real(kind, namespace, obj, **options)


@pytest.fixture
def begun(steps, five):
    """A restore whose namespace is there, and is new."""
    old, backup = five
    ns = steps.bench.name("five")
    with steps.restore(backup, map={old: ns}) as restoring:
        make_namespaces(restoring)
        yield restoring, ns


@pytest.mark.parametrize("kind", [InvalidError, ForbiddenError])
def test_one_refusal_among_errors_that_pass_ends_the_step_and_all_are_reported(begun, cluster, monkeypatch, kind):
    """Tried again it would only come later; what was possible is done."""
    restoring, ns = begun
    Refusing(
        monkeypatch, cluster, {"a": UnavailableError("busy at a"), "c": kind("no c"), "e": UnavailableError("busy")}
    )
    with pytest.raises(PermanentError, match=r"^3 objects could not be restored: busy; busy at a; no c$"):
        do(write, restoring, configs(ns), "apply")
    assert {ref.name for ref in restoring.transaction.made if ref.kind == "ConfigMap"} == {"b", "d"}


def test_errors_that_all_pass_are_tried_again_and_nothing_is_done_or_counted_twice(begun, cluster, monkeypatch):
    restoring, ns = begun
    refusing = Refusing(monkeypatch, cluster, {"a": UnavailableError("busy"), "e": UnavailableError("busy")})
    with pytest.raises(UnavailableError, match=r"^2 objects could not be restored: busy$"):
        do(write, restoring, configs(ns), "apply")
    refusing.errors = dict.fromkeys("bcd", InvalidError("it is there"))
    refusing.errors["kube-root-ca.crt"] = None
    do(write, restoring, configs(ns), "apply")
    outcome = restoring.outcome
    assert outcome.counts["ConfigMap"] == outcome.actions["created"] - 1 == 5  # the namespace is one more


# --- verify


def test_what_somebody_replaced_since_it_was_restored_is_missed(begun, bench):
    restoring, ns = begun
    do(write, restoring, configs(ns), "apply")
    bench.delete("ConfigMap", ns, "b", B)
    bench.make(CONFIG.format("b", 1), ns, B)
    bench.delete("ConfigMap", ns, "d", B)
    problems = {each.what: each.why for each in do(_verify, restoring) if each.what.startswith("ConfigMap ")}
    why = "was restored and is not there any more"
    assert problems == {f"ConfigMap {ns}/b": why, f"ConfigMap {ns}/d": why}


def test_a_list_that_expires_while_it_is_compared_is_begun_again_and_reported_once(begun, bench, cluster, monkeypatch):
    restoring, ns = begun
    do(write, restoring, configs(ns), "apply")
    bench.patch("ConfigMap", ns, "a", {"data": {"a": "changed"}}, B)
    done = expiring_once(monkeypatch, cluster)
    problems = [each for each in do(_verify, restoring) if each.what.startswith("ConfigMap ")]
    changed = [(each.name, each.why) for each in restoring.outcome.notable if each.action == "changed"]
    assert (done, problems, changed) == ([True], [], [("a", "since changed on the target: data.a")])


# --- approval


@pytest.fixture
def approving(steps, five, monkeypatch):
    """Run the approval of a restore; the person who approves does something else before."""
    old, backup = five
    for module in (approve, checking):
        monkeypatch.setattr(module, "log", lambda _: None)

    async def shown(*_):
        """Show nothing: there is no Prefect."""

    monkeypatch.setattr(approve, "_show", shown)

    def run(ns, act):
        async def ask(_):
            act()

        async def approved(restoring):
            step._joined.set(True)
            await do(approve.approve, restoring)

        monkeypatch.setattr(approve, "_ask", ask)
        with steps.planned(backup=backup, context=B, map={old: ns}) as restoring:
            assert do(checking._look, restoring) == []
            asyncio.run(approved(restoring))

    return run


def test_a_namespace_in_which_another_one_works_by_now_is_found_after_approval(approving, bench, cluster):
    ns = bench.namespace("t", B)

    def act():
        other = Holder("another", "another-host", 17, "x:1")
        cluster.create(LEASES, ns, lease(ns, other, clock.now() - timedelta(seconds=1)))

    with pytest.raises(PreflightError) as failed:
        approving(ns, act)
    assert "is being worked on by restore another" in str(failed.value) + str(vars(failed.value))


def test_a_right_that_was_taken_away_meanwhile_is_missed_after_approval(approving, bench, cluster, monkeypatch):
    ns, real = bench.namespace("t", B), cluster.allowed

    def allowed(verb, kind, namespace):
        return (verb, kind.resource) != ("create", "configmaps") and real(verb, kind, namespace)

    with pytest.raises(PreflightError) as failed:
        approving(ns, lambda: monkeypatch.setattr(cluster, "allowed", allowed))
    assert f"not allowed to create configmaps in namespace {ns}" in str(failed.value) + str(vars(failed.value))


def test_a_namespace_that_came_meanwhile_is_looked_into_after_approval(approving, bench):
    ns = bench.name("t")
    quota = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: tight}, spec: {hard: {configmaps: '2'}}}"

    def act():
        bench.namespace_named(ns, B)
        bench.make(quota, ns, B)
        bench.until(lambda: bench.get("ResourceQuota", ns, "tight", B)["status"]["used"]["configmaps"])

    with pytest.raises(PreflightError) as failed:
        approving(ns, act)
    assert "ResourceQuota" in str(failed.value) + str(vars(failed.value))


# --- what is kept of others' objects before they are changed


def test_what_is_patched_late_is_kept_before(steps, bench):
    """It was found unchanged, and the uid that it holds is another by the time that its object was recreated."""
    old, ns = bench.namespace("late"), bench.namespace("late", B)
    holder = "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: holder}}, data: {{uid: '{0}'}}}}"
    needs = {"metadata": {"annotations": {"kubeferry.io/depends-on": "ConfigMap/holder"}}}
    for where, value, context in ((old, "new", "kubeferry-a"), (ns, "old", B)):
        (held,) = bench.make(CONFIG.format("held", value), where, context)
        bench.patch("ConfigMap", where, "held", needs, context)
        (before,) = bench.make(holder.format(held["metadata"]["uid"]), where, context)
    with steps.restore(steps.backup(old), map={old: ns}, existing="recreate") as restoring:
        make_namespaces(restoring)
        levels(restoring)
    now = bench.get("ConfigMap", ns, "held", B)["metadata"]["uid"]
    assert bench.get("ConfigMap", ns, "holder", B)["data"] == {"uid": now} != before["data"]
    kept = steps.stored(restoring.source.name).state.formers[Ref("", "ConfigMap", ns, "holder")]
    assert (kept.action, kept.uid) == ("patch", before["metadata"]["uid"])


# --- what cannot be done, though all is there


CRON = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: c, image: c}]}}}
"""

JOB = """
apiVersion: batch/v1
kind: Job
metadata:
  name: nightly-1
  ownerReferences: [{{apiVersion: batch/v1, kind: CronJob, name: nightly, uid: {uid}, controller: true}}]
spec: {{suspend: true, template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: c}}]}}}}}}
"""


def test_a_cron_job_whose_status_may_not_be_patched_is_reported_and_the_restore_goes_on(
    steps, bench, cluster, monkeypatch
):
    old, ns, real = bench.namespace("cron"), bench.name("cron"), cluster.patch
    (cron,) = bench.make(CRON, old)
    bench.make(JOB.format(uid=cron["metadata"]["uid"]), old)

    def patch(*args, **options):
        if options.get("subresource") == "status":
            raise ForbiddenError("may not patch cronjobs/status")
        return real(*args, **options)

    monkeypatch.setattr(cluster, "patch", patch)
    with steps.restore(steps.backup(old), map={old: ns}, owned="keep") as restoring:
        make_namespaces(restoring)
        levels(restoring)
        do(_unpause, restoring)
    ((what, why),) = [(each.what, each.why) for each in restoring.outcome.problems]
    assert what == f"CronJob.batch {ns}/nightly"
    assert why.endswith("may start another one beside them: may not patch cronjobs/status")
    assert bench.get("CronJob", ns, "nightly", B)["spec"]["suspend"] is False
