"""What is outside of a namespace and belongs to it comes along, is shown with the reason, and goes with an undo."""

import json
import os
import shutil
import subprocess

import pytest
from tests.support.accounts import account, until_allowed
from tests.support.bench import A, B
from tests.support.limits import LIMIT

from kubeferry.flows.delete import delete
from kubeferry.flows.migrate import migrate
from kubeferry.flows.undo import undo
from kubeferry.tasks.core.formats.migration import SHARED
from kubeferry.tasks.core.models.options import DeleteOptions, UndoOptions
from kubeferry.tasks.core.models.options_migration import MigrateOptions

# Definitions, webhooks and cluster-wide roles, and objects in kube-system.
pytestmark = pytest.mark.exclusive

# The case 90-operator-namespace, with a name of its own; without the ConfigMap and the class, which other tests have.
OPERATOR = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.acme.example}
spec:
  group: acme.example
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            x-kubernetes-preserve-unknown-fields: true
            description: For example `broker-0.broker.acme.svc.cluster.local`.
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.acme.example}
spec:
  group: acme.example
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: op, namespace: acme}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: acme-leader, namespace: kube-system}
rules: [{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: acme-leader, namespace: kube-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: acme-leader}
subjects: [{kind: ServiceAccount, name: op, namespace: acme}]
---
apiVersion: v1
kind: Service
metadata: {name: hook, namespace: acme}
spec: {selector: {app: op}, ports: [{port: 443}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: acme-hook}
webhooks:
- name: hook.acme.example
  failurePolicy: Ignore
  timeoutSeconds: 1
  sideEffects: None
  admissionReviewVersions: [v1]
  clientConfig: {service: {namespace: acme, name: hook, path: /v}}
  rules: [{apiGroups: [acme.example], apiVersions: ["*"], operations: [CREATE], resources: [gadgets]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: op, namespace: acme}
spec:
  selector: {matchLabels: {app: op}}
  template:
    metadata: {labels: {app: op}}
    spec: {serviceAccountName: op, containers: [{name: op, image: op}]}
"""
WIDGET = "{apiVersion: acme.example/v1, kind: Widget, metadata: {name: w, namespace: acme}, spec: {a: 1}}"

CRD, HOOK = "CustomResourceDefinition", "ValidatingWebhookConfiguration"


@pytest.fixture(scope="module")
def operator(bench):
    """The namespace of an operator, whose name is in everything that belongs to it."""
    ns = bench.namespace("acme")
    bench.make(OPERATOR.replace("acme", ns))
    bench.until(lambda: (f"{ns}.example", "Widget") in bench.clusters[A].discover().versions)
    bench.make(WIDGET.replace("acme", ns))
    bench.ready("Deployment", ns, "op")
    for name in (f"widgets.{ns}.example", f"gadgets.{ns}.example"):
        bench.forget(CRD, name, B)
    bench.forget(HOOK, f"{ns}-hook", B)
    yield ns
    for context in (A, B):
        for kind in ("RoleBinding", "Role"):
            for each in bench.list(kind, "kube-system", context):
                if each["metadata"]["name"].startswith(ns):
                    bench.delete(kind, "kube-system", each["metadata"]["name"], context)


@pytest.fixture(scope="module")
def saved(bench, operator):
    return bench.backup(operator)


@pytest.fixture(scope="module")
def manifest(kubeferry, saved, bench):
    code, out, err = kubeferry("show", saved.name, "--store", bench.where["store"], "-o", "json")
    assert code == 0, err
    return json.loads(out)


def reasons(manifest):
    return {
        (each["type"].partition(".")[0], each["namespace"], each["name"]): each["code"] for each in manifest["outside"]
    }


def test_a_backup_has_what_belongs_to_the_operator_and_says_why(operator, saved, manifest):
    ns = operator
    assert reasons(manifest) == {
        (CRD, "", f"widgets.{ns}.example"): "defines",
        (CRD, "", f"gadgets.{ns}.example"): "operator",
        (HOOK, "", f"{ns}-hook"): "calls-service",
        ("RoleBinding", "kube-system", f"{ns}-leader"): "gives-rights",
        ("Role", "kube-system", f"{ns}-leader"): "named",
    }
    assert (saved.phase.value, saved.namespaces) == ("Completed", [ns])


def test_show_lists_it_with_the_reason(kubeferry, operator, saved, bench):
    code, out, _ = kubeferry("show", saved.name, "--store", bench.where["store"])
    assert code == 0
    assert "Carried from outside the namespace" in out
    assert f"gives rights to ServiceAccount {operator}/op" in " ".join(out.split())


def test_it_is_restored_on_another_cluster_in_its_turn(bench, operator, saved):
    ns = operator
    done = bench.restore(saved)
    assert done.phase.value == "Completed"
    hook = bench.get(HOOK, "", f"{ns}-hook", B)
    assert hook["webhooks"][0]["clientConfig"]["service"] == {
        "namespace": ns,
        "name": "hook",
        "path": "/v",
        "port": 443,
    }
    assert "namespaceSelector" not in hook["webhooks"][0] or hook["webhooks"][0]["namespaceSelector"] == {}
    crd = bench.get(CRD, "", f"widgets.{ns}.example", B)
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert schema["properties"]["spec"]["description"] == f"For example `broker-0.broker.{ns}.svc.cluster.local`."
    assert bench.get(CRD, "", f"gadgets.{ns}.example", B)
    binding = bench.get("RoleBinding", "kube-system", f"{ns}-leader", B)
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "op", "namespace": ns}]
    assert bench.get("Role", "kube-system", f"{ns}-leader", B)["rules"][0]["resources"] == ["leases"]
    assert done.namespaces == {ns: ns}
    assert not [each for each in bench.list("Lease", "kube-system", B) if "kubeferry" in each["metadata"]["name"]]
    warned = {(each.what, each.why) for each in done.warnings}
    assert {
        (f"{HOOK}.admissionregistration.k8s.io {ns}-hook", f"has the API server ask Service {ns}/hook about requests"),
        (
            f"RoleBinding.rbac.authorization.k8s.io kube-system/{ns}-leader",
            "gives rights in namespace kube-system, which is not restored",
        ),
    } <= warned
    # again: all of it is there, and nothing is written
    again = bench.restore(saved)
    assert set(again.actions) == {"unchanged"}
    undone = bench.run_flow(undo(UndoOptions(restore=done.name, context=B, privileged=True, **bench.where)))
    assert undone.phase.value == "Completed", undone.taken_back.left
    for kind, space, name in (
        (HOOK, "", f"{ns}-hook"),
        (CRD, "", f"gadgets.{ns}.example"),
        ("RoleBinding", "kube-system", f"{ns}-leader"),
        ("Role", "kube-system", f"{ns}-leader"),
    ):
        assert bench.find(kind, space, name, B) is None, (kind, name)


def test_a_clone_beside_the_original_has_its_own(bench, operator, saved, kubectl, sandbox):
    ns = operator
    before = bench.get(HOOK, "", f"{ns}-hook"), bench.get("RoleBinding", "kube-system", f"{ns}-leader")
    clone = bench.name("acme")
    done = bench.restore(saved, A, map={ns: clone})
    assert done.phase.value == "Completed"
    bench.forget(HOOK, f"{ns}-hook-{clone}", A)
    (webhook,) = bench.get(HOOK, "", f"{ns}-hook-{clone}")["webhooks"]
    assert webhook["clientConfig"]["service"]["namespace"] == clone
    only = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [clone]}
    assert webhook["namespaceSelector"] == {"matchExpressions": [only]}
    assert [each["scope"] for each in webhook["rules"]] == ["Namespaced"]
    binding = bench.get("RoleBinding", "kube-system", f"{ns}-leader-{clone}")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "op", "namespace": clone}]
    assert binding["roleRef"]["name"] == f"{ns}-leader-{clone}"
    account = f"system:serviceaccount:{clone}:op"
    can = kubectl(
        sandbox, "auth", "can-i", "create", "leases.coordination.k8s.io", "-n", "kube-system", "--as", account
    )
    assert can.strip() == "yes"
    codes = {(each.object, each.code) for each in done.losses}
    assert (f"{HOOK}.admissionregistration.k8s.io {ns}-hook-{clone}", "copy-limited") in codes
    after = bench.get(HOOK, "", f"{ns}-hook"), bench.get("RoleBinding", "kube-system", f"{ns}-leader")
    assert [each["metadata"]["resourceVersion"] for each in after] == [
        each["metadata"]["resourceVersion"] for each in before
    ]
    deleted = bench.run_flow(delete(DeleteOptions(bundle=done.name, context=A, kubeconfig=bench.where["kubeconfig"])))
    assert deleted.phase.value == "Completed"
    assert bench.find("RoleBinding", "kube-system", f"{ns}-leader-{clone}") is None
    assert bench.find(HOOK, "", f"{ns}-hook-{clone}") is None
    assert bench.find("RoleBinding", "kube-system", f"{ns}-leader")


def test_a_definition_is_for_all_namespaces_and_no_renaming_changes_it(bench, operator, saved):
    """Its texts name the original: rewritten, it would be another definition than the one that the original has."""
    ns = operator
    name = f"widgets.{ns}.example"
    before = bench.get(CRD, "", name)
    clone, far = bench.name("acme"), bench.name("acme")
    beside = bench.restore(saved, A, map={ns: clone})
    bench.forget(HOOK, f"{ns}-hook-{clone}", A)
    assert bench.get(CRD, "", name)["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    done = bench.restore(saved, B, map={ns: far})
    bench.forget(HOOK, f"{ns}-hook-{far}", B)
    crd = bench.get(CRD, "", name, B)
    assert crd["spec"] == before["spec"]
    for result in (beside, done):
        assert [each for each in result.rewrites if each.object.startswith(CRD)] == []
        assert result.phase.value == "Completed"


@pytest.mark.parametrize("side", ["backup", "restore"])
@pytest.mark.parametrize("what", ["report", "none"])
def test_it_stays_where_that_is_asked_for(bench, operator, saved, side, what):
    """The definition of Widget is missing then: the objects of its kind are left out as well."""
    ns = operator
    here = bench.backup(ns, cluster_wide=what, exclude=["widgets"]) if side == "backup" else saved
    assert here.phase.value == "Completed"
    target = bench.name("acme")
    more = {"cluster_wide": what, "exclude": [f"widgets.{ns}.example"]} if side == "restore" else {}
    done = bench.restore(here, B, map={ns: target}, **more)
    assert bench.find(HOOK, "", f"{ns}-hook-{target}", B) is None
    assert bench.find("RoleBinding", "kube-system", f"{ns}-leader-{target}", B) is None
    told = [each.object for each in done.losses] + [f"{each.type} {each.name}" for each in done.left_out]
    named = [each for each in told if each.endswith(f"{ns}-hook")]
    assert bool(named) == (what == "report"), told


def test_a_diff_with_its_own_cluster_finds_nothing(kubeferry, saved, bench):
    code, out, err = kubeferry("diff", saved.name, "--store", bench.where["store"], "--context", A)
    assert code == 0, out + err


def test_an_export_lists_what_it_leaves_of_other_namespaces(kubeferry, operator, saved, bench, tmp_path):
    code, out, err = kubeferry("export", saved.name, "--out", str(tmp_path / "x"), "--store", bench.where["store"])
    assert code in {0, 3}, out + err
    written = {path.name: path.read_text() for path in (tmp_path / "x").rglob("*.yaml")}
    assert any(f"{operator}-hook" in text for text in written.values())
    assert not any(f"name: {operator}-leader" in text for text in written.values())


# The case 09-rolebinding-elsewhere, and its neighbours: no namespace, no Role, a group, a user's name.
WATCHED = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: agent, namespace: pc09}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: pc09-watched}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: agent, namespace: pc09-watched}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
- {kind: ServiceAccount, name: agent, namespace: pc09}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: eve}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: all-of-it, namespace: pc09-watched}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:serviceaccounts:pc09"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: by-user-name, namespace: pc09-watched}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "system:serviceaccount:pc09:agent"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: of-others, namespace: pc09-watched}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: eve}]
"""


@pytest.fixture(scope="module")
def watched(bench):
    ns = bench.namespace("pc09")
    other = bench.namespace_named(f"{ns}-watched")
    bench.make(WATCHED.replace("pc09", ns))
    return ns, other, bench.backup(ns)


def test_an_account_has_its_rights_in_the_other_namespace_of_the_target(bench, watched, kubectl, sandbox):
    ns, other, saved = watched
    bench.namespace_named(other, B)
    done = bench.restore(saved)
    assert done.phase.value == "Completed"
    account = f"system:serviceaccount:{ns}:agent"
    can = kubectl(sandbox, "auth", "can-i", "list", "pods", "-n", other, "--as", account, context=B)
    assert can.strip() == "yes"
    made = {each["metadata"]["name"] for each in bench.list("RoleBinding", other, B)}
    assert made == {"agent", "all-of-it", "by-user-name"}
    # only who is restored gets rights
    assert [each["name"] for each in bench.get("RoleBinding", other, "agent", B)["subjects"]] == ["agent"]
    assert any(each.why.startswith("User eve is left out") for each in done.warnings)
    for name in made:
        bench.delete("RoleBinding", other, name, B)
    bench.delete("Role", other, "reader", B)


def test_what_the_target_cannot_have_is_listed(bench, watched):
    ns, other, saved = watched
    clone, absent = bench.name("pc09"), bench.name("pc09")
    if bench.find("Namespace", "", other, B):
        bench.delete("Namespace", "", other, B)
    done = bench.restore(saved, B, map={ns: absent})
    assert done.phase.value == "Completed"
    assert {each.object for each in done.losses if each.code == "no-namespace"} == {
        *(
            f"RoleBinding.rbac.authorization.k8s.io {other}/{name}-{absent}"
            for name in ("agent", "all-of-it", "by-user-name")
        ),
        f"Role.rbac.authorization.k8s.io {other}/reader-{absent}",
    }
    bench.namespace_named(other, B)
    done = bench.restore(saved, B, map={ns: clone}, exclude=["roles"])
    assert done.phase.value == "Partial"
    lost = [(each.object, each.code) for each in done.losses if each.code == "no-role"]
    assert lost == [(f"RoleBinding.rbac.authorization.k8s.io {other}/agent-{clone}", "no-role")]


def test_what_is_there_is_never_changed(bench, watched):
    _, other, saved = watched
    bench.make(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n"
        f"metadata: {{name: reader, namespace: {other}}}\nrules: []\n",
        context=B,
    ) if not bench.find("Role", other, "reader", B) else None
    before = bench.get("Role", other, "reader", B)
    done = bench.restore(saved, B, existing="update")
    assert bench.get("Role", other, "reader", B)["rules"] == before.get("rules", [])
    kept = [(each.name, each.action.value) for each in done.notable if each.type.startswith("Role.")]
    assert kept == [("reader", "kept")]


def test_a_migration_brings_the_webhook_after_the_pods_that_it_calls(bench, operator):
    """What gives rights elsewhere comes before all namespaces, what calls a Service with the namespace that has it."""
    ns, new = operator, bench.name("acme")
    other = bench.namespace("other")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}", other)
    where = {"from_context": A, "to_context": B, "wait_seconds": LIMIT, **bench.where}
    asked = MigrateOptions(namespaces=[ns, other], map={ns: new}, **where)
    done = bench.run_flow(migrate(asked))
    phases = {end.namespace: (end.phase.value, end.error, end.problems) for end in done.namespaces}
    assert phases == dict.fromkeys([SHARED, ns, other], ("Completed", "", []))
    counts = {end.namespace: end.counts for end in done.namespaces}
    assert {"Role.rbac.authorization.k8s.io", "RoleBinding.rbac.authorization.k8s.io"} <= counts[SHARED].keys()
    assert counts[ns][f"{HOOK}.admissionregistration.k8s.io"] == 1
    bench.forget(HOOK, f"{ns}-hook-{new}", B)
    assert bench.get(HOOK, "", f"{ns}-hook-{new}", B)
    assert bench.get("RoleBinding", "kube-system", f"{ns}-leader-{new}", B)["subjects"][0]["namespace"] == new


def test_the_script_of_a_plan_makes_it_as_well(bench, kubeferry, operator, saved, tmp_path):
    ns, new = operator, bench.name("acme")
    code, out, err = kubeferry("plan", saved.name, "--kubectl", "--map", f"{ns}={new}", "--store", bench.where["store"])
    assert code == 0, err
    script = tmp_path / "script"
    script.write_text(out)
    environment = os.environ | {"KUBECONFIG": bench.where["kubeconfig"], "WAIT_SECONDS": str(LIMIT)}
    ran = subprocess.run(
        [shutil.which("bash"), str(script), B],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    bench.forget(HOOK, f"{ns}-hook-{new}", B)
    assert bench.get(HOOK, "", f"{ns}-hook-{new}", B)
    assert bench.get("RoleBinding", "kube-system", f"{ns}-leader-{new}", B)["subjects"][0]["namespace"] == new


# An operator that was installed without labels: its definitions are known by its rights, and so are its own objects.
REALMS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: realms.acme.example}
spec:
  group: acme.example
  scope: Cluster
  names: {plural: realms, singular: realm, kind: Realm}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: op, namespace: acme}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: acme}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: acme}
