"""Workloads come back as they were: claims with what they have become, pods of the revisions that ran.

Cases 06-sts-owned-claim, 07-ephemeral-claims and 37-paused-deployment.
"""

import pytest
from tests.support.bench import A, B, did

from kubeferry.flows.export import export
from kubeferry.tasks.core.kube.objects import owners_of
from kubeferry.tasks.core.models.options_export import ExportOptions

OWNED = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 1
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete, whenScaled: Retain}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: db
        image: registry.example.com/db:1
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: [ReadWriteOnce]
      storageClassName: standard
      resources: {requests: {storage: 1Gi}}
"""
EPHEMERAL = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1
        volumeMounts: [{name: scratch, mountPath: /scratch}]
      volumes:
      - name: scratch
        ephemeral: {volumeClaimTemplate: {spec:
          {accessModes: [ReadWriteOnce], storageClassName: standard, resources: {requests: {storage: 1Gi}}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: work}
spec:
  serviceName: work
  replicas: 1
  selector: {matchLabels: {app: work}}
  template:
    metadata: {labels: {app: work}}
    spec:
      containers:
      - name: work
        image: registry.example.com/work:1
        volumeMounts: [{name: scratch, mountPath: /scratch}]
      volumes:
      - name: scratch
        ephemeral: {volumeClaimTemplate: {spec:
          {accessModes: [ReadWriteOnce], storageClassName: standard, resources: {requests: {storage: 1Gi}}}}}
---
apiVersion: v1
kind: Pod
metadata: {name: bare}
spec:
  containers:
  - name: bare
    image: registry.example.com/bare:1
    volumeMounts: [{name: scratch, mountPath: /scratch}]
  volumes:
  - name: scratch
    ephemeral: {volumeClaimTemplate: {spec:
      {accessModes: [ReadWriteOnce], storageClassName: standard, resources: {requests: {storage: 1Gi}}}}}
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: 2
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: web, image: "registry.example.com/web:1"}]}
"""
DB = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: NAME}
spec:
  serviceName: NAME
  replicas: 3
  podManagementPolicy: Parallel
  updateStrategy: STRATEGY
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: web, image: "registry.example.com/web:1"}]}
"""
LOG = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log}
spec:
  updateStrategy: {type: OnDelete}
  selector: {matchLabels: {app: log}}
  template:
    metadata: {labels: {app: log}}
    spec: {containers: [{name: web, image: "registry.example.com/web:1"}]}
"""
LOAD = """
apiVersion: batch/v1
kind: Job
metadata: {name: load}
spec:
  completions: 5
  managedBy: example.com/nobody
  template: {spec: {restartPolicy: Never, containers: [{name: a, image: "registry.example.com/load:1"}]}}
"""
"""No controller counts for it, so its status stays as a test writes it."""
OUTSIDE = """
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: outside}
subsets: [{addresses: [{ip: 192.0.2.7}], ports: [{port: 80}]}]
"""
NEW = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "registry.example.com/web:2"}]}}}}


def images(bench, ns, name, context=B):
    """Return the images of a workload's pods that stay, sorted."""
    pods = [each for each in bench.list("Pod", ns, context) if each["metadata"]["labels"].get("app") == name]
    pods = [each for each in pods if not each["metadata"].get("deletionTimestamp")]
    return sorted(each["spec"]["containers"][0]["image"].rpartition(":")[2] for each in pods)


def seen(bench, kind, ns, name, context=A):
    """Wait until the controller has seen the newest spec."""
    bench.until(
        lambda: (
            (found := bench.get(kind, ns, name, context))["status"]["observedGeneration"]
            == found["metadata"]["generation"]
        )
    )


def slices(bench, ns, context):
    """Return the addresses of each slice of the Service without a selector."""
    found = bench.list("EndpointSlice", ns, context)
    return [each["endpoints"][0]["addresses"] for each in found if each["metadata"]["name"].startswith("outside")]


# --- claims and endpoints


