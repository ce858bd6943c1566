"""Applications that Helm's order by kind breaks: their charts install all the same, and go again without a rest."""

from types import SimpleNamespace

import pytest
from tests.cluster.restore import test_velero_archives as velero
from tests.support.bench import B
from tests.support.charts import exported
from tests.support.objects import an, config_map, documents, pod_spec, service, workload

ADMISSION = "admissionregistration.k8s.io/v1"


@pytest.fixture
def chart(bench, tmp_path):
    """Return a function that makes the chart of a namespace."""

    def make(ns):
        out = tmp_path / "chart"
        return exported(bench, bench.backup(ns), out, secrets="include"), out

    return make


def called_for(ns, group, name):
    rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": ["*"]}
    hook = {
        "name": f"a.{group}",
        "clientConfig": {"service": {"name": "web", "namespace": ns, "path": "/"}},
        "rules": [rule],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 1,
    }
    return an(ADMISSION, "ValidatingWebhookConfiguration", name, webhooks=[hook])


def test_custom_resources_are_made_before_the_webhook_that_would_refuse_them(bench, helm, tmp_path):
    """Nobody answers for the webhook here: with it in place, the API server refuses each of them.

    The backup is in Velero's layout, which has everything.
    """
    ns, copy = bench.namespace("hooked"), bench.name("copy")
    kind, group = "Widget", bench.crd(ns)
    bench.make(documents(service(), workload("Deployment")), ns)
    bench.make(an(f"{group}/v1", kind, "one", spec={"size": 1}), ns)
    bench.make(called_for(ns, group, ns))
    bench.ready("Deployment", ns, "web")
    out = tmp_path / "chart"
    saved = SimpleNamespace(name=velero.store(bench, dict(velero.live(bench, ns)).items()))
    result = exported(bench, saved, out, secrets="include")
    (row,) = [each for each in result.warnings if "is a hook of the chart" in each.why]
    assert row.what.startswith("ValidatingWebhookConfiguration")
    where = ["--namespace", copy]
    helm("install", "web", out, *where, "--create-namespace", "--wait", "--rollback-on-failure", "--timeout", "100s")
    assert bench.get(f"{kind}.{group}", copy, "one", B)["spec"] == {"size": 1}
    own = f"{ns}-{copy}"  # that of a renamed namespace is a copy
    called = bench.get("ValidatingWebhookConfiguration", "", own, B)["webhooks"][0]["clientConfig"]["service"]
    assert called["namespace"] == copy
    helm("uninstall", "web", *where, "--wait")
    assert bench.find("ValidatingWebhookConfiguration", "", own, B) is None
    assert bench.find(f"{kind}.{group}", copy, "one", B) is None


def test_an_object_of_a_kind_that_names_the_release_belongs_to_it_after_an_upgrade(bench, chart, helm):
    ns, copy = bench.namespace("conv"), bench.name("copy")
    kind, group = "Widget", bench.crd(ns)
    bench.make(service(), ns)
    noted = {"metadata": {"annotations": {"example.com/home": f"web.{ns}.svc"}}}
    bench.patch("CustomResourceDefinition", "", f"widgets.{group}", noted)
    bench.make(an(f"{group}/v1", kind, "one", spec={"size": 1}), ns)
    _, out = chart(ns)
    if not (out / "crds").exists():
        assert [path.name for path in out.rglob("templates/*/customresourcedefinition*/*.yaml")]
    where = ["--namespace", copy]
    helm("install", "web", out, *where, "--create-namespace", "--wait", "--timeout", "100s")
    assert bench.get(f"{kind}.{group}", copy, "one", B)["spec"] == {"size": 1}
    helm("upgrade", "web", out, *where, "--wait", "--set", "labels.team=blue")
    assert bench.get(f"{kind}.{group}", copy, "one", B)["metadata"]["labels"]["team"] == "blue"
    helm("rollback", "web", "1", *where)
    assert bench.get(f"{kind}.{group}", copy, "one", B)["spec"] == {"size": 1}


def test_what_a_lone_pod_needs_is_there_before_it(bench, chart, helm):
    ns, copy = bench.namespace("alone"), bench.name("copy")
    bench.make(an("node.k8s.io/v1", "RuntimeClass", ns, handler="vm"))
    bench.make(an("v1", "Pod", "bare", spec=pod_spec("web", runtimeClassName=ns)), ns)
    _, out = chart(ns)
    helm("install", "web", out, "--namespace", copy, "--create-namespace")
    assert bench.get("Pod", copy, "bare", B)["spec"]["runtimeClassName"] == ns
    helm("uninstall", "web", "--namespace", copy, "--wait")
    assert bench.find("RuntimeClass", "", ns, B) is None


def test_addresses_are_looked_up_by_the_first_upgrade(bench, chart, helm):
    ns, copy = bench.namespace("ip"), bench.name("copy")
    bench.make(documents(service(), service("db", "db"), workload("StatefulSet", "db", serviceName="db")), ns)
    bench.ready("StatefulSet", ns, "db")
    ip = bench.get("Service", ns, "web")["spec"]["clusterIP"]
    pod = bench.get("Pod", ns, "db-0")["status"]["podIP"]
    bench.make(config_map("addresses", {"url": f"http://{ip}:80/", "pod": pod, "file": f"a\nserver {ip}\n"}), ns)
    result, out = chart(ns)
    assert {each.how.rpartition(": ")[2] for each in result.dynamic} == {
        "Helm looks it up by the first upgrade after the install"
    }
    where = ["--namespace", copy]
    notes = helm("install", "web", out, *where, "--create-namespace", "--wait", "--timeout", "100s")
    assert "Run helm upgrade" in notes
    assert bench.get("ConfigMap", copy, "addresses", B)["data"]["url"] == f"http://{ip}:80/"
    assert "Run helm upgrade" not in helm("upgrade", "web", out, *where)
    now = bench.get("Service", copy, "web", B)["spec"]["clusterIP"]
    data = bench.get("ConfigMap", copy, "addresses", B)["data"]
    assert data["url"] == f"http://{now}:80/"
    assert data["file"] == f"a\nserver {now}\n"
    assert data["pod"] == bench.get("Pod", copy, "db-0", B)["status"]["podIP"]
    helm("upgrade", "web", out, *where, "--set", "addresses.Service-web-spec-clusterIP=192.0.2.9")
    assert bench.get("ConfigMap", copy, "addresses", B)["data"]["url"] == "http://192.0.2.9:80/"
