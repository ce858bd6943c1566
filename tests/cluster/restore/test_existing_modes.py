"""What is done with existing objects of each kind in each mode, and per kind; on the sandbox."""

import pytest
import yaml
from tests.support.bench import A, did, rested, touch

from kubeferry.tasks.core.errors import InvalidError, PreflightError
from kubeferry.tasks.ports.cluster.client import JSON_PATCH

KINDS = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: web}}
data: {{a: "1"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: frozen}}
immutable: true
data: {{a: "1"}}
---
apiVersion: v1
kind: Secret
metadata: {{name: db}}
stringData: {{password: hunter2}}
---
apiVersion: v1
kind: Secret
metadata: {{name: frozen}}
immutable: true
stringData: {{password: hunter2}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{name: a, port: 80}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: headless}}
spec: {{clusterIP: None, selector: {{app: web}}, ports: [{{port: 80}}]}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data}}
spec: {{accessModes: [ReadWriteOnce], storageClassName: standard, resources: {{requests: {{storage: 1Gi}}}}}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {{name: roomy}}
spec: {{scopes: [NotTerminating], hard: {{pods: "9"}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: web}}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  replicas: 0
  serviceName: headless
  selector: {{matchLabels: {{app: db}}}}
  template:
    metadata: {{labels: {{app: db}}}}
    spec: {{containers: [{{name: db, image: db}}]}}
---
apiVersion: batch/v1
kind: Job
metadata: {{name: seed}}
spec:
  suspend: true
  template:
    spec: {{restartPolicy: Never, containers: [{{name: seed, image: seed}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: bare}}
spec: {{containers: [{{name: web, image: web}}], terminationGracePeriodSeconds: 0}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: web}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}
subjects: [{{kind: ServiceAccount, name: default, namespace: {ns}}}]
---
apiVersion: {group}/v1
kind: Widget
metadata: {{name: small}}
spec: {{size: 1, tags: [a, b]}}
"""

CHANGES = {
    ("ConfigMap", "web"): {"data": {"a": "2", "b": "3"}},
    ("Secret", "db"): {"stringData": {"password": "x", "user": "y"}},
    ("Service", "web"): {
        "spec": {"selector": {"app": "other"}, "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81}]}
    },
    ("PersistentVolumeClaim", "data"): {"metadata": {"labels": {"team": "shop"}}},
    ("ResourceQuota", "roomy"): {"spec": {"hard": {"pods": "8", "requests.cpu": "9"}}},
    ("Deployment", "web"): {"spec": {"template": {"metadata": {"annotations": {"by": "hand"}}}}},
    ("StatefulSet", "db"): {"spec": {"minReadySeconds": 5}, "metadata": {"labels": {"x": "y"}}},
    ("Job", "seed"): {"spec": {"parallelism": 3}},
    ("Pod", "bare"): [
        {"op": "replace", "path": "/spec/containers/0/image", "value": "other"},
    ],
    ("RoleBinding", "web"): {"subjects": None},
    ("Widget", "small"): {"spec": {"size": 2, "tags": ["a"], "more": {"x": 1}}},
}
"""Kind and name → a merge patch (a JSON patch where it is a list) that changes, adds and takes away what it may."""

FROZEN = {
    ("ConfigMap", "frozen"): ("data.a", "configmaps", {"data": {"a": "2"}}),
    ("Secret", "frozen"): ("data.password", "secrets", {"data": None, "stringData": {"password": "x"}}),
    ("Service", "headless"): ("spec.clusterIP", "services", {"spec": {"clusterIP": None, "clusterIPs": None}}),
    ("PersistentVolumeClaim", "data"): (
        "spec.accessModes[0]",
        "persistentvolumeclaims",
        {"spec": {"accessModes": ["ReadWriteMany"]}},
    ),
    ("ResourceQuota", "roomy"): ("spec.scopes[0]", "resourcequotas", {"spec": {"scopes": ["Terminating"]}}),
    ("Deployment", "web"): (
        "spec.selector.matchLabels.tier",
        "deployments.apps",
        {
            "spec": {
                "selector": {"matchLabels": {"tier": "x"}},
                "template": {"metadata": {"labels": {"tier": "x"}}},
            }
        },
    ),
    ("StatefulSet", "db"): ("spec.serviceName", "statefulsets.apps", {"spec": {"serviceName": "other"}}),
    ("Job", "seed"): (
        "spec.template.spec.containers[0].image",
        "jobs.batch",
        {"spec": {"template": {"spec": {"containers": [{"name": "seed", "image": "other"}]}}}},
    ),
    ("Pod", "bare"): (
        "spec.containers[0].name",
        "pods",
        {"spec": {"containers": [{"name": "other", "image": "web"}]}},
    ),
    ("RoleBinding", "web"): (
        "roleRef.name",
        "rolebindings.rbac.authorization.k8s.io",
        {"roleRef": {"name": "edit"}},
    ),
}
"""Kind and name → the field that no update changes, the name of the type, and a merge patch for a recreated object."""

LOST = ", and deletes its volume unless that is retained"


@pytest.fixture(scope="module")
def shop(bench):
    """A backup of a namespace on A with an object of each kind."""
    ns = bench.namespace()
    bench.make(KINDS.format(ns=ns, group=bench.crd(ns)), ns)
    bench.ready("Pod", ns, "bare")
    bench.ready("PersistentVolumeClaim", ns, "data")
    return bench.backup(ns)


@pytest.fixture
def there(bench, shop):
    """The namespace restored on A beside the original, under a name of the test's own: (name, map)."""
    name = bench.name()
    mapped = {shop.namespaces[0]: name}
    bench.restore(shop, context=A, map=mapped)
    return name, mapped


def kind_of(shop, kind):
    return f"Widget.{shop.namespaces[0]}.example.com" if kind == "Widget" else kind


def change(bench, shop, name, kind, named):
    patch = CHANGES[kind, named]
    options = {"content_type": JSON_PATCH} if isinstance(patch, list) else {}
    bench.patch(kind_of(shop, kind), name, named, patch, **options)


def seen(bench, shop, name):
    """Return what a person says of each object (content), and who it is (uid), by kind and name."""
    found = {}
    for kind, named in {**CHANGES, **FROZEN}:
        obj = bench.get(kind_of(shop, kind), name, named)
        meta = obj["metadata"]
        meant = {key: meta.get(key) for key in ("labels", "annotations")}
        rest = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
        if kind == "Job":
            meant, rest = {}, {"spec": {k: v for k, v in rest["spec"].items() if k not in ("selector", "template")}}
        found[kind, named] = (meant, rest), meta["uid"]
    return found


def served(obj):
    """Return content without what the cluster gives each new Service, claim, Pod and Deployment.

    A Pod gets the zone and the region of its node as labels when it is bound, and another one may be bound elsewhere.
    """
    text = yaml.safe_dump(obj, sort_keys=True).splitlines()
    given = (
        "clusterIP",
        "nodeName",
        "volumeName",
        "pv.kubernetes.io",
        "volume.kubernetes",
        "volume.beta",
        "deployment.kub",
        "name: kube-api",
        "topology.kubernetes.io/",
    )
    return [line for line in text if not line.strip(" -'").startswith(given) and not line.strip().startswith("- 10.")]


@pytest.mark.parametrize("mode", ["fail", "skip", "update", "recreate"])
def test_identical_objects_are_not_written_at_all(bench, shop, there, mode):
    """Neither resourceVersion nor a manager of fields is another afterwards."""
    name, mapped = there
    before = rested(bench, A, name)
    managers = bench.get("ConfigMap", name, "web")["metadata"]["managedFields"]
    result = bench.restore(shop, context=A, map=mapped, existing=mode)
    assert result.actions == {"unchanged": result.objects}
    after = touch(bench, A, name)
    assert {ref: each for ref, each in after.items() if ref in before} == before
    assert bench.get("ConfigMap", name, "web")["metadata"]["managedFields"] == managers


@pytest.mark.parametrize("mode", ["skip", "update", "recreate"])
def test_each_kind_ends_as_the_mode_says(bench, shop, there, mode):
    name, mapped = there
    original = seen(bench, shop, name)
    for each in CHANGES:
        change(bench, shop, name, *each)
    changed = seen(bench, shop, name)
    assert all(served(changed[each][0]) != served(original[each][0]) for each in CHANGES)
    result = bench.restore(shop, context=A, map=mapped, existing=mode)
    done = {"skip": "skipped", "update": "updated", "recreate": "recreated"}[mode]
    spared = {each for each in CHANGES if mode == "recreate" and each[0] == "PersistentVolumeClaim"}
    assert result.actions[done] == len(CHANGES) - len(spared)
    assert result.actions["unchanged"] == result.objects - len(CHANGES)
    assert result.actions.get("updated", 0) == (len(CHANGES) if mode == "update" else len(spared))
    assert not [each.why for each in result.notable if "stays" in each.why]
    after = seen(bench, shop, name)
    wanted = changed if mode == "skip" else original
    for each in CHANGES:
        assert served(after[each][0]) == served(wanted[each][0]), each
        assert (after[each][1] == original[each][1]) == (mode != "recreate" or each in spared), each


def test_fail_reports_every_kind_and_writes_nothing(bench, shop, there):
    name, mapped = there
    for each in CHANGES:
        change(bench, shop, name, *each)
    before = rested(bench, A, name)
    with pytest.raises(PreflightError) as caught:
        bench.restore(shop, context=A, map=mapped)
    assert len(caught.value.problems) == len(CHANGES)
    assert touch(bench, A, name) == before


def swap(bench, shop, name, kind, named, patch):
    """Recreate an object with other content."""
    bench.delete(kind, name, named)
    old = next(
        obj
        for obj in yaml.safe_load_all(KINDS.format(ns=name, group=f"{shop.namespaces[0]}.example.com"))
        if (obj["kind"], obj["metadata"]["name"]) == (kind, named)
    )
    bench.make(yaml.safe_dump(merged(old, patch)), name)


def merged(value, patch):
    result = dict(value) if isinstance(value, dict) else {}
    for key, new in patch.items():
        if new is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), new) if isinstance(new, dict) else new
    return result


def test_what_no_update_can_change_is_reported_before_anything_is_written(bench, shop, there):
    name, mapped = there
    for (kind, named), (_, _, patch) in FROZEN.items():
        swap(bench, shop, name, kind, named, patch)
    before = rested(bench, A, name)
    with pytest.raises(PreflightError) as caught:
        bench.restore(shop, context=A, map=mapped, existing="update")
    groups = {"deployments.apps": ".apps", "statefulsets.apps": ".apps", "jobs.batch": ".batch"}
    for (kind, named), (field, resource, _) in FROZEN.items():
        group = ".rbac.authorization.k8s.io" if kind == "RoleBinding" else groups.get(resource, "")
        start = f"{kind}{group} {name}/{named} has other content in immutable fields: "
        (line,) = [each for each in caught.value.problems if each.startswith(start)]
        assert field in line
        assert line.endswith(
            f"; --existing recreate, or for this kind --existing {resource}=recreate, re-creates it"
            f"{LOST if kind == 'PersistentVolumeClaim' else ''}; =skip keeps it"
        )
    assert len(caught.value.problems) == len(FROZEN)
    assert touch(bench, A, name) == before
    modes = {resource: "recreate" for _, resource, _ in FROZEN.values()} | {"services": "skip"}
    bench.patch("ConfigMap", name, "web", {"data": {"a": "2"}})
    result = bench.restore(shop, context=A, map=mapped, existing="update", existing_kinds=modes)
    assert result.actions["recreated"] == len(FROZEN)  # the plain ConfigMap is one of its kind, the Service is not
    assert did(result, "Service", "headless").startswith("skipped ")
    assert did(result, "ConfigMap", "web").startswith("recreated ")
    again = bench.restore(shop, context=A, map=mapped, existing="fail", existing_kinds={"svc": "skip"})
    assert again.actions == {"unchanged": again.objects - 1, "skipped": 1}


def test_an_api_servers_own_refusal_is_explained_too(bench):
    """A rule of a CRD, which no table of ours knows."""
    ns = bench.namespace()
    group = bench.crd(ns)
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {"size": {"type": "integer", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}},
            }
        },
    }
    versions = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}]
    bench.patch("CustomResourceDefinition", "", f"widgets.{group}", {"spec": {"versions": versions}})
    widget = f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: w}}, spec: {{size: %d}}}}"

    def enforced():
        """Return whether the API server already refuses a change."""
        bench.make(widget.replace("name: w", "name: probe") % 1, ns)
        try:
            bench.patch(f"Widget.{group}", ns, "probe", {"spec": {"size": 2}})
        except InvalidError:
            return True
        finally:
            bench.delete(f"Widget.{group}", ns, "probe")
        return False

    bench.until(enforced)
    bench.make(widget % 1, ns)
    saved = bench.backup(ns)
    bench.delete(f"Widget.{group}", ns, "w")
    bench.make(widget % 2, ns)
    with pytest.raises(PreflightError) as caught:
        bench.restore(saved, context=A, existing="update")
    (problem,) = caught.value.problems
    assert problem.startswith(f'Widget.{group} {ns}/w: Widget.{group} "w" is invalid: spec.size: ')
    assert problem.endswith(f"--existing widgets.{group}=recreate, re-creates it; =skip keeps it")


