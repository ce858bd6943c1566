"""The manifests for Kubernetes, really applied, and backups and restores with exactly the roles that are in them."""

import shutil

import pytest
import yaml
from tests.support.bench import A
from tests.support.shipped import MANIFESTS, Cast

from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.models.results import EXIT_CODES

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
"""


@pytest.fixture(scope="module")
def cast(bench, sandbox_env, kubectl, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kubernetes")
    shutil.copytree(MANIFESTS, folder / "manifests")
    namespace = bench.name("kubeferry")
    suffix = namespace.rpartition("-")[2]
    own = {"resources": ["overlays/jobs"], "namespace": namespace, "nameSuffix": f"-{suffix}"}
    (folder / "manifests" / "kustomization.yaml").write_text(yaml.safe_dump(own))
    (folder / "configs").mkdir()

    def run(*args, **more):
        return kubectl(sandbox_env, *args, **more)

    text = run("kustomize", str(folder / "manifests"), context=A)
    for kind in ("ClusterRole", "ClusterRoleBinding"):
        for role in ("backup", "restore"):
            bench.forget(kind, f"kubeferry-{role}-{suffix}", A)
    run("apply", "--server-side", "--warnings-as-errors", "-f", "-", context=A, text=text)
    return Cast(namespace, suffix, run, bench.where["kubeconfig"], folder / "configs")


@pytest.fixture(scope="module")
def shop(bench):
    ns = bench.namespace("shop")
    bench.make(SHOP, ns)
    bench.ready("Deployment", ns, "web")
    return ns


@pytest.mark.parametrize("overlay", ["process", "jobs"])
def test_overlays_are_valid(bench, sandbox_env, kubectl, overlay, tmp_path):
    """Each object passes the server's own validation, and the policy `restricted` of pods, without a warning."""
    shutil.copytree(MANIFESTS, tmp_path / "m")
    own = {"resources": [f"overlays/{overlay}"], "namespace": bench.namespace("overlay")}
    (tmp_path / "m" / "kustomization.yaml").write_text(yaml.safe_dump(own))
    text = kubectl(sandbox_env, "kustomize", str(tmp_path / "m"), context=A)
    objects = list(yaml.safe_load_all(text))
    kubectl(
        sandbox_env,
        "apply",
        "--server-side",
        "--dry-run=server",
        "--warnings-as-errors",
        "-f",
        "-",
        context=A,
        text=text,
    )
    writes = [
        each for each in objects if each["kind"] == "ClusterRoleBinding" and "restore" in each["metadata"]["name"]
    ]
    assert bool(writes) == (overlay == "jobs")


def test_the_worker_starts_under_the_restricted_policy(bench, cast):
    assert bench.ready("Deployment", cast.namespace, f"kubeferry-worker-{cast.suffix}")


def test_a_backup_works_with_exactly_the_backup_role_and_writes_nothing(bench, cast, shop):
    kubeconfig = cast.kubeconfig("kubeferry-backup")
    result = bench.backup(shop, context="kubeferry-backup", kubeconfig=kubeconfig)
    assert (result.phase, result.problems) == (Phase.COMPLETED, [])
    assert {"Secret", "Role.rbac.authorization.k8s.io", "Deployment.apps"} <= result.counts.keys()
    with pytest.raises(KubeferryError, match="secrets"):
        bench.restore(result, context="kubeferry-backup", kubeconfig=kubeconfig, map={shop: bench.name("shop")})


def test_a_restore_works_with_exactly_the_restore_role_and_one_right_less_is_reported(bench, cast, shop):
    saved = bench.backup(shop)
    whole = cast.kubeconfig("kubeferry-restore")
    result = bench.restore(saved, context="kubeferry-restore", kubeconfig=whole, map={shop: bench.name("shop")})
    assert (result.phase, result.problems) == (Phase.COMPLETED, [])
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "escalate", "bind"]
    cast.narrow(bench, "kubeferry-restore", verbs, {"secrets"})
    new = bench.name("shop")
    with pytest.raises(KubeferryError, match="secrets"):
        bench.restore(saved, context="kubeferry-restore", kubeconfig=whole, map={shop: new})
    assert bench.find("Namespace", "", new) is None


def test_a_type_that_the_backup_role_lacks_is_named_and_the_backup_is_partial(bench, cast, shop):
    """It comes last: it takes rights away that the tests above need."""
    kubeconfig = cast.kubeconfig("kubeferry-backup")
    cast.narrow(bench, "kubeferry-backup", ["get", "list"], {"secrets"})
    result = bench.backup(shop, context="kubeferry-backup", kubeconfig=kubeconfig)
    assert (result.phase, EXIT_CODES[result.phase]) == (Phase.PARTIAL, 3)
    assert [each.what for each in result.problems if "secrets" not in each.what] == []
    assert result.problems
    assert "Secret" not in result.counts
