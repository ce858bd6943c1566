"""Each field of the API references that holds a namespace, as kubectl writes paths; nothing is read from our tables."""

import pytest

from kubeferry.tasks.core.transform.rename.classes import Known
from kubeferry.tasks.core.transform.rename.rewrite import rename

ADMISSION, GATEWAY, RBAC = "admissionregistration.k8s.io", "gateway.networking.k8s.io", "rbac.authorization.k8s.io"
LABEL = "kubernetes.io/metadata.name"
TERMS = [
    "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[]",
    "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm",
    "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[]",
    "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm",
]
PODS = {
    ("", "Pod"): "spec",
    ("", "PodTemplate"): "template.spec",
    ("", "ReplicationController"): "spec.template.spec",
    ("apps", "Deployment"): "spec.template.spec",
    ("apps", "ReplicaSet"): "spec.template.spec",
    ("apps", "StatefulSet"): "spec.template.spec",
    ("apps", "DaemonSet"): "spec.template.spec",
    ("apps", "ControllerRevision"): "data.spec.template.spec",
    ("batch", "Job"): "spec.template.spec",
    ("batch", "CronJob"): "spec.jobTemplate.spec.template.spec",
}

FIELDS = [
    (RBAC, "RoleBinding", "subjects[].namespace", "subject"),
    (RBAC, "ClusterRoleBinding", "subjects[].namespace", "subject"),
    (ADMISSION, "ValidatingWebhookConfiguration", "webhooks[].clientConfig.service.namespace", "service"),
    (ADMISSION, "MutatingWebhookConfiguration", "webhooks[].clientConfig.service.namespace", "service"),
    ("apiregistration.k8s.io", "APIService", "spec.service.namespace", "service"),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "spec.conversion.webhook.clientConfig.service.namespace",
        "service",
    ),
    *(
        ("", "PersistentVolume", path, "field")
        for path in (
            "spec.claimRef.namespace",
            "spec.csi.controllerPublishSecretRef.namespace",
            "spec.csi.nodeStageSecretRef.namespace",
            "spec.csi.nodePublishSecretRef.namespace",
            "spec.csi.controllerExpandSecretRef.namespace",
            "spec.csi.nodeExpandSecretRef.namespace",
            "spec.cephfs.secretRef.namespace",
            "spec.cinder.secretRef.namespace",
            "spec.rbd.secretRef.namespace",
            "spec.iscsi.secretRef.namespace",
            "spec.scaleIO.secretRef.namespace",
            "spec.flexVolume.secretRef.namespace",
            "spec.storageos.secretRef.namespace",
            "spec.azureFile.secretNamespace",
            "spec.glusterfs.endpointsNamespace",
        )
    ),
    ("", "PersistentVolumeClaim", "spec.dataSourceRef.namespace", "field"),
    ("apps", "StatefulSet", "spec.volumeClaimTemplates[].spec.dataSourceRef.namespace", "field"),
    *(
        (*kind, f"{at}.volumes[].ephemeral.volumeClaimTemplate.spec.dataSourceRef.namespace", "field")
        for kind, at in PODS.items()
    ),
    ("", "ServiceAccount", "secrets[].namespace", "field"),
    ("", "Endpoints", "subsets[].addresses[].targetRef.namespace", "field"),
    ("", "Endpoints", "subsets[].notReadyAddresses[].targetRef.namespace", "field"),
    ("discovery.k8s.io", "EndpointSlice", "endpoints[].targetRef.namespace", "field"),
    ("networking.k8s.io", "IngressClass", "spec.parameters.namespace", "field"),
    (
        "flowcontrol.apiserver.k8s.io",
        "FlowSchema",
        "spec.rules[].subjects[].serviceAccount.namespace",
        "field",
    ),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema", "spec.rules[].resourceRules[].namespaces[]", "field"),
    (ADMISSION, "ValidatingAdmissionPolicyBinding", "spec.paramRef.namespace", "field"),
    (ADMISSION, "MutatingAdmissionPolicyBinding", "spec.paramRef.namespace", "field"),
    (GATEWAY, "GatewayClass", "spec.parametersRef.namespace", "field"),
    *(
        (GATEWAY, "Gateway", path, "field")
        for path in (
            "spec.listeners[].tls.certificateRefs[].namespace",
            "spec.listeners[].tls.frontendValidation.caCertificateRefs[].namespace",
            "spec.tls.frontend.default.validation.caCertificateRefs[].namespace",
            "spec.tls.backend.clientCertificateRef.namespace",
            "spec.backendTLS.clientCertificateRef.namespace",
        )
    ),
    (GATEWAY, "ListenerSet", "spec.parentRef.namespace", "field"),
    (GATEWAY, "ListenerSet", "spec.listeners[].tls.certificateRefs[].namespace", "field"),
    (GATEWAY, "ReferenceGrant", "spec.from[].namespace", "field"),
    *(
        (GATEWAY, kind, path, "field")
        for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")
        for path in (
            "spec.parentRefs[].namespace",
            "spec.rules[].backendRefs[].namespace",
            "spec.rules[].filters[].requestMirror.backendRef.namespace",
            "spec.rules[].filters[].externalAuth.backendRef.namespace",
            "spec.rules[].backendRefs[].filters[].requestMirror.backendRef.namespace",
            "spec.rules[].backendRefs[].filters[].externalAuth.backendRef.namespace",
        )
    ),
    *((*kind, f"{at}.{term}.namespaces[]", "field") for kind, at in PODS.items() for term in TERMS),
]

