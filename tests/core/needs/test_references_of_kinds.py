"""What Kubernetes' own kinds name, a manifest a kind as its API reference shows it; nothing is read from our tables."""

import pytest

from kubeferry.tasks.core.needs.references.find import references

RBAC = "rbac.authorization.k8s.io"


def made(api_version, kind, namespace="shop", **body):
    meta = {"name": "it"} | ({"namespace": namespace} if namespace else {}) | body.pop("meta", {})
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **body}


def named(obj):
    return sorted((each.path, str(each.target)) for each in references(obj))


def webhook(service):
    return [
        {"name": "a.example.com", "clientConfig": {"service": service}},
        {"name": "b", "clientConfig": {"url": "x"}},
    ]


HOOK = {"namespace": "gate", "name": "admission", "path": "/check", "port": 443}
ROLE = {"apiGroup": RBAC, "kind": "Role", "name": "reader"}
CLUSTER_ROLE = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
SUBJECTS = [
    {"kind": "ServiceAccount", "name": "app"},
    {"kind": "ServiceAccount", "name": "app", "namespace": "bank"},
    {"kind": "User", "apiGroup": RBAC, "name": "jane"},
]
SET = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "monday"}
PATHS = [
    {"path": "/", "backend": {"service": {"name": "front", "port": {"number": 80}}}},
    {"path": "/assets", "backend": {"resource": {"apiGroup": "k8s.example.com", "kind": "Bucket", "name": "icons"}}},
]

