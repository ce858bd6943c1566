"""What a pod names, written down by hand from the Pod's API reference: no row here is read from our tables."""

import pytest

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.references.find import kinds_naming, references, starts


def container(name):
    return {
        "name": name,
        "envFrom": [{"configMapRef": {"name": f"{name}-settings"}}, {"secretRef": {"name": f"{name}-secrets"}}],
        "env": [
            {"name": "A", "valueFrom": {"configMapKeyRef": {"name": f"{name}-config", "key": "a"}}},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": f"{name}-key", "key": "b"}}},
            {"name": "C", "value": "c"},
            {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
    }


POD = {
    "serviceAccountName": "runner",
    "priorityClassName": "high",
    "runtimeClassName": "gvisor",
    "imagePullSecrets": [{"name": "pull"}],
    "initContainers": [container("init")],
    "containers": [container("main")],
    "resourceClaims": [
        {"name": "gpu", "resourceClaimName": "shared-gpu"},
        {"name": "own", "resourceClaimTemplateName": "gpu-template"},
    ],
    "volumes": [
        {"name": "a", "configMap": {"name": "files"}},
        {"name": "b", "secret": {"secretName": "certificate"}},
        {"name": "c", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "d", "projected": {"sources": [{"configMap": {"name": "part"}}, {"secret": {"name": "part-key"}}]}},
        {"name": "e", "csi": {"driver": "x.io", "nodePublishSecretRef": {"name": "publish"}}},
        {"name": "f", "ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "scratch"}}}},
        {"name": "g", "emptyDir": {}},
    ],
}

NAMED = {
    "serviceAccountName": "ServiceAccount shop/runner",
    "priorityClassName": "PriorityClass.scheduling.k8s.io high",
    "runtimeClassName": "RuntimeClass.node.k8s.io gvisor",
    "imagePullSecrets[].name": "Secret shop/pull",
    "initContainers[].envFrom[].configMapRef.name": "ConfigMap shop/init-settings",
    "initContainers[].envFrom[].secretRef.name": "Secret shop/init-secrets",
    "initContainers[].env[].valueFrom.configMapKeyRef.name": "ConfigMap shop/init-config",
    "initContainers[].env[].valueFrom.secretKeyRef.name": "Secret shop/init-key",
    "containers[].envFrom[].configMapRef.name": "ConfigMap shop/main-settings",
    "containers[].envFrom[].secretRef.name": "Secret shop/main-secrets",
    "containers[].env[].valueFrom.configMapKeyRef.name": "ConfigMap shop/main-config",
    "containers[].env[].valueFrom.secretKeyRef.name": "Secret shop/main-key",
    "resourceClaims[].resourceClaimName": "ResourceClaim.resource.k8s.io shop/shared-gpu",
    "resourceClaims[].resourceClaimTemplateName": "ResourceClaimTemplate.resource.k8s.io shop/gpu-template",
    "volumes[].configMap.name": "ConfigMap shop/files",
    "volumes[].secret.secretName": "Secret shop/certificate",
    "volumes[].persistentVolumeClaim.claimName": "PersistentVolumeClaim shop/data",
    "volumes[].projected.sources[].configMap.name": "ConfigMap shop/part",
    "volumes[].projected.sources[].secret.name": "Secret shop/part-key",
    "volumes[].csi.nodePublishSecretRef.name": "Secret shop/publish",
    "volumes[].ephemeral.volumeClaimTemplate.spec.storageClassName": "StorageClass.storage.k8s.io scratch",
}


def pods_of(api_version, kind, pod):
    """Return an object of each kind that has pods, with `pod` where the API reference puts it."""
    spec = {"template": {"spec": pod}}
    body = {
        "Pod": {"spec": pod},
        "PodTemplate": {"template": {"spec": pod}},
        "CronJob": {"spec": {"jobTemplate": {"spec": spec}}},
    }.get(kind, {"spec": spec})
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web", "namespace": "shop"}, **body}


PODS_AT = [
    ("v1", "Pod", "spec"),
    ("v1", "PodTemplate", "template.spec"),
    ("v1", "ReplicationController", "spec.template.spec"),
    ("apps/v1", "Deployment", "spec.template.spec"),
    ("apps/v1", "ReplicaSet", "spec.template.spec"),
    ("apps/v1", "StatefulSet", "spec.template.spec"),
    ("apps/v1", "DaemonSet", "spec.template.spec"),
    ("batch/v1", "Job", "spec.template.spec"),
    ("batch/v1", "CronJob", "spec.jobTemplate.spec.template.spec"),
]


@pytest.mark.parametrize(("api_version", "kind", "at"), PODS_AT)
def test_all_that_a_pod_names_is_found_in_every_kind_that_has_pods(api_version, kind, at):
    found = {each.path: str(each.target) for each in references(pods_of(api_version, kind, POD))}
    assert found == {f"{at}.{path}": target for path, target in NAMED.items()}


def test_all_that_a_pod_names_is_sure_and_none_of_it_is_vital():
    """Vital is only what a controller deletes its namer for; unsure only what was found by shape."""
    found = list(references(pods_of("v1", "Pod", POD)))
    assert {(each.sure, each.vital) for each in found} == {(True, False)}


@pytest.mark.parametrize(("api_version", "kind", "at"), PODS_AT)
def test_a_pod_does_not_start_without_its_account_its_configuration_and_its_claims(api_version, kind, at):
    obj = pods_of(api_version, kind, POD)
    needed = {str(each.target) for each in references(obj) if starts(obj, each)}
    assert needed == {
        target
        for target in NAMED.values()
        if target.split(" ")[0] in {"ServiceAccount", "ConfigMap", "Secret", "PersistentVolumeClaim"}
    }
    assert all(each.path.startswith(f"{at}.") for each in references(obj))


def test_what_a_workload_names_outside_its_pods_keeps_no_pod_from_starting():
    """`spec` of a Deployment begins like `spec` of a Pod; only what is below the pod's own spec counts."""
    claims = [{"spec": {"storageClassName": "fast"}}]
    obj = pods_of("apps/v1", "StatefulSet", {})
    obj["spec"] |= {"serviceName": "headless", "volumeClaimTemplates": claims}
    assert {str(each.target): starts(obj, each) for each in references(obj)} == {
        "Service shop/headless": False,
        "StorageClass.storage.k8s.io fast": False,
    }


@pytest.mark.parametrize(
    "target",
    [
        ("", "ServiceAccount"),
        ("", "Secret"),
        ("", "ConfigMap"),
        ("", "PersistentVolumeClaim"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("node.k8s.io", "RuntimeClass"),
        ("storage.k8s.io", "StorageClass"),
        ("resource.k8s.io", "ResourceClaim"),
        ("resource.k8s.io", "ResourceClaimTemplate"),
    ],
)
def test_each_kind_that_pods_name_is_looked_for_in_all_kinds_that_have_pods(target):
    found = kinds_naming([target])
    assert {(version.rpartition("/")[0], kind) for version, kind, _ in PODS_AT} <= found


@pytest.mark.parametrize(
    ("target", "of"),
    [
        (("", "Secret"), {("", "ServiceAccount"), ("networking.k8s.io", "Ingress")}),
        (("", "Service"), {("apps", "StatefulSet"), ("networking.k8s.io", "Ingress")}),
        (("", "PersistentVolume"), {("", "PersistentVolumeClaim")}),
        (("storage.k8s.io", "StorageClass"), {("", "PersistentVolume"), ("", "PersistentVolumeClaim")}),
        (("networking.k8s.io", "IngressClass"), {("networking.k8s.io", "Ingress")}),
    ],
)
def test_each_kind_that_others_name_is_looked_for_there(target, of):
    assert of <= kinds_naming([target])


TYPED = {
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("autoscaling.k8s.io", "VerticalPodAutoscaler"),
    ("networking.k8s.io", "Ingress"),
    ("networking.k8s.io", "IngressClass"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
}


def test_what_a_typed_field_may_name_is_anything():
    """The source of a claim is in a namespace, so that a claim names no unknown cluster-wide kind."""
    assert kinds_naming([("example.com", "Rack")]) == TYPED


def test_one_target_among_several_is_enough():
    assert ("apps", "StatefulSet") in kinds_naming([("", "Service"), ("", "Node")])
    assert ("", "Pod") in kinds_naming([("", "Node"), ("", "Secret")])
    assert ("", "Pod") not in kinds_naming([("", "Service")])


def test_a_class_named_by_an_object_of_a_namespace_is_cluster_wide():
    found = {each.target for each in references(pods_of("v1", "Pod", POD)) if not each.target.namespace}
    assert found == {
        Ref("scheduling.k8s.io", "PriorityClass", "", "high"),
        Ref("node.k8s.io", "RuntimeClass", "", "gvisor"),
        Ref("storage.k8s.io", "StorageClass", "", "scratch"),
    }
