"""What an object cannot do without, and what the marks of old, of drivers and of controllers name."""

import pytest

from kubeferry.tasks.core.needs.references.fields import Need
from kubeferry.tasks.core.needs.references.find import references, starts

OLD = {"annotations": {"volume.beta.kubernetes.io/storage-class": "old"}}
SNAPSHOT = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "monday"}
CSI = "csi.storage.k8s.io"


def made(api_version, kind, namespace="shop", meta=(), **body):
    within = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "it", **within, **dict(meta)}, **body}


def needs(obj):
    return {f"{each.path} {each.target}": each.need for each in references(obj)}


def named(obj):
    return sorted(str(each.target) for each in references(obj))


def pod(**spec):
    return made("v1", "Pod", spec=spec)


def claim(meta=(), **spec):
    return made("v1", "PersistentVolumeClaim", meta=meta, spec=spec)


def test_the_class_of_old_is_a_class():
    key = "metadata.annotations.volume.beta.kubernetes.io/storage-class"
    assert needs(claim(OLD)) == {f"{key} StorageClass.storage.k8s.io old": Need.OUTSIDE}
    volume = made("v1", "PersistentVolume", "", OLD, spec={})
    assert needs(volume) == {f"{key} StorageClass.storage.k8s.io old": Need.NOTHING}
    assert named(claim({"annotations": {"volume.beta.kubernetes.io/storage-class": ""}})) == []


