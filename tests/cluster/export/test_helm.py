"""A chart of a namespace, by the real Helm: installed, it is the namespace; changed, rolled back and removed again."""

import json
import os
import random

import pytest
import yaml
from tests.cluster.export.test_round_trip import CONTROL, PIECES, ROOT, content, objects
from tests.support.bench import A, B
from tests.support.charts import OURS, exported
from tests.support.objects import cluster_role_for, config_map, documents, secret, service, workload
from tests.support.sample import remove_later

from kubeferry.deployments.sample.install import install
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.diff.compare import compared

SOURCES = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "token"}}]
SHOP = documents(
    config_map("settings", {"host": "web.NS.svc", "on": "off", "go": "{{ .Values.x }}", "n.conf": "a {\n\tb NS;\n}\n"}),
    secret("token", {"password": "marked-secret-value", "url": "http://web.NS.svc"}),
    service(type="NodePort"),
    workload(
        "Deployment", pod={"containers": [{"name": "web", "image": "nginx:1.29", "envFrom": SOURCES}]}, replicas=2
    ),
    workload("StatefulSet", "db", serviceName="db"),
)


@pytest.fixture(scope="module")
def shop(bench):
    ns = bench.namespace("shop")
    bench.make(SHOP.replace("NS", ns), ns)
    bench.make(cluster_role_for(ns, "default"))
    bench.ready("Deployment", ns, "web")
    return ns, bench.backup(ns)


def unexplained(found, ns):
    """Return the fields that differ and that neither Helm nor its chart is meant to set."""
    fields = {
        f"{each.type} {each.name} {field.path}"
        for each in found.objects
        for field in each.fields
        if not any(mark in field.path for mark in OURS)
    }
    return fields - {f"Namespace {ns} metadata.labels.name", "Service web spec.ports[0].nodePort"}


def test_a_chart_is_installed_changed_rolled_back_and_removed(bench, shop, helm, tmp_path):
    ns, saved = shop
    copy, out = bench.name("copy"), tmp_path / "chart"
    result = exported(bench, saved, out, secrets="include")
    assert (result.phase, result.namespaces) == ("Completed", {ns: ns})
    page = (out / "README.md").read_text()
    assert f"- namespaces: {ns}\n" in page
    assert "kf-" not in page
    assert "0 chart(s) failed" in helm("lint", "--strict", out)
    where = ["--namespace", copy]
    waiting = [*where, "--wait", "--timeout", "200s"]
    helm("install", "web", out, "--create-namespace", "--rollback-on-failure", *waiting)
    found = bench.get("ConfigMap", copy, "settings", B)["data"]
    assert (found["host"], found["go"], found["n.conf"]) == (
        f"web.{copy}.svc",
        "{{ .Values.x }}",
        "a {\n\tb NS;\n}\n".replace("NS", ns),
    )
    compares = RestoreOptions(backup=saved.name, context=B, map={ns: copy}, **bench.where)
    assert unexplained(compared(compares), copy) == set()
    helm("upgrade", "web", out, *waiting, "--set", "workloads.web.replicas=3", "--set", "labels.team=blue")
    assert bench.get("Deployment", copy, "web", B)["spec"]["replicas"] == 3
    assert bench.get("ConfigMap", copy, "settings", B)["metadata"]["labels"]["team"] == "blue"
    helm("rollback", "web", "1", *waiting)
    assert bench.get("Deployment", copy, "web", B)["spec"]["replicas"] == 2
    helm("test", "web", *where)
    helm("uninstall", "web", *where, "--wait")
    bench.until(lambda: {each["metadata"]["name"] for each in bench.list("ConfigMap", copy, B)} == {ROOT})
    assert bench.list("Deployment", copy, B) == bench.list("Secret", copy, B) == []
    assert bench.find("ClusterRoleBinding", "", copy, B) is None


def test_an_omitted_secret_is_asked_for_or_an_existing_one_is_used(bench, shop, helm, tmp_path):
    _, saved = shop
    copy, out = bench.namespace("copy", B), tmp_path / "chart"
    exported(bench, saved, out)
    assert not [path for path in out.rglob("*") if path.is_file() and "marked-secret" in path.read_text()]
    with pytest.raises(AssertionError, match="Secret token, password: set the value"):
        helm("install", "web", out, "--namespace", copy)
    bench.make(secret("mine", {"password": "other", "url": "other"}), copy, B)
    helm("install", "web", out, "--namespace", copy, "--set", "secrets.token.existingSecret=mine")
    pod = bench.get("Deployment", copy, "web", B)["spec"]["template"]["spec"]
    assert pod["containers"][0]["envFrom"][1]["secretRef"]["name"] == "mine"
    assert bench.find("Secret", copy, "token", B) is None