rules: [{apiGroups: [acme.example], resources: [realms, realms/status], verbs: [get, list, watch, update]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: acme}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: acme}
subjects: [{kind: ServiceAccount, name: op, namespace: acme}]
"""


@pytest.fixture(scope="module")
def realms(bench):
    """The operator of a cluster-wide kind, a namespace of others, and a backup of both."""
    ns, other = bench.namespace("realm"), bench.namespace("bank")
    bench.make(REALMS.replace("acme", ns))
    bench.until(lambda: (f"{ns}.example", "Realm") in bench.clusters[A].discover().versions)
    bench.make(f"{{apiVersion: {ns}.example/v1, kind: Realm, metadata: {{name: {ns}}}, spec: {{a: 1}}}}")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}", other)
    for kind, name in ((CRD, f"realms.{ns}.example"), ("ClusterRole", ns), ("ClusterRoleBinding", ns)):
        bench.forget(kind, name, B)
    return ns, other, bench.backup(ns, other)


def test_the_namespace_of_others_alone_brings_nothing_of_an_operator(bench, realms):
    ns, other, saved = realms
    done = bench.restore(saved, B, namespaces=[other])
    assert done.phase.value == "Completed"
    assert bench.find(CRD, "", f"realms.{ns}.example", B) is None
    assert bench.find("ClusterRole", "", ns, B) is None


def test_the_cluster_wide_objects_of_an_operator_come_with_its_namespace(bench, realms):
    ns, _, saved = realms
    done = bench.restore(saved, B, namespaces=[ns])
    assert done.phase.value == "Completed"
    assert bench.get(CRD, "", f"realms.{ns}.example", B)
    assert bench.get("Realm", "", ns, B)["spec"] == {"a": 1}


def test_what_may_not_be_listed_is_a_loss_and_no_error(bench, tmp_path):
    """An account that may read its namespace, what a backup needs of the cluster, and nothing of others."""
    ns = bench.namespace("lone")
    subject, reader = account(bench, ns, tmp_path)
    bench.make(
        f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {ns}}}
rules:
- {{apiGroups: [""], resources: [namespaces, persistentvolumes, nodes, services], verbs: [get, list]}}
- apiGroups: [apiextensions.k8s.io, networking.k8s.io, node.k8s.io, scheduling.k8s.io, storage.k8s.io]
  resources: ["*"]
  verbs: [list]
- {{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles, clusterrolebindings], verbs: [list]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {ns}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {ns}}}
subjects: [{json.dumps(subject)}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: all, namespace: {ns}}}
rules: [{{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: all, namespace: {ns}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: all}}
subjects: [{json.dumps(subject)}]
"""
    )
    for kind, namespace in (("Service", ns), ("Service", ""), ("Secret", ns)):
        until_allowed(bench, "list", kind, namespace, **reader)
    saved = bench.backup(ns, **reader)
    assert (saved.phase.value, saved.problems) == ("Completed", [])
    told = {each.object for each in saved.losses if each.code == "not-looked-at"}
    assert {"rolebindings.rbac.authorization.k8s.io of other namespaces", "apiservices.apiregistration.k8s.io"} <= told
    assert "validatingwebhookconfigurations.admissionregistration.k8s.io" in told