@pytest.fixture(scope="module")
def claimed(bench):
    """Both cases of claims, in two namespaces of one backup, restored."""
    owned, ephemeral = bench.namespace("pc06"), bench.namespace("pc07")
    bench.make(OWNED, owned)
    bench.make(OUTSIDE, owned)
    bench.until(lambda: slices(bench, owned, A))
    bench.make(EPHEMERAL, ephemeral)
    uid = bench.get("StatefulSet", owned, "db")["metadata"]["uid"]
    bench.until(lambda: bench.find("PersistentVolumeClaim", owned, "data-db-0"))
    bench.until(lambda: owners_of(bench.get("PersistentVolumeClaim", owned, "data-db-0"))[0]["uid"] == uid)
    bench.until(lambda: bench.get("PersistentVolumeClaim", owned, "data-db-0")["status"]["phase"] == "Bound")
    more = {"spec": {"resources": {"requests": {"storage": "5Gi"}}}, "metadata": {"annotations": {"team": "blue"}}}
    bench.patch("PersistentVolumeClaim", owned, "data-db-0", more)
    bench.until(lambda: len(bench.list("PersistentVolumeClaim", ephemeral)) == 3)
    for kind, name in (("Deployment", "web"), ("StatefulSet", "work"), ("Pod", "bare")):
        bench.ready(kind, ephemeral, name)
    bench.ready("StatefulSet", owned, "db")
    return owned, ephemeral, bench.restore(bench.backup(owned, ephemeral))


def test_a_claim_of_a_statefulset_comes_back_as_it_was_and_is_adopted(bench, claimed):
    owned, _, result = claimed
    claim = bench.get("PersistentVolumeClaim", owned, "data-db-0", B)
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"
    assert claim["metadata"]["annotations"]["team"] == "blue"
    new = bench.get("StatefulSet", owned, "db", B)["metadata"]["uid"]
    assert [each["uid"] for each in owners_of(claim)] == [new]
    assert did(result, "PersistentVolumeClaim", "data-db-0") == "created"
    pod = bench.get("Pod", owned, "db-0", B)
    assert pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] == "data-db-0"


def test_claims_of_ephemeral_volumes_go_with_their_pods_and_are_made_anew(bench, claimed):
    _, ns, result = claimed
    for kind, name in (("Deployment", "web"), ("StatefulSet", "work"), ("Pod", "bare")):
        bench.ready(kind, ns, name, B)
    pods = {each["metadata"]["name"]: each["metadata"]["uid"] for each in bench.list("Pod", ns, B)}
    claims = bench.list("PersistentVolumeClaim", ns, B)
    assert sorted(each["metadata"]["name"] for each in claims) == sorted(f"{pod}-scratch" for pod in pods)
    assert {each["uid"] for claim in claims for each in owners_of(claim)} == set(pods.values())
    assert result.phase == "Completed"


def test_endpoints_without_a_selector_are_mirrored_once(bench, claimed):
    ns, _, result = claimed
    bench.until(lambda: slices(bench, ns, B) == [["192.0.2.7"]])
    assert did(result, "Endpoints", "outside") == "created"


# --- rollouts


@pytest.fixture(scope="module")
def halted(bench):
    """Workloads in the middle of rollouts, and a backup of them."""
    ns = bench.namespace("pc37")
    for name in ("web", "canary", "stuck", "asleep"):
        bench.make(WEB.replace("NAME", name), ns)
    bench.make(DB.replace("NAME", "part").replace("STRATEGY", "{rollingUpdate: {partition: 2}}"), ns)
    bench.make(DB.replace("NAME", "hand").replace("STRATEGY", "{type: OnDelete}"), ns)
    bench.make(LOG, ns)
    bench.make(LOAD, ns)
    bench.patch("Job", ns, "load", {"status": {"succeeded": 3}}, subresource="status")
    for name in ("web", "canary", "stuck", "asleep"):
        bench.ready("Deployment", ns, name)
    for name in ("part", "hand"):
        bench.ready("StatefulSet", ns, name)
    bench.ready("DaemonSet", ns, "log")
    strategic = "application/strategic-merge-patch+json"
    bench.patch("Deployment", ns, "web", {"spec": {"paused": True}})
    bench.patch("Deployment", ns, "web", NEW, content_type=strategic)
    bench.patch("Deployment", ns, "asleep", {"spec": {"paused": True}})
    never = {"spec": {"template": {"spec": {"nodeSelector": {"no": "node"}}}}}
    bench.patch("Deployment", ns, "stuck", NEW, content_type=strategic)
    bench.until(lambda: images(bench, ns, "stuck", A) == ["2", "2"])
    bench.patch("Deployment", ns, "stuck", never)
    bench.patch("Deployment", ns, "canary", {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1}}} | never["spec"]})
    bench.until(lambda: len(images(bench, ns, "canary", A)) == 3)
    bench.patch("Deployment", ns, "canary", {"spec": {"paused": True}})
    for kind, name in (("StatefulSet", "part"), ("StatefulSet", "hand"), ("DaemonSet", "log")):
        bench.patch(kind, ns, name, NEW, content_type=strategic)
        seen(bench, kind, ns, name)
    bench.until(lambda: images(bench, ns, "part", A) == ["1", "1", "2"])
    for name in ("web", "asleep", "canary", "stuck"):
        seen(bench, "Deployment", ns, name)
    return ns, bench.backup(ns)


