"""Restores of a selection make what is selected and what that needs, and nothing of namespaces that are left out."""

import pytest
from tests.support.bench import B
from tests.support.objects import cluster_role_for, documents

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.records import Phase

SPACE = "{{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {{name: {ns}}}, value: 7}}"
INSIDE = """
{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: runner}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: db}}}}
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: settings}}, data: {{host: backend.{ns}.svc}}}}
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: notes}}, data: {{host: other.{ns}.svc}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, labels: {{app: web}}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{run: web}}}}
  template:
    metadata: {{labels: {{run: web}}, annotations: {{host: web.{ns}.svc}}}}
    spec:
      serviceAccountName: runner
      priorityClassName: {ns}
      containers:
      - name: c
        image: example.com/c
        envFrom: [{{configMapRef: {{name: settings}}}}, {{secretRef: {{name: db}}}}]
"""
WIDE = ("PriorityClass", "ClusterRole", "ClusterRoleBinding")
DNS = "namespace renamed: DNS name of a Service or Pod"


@pytest.fixture(scope="module")
def namespaces(bench):
    """Two namespaces alike, of which the second has a label."""
    one, two = bench.namespace("one"), bench.namespace("two")
    for ns in (one, two):
        bench.make(documents(SPACE.format(ns=ns), cluster_role_for(ns)))
        bench.make(INSIDE.format(ns=ns), ns)
    bench.patch("Namespace", "", two, {"metadata": {"labels": {"team": "second"}}})
    for ns in (one, two):
        bench.ready("Deployment", ns, "web")
    return one, two


@pytest.fixture(scope="module")
def saved(bench, namespaces):
    return bench.backup(*namespaces)


@pytest.fixture
def target(bench):
    """Return a namespace name for the target; what is cluster-wide and called so is taken away in the end."""
    return bench.name("new")


def made(result):
    """Return what a restore's target has now of the kinds in its counts, as `Kind` → count."""
    return {kind.partition(".")[0]: count for kind, count in result.counts.items()}


def cluster_wide(bench, named):
    return {kind for kind in WIDE if bench.find(kind, "", named, context=B)}


@pytest.mark.parametrize(
    "asked",
    [
        lambda _one, two: {"namespaces": [two]},
        pytest.param(lambda _one, _two: {"namespace_selector": "team=second"}, marks=pytest.mark.soak),
        pytest.param(lambda one, _two: {"exclude_namespace": [one]}, marks=pytest.mark.soak),
    ],
)
def test_one_namespace_of_many_comes_with_what_is_around_it_and_no_other(bench, namespaces, saved, asked):
    one, two = namespaces
    result = bench.restore(saved, **asked(one, two))
    try:
        assert (result.phase, result.problems, result.not_ready) == (Phase.COMPLETED, [], [])
        assert result.namespaces == {two: two}
        bench.ready("Deployment", two, "web", context=B)
        assert cluster_wide(bench, two) == set(WIDE)
        assert {kind: made(result)[kind] for kind in WIDE} == dict.fromkeys(WIDE, 1), "and not of the other namespace"
        assert bench.find("Namespace", "", one, context=B) is None
        gaps = {(each.type, each.namespace, each.name): each.why for each in result.left_out}
        assert gaps["Deployment.apps", one, "web"] == "its namespace is excluded"
        assert gaps["PriorityClass.scheduling.k8s.io", "", one] == "not selected, and nothing selected needs it"
    finally:
        for kind in WIDE:
            bench.forget(kind, two)
        bench.delete("Namespace", "", two, context=B)


