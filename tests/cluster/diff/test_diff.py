"""What is different since a backup, on two real clusters: nothing that nobody changed, and all that somebody did."""

import json
import uuid

import pytest
import yaml
from tests.cluster.restore.test_velero_archives import live, store
from tests.support.accounts import account, until_allowed
from tests.support.bench import A, B, rested, touch

from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.diff import compare

PASSWORD = "hunter2-is-secret"

MADE = 2
"""Objects of the backup that their controllers make again: a ReplicaSet and a ControllerRevision."""

APPLIED = """
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: hunter2-is-secret, user: shop}
"""

SHOP = """
apiVersion: v1
kind: ServiceAccount
metadata: {{name: web}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {ns}-web}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}
subjects: [{{kind: ServiceAccount, name: web, namespace: {ns}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{type: NodePort, selector: {{app: web}}, ports: [{{port: 80}}]}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data}}
spec: {{accessModes: [ReadWriteOnce], storageClassName: standard, resources: {{requests: {{storage: 1Gi}}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{serviceAccountName: web, containers: [{{name: web, image: web}}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  serviceName: web
  selector: {{matchLabels: {{app: db}}}}
  template:
    metadata: {{labels: {{app: db}}}}
    spec: {{containers: [{{name: db, image: db}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: bare}}
spec: {{containers: [{{name: web, image: web}}]}}
---
apiVersion: batch/v1
kind: Job
metadata: {{name: seed}}
spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: seed, image: seed}}]}}}}}}
---
apiVersion: {group}/v1
kind: Widget
metadata: {{name: boss}}
spec: {{size: 1, tags: [a, b]}}
"""


PLAIN = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: x}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
"""


def finished(job):
    """Return whether a Job has, and has let go of its pod."""
    return "Complete" in {each["type"] for each in job["status"]["conditions"]}


@pytest.fixture(scope="module")
def shop(bench, sandbox_env, kubectl):
    """A backup of a namespace on A that holds addresses, owners, a token and things that controllers make."""
    ns = bench.namespace()
    bench.make(SHOP.format(ns=ns, group=bench.crd(ns)), ns)
    kubectl(sandbox_env, "apply", "-n", ns, "-f", "-", text=APPLIED)
    for kind, name in (
        ("Deployment", "web"),
        ("StatefulSet", "db"),
        ("Pod", "bare"),
        ("PersistentVolumeClaim", "data"),
    ):
        bench.ready(kind, ns, name)
    bench.until(lambda: finished(bench.get("Job", ns, "seed")))
    boss = bench.get(f"Widget.{ns}.example.com", ns, "boss")["metadata"]["uid"]
    tie = {"apiVersion": f"{ns}.example.com/v1", "kind": "Widget", "name": "boss", "uid": boss}
    (pod,) = [each for each in bench.list("Pod", ns) if each["metadata"]["name"].startswith("web-")]
    data = {
        "service": f"http://{bench.get('Service', ns, 'web')['spec']['clusterIP']}:80",
        "pod": f"peers={pod['status']['podIP']},",
        "boss": boss,
        "dns": f"web.{ns}.svc",
        "plain": "1\n2\n3\n",
    }
    meta = {"name": "settings", "ownerReferences": [tie]}
    bench.make(yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}), ns)
    bench.forget("CustomResourceDefinition", f"widgets.{ns}.example.com")
    return bench.backup(ns)


@pytest.fixture
def there(bench, shop):
    """The namespace restored on A beside the original, under a name of the test's own: (name, map)."""
    name = bench.name()
    mapped = {shop.namespaces[0]: name}
    bench.restore(shop, context=A, map=mapped)
    bench.forget("ClusterRoleBinding", binding(bench, name), context=A)
    return name, mapped


def binding(bench, ns, context=A):
    found = bench.list("ClusterRoleBinding", context=context)
    return next(each["metadata"]["name"] for each in found if (each.get("subjects") or [{}])[0].get("namespace") == ns)


def compared(bench, saved, context=A, against="", **options):
    """Compare without writing anything; return the report."""
    asked = RestoreOptions(**{"backup": saved.name, "context": context, **bench.where, **options})
    return compare.compared(asked, against.name if against else "")