def test_an_update_removes_what_others_added_and_reports_what_it_cannot(bench, shop, there):
    name, mapped = there
    ports = [{"name": "a", "port": 80}]
    bench.patch("Service", name, "web", {"spec": {"type": "NodePort", "ports": ports}})
    bench.patch(
        "Deployment",
        name,
        "web",
        {
            "spec": {
                "template": {
                    "spec": {
                        "containers": [
                            {"name": "web", "image": "web", "env": [{"name": "A", "value": "b"}]},
                            {"name": "sidecar", "image": "sidecar"},
                        ]
                    }
                }
            }
        },
    )
    bench.patch("ConfigMap", name, "web", {"metadata": {"finalizers": ["example.com/mine"], "labels": {"x": "y"}}})
    result = bench.restore(shop, context=A, map=mapped, existing="update")
    assert result.actions["updated"] == 3
    assert bench.get("Service", name, "web")["spec"]["type"] == "ClusterIP"
    containers = bench.get("Deployment", name, "web")["spec"]["template"]["spec"]["containers"]
    assert [(each["name"], each.get("env")) for each in containers] == [("web", None)]
    config = bench.get("ConfigMap", name, "web")["metadata"]
    assert ("labels" in config, config["finalizers"]) == (False, ["example.com/mine"])
    bench.patch("ConfigMap", name, "web", {"metadata": {"finalizers": None}})


