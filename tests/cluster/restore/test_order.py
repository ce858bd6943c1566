"""In which order a restore works, what it waits for, and how owners and owned come back; on the sandbox."""

import threading
import time
from contextlib import contextmanager

import pytest
import yaml
from tests.support.bench import A, B, artifact, definition, did
from tests.support.controllers import causes_come_first, controllers_come_first
from tests.support.objects import bare_pod, claim, config_map, documents, secret, service, workload

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.kube.readiness.verdict import Context
from kubeferry.tasks.ports.cluster.cancellation import Cancellation
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.restore.wait import Wait, wait_together

OWNED = documents(secret("secret", {"key": "value"}), config_map("config"), claim("claim"))

MAKERS = documents(
    workload("Deployment"),
    workload("StatefulSet", "db", serviceName="db"),
    workload("ReplicaSet", "lone"),
    """
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: Never, containers: [{name: job, image: job}]}
""",
    service("db", "db", clusterIP="None"),
)

POD = bare_pod()
PATIENT = 900
"""Seconds: far more than any wait of these tests takes that is ended by a failure."""

HERE = {"topology.kubernetes.io/region": A}


def tie(owner, **flags):
    """Return an ownerReference to an object."""
    meta = owner["metadata"]
    return {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"], **flags}


def owners(obj):
    return obj["metadata"].get("ownerReferences")


@contextmanager
def later(seconds, action):
    timer = threading.Timer(seconds, action)
    timer.start()
    yield
    timer.join()


# --- owners


@pytest.fixture(scope="module")
def family(bench):
    """A namespace on A where a custom resource owns what holds state, and a backup of it."""
    ns = bench.namespace()
    group = bench.crd(ns)
    (boss,) = bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: boss}}}}", ns)
    owned = [*yaml.safe_load_all(OWNED), {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "child"}}]
    for obj in owned:
        obj["metadata"]["ownerReferences"] = [tie(boss, controller=True, blockOwnerDeletion=obj["kind"] != "Secret")]
        bench.make(yaml.safe_dump(obj), ns)
    bench.ready("PersistentVolumeClaim", ns, "claim")
    return ns, group, bench.backup(ns)


def test_a_definition_comes_first_and_what_is_owned_is_linked_to_the_new_owner(bench, family):
    ns, group, saved = family
    result = bench.restore(saved)
    bench.forget("CustomResourceDefinition", f"widgets.{group}")
    assert (result.phase, result.counts[f"Widget.{group}"]) == ("Completed", 2)
    boss = bench.get("Widget", ns, "boss", context=B)
    bench.collected(context=B)
    for kind, name in (
        ("Secret", "secret"),
        ("ConfigMap", "config"),
        ("PersistentVolumeClaim", "claim"),
        ("Widget", "child"),
    ):
        found = bench.get(kind, ns, name, context=B)
        assert owners(found) == [tie(boss, controller=True, blockOwnerDeletion=kind != "Secret")], name
        assert "deletionTimestamp" not in found["metadata"]
    assert result.rewrites == []
    assert result.left_out == []


def test_an_owner_that_is_not_there_is_left_out_and_reported(bench, family):
    ns, _, saved = family
    copy = bench.name()
    result = bench.restore(saved, context=A, map={ns: copy}, exclude=["widgets"])
    expected = "created not owned by Widget boss, which is not on the target"
    assert {did(result, kind, name) for kind, name in (("Secret", "secret"), ("ConfigMap", "config"))} == {expected}
    assert not owners(bench.get("Secret", copy, "secret"))
    bench.collected()
    assert bench.get("Secret", copy, "secret")["data"] == bench.get("Secret", ns, "secret")["data"]


def test_an_owner_that_was_there_before_is_found(bench, family):
    ns, group, saved = family
    copy = bench.namespace()
    (boss,) = bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: boss}}}}", copy)
    bench.restore(saved, context=A, map={ns: copy}, exclude=["widgets"])
    assert owners(bench.get("ConfigMap", copy, "config")) == [tie(boss, controller=True, blockOwnerDeletion=True)]