CASES = {
    "an account and its pull secrets": (
        made("v1", "ServiceAccount", imagePullSecrets=[{"name": "pull"}, {"name": "mirror"}]),
        [("imagePullSecrets[].name", "Secret shop/mirror"), ("imagePullSecrets[].name", "Secret shop/pull")],
    ),
    "a claim": (
        made("v1", "PersistentVolumeClaim", spec={"storageClassName": "fast", "volumeName": "disk"}),
        [
            ("spec.storageClassName", "StorageClass.storage.k8s.io fast"),
            ("spec.volumeName", "PersistentVolume disk"),
        ],
    ),
    "a claim filled from a snapshot": (
        made("v1", "PersistentVolumeClaim", spec={"dataSource": SET, "dataSourceRef": SET | {"namespace": "bank"}}),
        [
            ("spec.dataSource", "VolumeSnapshot.snapshot.storage.k8s.io shop/monday"),
            ("spec.dataSourceRef", "VolumeSnapshot.snapshot.storage.k8s.io bank/monday"),
        ],
    ),
    "a claim cloned from another": (
        made("v1", "PersistentVolumeClaim", spec={"dataSource": {"kind": "PersistentVolumeClaim", "name": "gold"}}),
        [("spec.dataSource", "PersistentVolumeClaim shop/gold")],
    ),
    "a volume": (
        made("v1", "PersistentVolume", "", spec={"storageClassName": "fast"}),
        [("spec.storageClassName", "StorageClass.storage.k8s.io fast")],
    ),
    "a stateful set": (
        made(
            "apps/v1",
            "StatefulSet",
            spec={"serviceName": "peers", "volumeClaimTemplates": [{"spec": {"storageClassName": "fast"}}]},
        ),
        [
            ("spec.serviceName", "Service shop/peers"),
            ("spec.volumeClaimTemplates[].spec.storageClassName", "StorageClass.storage.k8s.io fast"),
        ],
    ),
    "an ingress": (
        made(
            "networking.k8s.io/v1",
            "Ingress",
            spec={
                "ingressClassName": "nginx",
                "defaultBackend": {"service": {"name": "fallback"}},
                "tls": [{"hosts": ["a.example.com"], "secretName": "certificate"}],
                "rules": [{"host": "a.example.com", "http": {"paths": PATHS}}],
            },
        ),
        [
            ("spec.defaultBackend.service.name", "Service shop/fallback"),
            ("spec.ingressClassName", "IngressClass.networking.k8s.io nginx"),
            ("spec.rules[].http.paths[].backend.resource", "Bucket.k8s.example.com shop/icons"),
            ("spec.rules[].http.paths[].backend.service.name", "Service shop/front"),
            ("spec.tls[].secretName", "Secret shop/certificate"),
        ],
    ),
    "an ingress with a resource as its default": (
        made(
            "networking.k8s.io/v1",
            "Ingress",
            spec={"defaultBackend": {"resource": {"apiGroup": "k8s.example.com", "kind": "Bucket", "name": "all"}}},
        ),
        [("spec.defaultBackend.resource", "Bucket.k8s.example.com shop/all")],
    ),
    "a class of ingresses": (
        made(
            "networking.k8s.io/v1",
            "IngressClass",
            "",
            spec={"parameters": {"apiGroup": "k8s.example.com", "kind": "Gate", "name": "outer", "namespace": "edge"}},
        ),
        [("spec.parameters", "Gate.k8s.example.com edge/outer")],
    ),
    "a horizontal autoscaler": (
        made(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            spec={"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
        ),
        [("spec.scaleTargetRef", "Deployment.apps shop/web")],
    ),
    "a vertical autoscaler": (
        made(
            "autoscaling.k8s.io/v1",
            "VerticalPodAutoscaler",
            spec={"targetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"}},
        ),
        [("spec.targetRef", "StatefulSet.apps shop/db")],
    ),
    "a role binding": (
        made(f"{RBAC}/v1", "RoleBinding", roleRef=ROLE, subjects=SUBJECTS),
        [
            ("roleRef", f"Role.{RBAC} shop/reader"),
            ("subjects[]", "ServiceAccount bank/app"),
            ("subjects[]", "ServiceAccount shop/app"),
            ("subjects[]", f"User.{RBAC} shop/jane"),
        ],
    ),
    "a role binding to a cluster-wide role": (
        made(f"{RBAC}/v1", "RoleBinding", roleRef=CLUSTER_ROLE),
        [("roleRef", f"ClusterRole.{RBAC} view")],
    ),
    "a cluster-wide role binding": (
        made(f"{RBAC}/v1", "ClusterRoleBinding", "", roleRef=CLUSTER_ROLE, subjects=SUBJECTS[1:2]),
        [("roleRef", f"ClusterRole.{RBAC} view"), ("subjects[]", "ServiceAccount bank/app")],
    ),
    "a validating webhook": (
        made("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", webhooks=webhook(HOOK)),
        [("webhooks[].clientConfig.service", "Service gate/admission")],
    ),
    "a mutating webhook": (
        made("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", webhooks=webhook(HOOK)),
        [("webhooks[].clientConfig.service", "Service gate/admission")],
    ),
    "an aggregated API": (
        made("apiregistration.k8s.io/v1", "APIService", "", spec={"service": {"namespace": "gate", "name": "api"}}),
        [("spec.service", "Service gate/api")],
    ),
    "a definition that is converted": (
        made(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            "",
            spec={"conversion": {"strategy": "Webhook", "webhook": {"clientConfig": {"service": HOOK}}}},
        ),
        [("spec.conversion.webhook.clientConfig.service", "Service gate/admission")],
    ),
    "a token": (
        made(
            "v1",
            "Secret",
            type="kubernetes.io/service-account-token",
            meta={"annotations": {"kubernetes.io/service-account.name": "app"}},
        ),
        [("metadata.annotations", "ServiceAccount shop/app")],
    ),
    "a token of nobody": (made("v1", "Secret", type="kubernetes.io/service-account-token"), []),
    "endpoints": (made("v1", "Endpoints", subsets=[]), [("metadata.name", "Service shop/it")]),
    "a slice of endpoints": (
        made("discovery.k8s.io/v1", "EndpointSlice", meta={"labels": {"kubernetes.io/service-name": "web"}}),
        [("metadata.labels", "Service shop/web")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_field_of_a_manifest_that_names_an_object_is_found(case):
    obj, expected = CASES[case]
    assert named(obj) == expected


@pytest.mark.parametrize("case", CASES)
def test_only_a_token_is_deleted_without_what_it_names(case):
    """The token controller deletes a token whose account is not there; nothing else is deleted with its target."""
    obj, _ = CASES[case]
    assert [each.vital for each in references(obj)] == [case == "a token"] * len(CASES[case][1])


@pytest.mark.parametrize("case", CASES)
def test_what_kubernetes_own_kinds_name_is_meant_to_exist(case):
    assert all(each.sure for each in references(CASES[case][0]))


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        ("", "PersistentVolume"),
        ("", "Namespace"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("node.k8s.io", "RuntimeClass"),
        ("storage.k8s.io", "StorageClass"),
        ("networking.k8s.io", "IngressClass"),
        (RBAC, "ClusterRole"),
        (RBAC, "ClusterRoleBinding"),
    ],
)
def test_what_is_cluster_wide_has_no_namespace_whatever_the_field_says(group, kind):
    version = {"apiVersion": f"{group}/v1" if group else "v1"}
    target = version | {"kind": kind, "name": "there", "namespace": "bank"}
    obj = made("autoscaling/v2", "HorizontalPodAutoscaler", spec={"scaleTargetRef": target})
    ((_, found),) = named(obj)
    assert found == (f"{kind}.{group} there" if group else f"{kind} there")


def test_a_custom_resource_is_looked_through_by_shape_and_what_is_found_is_unsure():
    obj = made("example.com/v1", "Shop", spec={"secretRef": {"name": "key"}})
    ((found,)) = references(obj)
    assert (str(found.target), found.path, found.sure, found.vital) == (
        "Secret shop/key",
        "spec.secretRef",
        False,
        False,
    )


def test_a_vertical_autoscaler_is_read_by_its_row_and_not_by_shape():
    """Its group is that of a custom resource: the row says all that it names."""
    spec = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "secretRef": {"name": "key"}}
    assert named(made("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", spec=spec)) == [
        ("spec.targetRef", "Deployment.apps shop/web")
    ]
