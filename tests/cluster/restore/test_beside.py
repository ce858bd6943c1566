"""A clone beside its living original: what both would have is said before, and --at-rest lets the clone do nothing."""

import json
import shlex

import pytest
from tests.support.bench import A, B

from kubeferry.tasks.core.errors import PreflightError
from kubeferry.tasks.core.jsondoc.patch import merge_patch

APP = """
apiVersion: v1
kind: ServiceAccount
metadata: {{name: web, annotations: {{eks.amazonaws.com/role-arn: "arn:aws:iam::1:role/web"}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data: {{QUEUE_NAME: orders, note: "ask in {ns} first"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{serviceAccountName: web, containers: [{{name: c, image: nginx}}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  serviceName: db
  selector: {{matchLabels: {{app: db}}}}
  template:
    metadata: {{labels: {{app: db}}}}
    spec: {{containers: [{{name: c, image: db}}]}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: logs}}
spec:
  selector: {{matchLabels: {{app: logs}}}}
  template:
    metadata: {{labels: {{app: logs}}}}
    spec: {{containers: [{{name: c, image: logs}}]}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {{name: report}}
spec:
  schedule: "* * * * *"
  jobTemplate: {{spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: c}}]}}}}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: front, annotations: {{external-dns.alpha.kubernetes.io/hostname: dns.{ns}.example}}}}
spec: {{type: LoadBalancer, externalTrafficPolicy: Local, selector: {{app: web}}, ports: [{{port: 80}}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: knows}}
data: {{front: unset}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: front}}
spec:
  rules:
  - host: {ns}.example.com
    http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: front, port: {{number: 80}}}}}}}}]}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: web}}
spec: {{minAvailable: 1, selector: {{matchLabels: {{app: web}}}}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: web}}
spec: {{minReplicas: 2, maxReplicas: 3, scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: alone}}
spec: {{containers: [{{name: c, image: nginx}}]}}
"""


def said(result, code):
    return {(each.object, each.path): each.why for each in result.losses if each.code == code}


@pytest.fixture(scope="module")
def app(bench):
    """A namespace with everything that acts on its own, which is alive; and its backup."""
    ns = bench.namespace()
    bench.make(APP.format(ns=ns), ns)
    bench.ready("Deployment", ns, "web")
    pod = bench.until(
        lambda: next(
            each
            for each in bench.list("Pod", ns)
            if each["metadata"]["labels"].get("app") == "web" and each["status"]["podIP"]
        )
    )
    bench.patch("ConfigMap", ns, "knows", {"data": {"front": pod["status"]["podIP"]}})
    return ns, bench.backup(ns)


@pytest.fixture(scope="module")
def clone(bench, app):
    """The clone at rest in the same cluster: its name, and the result."""
    ns, saved = app
    copy = bench.name()
    return copy, bench.restore(saved, context=A, map={ns: copy}, at_rest=True)


def test_nothing_runs_in_a_clone_at_rest_and_nobody_waits_for_it(bench, clone):
    copy, result = clone
    assert (result.phase, result.problems) == ("Completed", [])
    assert [each["spec"]["schedulingGates"] for each in bench.list("Pod", copy)] == [[{"name": "kubeferry.io/at-rest"}]]
    assert bench.get("Deployment", copy, "web")["spec"]["replicas"] == 0
    assert bench.get("StatefulSet", copy, "db")["spec"]["replicas"] == 0
    assert bench.get("CronJob", copy, "report")["spec"]["suspend"] is True
    assert bench.get("Service", copy, "front")["spec"]["type"] == "ClusterIP"
    assert bench.get("DaemonSet", copy, "logs")["status"].get("desiredNumberScheduled", 0) == 0


def test_what_stays_of_an_old_pod_is_said(clone):
    copy, result = clone
    assert "keeps a value of the old cluster" in said(result, "at-rest")[f"ConfigMap {copy}/knows", "/data/front"]


def test_the_result_has_the_command_that_wakes_each_up(bench, app, clone):
    (ns, _), (copy, result) = app, clone
    commands = {what: why.partition("wake it up with: ")[2] for (what, _), why in said(result, "at-rest").items()}
    awake = {
        f"{kind} {copy}/{name}"
        for kind, name in (("HorizontalPodAutoscaler.autoscaling", "web"), ("ConfigMap", "knows"))
    }
    assert {what for what, command in commands.items() if not command} == awake
    for what, command in commands.items():
        if command:
            words = shlex.split(command)
            kind, name = what.partition(" ")[0].partition(".")[0], words[3]
            assert words[:3] == ["kubectl", "patch", what.partition(" ")[0].lower()]
            bench.patch(kind, words[5], name, json.loads(words[9]))
    before, after = (bench.get("Deployment", each, "web") for each in (ns, copy))
    assert after["spec"]["replicas"] == before["spec"]["replicas"]
    assert "kubeferry.io/at-rest" not in after["metadata"].get("annotations", {})
    for kind, name in (("Deployment", "web"), ("StatefulSet", "db"), ("DaemonSet", "logs"), ("Pod", "alone")):
        bench.ready(kind, copy, name)
    service = bench.get("Service", copy, "front")["spec"]
    assert (service["type"], service["externalTrafficPolicy"]) == ("LoadBalancer", "Local")