@pytest.mark.parametrize(
    "asked", [{"selector": "app=web"}, {"include_name": ["deployments/web"]}, {"include": ["deploy"]}]
)
def test_what_is_selected_comes_with_what_it_needs_and_runs(bench, namespaces, saved, target, asked):
    one, _ = namespaces
    result = bench.restore(saved, namespaces=[one], map={one: target}, **asked)
    for kind in WIDE:
        bench.forget(kind, one if kind != "ClusterRoleBinding" else f"{one}-{target}")
    assert (result.phase, result.warnings) == (Phase.COMPLETED, [])
    assert made(result) == dict.fromkeys(["Namespace", "ServiceAccount", "Secret", "ConfigMap", "Deployment", *WIDE], 1)
    bench.ready("Deployment", target, "web", context=B)
    assert bench.find("ConfigMap", target, "notes", context=B) is None
    assert cluster_wide(bench, one) == {"PriorityClass", "ClusterRole"}
    rewritten = {each.object for each in result.rewrites if each.why == DNS}
    assert rewritten == {f"ConfigMap {one}/settings", f"Deployment.apps {one}/web"}, "of what is restored"


def test_exclusion_wins_and_is_reported(bench, namespaces, saved, target):
    one, _ = namespaces
    asked = {"include_name": ["serviceaccounts/r*"], "exclude": ["clusterrolebindings"]}
    result = bench.restore(saved, namespaces=[one], map={one: target}, **asked)
    assert made(result) == {"Namespace": 1, "ServiceAccount": 1}
    (lacking,) = result.warnings
    assert lacking.what == f"ClusterRoleBinding.rbac.authorization.k8s.io {one}-{target}"
    assert lacking.why == f"its kind is excluded; needed by ServiceAccount {target}/runner: its rights"


def test_only_makes_nothing_else(bench, namespaces, saved, target):
    one, _ = namespaces
    result = bench.restore(saved, namespaces=[one], map={one: target}, include_name=["cm/*"], only=True)
    assert made(result) == {"Namespace": 1, "ConfigMap": 2}


def test_what_is_named_for_exclusion_stays_out(bench, namespaces, saved, target):
    one, _ = namespaces
    asked = {"exclude_name": ["configmaps/n?tes", "deploy/web"], "exclude": ["clusterrolebindings", "clusterroles"]}
    result = bench.restore(saved, namespaces=[one], map={one: target}, **asked)
    bench.forget("PriorityClass", one)
    assert {"Deployment", "ClusterRole", "ClusterRoleBinding"}.isdisjoint(made(result))
    assert bench.find("ConfigMap", target, "notes", context=B) is None
    assert bench.find("ConfigMap", target, "settings", context=B)
    gaps = {each.name: each.why for each in result.left_out if each.namespace == one}
    assert gaps["notes"] == "excluded by name configmaps/n?tes"
    assert gaps["web"] == "excluded by name deploy/web"


def test_a_selection_of_what_a_controller_makes_brings_that_controller(bench, namespaces, saved, target):
    one, _ = namespaces
    asked = {"include": ["replicasets"], "exclude": ["clusterrolebindings"]}
    result = bench.restore(saved, namespaces=[one], map={one: target}, **asked)
    bench.forget("PriorityClass", one)
    bench.ready("Deployment", target, "web", context=B)
    (old,) = (each for each in result.left_out if each.type == "ReplicaSet.apps" and each.namespace == one)
    assert old.why == "left to its controller, Deployment web"
    assert not [each for each in result.rewrites if each.object.startswith("ReplicaSet")]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"namespaces": ["atlantis"]}, r"^backup {name} holds no namespace atlantis; it holds {one}, {two}$"),
        ({"namespace_selector": "team=third"}, r"^no namespace of backup {name} matches 'team=third'; it holds {one}"),
        ({"selector": "app=wbe"}, r"^nothing in backup {name} is selected .*; label app is web there$"),
        ({"include_name": ["secrets/dv"]}, r"^backup {name}: nothing is named secrets/dv"),
        ({"include": ["ingresses"]}, r"^backup {name} holds no kind 'ingresses'"),
    ],
)
def test_what_selects_nothing_writes_nothing(bench, namespaces, saved, asked, message):
    one, two = namespaces
    with pytest.raises(UsageError, match=message.format(name=saved.name, one=one, two=two)):
        bench.restore(saved, **asked)
    assert bench.find("Namespace", "", one, context=B) is None
