"""The sample shop holds what issue 3 asks for, fits into its own quota, and is at home in any namespace."""

import json
from collections import Counter
from decimal import Decimal

import pytest

from kubeferry.deployments.sample.addresses import filled, named
from kubeferry.deployments.sample.install import edges
from kubeferry.deployments.sample.objects import linked, objects, owner_ref
from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.kube.objects import Ref, owners_of

KINDS = {
    "Namespace",
    "ResourceQuota",
    "LimitRange",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Service",
    "Endpoints",
    "Pod",
    "PersistentVolumeClaim",
    "Deployment.apps",
    "StatefulSet.apps",
    "DaemonSet.apps",
    "Job.batch",
    "CronJob.batch",
    "Role.rbac.authorization.k8s.io",
    "RoleBinding.rbac.authorization.k8s.io",
    "ClusterRole.rbac.authorization.k8s.io",
    "ClusterRoleBinding.rbac.authorization.k8s.io",
    "Ingress.networking.k8s.io",
    "IngressClass.networking.k8s.io",
    "NetworkPolicy.networking.k8s.io",
    "HorizontalPodAutoscaler.autoscaling",
    "PodDisruptionBudget.policy",
    "EndpointSlice.discovery.k8s.io",
    "PriorityClass.scheduling.k8s.io",
    "CustomResourceDefinition.apiextensions.k8s.io",
    "Catalog.shop.example.com",
    "Order.shop.example.com",
}

NODES = 3
"""How many nodes the sandbox has, and so how many pods a DaemonSet."""


@pytest.fixture(scope="module")
def shop():
    return objects()


def of(shop, kind):
    return {obj["metadata"]["name"]: obj for obj in shop if Ref.of(obj).type == kind}


def test_every_kind_that_was_asked_for_is_there_and_no_other(shop):
    assert {Ref.of(obj).type for obj in shop} == KINDS


def test_no_two_objects_share_an_identity(shop):
    assert [ref for ref, times in Counter(map(Ref.of, shop)).items() if times > 1] == []


def test_all_is_json_and_in_the_namespace_or_in_none(shop):
    assert json.loads(json.dumps(shop)) == shop
    assert {obj["metadata"].get("namespace", "") for obj in shop} == {"shop", ""}


def test_one_config_map_is_nearly_as_large_as_they_get(shop):
    size = len(json.dumps(of(shop, "ConfigMap")["price-list"]).encode())
    assert 0.9 * 2**20 < size < 2**20


def test_services_are_of_each_sort(shop):
    services = {name: obj["spec"] for name, obj in of(shop, "Service").items()}
    assert services["db"]["clusterIP"] == "None"
    assert [port.get("nodePort") for port in services["web-public"]["ports"]] == [30080]
    assert services["web-preview"]["type"] == "NodePort"
    assert "nodePort" not in services["web-preview"]["ports"][0]
    assert "selector" not in services["legacy-billing"]
    assert "legacy-billing" in of(shop, "Endpoints")


def test_secrets_are_of_each_type(shop):
    assert {obj["type"] for obj in of(shop, "Secret").values()} == {
        "Opaque",
        "kubernetes.io/tls",
        "kubernetes.io/dockerconfigjson",
        "kubernetes.io/service-account-token",
    }


def test_config_maps_hold_bytes_and_text_that_loses_its_meaning_without_quotes(shop):
    found = of(shop, "ConfigMap")
    assert set("ßλこ🛒\r\t") <= set("".join(found["web.settings.v1"]["data"].values()))
    assert {"every-byte.bin"} <= set(found["artwork"]["binaryData"])
    assert {"yes", "on", "1e3", "0o7", "null", "~", ""} <= set(found["yaml-traps"]["data"].values())


def test_every_value_in_a_config_map_is_text(shop):
    """A value that YAML read as a number or a truth would be refused by the API server."""
    maps = [obj.get("data", {}) | (obj["metadata"].get("labels") or {}) for obj in of(shop, "ConfigMap").values()]
    assert {type(text) for each in maps for pair in each.items() for text in pair} == {str}


def test_owners_are_in_the_sample_and_come_without_uid(shop):
    there = {Ref.of(obj) for obj in shop}
    owned = {Ref.of(obj).path: owner_ref(obj, owner) for obj in shop for owner in owners_of(obj)}
    assert {ref.type for ref in owned.values()} == {"Catalog.shop.example.com", "Order.shop.example.com"}
    assert set(owned.values()) <= there
    assert {"shop/order-1001", "shop/order-1001-receipt", "shop/spring-prices", "shop/spring-feed"} == set(owned)
    assert not [owner for obj in shop for owner in owners_of(obj) if "uid" in owner]


def test_linking_fills_in_the_uid_and_nothing_else(shop):
    receipt = of(shop, "ConfigMap")["order-1001-receipt"]
    found = linked(receipt, lambda ref: f"uid of {ref.name}")
    assert owners_of(found) == [owners_of(receipt)[0] | {"uid": "uid of order-1001"}]
    assert "uid" not in owners_of(receipt)[0]
    assert linked(of(shop, "ConfigMap")["artwork"], {}.__getitem__) == of(shop, "ConfigMap")["artwork"]


def test_the_quota_is_large_enough_twice_for_a_roll_out(shop):
    hard = of(shop, "ResourceQuota")["shop"]["spec"]["hard"]
    assert pods(shop) * 2 <= int(hard["pods"])
    for resource in ("cpu", "memory"):
        for which, fallback in (("requests", "defaultRequest"), ("limits", "default")):
            assert asked(shop, which, fallback, resource) * 2 <= amount(hard[f"{which}.{resource}"])
    assert storage(shop) <= amount(hard["requests.storage"])


