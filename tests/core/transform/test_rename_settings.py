"""Annotations, flags, variables and keys that hold a namespace, one by one as their products document them."""

import pytest

from kubeferry.tasks.core.transform.rename.classes import Known
from kubeferry.tasks.core.transform.rename.rewrite import rename

KNOWN = Known.of([("middlewares.traefik.io", "shop", "auth"), ("configmaps", "shop", "web")])

REFERENCES = [
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "haproxy.org/client-ca",
    "haproxy.org/server-ca",
    "haproxy.org/server-crt",
    "ingress.kubernetes.io/auth-secret",
    "k8s.v1.cni.cncf.io/networks",
    "nginx.ingress.kubernetes.io/auth-proxy-set-headers",
    "nginx.ingress.kubernetes.io/auth-secret",
    "nginx.ingress.kubernetes.io/auth-tls-secret",
    "nginx.ingress.kubernetes.io/custom-headers",
    "nginx.ingress.kubernetes.io/fastcgi-params-configmap",
    "nginx.ingress.kubernetes.io/proxy-ssl-secret",
    "reflector.v1.k8s.emberstack.com/reflects",
    "replicator.v1.mittwald.de/replicate-from",
    "v1.multus-cni.io/default-network",
]
NAMES = [
    "meta.helm.sh/release-namespace",
    "networking.istio.io/exportTo",
    "olm.operatorNamespace",
    "olm.targetNamespaces",
    "projectcontour.io/tls-cert-namespace",
    "reflector.v1.k8s.emberstack.com/reflection-allowed-namespaces",
    "reflector.v1.k8s.emberstack.com/reflection-auto-namespaces",
    "replicator.v1.mittwald.de/replicate-to",
    "snapshot.storage.kubernetes.io/deletion-secret-namespace",
    "volume.kubernetes.io/provisioner-deletion-secret-namespace",
]
TRAEFIK = [
    "traefik.ingress.kubernetes.io/router.middlewares",
    "traefik.ingress.kubernetes.io/router.tls.options",
    "traefik.ingress.kubernetes.io/service.serverstransport",
]
ANNOTATIONS = [
    *((key, "shop/tls", "copy/tls") for key in REFERENCES),
    *((key, "other/tls, shop/a,shop", "other/tls, copy/a,shop") for key in REFERENCES),
    *((key, "other, shop,shop-2,shop/a", "other, copy,shop-2,shop/a") for key in NAMES),
    *((key, "shop-auth@kubernetescrd", "copy-auth@kubernetescrd") for key in TRAEFIK),
    *((key, "x-y@file, shop-auth@kubernetescrd", "x-y@file, copy-auth@kubernetescrd") for key in TRAEFIK),
]


@pytest.mark.parametrize(("key", "old", "new"), ANNOTATIONS)
def test_an_annotation_that_holds_namespaces_follows(key, old, new):
    meta = {"name": "it", "namespace": "other", "annotations": {key: old}}
    after = rename({"apiVersion": "v1", "kind": "Service", "metadata": meta}, {"shop": "copy"}, known=KNOWN)
    assert after.obj["metadata"]["annotations"] == {key: new}
    assert [(each.rule, each.old, each.new) for each in after.rewrites] == [("annotation", old, new)]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("traefik.ingress.kubernetes.io/router.middlewares", "shop-gone@kubernetescrd"),
        ("traefik.ingress.kubernetes.io/router.middlewares", "shop-auth@file"),
        ("traefik.ingress.kubernetes.io/router.middlewares", "shop@kubernetescrd"),
        ("argocd.argoproj.io/tracking-id", "shop:apps/Deployment:shop/web"),
        ("vault.hashicorp.com/namespace", "shop"),
        ("example.com/namespace", "shop"),
    ],
)
def test_an_annotation_that_only_looks_so_stays(key, text):
    meta = {"name": "it", "namespace": "other", "annotations": {key: text}}
    after = rename({"apiVersion": "v1", "kind": "Service", "metadata": meta}, {"shop": "copy"}, known=KNOWN)
    assert after.obj["metadata"]["annotations"] == {key: text}


NAME_FLAGS = [
    "namespace",
    "namespaces",
    "watch-namespace",
    "watch-namespaces",
    "pod-namespace",
    "operator-namespace",
    "release-namespace",
    "target-namespace",
    "target-namespaces",
    "system-namespace",
    "controller-namespace",
    "secret-namespace",
    "secrets-namespace",
    "configmap-namespace",
    "service-namespace",
    "webhook-namespace",
    "leader-election-namespace",
    "election-namespace",
    "leader-elect-resource-namespace",
    "leader-election-resource-namespace",
    "cluster-resource-namespace",
]
REFERENCE_FLAGS = [
    "configmap",
    "publish-service",
    "default-ssl-certificate",
    "tcp-services-configmap",
    "udp-services-configmap",
    "default-backend-service",
]


def pod(**container):
    meta = {"name": "it", "namespace": "other"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [container]}}


def renamed(obj):
    return rename(obj, {"shop": "copy"}, known=KNOWN).obj["spec"]["containers"][0]