def test_random_content_goes_through_a_chart(bench, helm, tmp_path):
    rng = random.Random(os.environ["KUBEFERRY_SEED"])  # noqa: S311 - no secret
    ns, copy, out = bench.namespace("odd"), bench.name("odd"), tmp_path / "chart"
    pieces = [each for each in PIECES if each not in CONTROL]
    for obj in objects(rng, pieces):
        if obj["metadata"]["name"] != "large":  # Helm keeps the whole chart in one Secret
            bench.make(yaml.safe_dump(obj, allow_unicode=False), ns)
    exported(bench, bench.backup(ns), out, secrets="include")
    helm("install", "odd", out, "--namespace", copy, "--create-namespace")
    for kind in ("ConfigMap", "Secret"):
        before, after = (
            {
                each["metadata"]["name"]: content(each)
                for each in found
                if each["metadata"]["name"] != ROOT and not each["metadata"]["name"].startswith("sh.helm.")
            }
            for found in (bench.list(kind, ns), bench.list(kind, copy, B))
        )
        assert after == before


def test_the_schema_refuses_a_value_of_another_type(bench, shop, helm, tmp_path):
    _, saved = shop
    exported(bench, saved, tmp_path / "chart", secrets="include")
    schema = json.loads((tmp_path / "chart/values.schema.json").read_text())
    assert schema["properties"]["workloads"]["properties"]["web"]["properties"]["replicas"]["type"] == [
        "integer",
        "null",
    ]
    with pytest.raises(AssertionError, match="replicas"):
        helm("template", "web", tmp_path / "chart", "--set", "workloads.web.replicas=many")


def test_what_helm_installed_itself_is_named_and_not_exported_again(bench, shop, helm, tmp_path):
    _, saved = shop
    copy, first, second = bench.name("copy"), tmp_path / "first", tmp_path / "second"
    exported(bench, saved, first, secrets="include")
    helm("install", "web", first, "--namespace", copy, "--create-namespace")
    bench.make(config_map("mine", {"a": "1"}), copy, B)
    result = exported(bench, saved, second, backup="", from_cluster=copy, context=B)
    assert set(result.counts) == {"ConfigMap"}
    (row,) = [each for each in result.warnings if each.what == "Helm release web"]
    assert row.why.startswith("chart ")
    assert [path.name for path in second.rglob("templates/*/configmap/*.yaml")] == ["mine.yaml"]
    assert result.secrets == []


def test_the_chart_of_the_sample_shop_is_the_shop_but_for_what_the_export_lists(bench, helm, tmp_path):
    """Kubeferry's own diff is the oracle: it knows nothing of charts."""
    ns, copy, out = bench.name("shop"), bench.name("copy"), tmp_path / "chart"
    install(bench.clusters[A], ns)
    saved = bench.backup(ns)
    result = exported(bench, saved, out, secrets="include")
    try:
        helm("install", "web", out, "--namespace", copy, "--create-namespace", "--wait", "--timeout", "200s")
        asked = RestoreOptions(backup=saved.name, context=B, map={ns: copy}, **bench.where)
        found = compared(asked)
        assert found.problems == []
        assert {(each.type, each.name) for each in found.objects if each.change == "removed"} == {
            ("Job.batch", "reindex"),
            ("PersistentVolumeClaim", "archive"),
        }, "what Helm would wait for in vain"
        listed = {Ref.parse(each.object).name for each in result.dynamic}
        listed |= {Ref.parse(each.what).name for each in result.unowned}
        odd = {each.split()[1] for each in unexplained(found, copy) if not each.startswith("Namespace ")}
        assert odd - listed <= {"web-public"}, "whose node port may be another one"
        assert {each.what for each in result.problems} == {
            f"Job.batch {ns}/reindex",
            f"PersistentVolumeClaim {ns}/archive",
        }
        helm("uninstall", "web", "--namespace", copy, "--wait")
        bench.until(lambda: bench.list("PersistentVolumeClaim", copy, B) == bench.list("Pod", copy, B) == [])
    finally:
        for cluster, name in ((bench.clusters[B], copy), (bench.clusters[A], ns)):
            remove_later(cluster, name)
