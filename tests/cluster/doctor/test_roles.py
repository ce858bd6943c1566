"""The manifests for Kubernetes, really applied, and backups and restores with exactly the roles that are in them."""

import json

import pytest
import yaml
from tests.support.bench import A
from tests.support.jobs import rendered_job
from tests.support.objects import an, config_map
from tests.support.shipped import LABEL, MANIFESTS, rendered

from kubeferry.flows.delete import delete
from kubeferry.flows.undo import undo
from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.formats.losses import LossCode
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.models.options import DeleteOptions, UndoOptions
from kubeferry.tasks.core.models.results import EXIT_CODES
from kubeferry.tasks.core.ops.cluster_roles import cluster_roles

# A role covers the kinds that a cluster serves: definitions of other tests come and go.
pytestmark = pytest.mark.exclusive

SHOP = """
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: "1"}}
---
{apiVersion: v1, kind: Secret, metadata: {name: db}, stringData: {password: made-up}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: runner}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: all}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: all}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: all}
subjects: [{kind: ServiceAccount, name: runner}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {serviceAccountName: runner, containers: [{name: web, image: example.com/web}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 29 2 *"
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: Never, nodeSelector: {nobody: has}, containers: [{name: job, image: job}]}
"""


@pytest.fixture(scope="module")
def shop(bench):
    ns = bench.namespace("shop")
    bench.make(SHOP, ns)
    cron = bench.get("CronJob", ns, "nightly")
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": cron["metadata"]["uid"]}
    meta = {"name": "nightly-1", "ownerReferences": [owner | {"controller": True, "blockOwnerDeletion": True}]}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": cron["spec"]["jobTemplate"]["spec"]}
    bench.make(yaml.safe_dump(job), ns)
    bench.ready("Deployment", ns, "web")
    return ns


@pytest.mark.parametrize("overlay", ["process", "jobs"])
def test_overlays_are_valid(bench, sandbox_env, kubectl, overlay, tmp_path):
    """Each object passes the server's own validation, and the policy `restricted` of pods, without a warning."""
    text = rendered(
        lambda *args, **more: kubectl(sandbox_env, *args, **more),
        tmp_path,
        resources=[f"overlays/{overlay}"],
        namespace=bench.namespace("overlay"),
    )
    objects = list(yaml.safe_load_all(text))
    dry_run = ("--dry-run=server", "--warnings-as-errors")
    kubectl(sandbox_env, "apply", "--server-side", *dry_run, "-f", "-", context=A, text=text)
    writes = [
        each for each in objects if each["kind"] == "ClusterRoleBinding" and "restore" in each["metadata"]["name"]
    ]
    assert bool(writes) == (overlay == "jobs")


def test_the_worker_starts_under_the_restricted_policy(bench, cast):
    assert bench.ready("Deployment", cast.namespace, f"kubeferry-worker-{cast.suffix}")


def test_a_worker_with_a_suffix_of_its_name_is_held_to_the_policies(bench, cast):
    """Its account is another one then, and so are those that its Jobs should name."""
    job = rendered_job("restore/on-demand", cast.namespace)
    path = f"/apis/batch/v1/namespaces/{cast.namespace}/jobs?dryRun=All"
    with cast.requests(cast.token("kubeferry-worker")) as send:
        for account in (f"kubeferry-restore-{cast.suffix}", "default"):
            job["spec"]["template"]["spec"]["serviceAccountName"] = account
            bench.until(lambda: "has to use kubeferry-restore" in send("POST", path, job).message)


def test_a_backup_works_with_exactly_the_backup_role_and_writes_nothing(bench, cast, shop):
    kubeconfig = cast.kubeconfig("kubeferry-backup")
    result = bench.backup(shop, context="kubeferry-backup", kubeconfig=kubeconfig)
    assert (result.phase, result.problems) == (Phase.COMPLETED, [])
    assert {"Secret", "Role.rbac.authorization.k8s.io", "Deployment.apps"} <= result.counts.keys()
    with pytest.raises(KubeferryError, match="secrets"):
        bench.restore(result, context="kubeferry-backup", kubeconfig=kubeconfig, map={shop: bench.name("shop")})