def differences(report):
    """Return what is different: identity → change, and fields where it was changed."""
    return {
        f"{each.type.partition('.')[0]} {each.name}": (each.change, *(field.path for field in each.fields))
        for each in report.objects
    }


# --- no difference


def test_what_nobody_changed_is_the_same_where_it_was_backed_up(bench, shop):
    before = rested(bench, A, shop.namespaces[0])
    found = compared(bench, shop)
    assert (differences(found), found.problems, found.exit_code) == ({}, [], 0)
    assert found.counts == {"same": shop.objects - MADE, "added": 0, "removed": 0, "changed": 0}
    assert touch(bench, A, shop.namespaces[0]) == before


@pytest.mark.parametrize("context", [A, B])
def test_a_restored_copy_is_the_same_under_its_new_name(bench, shop, context):
    name = bench.name()
    mapped = {shop.namespaces[0]: name}
    bench.restore(shop, context=context, map=mapped)
    bench.forget("ClusterRoleBinding", binding(bench, name, context), context=context)
    before = rested(bench, context, name)
    found = compared(bench, shop, context, map=mapped)
    assert (differences(found), found.problems, found.namespaces) == ({}, [], mapped)
    assert touch(bench, context, name) == before


def test_pods_that_were_replaced_are_no_difference_in_the_original(bench, shop):
    """The very object that was backed up may name an address that nobody has any more."""
    ns = shop.namespaces[0]
    (pod,) = [each for each in bench.list("Pod", ns) if each["metadata"]["name"].startswith("web-")]
    bench.delete("Pod", ns, pod["metadata"]["name"])
    bench.ready("Deployment", ns, "web")
    found = compared(bench, shop)
    assert (differences(found), found.problems) == ({}, [])


# --- differences


def test_every_change_is_reported_and_what_controllers_make_is_none(bench, shop, there):
    name, mapped = there
    bench.patch("ConfigMap", name, "settings", {"data": {"plain": "1\ntwo\n3\n", "dns": None}})
    bench.patch("Secret", name, "db", {"stringData": {"password": "another-secret-x"}})
    bench.patch("Service", name, "web", {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}})
    template = {"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}}
    bench.patch("Deployment", name, "web", template)
    bench.patch("StatefulSet", name, "db", {"spec": {"replicas": 2}})
    bench.patch(f"Widget.{shop.namespaces[0]}.example.com", name, "boss", {"spec": {"tags": ["a"]}})
    bench.delete("PersistentVolumeClaim", name, "data")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: fresh}, data: {a: '1'}}", name)
    crb = f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {name}-more}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}
