"""What a custom resource names is found by shape and by key; what only looks like a name is not."""

import pytest

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.references.custom import BY_SUFFIX, custom_references
from kubeferry.tasks.core.needs.references.find import Reference, references


def thing(spec, namespace="shop", **more):
    meta = {"name": "it"} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": meta, "spec": spec, **more}


def named(spec, namespace="shop"):
    return [str(target) for target, *_ in custom_references(thing(spec, namespace))]


@pytest.mark.parametrize(
    ("value", "targets"),
    [
        ({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, ["Deployment.apps shop/web"]),
        ({"apiGroup": "apps", "kind": "Deployment", "name": "web"}, ["Deployment.apps shop/web"]),
        ({"group": "apps", "kind": "Deployment", "name": "web"}, ["Deployment.apps shop/web"]),
        ({"apiVersion": "v1", "kind": "Secret", "name": "key", "namespace": "bank"}, ["Secret bank/key"]),
        ({"group": "", "kind": "Service", "name": "web", "port": 80}, ["Service shop/web"]),
        ({"kind": "Deployment", "name": "web"}, ["Deployment.apps shop/web"]),
        ({"kind": "ClusterRole", "name": "system:x"}, ["ClusterRole.rbac.authorization.k8s.io system:x"]),
        (
            {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "name": "fast"},
            ["StorageClass.storage.k8s.io fast"],
        ),
        (
            {"apiGroup": "infra.example.com", "kind": "Rack", "name": "r1"},
            ["Rack.infra.example.com shop/r1", "Rack.infra.example.com r1"],
        ),
        (
            {"apiVersion": "infra.example.com/v2", "kind": "Rack", "name": "r1", "namespace": "bank"},
            ["Rack.infra.example.com bank/r1"],
        ),
    ],
)
def test_a_typed_reference_is_found_under_any_key(value, targets):
    assert named({"anything": value}) == targets
    assert named({"deep": [{"list": [[{"of": value}]]}]}) == targets


@pytest.mark.parametrize(
    ("key", "value", "targets"),
    [
        ("secretRef", {"name": "key"}, ["Secret shop/key"]),
        ("credentialsSecretRef", {"name": "key", "namespace": "bank"}, ["Secret bank/key"]),
        ("secretName", "key", ["Secret shop/key"]),
        ("dataSecretName", "key", ["Secret shop/key"]),
        ("secretKeyRef", {"name": "key", "key": "password"}, ["Secret shop/key"]),
        ("secretNames", ["a", "b"], ["Secret shop/a", "Secret shop/b"]),
        ("imagePullSecrets", [{"name": "pull"}], ["Secret shop/pull"]),
        ("secret", {"name": "key"}, ["Secret shop/key"]),
        ("configMapRef", {"name": "conf"}, ["ConfigMap shop/conf"]),
        ("configMap", {"name": "conf"}, ["ConfigMap shop/conf"]),
        ("serviceAccountName", "runner", ["ServiceAccount shop/runner"]),
        ("claimName", "data", ["PersistentVolumeClaim shop/data"]),
        ("serviceName", "web", ["Service shop/web"]),
        ("storageClassName", "fast", ["StorageClass.storage.k8s.io fast"]),
        ("issuerRef", {"name": "ca"}, ["Issuer.cert-manager.io shop/ca", "Issuer.cert-manager.io ca"]),
        (
            "issuerRef",
            {"name": "ca", "kind": "ClusterIssuer"},
            ["ClusterIssuer.cert-manager.io shop/ca", "ClusterIssuer.cert-manager.io ca"],
        ),
        ("parentRefs", [{"name": "gate", "namespace": "edge"}], ["Gateway.gateway.networking.k8s.io edge/gate"]),
        ("backendRefs", [{"name": "web", "port": 80}], ["Service shop/web"]),
        ("rackRef", {"kind": "Rack", "name": "r1"}, ["Rack.example.com shop/r1", "Rack.example.com r1"]),
    ],
)
def test_a_key_says_what_its_name_names(key, value, targets):
    assert named({key: value}) == targets


@pytest.mark.parametrize(("end", "kind"), BY_SUFFIX.items())
def test_each_row_of_the_table_names_its_kind(end, kind):
    found = {target for target, *_ in custom_references(thing({f"my{end}": {"name": "there", "namespace": "bank"}}))}
    assert {(target.group, target.kind, target.name) for target in found} == {(*kind, "there")}


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "Gauge", "name": "requests"},
        {"rule": {"kind": "rack", "name": "r1", "apiVersion": "example.com/v1"}},
        {"one": {"kind": "Deployment", "name": ["web"]}},
        {"one": {"kind": "Deployment", "name": ""}},
        {"one": {"kind": "Deployment", "name": "Not A Name"}},
        {"one": {"kind": ["Deployment"], "apiVersion": "apps/v1", "name": "web"}},
        {"one": {"kind": "Deployment", "apiVersion": "apps/v1", "name": "web", "namespace": 7}},
        {"one": {"apiVersion": "apps/v1", "name": "web"}},
        {"template": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}},
        {"template": {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n"}]}}},
        {"secret": "hunter2"},
        {"secretRefresh": {"name": "daily"}},
        {"secretsName": 7},
        {"secretName": "${SECRET}"},
        {"secretName": "bank/key"},
        {"containerName": "web", "hostName": "web", "tlsServerName": "web", "volumeName": "data"},
        {"preferred": {"name": "web"}},
        {"names": [{"name": "web"}]},
        {"issuer": "https://sso.example.com"},
        {"serviceAccountName": None, "claimName": ""},
    ],
)
def test_near_misses(spec):
    assert named(spec) == []


def test_metadata_status_and_the_object_itself_are_no_needs():
    target = {"secretRef": {"name": "key"}}
    obj = thing(
        {"self": {"apiVersion": "example.com/v1", "kind": "Thing", "name": "it", "namespace": "shop"}}, status=target
    )
    obj["metadata"]["annotations"] = {"secretName": "key"}
    assert list(custom_references(obj)) == []
    assert [path for _, path, _ in custom_references({**obj, "data": target})] == ["data.secretRef"]


def test_a_cluster_scoped_object_without_namespace_given():
    assert named({"secretRef": {"name": "key"}, "rackRef": {"kind": "Rack", "name": "r"}}, "") == ["Rack.example.com r"]
    assert named({"secretRef": {"name": "key", "namespace": "bank"}}, "") == ["Secret bank/key"]


def test_kubernetes_own_kinds_are_not_guessed_at():
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"secretName": "key"}}
    assert list(custom_references(config)) == []


def test_paths_are_those_of_references_and_each_is_listed_once():
    obj = thing({"envs": [{"secretRef": {"name": "a"}}, {"secretRef": {"name": "a"}}, {"secretRef": {"name": "b"}}]})
    secret = [Reference(Ref("", "Secret", "shop", name), "spec.envs[].secretRef", sure=False) for name in "ab"]
    assert list(references(obj)) == secret


def test_an_object_of_any_depth_is_walked():
    deep = {"secretName": "key"}
    for _ in range(20_000):
        deep = {"a": deep}
    assert named(deep) == ["Secret shop/key"]