def test_owners_in_a_circle_are_linked_at_the_end(bench):
    ns = bench.namespace()
    (one,) = bench.make(config_map("one"), ns)
    (two,) = bench.make(config_map("two", ownerReferences=[tie(one)]), ns)
    bench.patch("ConfigMap", ns, "one", {"metadata": {"ownerReferences": [tie(two)]}})
    result = bench.restore(bench.backup(ns))
    one, two = (bench.get("ConfigMap", ns, name, context=B) for name in ("one", "two"))
    assert (owners(one), owners(two)) == ([tie(two)], [tie(one)])
    assert (result.phase, result.actions) == ("Completed", {"created": 3, "unchanged": 1})


# --- controllers


def test_what_a_controller_makes_is_left_to_it_and_reported(bench):
    ns = bench.namespace()
    made = {obj["metadata"]["name"]: obj for obj in bench.make(MAKERS, ns)}
    job = made["nightly"]["spec"]["jobTemplate"] | {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "tonight", "ownerReferences": [tie(made["nightly"], controller=True)]},
    }
    job["spec"] = job["spec"] | {"suspend": True}
    bench.make(yaml.safe_dump(job), ns)
    for kind, name in (("Deployment", "web"), ("StatefulSet", "db"), ("ReplicaSet", "lone")):
        bench.ready(kind, ns, name)
    result = bench.restore(bench.backup(ns))
    left_out = {(each.type, each.why) for each in result.left_out}
    assert ("ReplicaSet.apps", "left to its controller, Deployment web") in left_out
    assert ("ControllerRevision.apps", "left to its controller, StatefulSet db") in left_out
    assert ("Job.batch", "left to its controller, CronJob nightly") in left_out
    assert result.counts["ReplicaSet.apps"] == 1
    assert {"Pod", "EndpointSlice.discovery.k8s.io", "Job.batch"} & result.counts.keys() == set()
    assert bench.find("Job", ns, "tonight", context=B) is None
    lone = bench.ready("ReplicaSet", ns, "lone", context=B)
    assert not owners(lone)
    sets = bench.list("ReplicaSet", ns, context=B)
    (made_anew,) = [each for each in sets if each["metadata"]["name"] != "lone"]
    assert owners(made_anew)[0]["uid"] == bench.get("Deployment", ns, "web", context=B)["metadata"]["uid"]
    assert len(bench.list("Pod", ns, context=B)) == 3
    assert len(bench.until(lambda: bench.list("EndpointSlice", ns, context=B))) == 1


# --- order and waits


def test_names_that_another_definition_has(bench):
    ns = bench.namespace()
    group = bench.crd(ns)
    bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: one}}}}", ns)
    saved = bench.backup(ns)
    bench.make(definition(group, "Widget", plural="gadgets"), context=B)
    bench.kind("Widget", f"{group}/v1", context=B)
    began = time.monotonic()
    with pytest.raises(PermanentError) as caught:
        bench.restore(saved, wait_seconds=PATIENT)
    bench.forget("CustomResourceDefinition", f"widgets.{group}")
    what = f"CustomResourceDefinition.apiextensions.k8s.io widgets.{group}"
    assert str(caught.value).startswith(f"{what} failed: ")
    assert "already in use" in str(caught.value)
    assert time.monotonic() - began < PATIENT
    assert bench.list("Widget", ns, context=B) == []


def test_quota_is_counted_before_pods_come(bench):
    ns = bench.namespace()
    bench.make("{apiVersion: v1, kind: ResourceQuota, metadata: {name: few}, spec: {hard: {pods: '1'}}}", ns)
    bench.ready("ResourceQuota", ns, "few")
    bench.make(POD, ns)
    bench.ready("Pod", ns, "bare")
    result = bench.restore(bench.backup(ns))
    assert (result.phase, result.counts["Pod"], result.counts["ResourceQuota"]) == ("Completed", 1, 1)


