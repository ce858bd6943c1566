"""What only a restore does that is taken up: it finds what an earlier process made, and what that left undone."""

import base64

import pyrage
import pytest
from tests.support.bench import A, B
from tests.support.steps import CONFIG, do, levels, make_namespaces

import kubeferry.tasks.restore.begin
from kubeferry.tasks.core.errors import ConflictError, UsageError
from kubeferry.tasks.core.kube.objects import Ref, owners_of
from kubeferry.tasks.preflight.run import _look
from kubeferry.tasks.restore.after.relink import _relink, _unpause


def owner(live):
    """Return the ownerReference of an object."""
    meta = live["metadata"]
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "name": meta["name"], "uid": meta["uid"]}


def owned_by(bench, ns, named, context):
    return [(each["name"], each["uid"]) for each in owners_of(bench.get("ConfigMap", ns, named, context))]


@pytest.fixture(scope="module")
def plain(steps, bench):
    """A namespace with two ConfigMaps and a Secret, and its backup."""
    ns = bench.namespace("plain")
    bench.make(CONFIG.format("a", 1), ns)
    bench.make(CONFIG.format("b", 1), ns)
    return ns, steps.backup(ns)


@pytest.fixture(scope="module")
def ring(steps, bench):
    """A namespace with two ConfigMaps each of which owns the other, and its backup."""
    ns = bench.namespace("ring")
    one, two = (bench.make(CONFIG.format(named, 1), ns)[0] for named in ("one", "two"))
    bench.patch("ConfigMap", ns, "one", {"metadata": {"ownerReferences": [owner(two)]}})
    bench.patch("ConfigMap", ns, "two", {"metadata": {"ownerReferences": [owner(one)]}})
    return ns, steps.backup(ns)


def test_an_owner_that_came_late_is_linked_by_the_one_that_goes_on(steps, bench, ring):
    old, backup = ring
    ns = bench.name("ring")
    with steps.restore(backup, map={old: ns}) as first:
        make_namespaces(first)
        levels(first)
        (late,) = first.outcome.pending
    assert owned_by(bench, ns, late.name, B) == []
    with steps.resume(first.source.name) as again:
        do(_relink, again)
    for named, other in (("one", "two"), ("two", "one")):
        uid = bench.get("ConfigMap", ns, other, B)["metadata"]["uid"]
        assert owned_by(bench, ns, named, B) == [(other, uid)]


def test_an_object_of_others_is_kept_as_it_was_before_its_owner_is_linked(steps, bench, ring):
    old, backup = ring
    ns = bench.namespace("ring", B)
    one, _ = (bench.make(CONFIG.format(named, 1), ns, B)[0] for named in ("one", "two"))
    bench.patch("ConfigMap", ns, "two", {"metadata": {"ownerReferences": [owner(one)]}}, B)
    with steps.restore(backup, map={old: ns}) as restoring:
        make_namespaces(restoring)
        levels(restoring)
        late = restoring.outcome.pending
        do(_relink, restoring)
        changed = {ref for ref in late if owned_by(bench, ns, ref.name, B)}
    assert changed
    state = steps.stored(restoring.source.name).state
    assert (state.created, state.formers.keys()) == ({}, changed)


CRON = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate: &job
    spec:
      suspend: true
      template:
        spec: {restartPolicy: Never, containers: [{name: c, image: c}]}
"""

JOB = """
apiVersion: batch/v1
kind: Job
metadata:
  name: nightly-1
  ownerReferences: [{{apiVersion: batch/v1, kind: CronJob, name: nightly, uid: {uid}, controller: true}}]
spec:
  suspend: true
  template:
    spec: {{restartPolicy: Never, containers: [{{name: c, image: c}}]}}
