"""How the key of a custom resource's field says which kind it names, spelled out: no row of our table is read here."""

import pytest

from kubeferry.tasks.core.needs.references.custom import custom_references

ENDS = {
    "Secret": "Secret",
    "SecretKey": "Secret",
    "ConfigMap": "ConfigMap",
    "ConfigMapKey": "ConfigMap",
    "ServiceAccount": "ServiceAccount",
    "Service": "Service",
    "Claim": "PersistentVolumeClaim",
    "PersistentVolumeClaim": "PersistentVolumeClaim",
}
CLASSES = {
    "StorageClass": "StorageClass.storage.k8s.io",
    "PriorityClass": "PriorityClass.scheduling.k8s.io",
    "RuntimeClass": "RuntimeClass.node.k8s.io",
    "IngressClass": "IngressClass.networking.k8s.io",
}


def named(**spec):
    meta = {"name": "it", "namespace": "shop"}
    obj = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": meta, "spec": spec}
    return [str(target) for target, *_ in custom_references(obj)]


@pytest.mark.parametrize(("word", "kind"), ENDS.items())
def test_a_key_that_ends_so_names_an_object_of_the_namespace(word, kind):
    assert named(**{f"my{word}Ref": {"name": "there"}}) == [f"{kind} shop/there"]
    assert named(**{f"my{word}Name": "there"}) == [f"{kind} shop/there"]
    assert named(**{f"my{word}Ref": {"name": "there", "namespace": "bank"}}) == [f"{kind} bank/there"]


@pytest.mark.parametrize(("word", "kind"), CLASSES.items())
def test_a_key_that_ends_so_names_a_class_of_the_cluster(word, kind):
    assert named(**{f"my{word}Ref": {"name": "there"}}) == [f"{kind} there"]
    assert named(**{f"my{word}Name": "there"}) == [f"{kind} there"]


@pytest.mark.parametrize(
    ("key", "kind"),
    [("configMap", "ConfigMap"), ("secret", "Secret"), ("imagePullSecret", "Secret"), ("pullSecret", "Secret")],
)
def test_a_map_under_a_kinds_own_name_is_a_reference_and_a_text_is_not(key, kind):
    """A password may stand under `secret`."""
    assert named(**{key: {"name": "there"}}) == [f"{kind} shop/there"]
    assert named(**{key: "there"}) == []
    assert named(**{f"{key}s": ["there"]}) == []


@pytest.mark.parametrize(
    ("key", "value", "targets"),
    [
        ("parentRef", {"name": "gate"}, ["Gateway.gateway.networking.k8s.io shop/gate"]),
        ("backendRef", {"name": "web"}, ["Service shop/web"]),
        ("certificateRef", {"name": "tls"}, ["Secret shop/tls"]),
        ("gatewayClassName", "outer", ["GatewayClass.gateway.networking.k8s.io shop/outer"]),
    ],
)
def test_what_the_gateway_api_means_when_no_kind_is_given(key, value, targets):
    assert named(**{key: value})[:1] == targets


def test_issuers_are_of_cert_manager_and_may_be_cluster_wide():
    targets = ["Issuer.cert-manager.io shop/ca", "Issuer.cert-manager.io ca"]
    assert named(issuerRef={"name": "ca"}) == targets
    assert named(issuerName="ca") == targets