subjects: [{{kind: ServiceAccount, name: web, namespace: {name}}}]
"""
    bench.make(crb)
    bench.ready("Deployment", name, "web")
    bench.ready("StatefulSet", name, "db")
    found = compared(bench, shop, map=mapped)
    assert differences(found) == {
        "ConfigMap settings": ("changed", "data.dns", "data.plain", "data.pod"),
        "Secret db": ("changed", "data.password"),
        "Service web": ("changed", "spec.ports[0].targetPort"),
        "Deployment web": ("changed", "spec.template.metadata.annotations.restarted"),
        "StatefulSet db": ("changed", "spec.replicas"),
        "Widget boss": ("changed", "spec.tags[1]"),
        "PersistentVolumeClaim data": ("removed",),
        "ConfigMap fresh": ("added",),
        f"ClusterRoleBinding {name}-more": ("added",),
    }
    assert (found.exit_code, found.problems) == (1, [])
    assert sum(found.counts.values()) == shop.objects - MADE + 2
    settings = next(each for each in found.objects if each.name == "settings")
    assert "-    2\n+    two\n" in settings.diff
    assert f"-  dns: web.{name}.svc\n" in settings.diff, "as a restore would write it"
    # The rollout replaced the pod: what a copy was given is the address of nobody.
    assert settings.why.startswith(f"/data/pod should be Deployment.apps {name}/web → ")


def test_secrets_are_masked_everywhere(bench, shop, there):
    """Also in the copy that `kubectl apply` keeps of one."""
    name, mapped = there
    bench.patch("Secret", name, "db", {"stringData": {"password": "another-secret-x"}})
    bench.make("{apiVersion: v1, kind: Secret, metadata: {name: new}, stringData: {a: third-secret-y}}", name)
    text = compared(bench, shop, map=mapped).model_dump_json()
    for value in (PASSWORD, "another-secret-x", "third-secret-y", "aHVudGVyMi1", "YW5vdGhlci1", "dGhpcmQt"):
        assert value not in text
    assert "-  password: <secret, 17 bytes>\\n+  password: <secret, 16 bytes, changed>" in text
    assert "+  a: <secret, 14 bytes>" in text


def test_the_copy_that_kubectl_apply_keeps_is_compared_too(bench, shop, there, sandbox_env, kubectl):
    name, mapped = there
    kubectl(sandbox_env, "apply", "-n", name, "-f", "-", text=APPLIED.replace("user: shop", "user: shop2"))
    (found,) = compared(bench, shop, map=mapped).objects
    note = 'metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]'
    assert {each.path for each in found.fields} == {"data.user", note}
    assert found.diff.count(", changed>") == 2
    assert "c2hvc" not in found.diff


def test_a_value_that_is_not_there_now_is_reported_and_no_difference(bench, shop, there):
    name, mapped = there
    bench.patch("Deployment", name, "web", {"spec": {"replicas": 0}})
    bench.until(lambda: not [each for each in bench.list("Pod", name) if each["metadata"]["name"].startswith("web-")])
    bench.patch("ConfigMap", name, "settings", {"data": {"plain": "x"}})
    found = compared(bench, shop, map=mapped)
    assert differences(found) == {
        "Deployment web": ("changed", "spec.replicas"),
        "ConfigMap settings": ("changed", "data.plain"),
    }
    (problem,) = found.problems
    assert problem.what == f"ConfigMap {name}/settings /data/pod"
    assert f"Deployment.apps {name}/web → " in problem.why


def test_an_address_that_somebody_changed_is_a_difference(bench, shop, there):
    name, mapped = there
    old = bench.get("ConfigMap", name, "settings")["data"]
    bench.patch("ConfigMap", name, "settings", {"data": {"service": "http://10.1.2.3:80", "pod": "peers=10.1.2.3,"}})
    (found,) = compared(bench, shop, map=mapped).objects
    assert [(each.path, each.old) for each in found.fields] == [
        ("data.pod", old["pod"]),
        ("data.service", old["service"]),
    ]


def test_what_is_being_deleted_is_reported(bench, shop, there):
    name, mapped = there
    bench.patch("ConfigMap", name, "settings", {"metadata": {"finalizers": ["example.com/slow"]}})
    uid = bench.get("ConfigMap", name, "settings")["metadata"]["uid"]
    bench.clusters[A].delete(bench.kind("ConfigMap"), name, "settings", uid=uid)
    (found,) = compared(bench, shop, map=mapped).objects
    assert (found.name, found.change, found.why) == ("settings", "removed", "being deleted")
    bench.patch("ConfigMap", name, "settings", {"metadata": {"finalizers": None}})


def test_owners_that_were_cut_are_a_difference(bench, shop, there):
    name, mapped = there
    bench.patch("ConfigMap", name, "settings", {"metadata": {"ownerReferences": None}})
    assert differences(compared(bench, shop, map=mapped)) == {
        "ConfigMap settings": ("changed", "metadata.ownerReferences")
    }


def test_a_namespace_that_is_not_there_was_removed_whole(bench, shop):
    found = compared(bench, shop, map={shop.namespaces[0]: bench.name()})
    assert {each.change for each in found.objects} == {"removed"}
    # The definition of a kind, and the storage class, are the cluster's.
    assert len(found.objects) == shop.objects - MADE - 2
    assert found.counts["same"] == 2


def test_a_kind_that_the_cluster_does_not_know_was_removed(bench):
    ns = bench.namespace()
    group = bench.crd(ns)
    bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: w}}}}", ns)
    saved = bench.backup(ns)
    bench.namespace_named(ns, context=B)
    found = {each.name: each for each in compared(bench, saved, B).objects}
    assert found["w"].why == "the cluster does not serve its kind"
    assert {each.change for each in found.values()} == {"removed"}
    assert set(found) == {"w", f"widgets.{group}"}


# --- what is compared


def test_a_selection_compares_what_it_takes(bench, shop, there):
    name, mapped = there
    bench.patch("ConfigMap", name, "settings", {"data": {"plain": "x"}})
    bench.patch("StatefulSet", name, "db", {"spec": {"replicas": 2}})
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: fresh}}", name)
    bench.make("{apiVersion: v1, kind: LimitRange, metadata: {name: fresh}, spec: {limits: []}}", name)
    assert differences(compared(bench, shop, map=mapped, include=["configmaps"], only=True)) == {
        "ConfigMap settings": ("changed", "data.plain"),
        "ConfigMap fresh": ("added",),
    }
    assert differences(compared(bench, shop, map=mapped, exclude=["cm", "limits"])) == {
        "StatefulSet db": ("changed", "spec.replicas")
    }
    assert differences(compared(bench, shop, map=mapped, include_name=["statefulsets/*"], only=True)) == {
        "StatefulSet db": ("changed", "spec.replicas")
    }


def test_what_a_backup_never_took_was_not_added(bench):
    ns = bench.namespace()
    config = "{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, labels: {app: %s}}, data: {a: '1'}}"
    bench.make(config % ("one", "web"), ns)
    bench.make(config % ("two", "api"), ns)
    bench.make("{apiVersion: v1, kind: Secret, metadata: {name: three, labels: {app: web}}}", ns)
    by_label, by_kind = bench.backup(ns, selector="app=web"), bench.backup(ns, exclude=["secret"])
    bench.make(config % ("late", "web"), ns)
    bench.make(config % ("later", "api"), ns)
    bench.make("{apiVersion: v1, kind: Secret, metadata: {name: last, labels: {app: api}}}", ns)
    assert differences(compared(bench, by_label)) == {"ConfigMap late": ("added",)}
    assert differences(compared(bench, by_kind)) == {"ConfigMap late": ("added",), "ConfigMap later": ("added",)}
    whole = bench.backup(ns)
    found = compared(bench, whole, against=by_label)
    assert (differences(found), found.exit_code) == ({"ConfigMap late": ("removed",)}, 1)
    assert "app=web" in found.problems[0].why
    assert compared(bench, by_kind, against=by_label).exit_code == 3


READER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {ns}}}
rules:
- {{apiGroups: ["*"], resources: ["*"], verbs: [get, list]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {ns}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {ns}}}
subjects: [{subject}]
"""