def test_a_diff_and_an_export_work_with_the_backup_role(bench, cast, shop, kubeferry, tmp_path):
    saved = bench.backup(shop)
    where = ["--context", "kubeferry-backup", "--kubeconfig", cast.kubeconfig("kubeferry-backup")]
    where += ["--store", bench.where["store"]]
    code, text, err = kubeferry("diff", saved.name, *where)
    assert (code, err) == (0, ""), text
    code, _, err = kubeferry("export", "--from-cluster", shop, *where[:-2], "--out", tmp_path / "out")
    assert code == 0, err


@pytest.fixture(scope="module")
def writer(cast):
    """Options that name the account of restores."""
    return {"context": "kubeferry-restore", "kubeconfig": cast.kubeconfig("kubeferry-restore")}


def test_what_decides_what_a_cluster_accepts_is_left_out_by_an_account_without_that_right(bench, writer):
    """The shipped account must not create webhooks; the rest is restored, and the result says what is not."""
    ns = bench.namespace("hooked")
    client = {"service": {"name": "web", "namespace": ns}}
    rule = {"apiGroups": ["never.example.com"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["*"]}
    hook = {"name": "a.example.com", "clientConfig": client, "rules": [rule], "sideEffects": "None"}
    hook |= {"admissionReviewVersions": ["v1"], "failurePolicy": "Ignore"}
    bench.make(an("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", ns, webhooks=[hook]))
    bench.make(config_map("settings", {"a": "1"}), ns)
    saved, new = bench.backup(ns), bench.name("hooked")
    result = bench.restore(saved, **writer, map={ns: new})
    assert result.phase is Phase.PARTIAL
    (lost,) = [each for each in result.losses if each.code == LossCode.NOT_ALLOWED]
    assert lost.object == f"ValidatingWebhookConfiguration.admissionregistration.k8s.io {ns}-{new}"
    assert bench.find("ValidatingWebhookConfiguration", "", f"{ns}-{new}") is None
    assert bench.get("ConfigMap", new, "settings")["data"] == {"a": "1"}


@pytest.mark.parametrize("existing", ["update", "recreate"])
def test_a_restore_and_its_undo_work_with_exactly_the_restore_role(bench, shop, writer, existing):
    """Over other content, so that it patches or deletes; a Job at work comes back, and its CronJob knows of it."""
    saved, new = bench.backup(shop), bench.namespace("shop")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: other}}", new)
    result = bench.restore(saved, **writer, map={shop: new}, existing=existing, owned="keep")
    assert (result.phase, result.problems) == (Phase.COMPLETED, [])
    assert bench.get("ConfigMap", new, "settings")["data"] == {"a": "1"}
    assert len(bench.get("CronJob", new, "nightly")["status"]["active"]) == 1
    asked = UndoOptions(restore=result.name, store=bench.where["store"], privileged=True, **writer)
    undone = bench.run_flow(undo(asked))
    assert (undone.phase, undone.problems) == (Phase.COMPLETED, [])
    assert bench.get("ConfigMap", new, "settings")["data"] == {"a": "other"}
    assert bench.find("Secret", new, "db") is None


def test_a_bundle_is_deleted_with_exactly_the_restore_role(bench, shop, writer):
    new = bench.name("shop")
    result = bench.restore(bench.backup(shop), **writer, map={shop: new})
    asked = DeleteOptions(bundle=result.name, namespaces=[new], **writer)
    gone = bench.run_flow(delete(asked))
    assert (gone.phase, gone.problems) == (Phase.COMPLETED, [])
    assert bench.find("Secret", new, "db") is None


