"""A chart with one Bundle: Helm installs that, a restore carries it out, and an uninstall takes all of it away."""

import json

import pytest
import yaml
from tests.cluster.export.test_helm import SHOP
from tests.support.bench import B
from tests.support.charts import exported
from tests.support.objects import an, config_map, service, workload

from kubeferry.flows.restore import restore
from kubeferry.tasks.core.errors import NotFoundError, PermanentError
from kubeferry.tasks.core.formats.target.bundle import API_VERSION, BINDINGS, CRDS, DEFINITION, GROUP, KIND, definition
from kubeferry.tasks.core.models.options import RestoreOptions


def carried_out(bench, ns, name, context=B, **options):
    asked = RestoreOptions(from_bundle=f"{ns}/{name}", context=context, wait_seconds=100, **bench.where, **options)
    return bench.as_one(restore, asked)


def test_what_helm_installs_as_one_bundle_is_restored_with_the_addresses_of_the_target(bench, helm, tmp_path):
    ns, copy, out = bench.namespace("bundled"), bench.name("copy"), tmp_path / "chart"
    bench.make(SHOP.replace("NS", ns), ns)
    ip = bench.get("Service", ns, "web")["spec"]["clusterIP"]
    bench.make(
        config_map(
            "addresses", {"url": f"http://{ip}:80/", "host": f"web.{ns}.svc", "file": f"a\n{{{{ b }}}}\n\n  {ip}\n"}
        ),
        ns,
    )
    bench.ready("Deployment", ns, "web")
    result = exported(bench, bench.backup(ns), out, secrets="include", shape="bundle")
    assert {each.how for each in result.dynamic} == {"the restore of the bundle looks it up"}
    where = ["--namespace", copy]
    notes = helm("install", "web", out, *where, "--create-namespace", "--set", "workloads.web.replicas=1")
    assert f"kubeferry restore --from-bundle {copy}/web" in notes
    assert bench.list("Deployment", copy, B) == []
    held = bench.get("Bundle", copy, "web", B)["spec"]["objects"]
    assert {"Deployment", "StatefulSet", "Service", "ConfigMap"} <= {each["kind"] for each in held}
    assert "Secret" not in {each["kind"] for each in held}
    done = carried_out(bench, copy, "web", bundle="own")
    assert (done.phase, done.problems) == ("Completed", [])
    assert bench.ready("Deployment", copy, "web", B)["spec"]["replicas"] == 1
    now = bench.get("Service", copy, "web", B)["spec"]["clusterIP"]
    addresses = bench.get("ConfigMap", copy, "addresses", B)
    assert addresses["data"] == {
        "url": f"http://{now}:80/",
        "host": f"web.{copy}.svc",
        "file": f"a\n{{{{ b }}}}\n\n  {now}\n",
    }
    assert BINDINGS not in addresses["metadata"].get("annotations", {})
    helm("uninstall", "web", *where, "--wait")
    bench.until(lambda: not bench.list("Deployment", copy, B) and not bench.find("ConfigMap", copy, "addresses", B))


@pytest.fixture
def bundles(bench):
    """Return a function that makes a bundle of some objects on the second cluster."""
    if bench.find("CustomResourceDefinition", "", DEFINITION.name, B) is None:
        bench.clusters[B].create(CRDS, "", definition())  # it stays, as after a restore
    bench.until(lambda: bench.clusters[B].discover().by_kind(GROUP, KIND))

    def make(*objects):
        ns = bench.namespace("held", B)
        held = [yaml.safe_load(each) for each in objects]
        for each in held:
            each["metadata"].setdefault("namespace", ns)
        bench.make(an(API_VERSION, "Bundle", "given", spec={"objects": held}), ns, B)
        return ns

    return make


def test_the_objects_are_kept_as_a_backup_under_the_name_that_was_asked_for(bench, bundles):
    ns = bundles(config_map("a", {"x": "1"}), service(), workload("Deployment"))
    named = bench.name("kept")
    done = carried_out(bench, ns, "given", backup=named)
    assert done.phase == "Completed"
    again = bench.restore(named, map={ns: bench.name("again")})
    assert again.phase == "Completed"
    assert again.counts == done.counts


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ([an("v1", "ConfigMap", "a", meta={"namespace": "kube-system"})], "is not of the bundle's namespace"),
        ([an("v1", "Namespace", "kube-system", meta={"namespace": ""})], "is not of the bundle's namespace"),
        ([an(API_VERSION, "Bundle", "other")], "a bundle holds no bundles"),
        ([an("x.example.com/v1", "Unknown", "a")], "serves no namespaced kind"),
        ([config_map("a", {"x": "1"}, annotations={BINDINGS: "{]"})], "is damaged"),
        ([config_map("a", {"x": "1"}, annotations={BINDINGS: '[{"object": 1}]'})], "is damaged"),
        ([], "holds no objects"),
    ],
    ids=["elsewhere", "cluster-scoped", "a bundle", "unknown", "no JSON", "no binding", "empty"],
)
def test_what_a_bundle_may_not_hold_is_refused_and_nothing_is_written(bench, bundles, objects, why):
    ns = bundles(config_map("first", {"x": "1"}), *objects) if objects else bundles()
    with pytest.raises(PermanentError, match=why):
        carried_out(bench, ns, "given")
    assert bench.find("ConfigMap", ns, "first", B) is None


def test_a_binding_of_another_namespaces_secret_is_refused(bench, bundles):
    """Whoever may create a Bundle must not read through the operator's eyes."""
    elsewhere = bench.namespace("other", B)
    bench.make(an("v1", "Secret", "token", stringData={"password": "marked-secret-value"}), elsewhere, B)
    ns = bundles(config_map("first", {"x": "1"}))
    ref = ["", "ConfigMap", ns, "thief"]
    binding = {
        "object": ref,
        "kind": "user",
        "pointer": "/data/x",
        "layers": [],
        "value": "?",
        "form": "whole",
        "source": [["", "Secret", elsewhere, "token"], "/data/password"],
        "chain": [
            {"step": "start", "ref": ["", "Secret", elsewhere, "token"]},
            {"step": "read", "what": "path", "family": "", "index": 0, "path": ["data", "password"]},
        ],
    }
    text = json.dumps([binding])
    thief = config_map("thief", {"x": "?"}, annotations={BINDINGS: text})
    held = yaml.safe_load(thief)
    held["metadata"]["namespace"] = ns
    bench.make(an(API_VERSION, "Bundle", "bad", spec={"objects": [held]}), ns, B)
    with pytest.raises(PermanentError):
        carried_out(bench, ns, "bad")
    assert bench.find("ConfigMap", ns, "thief", B) is None


def test_a_bundle_that_is_not_there_is_named(bench):
    ns = bench.namespace("none", B)
    with pytest.raises(NotFoundError, match=f"namespace {ns} of cluster .* has no bundle web"):
        carried_out(bench, ns, "web")


def test_what_etcd_would_not_take_as_one_object_is_refused(bench, tmp_path):
    ns = bench.namespace("large")
    for name in ("a", "b"):
        bench.make(config_map(name, {"x": "line\n" * 110_000}), ns)
    with pytest.raises(PermanentError, match=r"a bundle of 1,\d\d\d,\d\d\d bytes"):
        exported(bench, bench.backup(ns), tmp_path / "chart", shape="bundle")
    assert not (tmp_path / "chart").exists()