@pytest.mark.parametrize(
    ("flag", "old", "new"),
    [
        *((flag, "shop,shop-2", "copy,shop-2") for flag in NAME_FLAGS),
        *((flag, "shop/web", "copy/web") for flag in REFERENCE_FLAGS),
    ],
)
def test_a_flag_that_holds_namespaces_follows_in_both_its_forms(flag, old, new):
    for field in ("args", "command"):
        assert renamed(pod(**{field: [f"--{flag}={old}"]})) == {field: [f"--{flag}={new}"]}
        assert renamed(pod(**{field: [f"-{flag}", old, "shop"]})) == {field: [f"-{flag}", new, "shop"]}


@pytest.mark.parametrize("flag", ["label", "vault-namespace", "metrics-namespace"])
def test_another_flag_keeps_its_value(flag):
    assert renamed(pod(args=[f"--{flag}=shop", f"--{flag}", "shop"])) == {
        "args": [f"--{flag}=shop", f"--{flag}", "shop"]
    }


VARIABLES = [
    "NAMESPACE",
    "NAMESPACES",
    "WATCH_NAMESPACE",
    "WATCH_NAMESPACES",
    "POD_NAMESPACE",
    "MY_POD_NAMESPACE",
    "KUBERNETES_NAMESPACE",
    "KUBE_NAMESPACE",
    "K8S_NAMESPACE",
    "K8S_POD_NAMESPACE",
    "OPERATOR_NAMESPACE",
    "CONTROLLER_NAMESPACE",
    "SYSTEM_NAMESPACE",
    "RELEASE_NAMESPACE",
    "TARGET_NAMESPACE",
    "TARGET_NAMESPACES",
    "SERVICE_NAMESPACE",
    "DEPLOYMENT_NAMESPACE",
    "APP_NAMESPACE",
    "CURRENT_NAMESPACE",
    "LEADER_ELECTION_NAMESPACE",
]


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_that_holds_namespaces_follows_in_pods_and_in_their_sources(name):
    assert renamed(pod(env=[{"name": name, "value": "shop, x"}])) == {"env": [{"name": name, "value": "copy, x"}]}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}, "data": {name: "shop", "a": "shop"}}
    assert rename(config, {"shop": "copy"}, known=KNOWN).obj["data"] == {name: "copy", "a": "shop"}


KEYS = [
    "namespaces",
    "namespaceNames",
    "targetNamespace",
    "targetNamespaces",
    "sourceNamespace",
    "sourceNamespaces",
    "watchNamespace",
    "watchNamespaces",
    "includedNamespaces",
    "excludedNamespaces",
    "storageNamespace",
    "releaseNamespace",
    "installNamespace",
    "serviceNamespace",
    "secretNamespace",
    "configMapNamespace",
    "podNamespace",
    "gatewayNamespace",
    "matchNamespaces",
]


def resource(spec, group="example.com"):
    return {
        "apiVersion": f"{group}/v1",
        "kind": "Thing",
        "metadata": {"name": "it", "namespace": "other"},
        "spec": spec,
    }


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_a_custom_resource_that_means_nothing_else_follows(key):
    for old, new in (("shop", "copy"), (["a", "shop"], ["a", "copy"])):
        after = rename(resource({"deep": [{key: old}]}), {"shop": "copy"}, known=KNOWN)
        assert after.obj["spec"] == {"deep": [{key: new}]}
        assert [each.rule for each in after.rewrites] == ["namespaces"]


@pytest.mark.parametrize("key", ["xmlNamespace", "metricsNamespace", "vaultNamespace", "namespacePrefix", "space"])
def test_another_key_keeps_its_value(key):
    before = resource({key: "shop"})
    assert rename(before, {"shop": "copy"}, known=KNOWN).obj == before


@pytest.mark.parametrize(
    "group",
    [
        "apps",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "policy",
    ],
)
def test_a_group_of_kubernetes_own_is_read_by_its_fields_and_not_by_keys(group):
    before = resource({"targetNamespace": "shop"}, group)
    assert rename(before, {"shop": "copy"}, known=KNOWN).obj == before


@pytest.mark.parametrize(
    ("server", "follows"),
    [
        ({"server": "https://kubernetes.default.svc"}, True),
        ({"server": "*"}, True),
        ({"server": ""}, True),
        ({"name": "in-cluster"}, True),
        ({"server": "https://kubernetes.default.svc", "name": "in-cluster"}, True),
        ({"server": "https://far.example.com"}, False),
        ({"server": "https://kubernetes.default.svc", "name": "far"}, False),
        ({"server": 7}, False),
        ({"name": "far"}, False),
        ({}, False),
    ],
)
def test_a_destination_of_argo_cd_follows_where_it_is_the_same_cluster(server, follows):
    for spec in ({"destination": {"namespace": "shop", **server}}, {"destinations": [{"namespace": "shop", **server}]}):
        after = rename(resource(spec, "argoproj.io"), {"shop": "copy"}, known=KNOWN)
        assert bool(after.rewrites) is follows, spec