def test_the_quota_counts_room_for_what_the_cluster_adds(shop):
    """Each namespace gets kube-root-ca.crt, and a Secret or a claim may be restored beside an old one."""
    hard = of(shop, "ResourceQuota")["shop"]["spec"]["hard"]
    counted = Counter(Ref.of(obj).type for obj in shop)
    assert counted["ConfigMap"] + 1 < int(hard["configmaps"])
    assert counted["Secret"] < int(hard["secrets"])
    assert counted["Service"] < int(hard["services"])
    assert counted["PersistentVolumeClaim"] + 2 < int(hard["persistentvolumeclaims"])
    assert counted["Deployment.apps"] < int(hard["count/deployments.apps"])


def test_another_namespace_is_written_everywhere():
    """Nothing of the clone may point back at the shop, nor take what a cluster has only once."""
    clone = objects("copy")
    text = json.dumps([obj for obj in clone if Ref.of(obj).namespace or "Binding" in obj["kind"]])
    assert '"shop"' not in json.dumps([subject for obj in clone for subject in obj.get("subjects", [])])
    assert ".shop.svc" not in text
    assert "serviceaccounts:shop" not in text
    assert '"kubernetes.io/metadata.name": "shop"' not in text
    assert '"nodePort"' not in text
    assert {obj["metadata"].get("namespace", "") for obj in clone} == {"copy", ""}
    assert {"copy"} == set(of(clone, "Namespace"))
    assert {"copy:price-reader"} == set(of(clone, "ClusterRoleBinding.rbac.authorization.k8s.io"))


def test_another_namespace_changes_no_other_word(shop):
    """`shop` is also a label, a user and a database: those stay."""
    clone = objects("copy")
    assert Counter(Ref.of(obj).type for obj in clone) == Counter(Ref.of(obj).type for obj in shop)
    assert of(clone, "ConfigMap")["artwork"]["metadata"]["labels"] == {"app.kubernetes.io/part-of": "shop"}
    assert of(clone, "Secret")["database-login"]["data"] == of(shop, "Secret")["database-login"]["data"]
    assert of(clone, "ResourceQuota").keys() == {"shop"}


UNITS = {"m": Decimal("0.001"), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "": Decimal(1)}


def amount(quantity):
    """Return a quantity as a number; only the units that the sample uses."""
    unit = next(unit for unit in UNITS if quantity.endswith(unit))
    return Decimal(quantity.removesuffix(unit)) * UNITS[unit]


def templates(shop):
    """Yield (number of pods, pod spec) of everything that runs pods at once."""
    for obj in shop:
        kind, spec = obj["kind"], obj.get("spec", {})
        if kind == "Pod":
            yield 1, spec
        elif kind == "CronJob":
            yield 1, spec["jobTemplate"]["spec"]["template"]["spec"]
        elif "template" in spec:
            pods = NODES if kind == "DaemonSet" else spec.get("replicas", spec.get("parallelism", 1))
            yield pods, spec["template"]["spec"]


def pods(shop):
    return sum(number for number, _ in templates(shop))


def asked(shop, which, fallback, resource):
    default = of(shop, "LimitRange")["defaults"]["spec"]["limits"][0][fallback][resource]
    return sum(
        number * amount(container.get("resources", {}).get(which, {}).get(resource, default))
        for number, spec in templates(shop)
        for container in spec["containers"]
    )


def storage(shop):
    alone = [(1, obj["spec"]) for obj in of(shop, "PersistentVolumeClaim").values()]
    db = of(shop, "StatefulSet.apps")["db"]["spec"]
    each = [(db["replicas"], template["spec"]) for template in db["volumeClaimTemplates"]]
    return sum(number * amount(spec["resources"]["requests"]["storage"]) for number, spec in alone + each)


def test_an_address_stands_for_what_the_cluster_hands_out_and_asks_for_it_first(shop):
    """Services and a Pod, in settings and in an EndpointSlice made by hand."""
    marked = {Ref.of(obj): set(named(obj)) for obj in shop if list(named(obj))}
    assert {ref.name: {f"{each.kind}/{each.name}" for each in refs} for ref, refs in marked.items()} == {
        "addresses": {"Service/api", "Service/web", "Service/web-preview", "Pod/toolbox"},
        "shell-by-hand": {"Pod/toolbox"},
    }
    asked = {edge.target for edge in edges({Ref.of(obj): obj for obj in shop}) if edge.source in marked}
    assert set.union(*marked.values()) <= asked


def test_addresses_are_filled_in_and_one_that_is_not_there_is_reported(shop):
    live = {"Service": {"spec": {"clusterIP": "10.0.0.7"}}, "Pod": {"status": {"podIP": "10.1.0.9"}}}
    found = of([filled(obj, lambda ref: {"kind": ref.kind, **live[ref.kind]}) for obj in shop], "ConfigMap")
    assert found["addresses"]["data"]["api"] == "http://10.0.0.7:8080/v1"
    assert found["addresses"]["data"]["trusted"] == "10.1.0.9/32,192.0.2.0/24"
    assert found["web.settings.v1"] == of(shop, "ConfigMap")["web.settings.v1"]
    slices = of(shop, "EndpointSlice.discovery.k8s.io")
    with pytest.raises(PermanentError, match="Pod shop/toolbox has no address"):
        filled(slices["shell-by-hand"], pod_of)


def pod_of(ref):
    return {"apiVersion": "v1", "kind": ref.kind, "metadata": {"name": ref.name, "namespace": ref.namespace}}