def test_the_roles_of_what_kubernetes_has_are_those_that_doctor_prints(bench):
    """Resource by resource; what this cluster has by definitions and extensions is none of Kubernetes' own."""
    shipped = list(yaml.safe_load_all((MANIFESTS / "base" / "roles-builtin.yaml").read_text()))
    more = {each["spec"]["group"] for each in bench.list("CustomResourceDefinition")}
    found = [each for each in bench.clusters[A].discover().types if each.group not in more]
    assert shipped == cluster_roles(found, "builtin")


def test_a_custom_resource_is_covered_once_the_rules_of_doctor_are_applied(bench, cast, writer, kubeferry):
    ns, group = bench.namespace("own"), ""
    group = bench.crd(ns)
    bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: one}}}}", ns)
    reader = {"context": "kubeferry-backup", "kubeconfig": cast.kubeconfig("kubeferry-backup")}
    less = bench.backup(ns, **reader)
    assert (less.phase, [each.what for each in less.problems]) == (Phase.PARTIAL, [f"widgets.{group} in {ns}"])
    code, text, err = kubeferry("doctor", "--rules", "--context", A, KUBEFERRY_KUBECONFIG=bench.where["kubeconfig"])
    assert (code, err) == (0, "")
    for role in ("backup", "restore"):
        bench.forget("ClusterRole", f"kubeferry-{role}-cluster-{cast.suffix}", A)
        text = text.replace(f"name: kubeferry-{role}-cluster", f"name: kubeferry-{role}-cluster-{cast.suffix}")
    cast.install(text)
    bench.until(lambda: cast.allowed("kubeferry-restore", "create", "widgets", group))
    bench.until(lambda: cast.allowed("kubeferry-backup", "list", "widgets", group))
    saved = bench.backup(ns, **reader)
    assert (saved.phase, saved.problems) == (Phase.COMPLETED, [])
    new = bench.name("own")
    restored = bench.restore(saved, **writer, map={ns: new})
    assert (restored.phase, restored.problems) == (Phase.COMPLETED, [])
    assert bench.get("Widget", new, "one")


def test_the_rules_are_two_documents_or_one_list_and_take_no_namespace(bench, kubeferry):
    where = ["--context", A, "--kubeconfig", bench.where["kubeconfig"]]
    code, text, _ = kubeferry("doctor", "--rules", *where)
    listed = json.loads(kubeferry("doctor", "--rules", *where, "-o", "json")[1])
    documents = list(yaml.safe_load_all(text))
    assert (code, listed["items"]) == (0, documents)
    assert [each["metadata"]["name"] for each in documents] == ["kubeferry-backup-cluster", "kubeferry-restore-cluster"]
    assert [list(each["metadata"]["labels"]) for each in documents] == [[f"{LABEL}backup"], [f"{LABEL}restore"]]
    code, _, err = kubeferry("doctor", "shop", "--rules", *where)
    assert (code, "name none" in err) == (2, True)


def test_one_right_less_is_reported_before_a_restore_writes(bench, cast, shop, writer):
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "escalate", "bind"]
    cast.drop(bench, "kubeferry-restore")
    cast.narrow(bench, "kubeferry-restore", verbs, {"secrets"})
    new = bench.name("shop")
    with pytest.raises(KubeferryError, match="secrets"):
        bench.restore(bench.backup(shop), **writer, map={shop: new})
    assert bench.find("Namespace", "", new) is None


def test_a_type_that_the_backup_role_lacks_is_named_and_the_backup_is_partial(bench, cast, shop):
    """It comes last: it takes rights away that the tests above need."""
    kubeconfig = cast.kubeconfig("kubeferry-backup")
    cast.drop(bench, "kubeferry-backup")
    cast.narrow(bench, "kubeferry-backup", ["get", "list"], {"secrets"})
    result = bench.backup(shop, context="kubeferry-backup", kubeconfig=kubeconfig)
    assert (result.phase, EXIT_CODES[result.phase]) == (Phase.PARTIAL, 3)
    assert [each.what for each in result.problems if "secrets" not in each.what] == []
    assert result.problems
    assert "Secret" not in result.counts
