"""One field too few, or one reason more, decides about readiness: each count, phase and reason by itself."""

from datetime import UTC, datetime

import pytest

from kubeferry.tasks.core.kube.readiness.evaluate import verdict, why_not_ready
from kubeferry.tasks.core.kube.readiness.infrastructure import context_of
from kubeferry.tasks.core.kube.readiness.verdict import Context

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def made(api_version, kind, status=None, spec=None, meta=None, **more):
    body = {"spec": spec} if spec is not None else {}
    body |= {"status": status} if status is not None else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", **(meta or {})}, **body, **more}


def judged(obj, context=None):
    found = verdict(obj, NOW, context or Context())
    return found.state, found.why


AVAILABLE = [{"type": "Available", "status": "True"}]
COUNTS = {
    ("apps/v1", "Deployment"): {
        "replicas": "created",
        "updatedReplicas": "updated",
        "readyReplicas": "ready",
        "availableReplicas": "available",
    },
    ("apps/v1", "StatefulSet"): {"replicas": "created", "readyReplicas": "ready", "availableReplicas": "available"},
    ("apps/v1", "ReplicaSet"): {
        "replicas": "created",
        "fullyLabeledReplicas": "labelled",
        "readyReplicas": "ready",
        "availableReplicas": "available",
    },
}
COUNTS["v1", "ReplicationController"] = COUNTS["apps/v1", "ReplicaSet"]


@pytest.mark.parametrize(
    ("kind", "field", "state"), [(kind, field, state) for kind, row in COUNTS.items() for field, state in row.items()]
)
def test_each_count_of_replicas_has_to_be_reached(kind, field, state):
    status = {"observedGeneration": 1, "conditions": AVAILABLE, "currentRevision": "a", "updateRevision": "a"}
    status |= dict.fromkeys(COUNTS[kind], 2)
    whole = made(*kind, status, {"replicas": 2})
    assert judged(whole) == ("ready", "2 of 2 replicas available")
    assert judged(made(*kind, status | {field: 1}, {"replicas": 2})) == ("waiting", f"1 of 2 replicas {state}")
    unseen = {key: value for key, value in status.items() if key != "observedGeneration"}
    assert judged(made(*kind, unseen, {"replicas": 2})) == ("waiting", "its controller has not seen it yet")
    left = made(*kind, status, {"replicas": 1})
    assert judged(left) == ("waiting", "1 surplus replicas still exist")


NODES = {
    "currentNumberScheduled": "scheduled",
    "updatedNumberScheduled": "updated",
    "numberReady": "ready",
    "numberAvailable": "available",
}


@pytest.mark.parametrize(("field", "state"), NODES.items())
def test_each_count_of_nodes_has_to_be_reached_and_updates_only_where_they_are_made(field, state):
    status = {"observedGeneration": 1, "desiredNumberScheduled": 3} | dict.fromkeys(NODES, 3) | {field: 2}
    assert judged(made("apps/v1", "DaemonSet", status, {})) == ("waiting", f"2 of 3 nodes {state}")
    on_delete = judged(made("apps/v1", "DaemonSet", status, {"updateStrategy": {"type": "OnDelete"}}))
    expected = (
        ("ready", "3 of 3 nodes available")
        if field == "updatedNumberScheduled"
        else ("waiting", f"2 of 3 nodes {state}")
    )
    assert on_delete == expected


def held(reason, where="containerStatuses", message=""):
    waiting = {"reason": reason} | ({"message": message} if message else {})
    return made("v1", "Pod", {"phase": "Pending", where: [{"name": "c", "state": {"waiting": waiting}}]})


@pytest.mark.parametrize("where", ["containerStatuses", "initContainerStatuses"])
@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        ("CrashLoopBackOff", ("failed", "container c: CrashLoopBackOff")),
        ("InvalidImageName", ("failed", "container c: InvalidImageName")),
        ("ErrImageNeverPull", ("failed", "container c: ErrImageNeverPull")),
        ("ImagePullBackOff", ("waiting", "container c: ImagePullBackOff")),
        ("CreateContainerConfigError", ("waiting", "container c: CreateContainerConfigError")),
        ("ContainerCreating", ("waiting", "is Pending")),
        ("PodInitializing", ("waiting", "is Pending")),
    ],
)
def test_what_holds_a_container_is_permanent_or_passes(where, reason, verdict):
    assert judged(held(reason, where)) == verdict


def test_the_reason_of_a_container_is_shown_with_its_message():
    assert judged(held("ErrImagePull", message="no such image")) == (
        "waiting",
        "container c: ErrImagePull: no such image",
    )


@pytest.mark.parametrize(
    ("phase", "verdict"),
    [
        ("Bound", ("ready", "is Bound")),
        ("Available", ("ready", "is Available")),
        ("Failed", ("failed", "is Failed")),
        ("Released", ("failed", "is Released")),
        ("Pending", ("waiting", "is Pending")),
    ],
)
def test_each_phase_of_a_volume(phase, verdict):
    assert judged(made("v1", "PersistentVolume", {"phase": phase}, {})) == verdict


@pytest.mark.parametrize("kind", ["Failed", "FailureTarget"])
def test_a_job_has_failed_as_soon_as_it_says_that_it_will(kind):
    status = {"startTime": "t", "conditions": [{"type": kind, "status": "True", "message": "too many pods failed"}]}
    assert judged(made("batch/v1", "Job", status, {})) == ("failed", "too many pods failed")


@pytest.mark.parametrize("api_version", ["networking.k8s.io/v1", "extensions/v1beta1"])
def test_an_ingress_is_waited_for_only_on_demand(api_version):
    on_demand = Context(wait_for_addresses=True)
    bare = made(api_version, "Ingress", {}, {})
    assert judged(bare) == ("ready", "exists")
    assert judged(bare, on_demand) == ("waiting", "has no address yet")
    served = made(api_version, "Ingress", {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}, {})
    assert judged(served, on_demand) == ("ready", "has its address")


def storage_class(name, *, late=False, default=None):
    notes = {"storageclass.kubernetes.io/is-default-class": default} if default else {}
    mode = "WaitForFirstConsumer" if late else "Immediate"
    return made("storage.k8s.io/v1", "StorageClass", meta={"name": name, "annotations": notes}, volumeBindingMode=mode)


def test_a_clusters_classes_say_which_claims_wait_for_a_pod_and_which_class_claims_are_given():
    classes = [storage_class("fast"), storage_class("local", late=True), storage_class("d", default="true", late=True)]
    assert context_of(classes) == Context(wait_for_first_consumer=frozenset({"local", "d"}), default_class="d")
    assert context_of([storage_class("fast", default="false")]) == Context()
    assert context_of(iter(classes)).default_class == "d"


def test_only_what_has_a_status_can_be_not_ready():
    assert why_not_ready(made("apps/v1", "Deployment", None, {}), NOW) == ""
    assert why_not_ready(made("apps/v1", "Deployment", {}, {}), NOW) == "its controller has not seen it yet"
    assert why_not_ready(made("v1", "Namespace", {"phase": "Active"}), NOW) == ""