def test_who_may_only_read_can_compare_and_what_may_not_be_read_is_reported(bench, tmp_path):
    ns = bench.namespace()
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: one}, data: {a: '1'}}", ns)
    bench.make("{apiVersion: v1, kind: Secret, metadata: {name: two}}", ns)
    saved = bench.backup(ns)
    other = bench.namespace()
    subject, limited = account(bench, other, tmp_path)
    bench.make(READER.format(ns=ns, subject=json.dumps(subject)))
    until_allowed(bench, "list", "Secret", ns, **limited)
    found = compared(bench, saved, **limited)
    assert (differences(found), found.problems, found.against) == ({}, [], f"cluster {limited['context']}")
    rules = [
        {"apiGroups": ["*"], "resources": ["configmaps", "namespaces", "serviceaccounts"], "verbs": ["get", "list"]}
    ]
    bench.patch("ClusterRole", "", ns, {"rules": rules})
    bench.until(lambda: compared(bench, saved, **limited).problems)
    found = compared(bench, saved, **limited)
    assert (differences(found), found.exit_code) == ({}, 3), "a Secret that may not be read is not removed"
    assert f"secrets in {ns}" in {each.what for each in found.problems}
    assert found.counts["same"] == saved.objects - 1
    partial = bench.backup(ns, **limited)
    found = compared(bench, partial)
    assert (partial.phase, differences(found), found.exit_code) == ("Partial", {}, 3)
    why = {each.what: each.why for each in found.problems}
    assert why[f"secrets in {ns}"].startswith("the backup could not read it: ")


def test_what_velero_saved_is_compared_as_well(bench):
    """Its archives hold live objects, and what controllers made of them."""
    ns = bench.namespace()
    bench.make(PLAIN, ns)
    bench.ready("Deployment", ns, "web")
    asked = RestoreOptions(backup=store(bench, dict(live(bench, ns)).items()), context=A, **bench.where)
    found = compare.compared(asked)
    assert (differences(found), found.problems) == ({}, [])
    bench.patch("Deployment", ns, "web", {"spec": {"replicas": 2}})
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: fresh}}", ns)
    assert differences(compare.compared(asked)) == {
        "Deployment web": ("changed", "spec.replicas"),
        "ConfigMap fresh": ("added",),
    }


