"""`--owned keep`: previous revisions and running Jobs come back with their owners, and no controller makes others."""

import subprocess
from string import Template

import pytest
from tests.support.bench import A, B, did
from tests.support.limits import LIMIT

from kubeferry.tasks.core.kube.objects import controller_of
from kubeferry.tasks.core.lookup.follow import is_ready

TEMPLATE = """
    metadata: {labels: {app: $name}}
    spec:
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
          - weight: 1
            podAffinityTerm:
              {topologyKey: kubernetes.io/hostname, namespaces: [$ns], labelSelector: {matchLabels: {app: $name}}}
      containers:
      - name: main
        image: app:1
        args: ["a && b < c > d", "http://api.$ns.svc:80/", "Καλημέρα \\u2028"]
        env: [{name: API, value: "$ip"}]
"""

WORKLOADS = Template(
    """
apiVersion: apps/v1
kind: Deployment
metadata: {name: $name}
spec:
  replicas: 2
  selector: {matchLabels: {app: $name}}
  template:
"""
    + TEMPLATE
)

STATEFUL = Template(
    """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: $name}
spec:
  serviceName: $name
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: $name}}
  template:
"""
    + TEMPLATE
)

DAEMON = Template(
    """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: $name}
spec:
  selector: {matchLabels: {app: $name}}
  template:
"""
    + TEMPLATE
)

SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: api}, spec: {ports: [{port: 80}]}}"

KINDS = {"Deployment": (WORKLOADS, "web"), "StatefulSet": (STATEFUL, "db"), "DaemonSet": (DAEMON, "log")}
REVISIONS = {"Deployment": "ReplicaSet", "StatefulSet": "ControllerRevision", "DaemonSet": "ControllerRevision"}


def settled(bench, kind, ns, name, context=A):
    """Wait until a workload has rolled out, and pods that go are gone; return it."""
    found = bench.ready(kind, ns, name, context)
    bench.until(lambda: all(not pod["metadata"].get("deletionTimestamp") for pod in pods(bench, ns, name, context)))
    return found


def pods(bench, ns, name, context):
    return [each for each in bench.list("Pod", ns, context) if each["metadata"]["labels"].get("app") == name]


def roll(bench, kind, ns, name, image, context=A):
    """Give a workload another image and wait until it is rolled out."""
    image = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}}
    before = bench.get(kind, ns, name, context)["metadata"]["generation"]
    bench.patch(kind, ns, name, image, context, content_type="application/strategic-merge-patch+json")
    bench.until(lambda: bench.get(kind, ns, name, context)["status"]["observedGeneration"] > before)
    settled(bench, kind, ns, name, context)


def revisions(bench, kind, ns, name, context=A):
    """Return the revisions of a workload: name → (number, image, replicas), with the uid of what controls each."""
    found = {}
    for each in bench.list(REVISIONS[kind], ns, context):
        if not each["metadata"]["name"].startswith(f"{name}-"):
            continue
        if kind == "Deployment":
            number = each["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
            what = number, each["spec"]["template"]["spec"]["containers"][0]["image"], each["spec"]["replicas"]
        else:
            what = each["revision"], each["data"]["spec"]["template"]["spec"]["containers"][0]["image"], None
        found[each["metadata"]["name"]] = (*what, (controller_of(each) or {}).get("uid"))
    return found


def without_uid(some):
    return {name: each[:3] for name, each in some.items()}


@pytest.fixture(scope="module")
def rolled(bench):
    """A backup of workloads with three revisions each."""
    ns = bench.namespace()
    (made,) = bench.make(SERVICE, ns)
    for kind, (text, name) in KINDS.items():
        bench.make(text.substitute(name=name, ns=ns, ip=made["spec"]["clusterIP"]), ns)
        settled(bench, kind, ns, name)
        for image in ("app:2", "app:3"):
            roll(bench, kind, ns, name, image)
    return ns, bench.backup(ns)


@pytest.fixture(scope="module", params=["beside", "across"])
def kept(bench, rolled, request):
    """The same, kept: in another namespace of its cluster, and under its name in another cluster."""
    ns, saved = rolled
    context, new = (A, bench.name()) if request.param == "beside" else (B, ns)
    result = bench.restore(saved, context=context, map={ns: new}, owned="keep", wait_seconds=60)
    for kind, (_, name) in KINDS.items():
        settled(bench, kind, new, name, context)
    return context, new, result


@pytest.mark.parametrize("kind", KINDS)
def test_revisions_are_those_of_the_backup_and_no_others(bench, rolled, kept, kind):
    ns, _ = rolled
    context, new, result = kept
    name = KINDS[kind][1]
    wanted, found = revisions(bench, kind, ns, name), revisions(bench, kind, new, name, context)
    assert len(wanted) == 3
    assert without_uid(found) == without_uid(wanted)
    uid = bench.get(kind, new, name, context)["metadata"]["uid"]
    assert {each[3] for each in found.values()} == {uid}
    assert (result.phase, result.problems) == ("Completed", [])
    assert {did(result, f"{REVISIONS[kind]}.apps", each) for each in found} == {"created"}


def test_no_pod_was_made_twice_and_all_are_of_the_newest_revision(bench, kept):
    context, new, _ = kept
    images = {
        name: [each["spec"]["containers"][0]["image"] for each in pods(bench, new, name, context)]
        for _, name in KINDS.values()
    }
    nodes = len(bench.list("Node", context=context))
    assert images == {"web": ["app:3"] * 2, "db": ["app:3"] * 2, "log": ["app:3"] * nodes}
    assert all(is_ready(each) for _, name in KINDS.values() for each in pods(bench, new, name, context))


def test_a_stateful_set_uses_the_revision_that_was_kept(bench, kept):
    context, new, _ = kept
    status = bench.get("StatefulSet", new, "db", context)["status"]
    found = revisions(bench, "StatefulSet", new, "db", context)
    assert status["currentRevision"] == status["updateRevision"] == max(found, key=lambda each: found[each][0])


def test_what_is_left_to_controllers_is_reported_with_the_reason(bench, rolled, kept):
    ns, _ = rolled
    _, _, result = kept
    left = {each.name: each.why for each in result.left_out if each.type == "Pod"}
    assert left.keys() == {each["metadata"]["name"] for each in bench.list("Pod", ns)}
    assert all(
        why.startswith("left to its controller, ") and why.endswith(", which re-creates it") for why in left.values()
    )


def test_restored_again_all_is_unchanged(bench, rolled, kept):
    ns, saved = rolled
    context, new, _ = kept
    again = bench.restore(saved, context=context, map={ns: new}, owned="keep", wait_seconds=60)
    assert set(again.actions) <= {"unchanged", "kept"}, again.notable
    assert again.problems == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_rollout_is_undone_to_a_revision_that_was_kept(bench, kept, kind):
    """The last test on it: it changes what was restored."""
    context, new, _ = kept
    name = KINDS[kind][1]
    before = revisions(bench, kind, new, name, context)
    argv = ["kubectl", "--context", context, "-n", new, "rollout", "undo", f"{kind}/{name}", "--to-revision=1"]
    subprocess.run(argv, check=True, capture_output=True, timeout=LIMIT)
    bench.until(lambda: _image(bench, kind, new, name, context) == "app:1")
    settled(bench, kind, new, name, context)
    assert revisions(bench, kind, new, name, context).keys() == before.keys()
    assert {each["spec"]["containers"][0]["image"] for each in pods(bench, new, name, context)} == {"app:1"}


def _image(bench, kind, ns, name, context):
    (container,) = bench.get(kind, ns, name, context)["spec"]["template"]["spec"]["containers"]
    return container["image"]