SELECTORS = [
    (ADMISSION, "ValidatingWebhookConfiguration", "webhooks[].namespaceSelector"),
    (ADMISSION, "MutatingWebhookConfiguration", "webhooks[].namespaceSelector"),
    (ADMISSION, "ValidatingAdmissionPolicy", "spec.matchConstraints.namespaceSelector"),
    (ADMISSION, "MutatingAdmissionPolicy", "spec.matchConstraints.namespaceSelector"),
    (ADMISSION, "ValidatingAdmissionPolicyBinding", "spec.matchResources.namespaceSelector"),
    (ADMISSION, "MutatingAdmissionPolicyBinding", "spec.matchResources.namespaceSelector"),
    ("networking.k8s.io", "NetworkPolicy", "spec.ingress[].from[].namespaceSelector"),
    ("networking.k8s.io", "NetworkPolicy", "spec.egress[].to[].namespaceSelector"),
    (GATEWAY, "Gateway", "spec.listeners[].allowedRoutes.namespaces.selector"),
    (GATEWAY, "Gateway", "spec.allowedListeners.namespaces.selector"),
    (GATEWAY, "ListenerSet", "spec.listeners[].allowedRoutes.namespaces.selector"),
    *((*kind, f"{at}.{term}.namespaceSelector") for kind, at in PODS.items() for term in TERMS),
]


def placed(path, value):
    """Return a body with `value` where a path such as `spec.rules[].name` leads."""
    for part in reversed(path.split(".")):
        value = {part.removesuffix("[]"): [value]} if part.endswith("[]") else {part: value}
    return value


def made(group, kind, body):
    meta = {"name": "it", "namespace": "elsewhere"}
    return {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": meta, **body}


def body_of(renamed):
    return {key: value for key, value in renamed.obj.items() if key not in ("apiVersion", "kind", "metadata")}


@pytest.mark.parametrize("known", [None, Known()])
@pytest.mark.parametrize(("group", "kind", "path", "rule"), FIELDS)
def test_each_field_that_holds_a_namespace_follows_its_new_name(group, kind, path, rule, known):
    after = rename(made(group, kind, placed(path, "shop")), {"shop": "copy"}, known=known)
    body = body_of(after)
    if rule == "service" and path.startswith("webhooks"):  # it judges the copy alone: test_copies.py
        assert body["webhooks"][0].pop("namespaceSelector")
    assert body == placed(path, "copy")
    assert [(each.rule, each.old, each.new) for each in after.rewrites] == [(rule, "shop", "copy")]


@pytest.mark.parametrize(("group", "kind", "path"), SELECTORS)
def test_each_selector_of_namespaces_follows_by_label_and_by_expression(group, kind, path):
    def selector(name):
        asked = {"key": LABEL, "operator": "In", "values": ["other", name]}
        return {"matchLabels": {LABEL: name, "team": "shop"}, "matchExpressions": [asked]}

    after = rename(made(group, kind, placed(path, selector("shop"))), {"shop": "copy"})
    assert body_of(after) == placed(path, selector("copy"))
    assert [each.rule for each in after.rewrites] == ["selector", "selector"]


def test_a_namespace_in_the_same_field_of_a_kind_of_others_is_not_ours_to_know():
    before = made("example.com", "PersistentVolume", {"spec": {"claimRef": {"namespace": "shop"}}})
    assert rename(before, {"shop": "copy"}).obj is before


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("storage.k8s.io/v1", "StorageClass"),
        ("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass"),
        ("groupsnapshot.storage.k8s.io/v1", "VolumeGroupSnapshotClass"),
    ],
)
def test_the_secret_of_a_classs_driver_follows_its_namespace(api_version, kind):
    def parameters(name):
        return {
            "csi.storage.k8s.io/node-stage-secret-name": "shop",
            "csi.storage.k8s.io/node-stage-secret-namespace": name,
            "adminSecretName": "key",
            "adminSecretNamespace": name,
            "csi.storage.k8s.io/provisioner-secret-name": "key",
            "csi.storage.k8s.io/provisioner-secret-namespace": "${pvc.namespace}",
            "type": "shop",
        }

    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "it"}, "parameters": parameters("shop")}
    after = rename(obj, {"shop": "copy"})
    assert after.obj["parameters"] == parameters("copy")
    assert len(after.rewrites) == 2


def test_the_secret_that_an_ingress_names_follows_its_namespace_whoevers_controller_reads_it():
    def annotated(name):
        return {
            "haproxy-ingress.github.io/auth-tls-secret": f"{name}/ca",
            "nginx.org/basic-auth-secret": "shop",
            "nginx.ingress.kubernetes.io/auth-realm": "shop/ca",
        }

    meta = {"name": "it", "namespace": "elsewhere", "annotations": annotated("shop")}
    obj = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": {}}
    assert rename(obj, {"shop": "copy"}, known=Known()).obj["metadata"]["annotations"] == annotated("copy")
    other = {**obj, "apiVersion": "v1", "kind": "Service"}
    assert rename(other, {"shop": "copy"}, known=Known()).obj["metadata"]["annotations"] == annotated("shop")