# --- two backups


def test_two_backups_are_compared_with_no_cluster(bench, shop, there):
    name, mapped = there
    same = bench.backup(name)
    found = compared(bench, shop, "nowhere", against=same, map=mapped)
    assert (differences(found), found.problems, found.against) == ({}, [], f"backup {same.name}")
    bench.patch("Secret", name, "db", {"stringData": {"password": "another-secret-x"}})
    bench.patch("ConfigMap", name, "settings", {"data": {"service": "http://10.1.2.3:80"}})
    bench.delete("Pod", name, "bare")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: fresh}}", name)
    other = bench.backup(name)
    found = compared(bench, shop, "nowhere", against=other, map=mapped)
    assert differences(found) == {
        "Secret db": ("changed", "data.password"),
        "ConfigMap settings": ("changed", "data.service"),
        "Pod bare": ("removed",),
        "ConfigMap fresh": ("added",),
    }
    assert "another-secret" not in found.model_dump_json()
    # The copy's ClusterRoleBinding got a name of its own, which no renaming undoes.
    back = compared(
        bench, other, "nowhere", against=shop, map={name: shop.namespaces[0]}, exclude=["clusterrolebindings"]
    )
    assert {each: change[0] for each, change in differences(back).items()} == {
        "Secret db": "changed",
        "ConfigMap settings": "changed",
        "Pod bare": "added",
        "ConfigMap fresh": "removed",
    }


# --- existing objects and diff agree


def test_nothing_differs_after_an_update(bench, shop, there):
    name, mapped = there
    bench.patch("ConfigMap", name, "settings", {"data": {"more": "1"}, "metadata": {"labels": {"x": "y"}}})
    bench.patch("Deployment", name, "web", {"spec": {"replicas": 2}})
    bench.delete("Secret", name, "db")
    assert len(compared(bench, shop, map=mapped).objects) == 3
    bench.restore(shop, context=A, map=mapped, existing="update")
    found = compared(bench, shop, map=mapped)
    assert (differences(found), found.problems) == ({}, [])


# --- the command


def test_the_command_exits_as_diff_does_and_shows_no_secret(bench, shop, there, kubeferry):
    name, _ = there
    where = ("--context", A, "--kubeconfig", bench.where["kubeconfig"], "--store", bench.where["store"])
    asked = ("diff", shop.name, "--map", f"{shop.namespaces[0]}={name}", *where)
    code, out, err = kubeferry(*asked)
    assert (code, err) == (0, "")
    assert out.strip() == f"backup {shop.name} and cluster {A}: no difference in {shop.objects - MADE} objects"
    bench.patch("Secret", name, "db", {"stringData": {"password": "another-secret-x"}})
    outs = [kubeferry(*asked, *more) for more in ((), ("--no-unified",), ("-o", "json"), ("-o", "yaml"), ("--debug",))]
    assert [code for code, _, _ in outs] == [1] * 5
    assert not [text for _, out, err in outs for text in (PASSWORD, "another-secret", "YW5v") if text in out + err]
    table, short = outs[0][1], outs[1][1]
    assert [" ".join(line.split()) for line in short.splitlines()][:2] == [
        "OBJECT CHANGE FIELDS",
        f"Secret {name}/db changed data.password",
    ]
    assert f"\n--- backup {shop.name}: Secret {name}/db\n+++ cluster {A}: Secret {name}/db\n@@ " in table
    assert "@@" not in short
    document = json.loads(outs[2][1])
    assert document == yaml.safe_load(outs[3][1])
    assert (document["same"], document["counts"]["changed"], document["objects"][0]["fields"]) == (
        False,
        1,
        [{"path": "data.password", "old": "<secret, 17 bytes>", "new": "<secret, 16 bytes, changed>"}],
    )
    code, out, err = kubeferry("diff", shop.name, "--against", f"no-{uuid.uuid4().hex[:6]}", *where)
    assert (code, out) == (1, "")
    assert err.startswith("error: no backup no-")