def test_a_token_comes_after_its_account_even_where_the_account_pulls_with_it(bench):
    """The token controller deletes a token whose account is not there; here each names the other."""
    ns = bench.namespace()
    bench.make("{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot}, imagePullSecrets: [{name: token}]}", ns)
    token = "metadata: {name: token, annotations: {kubernetes.io/service-account.name: robot}}"
    bench.make(f"{{apiVersion: v1, kind: Secret, {token}, type: kubernetes.io/service-account-token}}", ns)
    old = bench.ready("Secret", ns, "token")
    result = bench.restore(bench.backup(ns))
    assert (result.phase, result.problems) == ("Completed", [])
    new, account = (bench.get(kind, ns, name, B) for kind, name in (("Secret", "token"), ("ServiceAccount", "robot")))
    assert new["data"]["token"] != old["data"]["token"]
    assert new["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == account["metadata"]["uid"]
    assert account["imagePullSecrets"] == [{"name": "token"}]


def test_a_namespace_that_is_being_deleted_is_waited_for(bench):
    ns = bench.namespace()
    bench.make(config_map("web"), ns)
    saved = bench.backup(ns)
    bench.namespace_named(ns, context=B)
    bench.make(config_map("stays", finalizers=["example.com/slow"]), ns, context=B)
    old = bench.get("Namespace", "", ns, context=B)["metadata"]["uid"]
    bench.clusters[B].delete(bench.kind("Namespace", context=B), "", ns, uid=old)
    free = {"metadata": {"finalizers": []}}
    with later(2, lambda: bench.patch("ConfigMap", ns, "stays", free, context=B)):
        result = bench.restore(saved)
    assert (result.phase, result.counts["ConfigMap"]) == ("Completed", 1)
    assert bench.get("Namespace", "", ns, context=B)["metadata"]["uid"] != old


@pytest.fixture(scope="module")
def homesick(bench):
    """A backup of a Deployment that gets ready on A and on no node of B."""
    ns = bench.namespace()
    bench.make(workload("Deployment", pod={"nodeSelector": HERE}), ns)
    bench.ready("Deployment", ns, "web")
    return bench.backup(ns)


def test_what_is_never_ready_ends_a_restore_that_is_to_be_rolled_back_with_the_cause(bench, homesick, monkeypatch):
    (ns,) = homesick.namespaces
    causes_come_first(bench, monkeypatch)
    began = time.monotonic()
    with pytest.raises(PermanentError) as caught:
        bench.restore(homesick, wait_seconds=3, rollback_on_failure=True)
    assert time.monotonic() - began >= 3
    assert str(caught.value).startswith(f"not ready within 3 s: Deployment.apps {ns}/web: ")
    assert "node" in str(caught.value)


def test_a_restore_that_fails_reports_what_it_had_done(bench, homesick, prefect_server):
    named = bench.name()
    into = {homesick.namespaces[0]: named}
    with pytest.raises(PermanentError):
        bench.restore(homesick, name=named, map=into, wait_seconds=1, rollback_on_failure=True)
    text = artifact(prefect_server, f"restore-{named}")["data"]
    assert text.startswith(f"# Restore {named}: Failed")
    assert "created" in text


def test_without_a_wait_nothing_is_reported_as_not_ready(bench, homesick):
    result = bench.restore(homesick, map={homesick.namespaces[0]: bench.name()}, wait=False)
    assert (result.phase, result.counts["Deployment.apps"], result.not_ready) == ("Completed", 1, [])


def test_a_pod_that_no_node_takes_fails_with_the_scheduler_s_words(bench):
    ns = bench.namespace()
    pod = yaml.safe_load(POD)
    pod["spec"]["nodeSelector"] = HERE
    bench.make(yaml.safe_dump(pod), ns)
    bench.ready("Pod", ns, "bare")
    with pytest.raises(PermanentError, match=rf"Pod {ns}/bare failed: .*node\(s\) didn't match"):
        bench.restore(bench.backup(ns), rollback_on_failure=True)


def test_one_that_fails_ends_the_wait_for_other_kinds_of_its_level(bench):
    """The Deployment, whose pods no node takes either, would be waited for until its time is up."""
    ns = bench.namespace()
    pod = yaml.safe_load(POD)
    pod["spec"]["nodeSelector"] = HERE
    bench.make(yaml.safe_dump(pod), ns)
    bench.make(workload("Deployment", pod={"nodeSelector": HERE}), ns)
    bench.ready("Pod", ns, "bare")
    bench.ready("Deployment", ns, "web")
    saved, limit = bench.backup(ns), time.monotonic() + PATIENT
    with pytest.raises(PermanentError) as caught:
        bench.restore(saved, wait_seconds=PATIENT, rollback_on_failure=True)
    assert time.monotonic() < limit
    assert str(caught.value).startswith(f"Pod {ns}/bare failed: ")
    assert "web" not in str(caught.value), "what was not ready only waited"


def test_one_that_fails_ends_more_waits_than_can_be_watched_at_once(bench):
    ns, cluster = bench.namespace(), bench.clusters[A]
    limit = time.monotonic() + PATIENT

    def waits(kind, namespace, name):
        return Wait(cluster, bench.kind(kind), namespace, frozenset({name}), Context(), limit)

    bench.make(POD, ns)
    bench.ready("Pod", ns, "bare")
    never = [waits("ConfigMap", f"{ns}-{number}", "never") for number in range(2 * THREADS)]
    last = waits("Pod", ns, "bare")
    failed = {"status": {"phase": "Failed", "message": "gave up", "conditions": None}}
    bench.patch("Pod", ns, "bare", failed, subresource="status")
    counts = list(wait_together([*never, last], Cancellation()))
    assert time.monotonic() < limit
    assert counts[-1] == len(never) + 1
    assert [each.state for each in last.left.values()] == ["failed"]
    assert {each.state for one in never for each in one.left.values()} == {"waiting"}


def test_a_quota_that_pods_cannot_meet_is_the_cause(bench, monkeypatch):
    ns = bench.namespace()
    bench.make(workload("Deployment"), ns)
    bench.ready("Deployment", ns, "web")
    saved = bench.backup(ns)
    bench.namespace_named(ns, context=B)
    hard = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: strict}, spec: {hard: {requests.cpu: '1'}}}"
    bench.make(hard, ns, context=B)
    bench.ready("ResourceQuota", ns, "strict", context=B)
    failed = {"ReplicaFailure"}
    controllers_come_first(
        bench,
        monkeypatch,
        "Deployment",
        lambda: failed & {each["type"] for each in bench.get("Deployment", ns, "web", B)["status"]["conditions"]},
    )
    with pytest.raises(PermanentError, match=f"Deployment.apps {ns}/web.*must specify requests.cpu"):
        bench.restore(saved, wait_seconds=5, rollback_on_failure=True)


