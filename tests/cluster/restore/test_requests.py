"""What an author asked for stays where the target can grant it; what it cannot grant is given up and reported."""

import json

import orjson
import pytest
import yaml
from tests.support.bench import A, B
from tests.support.objects import CASE_15
from tests.support.velero_archives import store

from kubeferry.tasks.core.errors import PreflightError
from kubeferry.tasks.ports.cluster.cached import CachedTarget

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def service(name="web", notes=None, **spec):
    meta = {"name": name} | ({"annotations": notes} if notes else {})
    body = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"port": 80}], **spec}}
    return json.dumps(body)


def free(bench, context):
    """Return an address of a cluster's Service range that nothing has: one that a Service had a moment ago."""
    ns = bench.namespace("free", context)
    (made,) = bench.make(service(), ns, context)
    bench.delete("Service", ns, "web", context)
    return made["spec"]["clusterIP"]


def losses(result):
    return [(each.object, each.path, each.code, each.why) for each in result.losses]


@pytest.fixture(scope="module")
def chosen(bench):
    """A namespace with a Service whose address was chosen, and a ConfigMap that uses it: name, address, backup."""
    ns, address = bench.namespace(), free(bench, A)
    bench.make(service(clusterIP=address), ns)
    bench.make(f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: uses}}, data: {{at: '{address}:80'}}}}", ns)
    return ns, address, bench.backup(ns)


def test_an_address_out_of_range_is_given_up_and_what_uses_it_follows(bench, chosen):
    ns, address, saved = chosen
    result = bench.restore(saved)
    new = bench.get("Service", ns, "web", B)["spec"]["clusterIP"]
    why = (
        f"not kept: {address}, not in the range of the target's Services (10.201.0.0/16): the target allocates another"
    )
    assert losses(result) == [(f"Service {ns}/web", "/spec/clusterIP", "request-not-kept", why)]
    assert (result.phase, new != address) == ("Completed", True)
    assert bench.get("ConfigMap", ns, "uses", B)["data"] == {"at": f"{new}:80"}


def test_a_clone_beside_the_original_gets_another_address_and_again_changes_nothing(bench, chosen):
    ns, address, saved = chosen
    copy = bench.name()
    result = bench.restore(saved, context=A, map={ns: copy})
    new = bench.get("Service", copy, "web")["spec"]["clusterIP"]
    why = f"not kept: {address}, used by Service {ns}/web: the target allocates another"
    assert losses(result) == [(f"Service {copy}/web", "/spec/clusterIP", "request-not-kept", why)]
    assert (result.phase, new != address) == ("Completed", True)
    assert bench.get("ConfigMap", copy, "uses")["data"] == {"at": f"{new}:80"}
    again = bench.restore(saved, context=A, map={ns: copy})
    assert again.phase == "Completed"
    assert set(again.actions) == {"unchanged"}


def test_where_it_is_free_it_stays_and_what_uses_it_too(bench, chosen):
    ns, address, saved = chosen
    bench.delete("Service", ns, "web")
    bench.delete("ConfigMap", ns, "uses")
    result = bench.restore(saved, context=A)
    assert (result.phase, losses(result), result.rewrites) == ("Completed", [], [])
    assert bench.get("Service", ns, "web")["spec"]["clusterIP"] == address
    assert bench.get("ConfigMap", ns, "uses")["data"] == {"at": f"{address}:80"}


def test_what_its_author_wrote_down_has_weight_and_kubectls_copy_asks_for_it_no_more(bench):
    ns, address = bench.namespace(), free(bench, A)
    text = service(clusterIP=address)
    bench.make(service(notes={LAST_APPLIED: text}, clusterIP=address), ns)
    result = bench.restore(bench.backup(ns))
    assert [(each.code, result.phase) for each in result.losses] == [("request-given-up", "Partial")]
    copied = json.loads(bench.get("Service", ns, "web", B)["metadata"]["annotations"][LAST_APPLIED])
    assert copied["spec"] == {"ports": [{"port": 80}]}


