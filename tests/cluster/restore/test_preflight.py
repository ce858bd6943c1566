"""Preflight on the sandbox: everything that the target lacks is reported at once, and nothing is written by then."""

import json

import pytest
import yaml
from tests.support.accounts import account, until_allowed
from tests.support.bench import A, B, did

from kubeferry.tasks.core.errors import PreflightError

WANTS = """
apiVersion: v1
kind: Namespace
metadata: {{name: {ns}}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {{name: {ns}-disk}}
provisioner: volumes.sandbox.kubeferry.io
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {{name: {ns}-urgent}}
value: 7
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {{name: {ns}-edge}}
spec: {{controller: example.com/none}}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {{name: {ns}-box}}
handler: none
---
apiVersion: v1
kind: PersistentVolume
metadata: {{name: {ns}-disk}}
spec:
  accessModes: [ReadWriteOnce]
  capacity: {{storage: 1Gi}}
  storageClassName: ""
  hostPath: {{path: /tmp/none}}
"""

OBJECTS = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data}}
spec: {{accessModes: [ReadWriteOnce], storageClassName: {ns}-disk, resources: {{requests: {{storage: 1Gi}}}}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: static}}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  volumeName: {ns}-disk
  resources: {{requests: {{storage: 1Gi}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web}}
spec: {{ingressClassName: {ns}-edge, defaultBackend: {{service: {{name: web, port: {{number: 80}}}}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      priorityClassName: {ns}-urgent
      runtimeClassName: {ns}-box
      containers: [{{name: web, image: web}}]
---
apiVersion: {group}/v1
kind: Widget
metadata: {{name: first}}
"""


GREEDY = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web, resources: {requests: {cpu: 500m}}}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], storageClassName: on-demand, resources: {requests: {storage: 2Gi}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: two}
"""

TIGHT = """
apiVersion: v1
kind: ResourceQuota
metadata: {name: tight}
spec:
  hard: {configmaps: "2", pods: "2", count/deployments.apps: "0", requests.cpu: "1", requests.storage: 1Gi}
"""

ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {ns}}}
rules:
- {{apiGroups: [""], resources: [namespaces, configmaps, serviceaccounts], verbs: [create, get, list, watch]}}
- {{apiGroups: [""], resources: [services], verbs: [create, get, watch]}}
- {{apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [create, get, list, watch]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {ns}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {ns}}}
subjects: [{subject}]
"""


def refused(bench, saved, **options):
    """Return the lines of a refusal, after proving that nothing was written."""
    with pytest.raises(PreflightError) as caught:
        bench.restore(saved, **options)
    assert str(caught.value).startswith(f"cluster {options.get('context', B)} (https://127.0.0.1:")
    return caught.value.problems


@pytest.fixture(scope="module")
def shop(bench):
    """A namespace on A that needs one of everything; on B, its CRD is there with other versions."""
    ns = bench.name()
    bench.make(WANTS.format(ns=ns))
    group = bench.crd(ns)
    bench.crd(ns, context=B, versions=("v2", "v3"))
    bench.until(lambda: bench.find("ServiceAccount", ns, "default"))
    bench.make(OBJECTS.format(ns=ns, group=group), ns)
    bench.ready("PersistentVolumeClaim", ns, "static")
    return bench.backup(ns)


UNLIKE = "no definition says that it has the fields of v1: bring the definitions in line"


def test_all_that_is_lacking_is_reported_at_once_and_nothing_is_written(bench, shop):
    (ns,) = shop.namespaces
    classes = ["storageclasses", "priorityclasses", "ingressclasses", "runtimeclasses", "persistentvolumes"]
    assert refused(bench, shop, exclude=classes) == [
        f"IngressClass.networking.k8s.io {ns}-edge is not there; Ingress.networking.k8s.io {ns}/web names it",
        f"PersistentVolume {ns}-disk is not there; PersistentVolumeClaim {ns}/static names it",
        f"PriorityClass.scheduling.k8s.io {ns}-urgent is not there; Deployment.apps {ns}/web names it",
        f"RuntimeClass.node.k8s.io {ns}-box is not there; Deployment.apps {ns}/web names it",
        f"StorageClass.storage.k8s.io {ns}-disk is not there; PersistentVolumeClaim {ns}/data names it",
        f"Widget in {ns}.example.com/v1 (1 objects): it serves v3, v2, and {UNLIKE}",
    ]
    assert bench.find("Namespace", "", ns, context=B) is None


def test_a_volume_that_another_claim_holds(bench, shop):
    (ns,) = shop.namespaces
    volume = next(each for each in yaml.safe_load_all(WANTS.format(ns=ns)) if each["kind"] == "PersistentVolume")
    volume["spec"]["claimRef"] = {"namespace": "other", "name": "theirs"}
    bench.make(yaml.safe_dump(volume), context=B)
    lines = refused(bench, shop, exclude=["widgets"])
    assert lines == [f"PersistentVolume {ns}-disk is bound to claim other/theirs already"]
    assert bench.find("Namespace", "", ns, context=B) is None
    assert bench.find("PriorityClass", "", f"{ns}-urgent", context=B) is None


def test_a_version_that_is_served_and_not_preferred_will_do(bench):
    ns = bench.namespace()
    group = bench.crd(ns)
    bench.crd(ns, context=B, versions=("v2", "v1"))
    bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: old}}, spec: {{size: 1}}}}", ns)
    saved = bench.backup(ns)
    for action in ("created", "unchanged"):
        result = bench.restore(saved)
        assert (did(result, f"Widget.{group}", "old"), result.problems) == (action, [])
    assert bench.get(f"Widget.{group}", ns, "old", context=B)["spec"] == {"size": 1}


def test_a_quota_that_is_too_small(bench):
    ns = bench.namespace()
    bench.make(GREEDY, ns)
    saved = bench.backup(ns)
    bench.namespaces.add(f"{ns}-tight")
    bench.make(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {ns}-tight}}}}", context=B)
    bench.until(lambda: bench.find("ConfigMap", f"{ns}-tight", "kube-root-ca.crt", context=B))
    bench.make(TIGHT, f"{ns}-tight", context=B)
    bench.until(
        lambda: bench.get("ResourceQuota", f"{ns}-tight", "tight", B)["status"]["used"].get("configmaps") == "1"
    )
    quota = f"ResourceQuota {ns}-tight/tight"
    assert refused(bench, saved, map={ns: f"{ns}-tight"}, existing="skip") == [
        f"{quota}: configmaps: 2 requested, 1 of 2 left",
        f"{quota}: count/deployments.apps: 1 requested, 0 of 0 left",
        f"{quota}: pods: 3 requested, 2 of 2 left",
        f"{quota}: requests.cpu: 1.500 requested, 1 of 1 left",
        f"{quota}: requests.storage: 2147483648 requested, 1073741824 of 1Gi left",
    ]
    assert [each["metadata"]["name"] for each in bench.list("ConfigMap", f"{ns}-tight", B)] == ["kube-root-ca.crt"]


def test_a_quota_does_not_count_twice_what_is_there(bench):
    ns = bench.namespace()
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: one}}", ns)
    bench.make("{apiVersion: v1, kind: ResourceQuota, metadata: {name: full}, spec: {hard: {configmaps: '2'}}}", ns)
    bench.ready("ResourceQuota", ns, "full")
    assert bench.restore(bench.backup(ns), context=A).actions == {"unchanged": 4}


def test_every_missing_right_is_reported_and_with_all_of_them_it_works(bench, tmp_path):
    ns = bench.namespace()
    group = bench.crd(ns)
    bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: one}}}}", ns)
    bench.make("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}", ns)
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: one}}", ns)
    saved = bench.backup(ns)
    bench.namespace_named(ns, B)
    subject, limited = account(bench, ns, tmp_path, B)
    bench.make(ROLE.format(ns=ns, subject=json.dumps(subject)), context=B)
    until_allowed(bench, "create", "Service", ns, **limited)
    bench.forget("CustomResourceDefinition", f"widgets.{group}")
    assert refused(bench, saved, existing="update", **limited) == [
        f"not allowed to create bundles.kubeferry.io in namespace {ns}; --no-bundle does without",
        f"not allowed to create leases.coordination.k8s.io in namespace {ns}",
        f"not allowed to create widgets.{group} in namespace {ns}",
        f"not allowed to delete leases.coordination.k8s.io in namespace {ns}",
        f"not allowed to get bundles.kubeferry.io in namespace {ns}; --no-bundle does without",
        f"not allowed to get leases.coordination.k8s.io in namespace {ns}",
        f"not allowed to get widgets.{group} in namespace {ns}",
        f"not allowed to list services in namespace {ns}",
        f"not allowed to list widgets.{group} in namespace {ns}",
        f"not allowed to patch bundles.kubeferry.io/status in namespace {ns}; --no-bundle does without",
        f"not allowed to patch configmaps in namespace {ns}",
        f"not allowed to patch leases.coordination.k8s.io in namespace {ns}",
        f"not allowed to patch serviceaccounts in namespace {ns}",
        f"not allowed to patch services in namespace {ns}",
        f"not allowed to patch widgets.{group} in namespace {ns}",
        f"not allowed to watch widgets.{group} in namespace {ns}",
    ]
    assert bench.find("ConfigMap", ns, "one", context=B) is None
    lacking = [
        {"apiGroups": [group], "resources": ["widgets"], "verbs": ["create", "get", "list", "watch", "patch"]},
        {"apiGroups": ["kubeferry.io"], "resources": ["bundles"], "verbs": ["create", "get"]},
        {"apiGroups": ["kubeferry.io"], "resources": ["bundles/status"], "verbs": ["patch"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "patch", "delete"]},
        {"apiGroups": [""], "resources": ["services"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["services", "configmaps", "serviceaccounts"], "verbs": ["patch"]},
    ]
    rules = bench.get("ClusterRole", "", ns, context=B)["rules"] + lacking
    bench.patch("ClusterRole", "", ns, {"rules": rules}, context=B)
    until_allowed(bench, "patch", "ServiceAccount", ns, **limited)
    result = bench.restore(saved, existing="update", **limited)
    assert (result.phase, result.counts["Widget." + group], result.cluster) == ("Completed", 1, limited["context"])


def test_objects_that_are_there_with_other_content_are_all_reported(bench):
    ns = bench.namespace()
    both = "{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}, data: {a: '1'}}"
    bench.make(both % "one", ns)
    bench.make(both % "two", ns)
    bench.make(both % "three", ns)
    saved = bench.backup(ns)
    for name in ("one", "two"):
        bench.patch("ConfigMap", ns, name, {"data": {"a": "2"}})
    bench.delete("ConfigMap", ns, "three")
    assert refused(bench, saved, context=A) == [
        f"ConfigMap {ns}/one exists with other content: data.a; --existing says what to do about it",
        f"ConfigMap {ns}/two exists with other content: data.a; --existing says what to do about it",
    ]
    assert bench.find("ConfigMap", ns, "three") is None