def test_a_kind_may_be_treated_in_a_way_of_its_own(bench, shop, there):
    name, mapped = there
    for each in (("ConfigMap", "web"), ("Secret", "db"), ("Service", "web"), ("Deployment", "web")):
        change(bench, shop, name, *each)
    modes = {"secret": "skip", "deployments.apps": "recreate", "deploy": "skip", "Service": "fail"}
    with pytest.raises(PreflightError) as caught:
        bench.restore(shop, context=A, map=mapped, existing="update", existing_kinds=modes)
    assert [each.partition(" exists")[0] for each in caught.value.problems] == [f"Service {name}/web"]
    result = bench.restore(shop, context=A, map=mapped, existing="update", existing_kinds=modes | {"Service": "update"})
    actions = {
        (each.type, each.name): each.action
        for each in result.notable
        if each.action in ("skipped", "updated", "recreated")
    }
    assert actions == {
        ("ConfigMap", "web"): "updated",
        ("Secret", "db"): "skipped",
        ("Service", "web"): "updated",
        ("Deployment.apps", "web"): "recreated",
    }


def test_a_kind_that_nobody_knows_or_that_is_named_twice_is_refused(bench, shop, there):
    name, mapped = there
    before = rested(bench, A, name)
    modes = {"gadgets": "skip", "deploy": "update", "Deployment": "recreate"}
    with pytest.raises(PreflightError) as caught:
        bench.restore(shop, context=A, map=mapped, existing_kinds=modes)
    assert caught.value.problems == [
        "--existing gadgets=skip: the cluster serves no kind gadgets, and the backup has no CRD for it",
        "--existing has two modes for deployments.apps: Deployment, deploy",
    ]
    assert touch(bench, A, name) == before