def test_what_competes_with_the_original_is_said(app, clone):
    (ns, _), (copy, result) = app, clone
    found = said(result, "beside-original")
    dns = "/metadata/annotations/external-dns.alpha.kubernetes.io~1hostname"
    role = "/metadata/annotations/eks.amazonaws.com~1role-arn"
    assert found[f"Ingress.networking.k8s.io {copy}/front", "/spec/rules/0/host"] == (
        f"serves host {ns}.example.com, as Ingress.networking.k8s.io {ns}/front of the target does"
    )
    assert f"as Service {ns}/front of the target does" in found[f"Service {copy}/front", dns]
    assert f"ServiceAccount {ns}/web" in found[f"ServiceAccount {copy}/web", role]
    assert f"ConfigMap {ns}/settings" in found[f"ConfigMap {copy}/settings", "/data/QUEUE_NAME"]
    assert f"PodDisruptionBudget.policy {ns}/web" in found[f"PodDisruptionBudget.policy {copy}/web", ""]
    assert not any("orders" in each or "arn:" in each for each in found.values())
    assert (f"CronJob.batch {copy}/report", "") not in found
    assert not any(each.weighty for each in result.losses)


def test_the_namespaces_old_name_is_said(clone):
    copy, result = clone
    assert (f"ConfigMap {copy}/settings", "/data/note") in said(result, "still-names")


def test_a_plan_with_a_context_says_it_before_and_alone_it_does_not(cli_plan, app, bench):
    ns, saved = app
    asked = ("--map", f"{ns}={bench.name()}")
    there = {each["code"] for each in cli_plan(saved.name, *asked, "--context", A)["losses"]}
    assert "beside-original" in there
    assert "beside-original" not in {each["code"] for each in cli_plan(saved.name, *asked)["losses"]}
    awake = cli_plan(saved.name, *asked, "--context", A)["losses"]
    starting = [each["why"] for each in awake if each["object"].startswith(("CronJob", "Service")) and not each["path"]]
    assert any("starts Jobs on its schedule" in each for each in starting)
    assert any("load balancer of its own" in each for each in starting)


@pytest.fixture(scope="module")
def cli_plan(bench, kubeferry):
    def run(*args):
        code, out, err = kubeferry("plan", *args, "--store", bench.where["store"], "-o", "json")
        assert code == 0, err
        return json.loads(out)

    return run


def test_on_another_cluster_there_is_no_original(bench, app):
    ns, saved = app
    result = bench.restore(saved, context=B, at_rest=True, map={ns: bench.name()})
    assert (result.phase, said(result, "beside-original")) == ("Completed", {})


HOLDER = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: edge}
spec:
  selector: {matchLabels: {app: edge}}
  template:
    metadata: {labels: {app: edge}}
    spec: {containers: [{name: c, image: edge, ports: [{containerPort: 80, hostPort: %d}]}]}
"""


def test_a_host_port_that_the_original_has_is_found_before_anything_is_written(bench):
    ns, copy = bench.namespace(), bench.name()
    bench.make(HOLDER % 38211, ns)
    bench.ready("DaemonSet", ns, "edge")
    saved = bench.backup(ns)
    with pytest.raises(PreflightError) as refused:
        bench.restore(saved, context=A, map={ns: copy})
    assert f"DaemonSet.apps {copy}/edge: needs host port 38211/TCP" in str(refused.value)
    assert f"Pod {ns}/edge-" in str(refused.value)
    assert bench.find("Namespace", "", copy) is None
    assert bench.restore(saved, context=A, map={ns: copy}, at_rest=True).phase == "Completed"
    assert bench.restore(saved, context=B).phase == "Completed"


SCALED = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: rigs.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: {kind}, plural: rigs}}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {{scale: {{specReplicasPath: .spec.count, statusReplicasPath: .status.count}}}}
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"""


def test_a_custom_resource_with_a_scale_rests_by_the_definition_of_the_backup_or_of_the_target(bench):
    ns = bench.namespace()
    group, kind = f"{ns}.example.com", f"Rig{ns.removeprefix('r-')}"
    bench.make(SCALED.format(group=group, kind=kind))
    bench.until(lambda: (group, kind) in bench.clusters[A].discover().versions)
    bench.make(f"{{apiVersion: {group}/v1, kind: {kind}, metadata: {{name: it}}, spec: {{count: 3, size: 1}}}}", ns)
    saved = bench.backup(ns)
    for context, more in ((B, {}), (A, {"exclude": ["customresourcedefinitions"], "cluster_wide": "none"})):
        copy = bench.name()
        result = bench.restore(saved, context=context, map={ns: copy}, at_rest=True, **more)
        rig = bench.get(kind, copy, "it", context)
        assert rig["spec"] == {"count": 0, "size": 1}
        (why,) = said(result, "at-rest").values()
        patch = json.loads(shlex.split(why.partition("wake it up with: ")[2])[9])
        assert merge_patch(rig, patch)["spec"] == {"count": 3, "size": 1}