def test_the_class_of_old_in_templates():
    template = {"metadata": {"name": "data", **OLD}, "spec": {}}
    assert named(made("apps/v1", "StatefulSet", spec={"volumeClaimTemplates": [template]})) == [
        "StorageClass.storage.k8s.io old"
    ]
    volume = {"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}
    assert named(pod(volumes=[volume])) == ["StorageClass.storage.k8s.io old"]


def test_an_unbound_claim_needs_its_source_and_a_bound_one_only_its_volume():
    fields = {"storageClassName": "fast", "dataSource": SNAPSHOT, "dataSourceRef": SNAPSHOT | {"namespace": "bank"}}
    assert needs(claim(**fields)) == {
        "spec.storageClassName StorageClass.storage.k8s.io fast": Need.OUTSIDE,
        "spec.dataSource VolumeSnapshot.snapshot.storage.k8s.io shop/monday": Need.ANYWHERE,
        "spec.dataSourceRef VolumeSnapshot.snapshot.storage.k8s.io bank/monday": Need.ANYWHERE,
    }
    assert needs(claim(OLD, **fields, volumeName="disk")) == {
        "spec.storageClassName StorageClass.storage.k8s.io fast": Need.NOTHING,
        "metadata.annotations.volume.beta.kubernetes.io/storage-class StorageClass.storage.k8s.io old": Need.NOTHING,
        "spec.dataSource VolumeSnapshot.snapshot.storage.k8s.io shop/monday": Need.NOTHING,
        "spec.dataSourceRef VolumeSnapshot.snapshot.storage.k8s.io bank/monday": Need.NOTHING,
        "spec.volumeName PersistentVolume disk": Need.OUTSIDE,
    }


def test_the_source_of_a_pods_own_claim_is_needed_and_that_of_a_stateful_set_only_for_new_pods():
    template = {"volumeClaimTemplate": {"spec": {"dataSource": SNAPSHOT}}}
    assert set(needs(pod(volumes=[{"name": "a", "ephemeral": template}])).values()) == {Need.ANYWHERE}
    replicas = made("apps/v1", "StatefulSet", spec={"volumeClaimTemplates": [{"spec": {"dataSource": SNAPSHOT}}]})
    assert set(needs(replicas).values()) == {Need.NOTHING}


@pytest.mark.parametrize("optional", [True, False])
def test_what_is_optional_is_not_needed_and_nothing_waits_for_it(optional):
    source = {"name": "a", "configMap": {"name": "settings", "optional": optional}}
    bundle = {"clusterTrustBundle": {"name": "roots", "path": "ca", "optional": optional}}
    obj = pod(volumes=[source, {"name": "b", "projected": {"sources": [bundle]}}])
    found = {str(each.target): each for each in references(obj)}
    assert {each.need for each in found.values()} == {Need.NOTHING if optional else Need.OUTSIDE}
    assert starts(obj, found["ConfigMap shop/settings"]) is not optional


def test_secrets_of_a_volume_are_where_it_says_or_where_its_claim_is():
    reference = {"name": "key", "namespace": "vault"}
    volume = made("v1", "PersistentVolume", "", spec={"csi": {"nodeStageSecretRef": reference}, "capacity": {}})
    assert needs(volume) == {"spec.csi.nodeStageSecretRef.name Secret vault/key": Need.OUTSIDE}
    grows = made("v1", "PersistentVolume", "", spec={"csi": {"controllerExpandSecretRef": reference}})
    assert needs(grows) == {"spec.csi.controllerExpandSecretRef.name Secret vault/key": Need.NOTHING}
    old = {"azureFile": {"secretName": "key"}, "claimRef": {"namespace": "shop", "name": "data"}}
    assert named(made("v1", "PersistentVolume", "", spec=old)) == ["Secret shop/key"]


def test_parameters_of_a_class_name_secrets_and_templates_do_not():
    parameters = {
        f"{CSI}/provisioner-secret-name": "key",
        f"{CSI}/provisioner-secret-namespace": "vault",
        f"{CSI}/controller-expand-secret-name": "grow",
        f"{CSI}/controller-expand-secret-namespace": "vault",
        f"{CSI}/node-stage-secret-name": "${pvc.name}",
        f"{CSI}/node-stage-secret-namespace": "vault",
        f"{CSI}/node-publish-secret-name": "key",
        f"{CSI}/node-publish-secret-namespace": "${pvc.namespace}",
        "adminSecretName": "root",
        "adminSecretNamespace": "ceph",
        "secretName": "alone",
        "type": "secret-name",
    }
    obj = made("storage.k8s.io/v1", "StorageClass", "", provisioner="x", parameters=parameters)
    assert needs(obj) == {
        f"parameters.{CSI}/provisioner-secret-name Secret vault/key": Need.OUTSIDE,
        f"parameters.{CSI}/controller-expand-secret-name Secret vault/grow": Need.NOTHING,
        "parameters.adminSecretName Secret ceph/root": Need.OUTSIDE,
    }
    snapshots = {f"{CSI}/snapshotter-secret-name": "key", f"{CSI}/snapshotter-secret-namespace": "vault"}
    assert named(made("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass", "", parameters=snapshots)) == [
        "Secret vault/key"
    ]


@pytest.mark.parametrize(
    ("key", "value", "target"),
    [
        ("nginx.ingress.kubernetes.io/auth-secret", "logins", "Secret shop/logins"),
        ("nginx.ingress.kubernetes.io/auth-tls-secret", "vault/ca", "Secret vault/ca"),
        ("nginx.ingress.kubernetes.io/proxy-ssl-secret", "vault/ca", "Secret vault/ca"),
        ("nginx.ingress.kubernetes.io/auth-proxy-set-headers", "vault/headers", "ConfigMap vault/headers"),
        ("nginx.ingress.kubernetes.io/default-backend", "sorry", "Service shop/sorry"),
        ("haproxy-ingress.github.io/auth-secret", "logins", "Secret shop/logins"),
        ("nginx.org/basic-auth-secret", "logins", "Secret shop/logins"),
        ("kubernetes.io/ingress.class", "nginx", "IngressClass.networking.k8s.io nginx"),
        ("cert-manager.io/cluster-issuer", "acme", "ClusterIssuer.cert-manager.io acme"),
        ("cert-manager.io/issuer", "acme", "Issuer.cert-manager.io shop/acme"),
    ],
)
def test_annotations_of_an_ingress(key, value, target):
    obj = made("networking.k8s.io/v1", "Ingress", meta={"annotations": {key: value}}, spec={})
    assert named(obj) == [target]
    assert [each.path for each in references(obj)] == [f"metadata.annotations.{key}"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("nginx.ingress.kubernetes.io/auth-secret", "a/b/c"),
        ("nginx.ingress.kubernetes.io/auth-secret", ""),
        ("nginx.ingress.kubernetes.io/auth-secret-type", "auth-map"),
        ("nginx.ingress.kubernetes.io/configuration-snippet", "secret"),
    ],
)
def test_other_annotations_name_nothing(key, value):
    assert named(made("networking.k8s.io/v1", "Ingress", meta={"annotations": {key: value}}, spec={})) == []


ISSUER = {"kind": "ClusterIssuer", "name": "acme", "group": "cert-manager.io"}


@pytest.mark.parametrize(
    ("spec", "need"),
    [
        ({"issuerRef": ISSUER}, Need.OUTSIDE),
        ({"issuerRef": ISSUER | {"optional": True}}, Need.NOTHING),
        ({"classRef": {"apiVersion": "db.example/v1", "kind": "DatabaseClass", "name": "small"}}, Need.OUTSIDE),
        ({"storageClassName": "fast"}, Need.OUTSIDE),
        ({"gatewayClassName": "edge"}, Need.OUTSIDE),
        ({"backupStorageClassName": "fast"}, Need.NOTHING),
        ({"issuerRef": {"name": "acme"}}, Need.NOTHING),
        ({"parentRefs": [{"name": "edge", "namespace": "net"}]}, Need.NOTHING),
        ({"parentRefs": [{"kind": "Gateway", "group": "g.io", "name": "edge", "namespace": "net"}]}, Need.OUTSIDE),
    ],
)
def test_a_custom_resource_needs_what_it_names_with_its_kind(spec, need):
    found = list(references(made("example.com/v1", "Thing", spec=spec)))
    assert found
    assert {each.need for each in found} == {need}
    assert not any(each.sure for each in found)