def test_an_event_is_the_cause_where_no_status_gives_one(bench, monkeypatch):
    ns = bench.namespace()
    bench.make(STATEFUL, ns)
    bench.ready("StatefulSet", ns, "db")
    saved = bench.backup(ns)
    into = bench.namespace(context=B)
    bench.make(CONTROLLERS_ARE_DENIED.replace("NS", into), context=B)
    bench.until(lambda: refused(bench, into))
    controllers_come_first(
        bench,
        monkeypatch,
        "StatefulSet",
        lambda: (
            bench.get("StatefulSet", into, "db", B)["status"]["observedGeneration"]
            and "FailedCreate" in {each["reason"] for each in bench.list("Event", into, B)}
        ),
    )
    with pytest.raises(
        PermanentError, match=f"StatefulSet.apps {into}/db: 0 of 1 replicas created.*not by a controller"
    ):
        bench.restore(saved, map={ns: into}, wait_seconds=5, rollback_on_failure=True)


def refused(bench, ns):
    """Return whether the policy is in force, which also denies a Pod of this name."""
    try:
        bench.clusters[B].create(bench.kind("Pod"), ns, yaml.safe_load(bare_pod("denied")), dry_run=True)
    except PermanentError as error:
        return "not by a controller" in str(error)
    return False


CONTROLLERS_ARE_DENIED = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NS}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  validations:
  - expression: "!request.userInfo.username.startsWith('system:') && request.name != 'denied'"
    message: not by a controller
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NS}
spec:
  policyName: NS
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NS}}}
"""
"""In one namespace; preflight, which asks with the restore's own account, is not denied."""

STATEFUL = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: postgres}]}
"""


def test_what_was_not_ready_when_it_was_saved_is_not_waited_for(bench):
    ns = bench.namespace()
    bench.make(workload("Deployment", pod={"nodeSelector": {"nowhere": "at-all"}}), ns)
    bench.until(lambda: bench.get("Deployment", ns, "web").get("status", {}).get("unavailableReplicas"))
    result = bench.restore(bench.backup(ns))
    assert result.phase == "Completed"
    (noted,) = [each for each in result.not_ready if each.what == f"Deployment.apps {ns}/web"]
    assert noted.why.startswith("was not ready when it was backed up: ")