def test_a_load_balancer_keeps_the_address_that_it_was_given(bench):
    """No placeholder gets into a field that acts: it could not be restored at all before."""
    ns, address = bench.namespace(), "203.0.113.77"
    spec = {"type": "LoadBalancer", "loadBalancerIP": address, "externalIPs": ["203.0.113.78"]}
    applied = service(**spec)
    bench.make(service(notes={LAST_APPLIED: applied}, **spec), ns)
    given = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
    bench.patch("Service", ns, "web", given, subresource="status")
    result = bench.restore(bench.backup(ns), wait=False)
    live = bench.get("Service", ns, "web", B)
    assert (result.phase, result.losses) == ("Completed", [])
    assert {key: live["spec"][key] for key in spec} == spec
    assert json.loads(live["metadata"]["annotations"][LAST_APPLIED])["spec"]["loadBalancerIP"] == address


def test_a_node_port_of_another_is_a_loss_of_weight_where_its_author_wrote_it_down(bench):
    ns, other = bench.namespace(), bench.namespace(context=B)
    (holder,) = bench.make(service("holder", type="NodePort"), other, B)
    port = holder["spec"]["ports"][0]["nodePort"]
    spec = {"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]}
    bench.make(service(notes={LAST_APPLIED: service(**spec)}, **spec), ns)
    result = bench.restore(bench.backup(ns))
    why = f"given up: node port {port} is used by Service {other}/holder: the target allocates another"
    place = f"Service {ns}/web", "/spec/ports/0/nodePort"
    assert (losses(result), result.phase) == ([(*place, "request-given-up", why)], "Partial")


def archive(bench, ns, text):
    """Store a Service and a ConfigMap as Velero saves them."""
    found = yaml.safe_load(text.replace("NS", ns))
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": ns}}
    files = {"services": found, "configmaps": settings | {"data": {"greeting": "hello"}}}
    return store(
        bench,
        [
            (f"resources/{kind}/namespaces/{ns}/{each['metadata']['name']}.json", orjson.dumps(each))
            for kind, each in files.items()
        ],
    )


def test_case_15_dual_stack_service(bench):
    ns = bench.namespace(context=B)
    result = bench.restore(archive(bench, ns, CASE_15))
    spec = bench.get("Service", ns, "web", B)["spec"]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"], len(spec["clusterIPs"])) == (["IPv4"], "PreferDualStack", 1)
    assert result.phase == "Completed"
    assert [(path, code) for _, path, code, _ in losses(result)] == [
        ("/spec/clusterIP", "request-not-kept"),
        ("/spec/clusterIPs/1", "request-not-kept"),
        ("/spec/ipFamilies", "request-not-kept"),
    ]


def test_two_families_that_are_required_are_refused_by_preflight_by_name(bench):
    ns = bench.namespace(context=B)
    with pytest.raises(PreflightError) as caught:
        bench.restore(archive(bench, ns, CASE_15.replace("Prefer", "Require")))
    required = "requires two address families (spec.ipFamilyPolicy), and the target has IPv4 only; see --modify"
    assert caught.value.problems == [f"Service {ns}/web {required}"]
    assert bench.find("ConfigMap", ns, "settings", B) is None


def test_an_older_cluster_names_its_range_when_it_refuses_an_address(bench, monkeypatch):
    """Before Kubernetes 1.33 there are no ServiceCIDRs."""
    cluster = bench.clusters[B]
    asked = CachedTarget(lambda: cluster)
    assert asked.service_ranges() == ("10.201.0.0/16",)
    older = CachedTarget(lambda: cluster)
    monkeypatch.setattr(older, "everywhere", lambda *_: [])
    assert older.service_ranges() == ("10.201.0.0/16",)
    assert bench.find("Service", "default", "kubeferry-asks", B) is None