@pytest.fixture(scope="module")
def resumed(bench, halted):
    ns, saved = halted
    return ns, bench.restore(saved, wait_seconds=20)


def test_a_paused_deployment_runs_with_its_old_image(bench, resumed):
    ns, _ = resumed
    bench.until(lambda: images(bench, ns, "web") == ["1", "1"])
    live = bench.get("Deployment", ns, "web", B)
    assert live["spec"]["paused"] is True
    assert live["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":2")
    sets = [each for each in bench.list("ReplicaSet", ns, B) if each["metadata"]["labels"]["app"] == "web"]
    assert [each["uid"] for each in owners_of(sets[0])] == [live["metadata"]["uid"]]
    assert len(sets) == 1


def test_it_goes_on_with_its_rollout_when_it_is_resumed(bench, resumed):
    ns, _ = resumed
    bench.patch("Deployment", ns, "web", {"spec": {"paused": False}}, B)
    bench.until(lambda: images(bench, ns, "web") == ["2", "2"])


def test_a_paused_deployment_with_nothing_to_roll_out_runs_too(bench, resumed):
    ns, _ = resumed
    bench.until(lambda: images(bench, ns, "asleep") == ["1", "1"])


@pytest.mark.parametrize("name", ["canary", "stuck"])
def test_a_deployment_in_the_middle_of_a_rollout_has_the_pods_of_both_revisions(bench, resumed, name):
    ns, _ = resumed
    bench.until(lambda: images(bench, ns, name) == images(bench, ns, name, A))
    replicas = {
        context: sorted(
            each["spec"]["replicas"]
            for each in bench.list("ReplicaSet", ns, context)
            if each["metadata"]["labels"]["app"] == name and each["spec"]["replicas"]
        )
        for context in (A, B)
    }
    assert replicas[A] == replicas[B]
    assert len(replicas[A]) == 2


def test_a_statefulset_keeps_its_partition_with_the_older_pods(bench, resumed):
    ns, result = resumed
    bench.until(lambda: images(bench, ns, "part") == ["1", "1", "2"])
    assert bench.get("StatefulSet", ns, "part", B)["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":2")
    assert did(result, "StatefulSet.apps", "part") == "created"


@pytest.mark.parametrize(("kind", "name", "count"), [("StatefulSet", "hand", 3), ("DaemonSet", "log", None)])
def test_pods_that_only_a_person_replaces_stay_at_their_revision(bench, resumed, kind, name, count):
    ns, _ = resumed
    count = count or len(images(bench, ns, name, A))
    bench.until(lambda: images(bench, ns, name) == ["1"] * count)
    assert bench.get(kind, ns, name, B)["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":2")


def test_an_export_has_no_revisions(bench, halted, tmp_path):
    _, saved = halted
    asked = ExportOptions(backup=saved.name, out=str(tmp_path / "out"), context=A, **bench.where)
    bench.as_one(export, asked)
    kinds = {path.parent.name for path in (tmp_path / "out").rglob("*.yaml")}
    assert {"deployment", "statefulset"} <= kinds
    assert not {"replicaset", "controllerrevision"} & kinds


def test_a_job_that_begins_again_is_reported(resumed):
    _, result = resumed
    (loss,) = [each for each in result.losses if each.code == "begins-again"]
    assert loss.object.endswith("/load")
    assert loss.why == "begins again: it had completed 3 of 5"


def test_what_cannot_come_back_so_is_reported(bench, halted):
    ns, saved = halted
    copy = bench.name("pc37")
    chosen = {"exclude": ["replicasets.apps", "controllerrevisions.apps"]}
    result = bench.restore(saved, map={ns: copy}, **chosen, wait_seconds=5)
    told = {(each.object.rpartition("/")[2], each.code) for each in result.losses}
    assert {("web", "no-pods"), ("asleep", "no-pods"), ("part", "new-revision")} <= told
    assert {("hand", "new-revision"), ("log", "new-revision")} <= told
    assert not {each for each in told if each[0] == "stuck" and each[1] == "no-pods"}