"""


def test_what_was_created_paused_goes_on_when_the_restore_was_taken_up(steps, bench):
    old, ns = bench.namespace("cron"), bench.name("cron")
    (cron,) = bench.make(CRON, old)
    bench.make(JOB.format(uid=cron["metadata"]["uid"]), old)
    with steps.restore(steps.backup(old), map={old: ns}, owned="keep") as first:
        make_namespaces(first)
        levels(first)
    assert bench.get("CronJob", ns, "nightly", B)["spec"]["suspend"] is True
    with steps.resume(first.source.name) as again:
        assert do(_look, again) == []
        do(_unpause, again)
    live = bench.get("CronJob", ns, "nightly", B)
    assert live["spec"]["suspend"] is False
    uid = bench.get("Job", ns, "nightly-1", B)["metadata"]["uid"]
    assert [(each["name"], each["uid"]) for each in live["status"]["active"]] == [("nightly-1", uid)]


def test_what_somebody_recreated_meanwhile_is_not_taken_for_the_restore_s_own(steps, bench, plain):
    old, backup = plain
    ns = bench.namespace("plain", B)
    with steps.restore(backup, map={old: ns}) as first:
        make_namespaces(first)
        levels(first)
    bench.delete("ConfigMap", ns, "a", B)
    bench.make(CONFIG.format("a", "mine"), ns, B)
    with steps.resume(first.source.name) as again:
        found = {ref.name for ref in again.transaction.made if ref.kind == "ConfigMap"}
        assert (found, "a" in {ref.name for ref in again.outcome.uids}) == ({"b"}, False)
        assert [each.text for each in do(_look, again)] == [
            f"ConfigMap {ns}/a exists with other content: data.a; --existing says what to do about it"
        ]
        with pytest.raises(ConflictError):
            levels(again)
    assert bench.get("ConfigMap", ns, "a", B)["data"] == {"a": "mine"}


def test_what_is_going_is_not_taken_for_there(steps, bench, plain):
    old, backup = plain
    ns = bench.namespace("plain", B)
    with steps.restore(backup, map={old: ns}) as first:
        make_namespaces(first)
        levels(first)
    bench.patch("ConfigMap", ns, "a", {"metadata": {"finalizers": ["example.com/hold"]}}, B)
    live = bench.get("ConfigMap", ns, "a", B)
    bench.clusters[B].delete(bench.kind("ConfigMap", context=B), ns, "a", uid=live["metadata"]["uid"])
    with steps.resume(first.source.name) as again:
        assert {ref.name for ref in again.outcome.uids if ref.kind == "ConfigMap"} == {"b"}
    bench.patch("ConfigMap", ns, "a", {"metadata": {"finalizers": None}}, B)


def test_what_was_in_doubt_is_settled_and_reported_on_resume(steps, bench, plain):
    old, backup = plain
    ns = bench.namespace("plain", B)
    with steps.restore(backup, map={old: ns}) as first:
        make_namespaces(first)
        refs = [Ref("", "ConfigMap", ns, named) for named in "ab"]
        first.transaction.journal.will_create(1, refs)
        body = first.plan.contents.read(first.plan.items[refs[0]].slot)
        made, _ = bench.clusters[B].create(
            bench.kind("ConfigMap", context=B), ns, body, manager=first.transaction.manager
        )
    assert steps.stored(first.source.name).state.end == "Stopped"
    with steps.resume(first.source.name) as again:
        again.transaction.journal.flush()
        state = steps.stored(first.source.name).state
        assert (state.end, list(state.doubtful)) == ("", refs[1:])
        assert state.created[refs[0]].uid == made["metadata"]["uid"]
        levels(again)
    assert (again.outcome.counts["ConfigMap"], again.outcome.actions["created"]) == (2, 2)


def test_a_restore_is_not_taken_up_on_another_cluster(steps, bench, plain):
    old, backup = plain
    ns = bench.name("plain")
    with steps.restore(backup, map={old: ns}) as first:
        make_namespaces(first)
    bench.namespace_named(ns, A)
    with (
        pytest.raises(UsageError, match=f"restore {first.source.name} was made on cluster {B}"),
        steps.resume(first.source.name, context=A),
    ):
        pass
    assert len(bench.list("ConfigMap", ns, A)) <= 1


def test_a_bundle_says_again_that_it_is_being_restored(steps, bench, plain):
    old, backup = plain
    ns = bench.name("plain")
    with steps.restore(backup, map={old: ns}) as first:
        make_namespaces(first, bundle=True)
        levels(first)
        do(kubeferry.tasks.restore.bundle.list_members, first, "Failed")
    kind = "Bundle.kubeferry.io"
    assert bench.get(kind, ns, first.source.name, B)["status"]["phase"] == "Failed"
    with steps.resume(first.source.name) as again:
        make_namespaces(again, bundle=True)
        status = bench.get(kind, ns, first.source.name, B)["status"]
    assert status["phase"] == "Restoring"
    assert sorted(name for level in status["levels"] for name in map(str, level["objects"]))


def test_what_is_replaced_after_a_restore_was_taken_up_is_kept_encrypted(steps, bench):
    """Its backup is encrypted, so nothing that the target had may be read in the store either."""
    key, mark = pyrage.x25519.Identity.generate(), "marked-secret-value"
    path = steps.work() / "key.txt"
    path.write_text(f"{key}\n")
    secret = "{{apiVersion: v1, kind: Secret, metadata: {{name: db}}, stringData: {{password: {0}}}}}"
    old, ns = bench.namespace("sealed"), bench.namespace("sealed", B)
    bench.make(secret.format("new"), old)
    bench.make(secret.format(mark), ns, B)
    backup = steps.backup(old, encrypt_to=[str(key.to_public())])
    with steps.restore(backup, map={old: ns}, existing="update", identities=[str(path)]) as first:
        make_namespaces(first)
    with steps.resume(first.source.name, identities=[str(path)]) as again:
        make_namespaces(again)
        levels(again)
    stored = steps.stored(first.source.name)
    (former,) = [each for ref, each in stored.state.formers.items() if ref.kind == "Secret"]
    assert former.file.endswith(".age")
    body = stored.former(former, again.source.backup.opener)
    assert base64.b64decode(body["data"]["password"]).decode() == mark
