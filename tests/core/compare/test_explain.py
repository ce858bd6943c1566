"""Each difference that a move must make is explained by its own reason, and its near miss is not explained at all."""

import base64
import copy
import json

import pytest

from kubeferry.tasks.core.compare.expected import Renaming
from kubeferry.tasks.core.compare.explain import explain, matching
from kubeferry.tasks.core.compare.explanations import ROWS
from kubeferry.tasks.core.jsondoc.differences import differences

OLD, NEW, OTHER = (f"{letter}0000000-0000-4000-8000-000000000000" for letter in "abc")
MOVE = Renaming(namespaces={"shop": "copy", "tools": "tools"}, uids={OLD: NEW})
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
RBAC = "rbac.authorization.k8s.io/v1"


def obj(kind="ConfigMap", api="v1", meta=None, **fields):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "x", "namespace": "shop"} | (meta or {})} | fields


def b64(text):
    return base64.b64encode(text.encode()).decode()


def changed(original, path, value):
    """Return a copy of `original` with the field at `path` set to `value`, or dropped if that is `...`."""
    restored = copy.deepcopy(original)
    inner = restored
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return restored


def reasons(original, restored, move=MOVE):
    return [explain(each, original, move) for each in differences(original, restored)]


OWNED = obj(meta={"ownerReferences": [{"apiVersion": "v1", "kind": "Catalog", "name": "c", "uid": OLD}]})
BUNDLE = {"apiVersion": "kubeferry.io/v1alpha1", "kind": "Bundle", "name": "r", "uid": NEW}
OWNER_UID = ("metadata", "ownerReferences", 0, "uid")
SERVICE = obj(
    "Service", spec={"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"], "ports": [{"port": 80, "nodePort": 30080}]}
)
HEADLESS = obj("Service", spec={"clusterIP": "None", "clusterIPs": ["None"]})
TOKEN = obj(
    "Secret",
    meta={"annotations": {"kubernetes.io/service-account.uid": OLD}},
    type="kubernetes.io/service-account-token",
    data={"token": "b2xk", "ca.crt": "b2xk", "namespace": b64("shop")},
)
OPAQUE = obj("Secret", type="Opaque", data={"token": "b2xk", "ca.crt": "b2xk", "namespace": b64("shop")})
CLAIM = obj(
    "PersistentVolumeClaim",
    meta={"annotations": {"pv.kubernetes.io/bind-completed": "yes", "team": "a"}},
    spec={"volumeName": "pvc-1", "storageClassName": "standard"},
)
UID_LABELS = {"controller-uid": OLD, "batch.kubernetes.io/controller-uid": OLD, "app": "x"}
JOB = obj(
    "Job",
    "batch/v1",
    {"uid": OLD, "labels": dict(UID_LABELS)},
    spec={"selector": {"matchLabels": dict(UID_LABELS)}, "template": {"metadata": {"labels": dict(UID_LABELS)}}},
)
TEMPLATE_LABELS = ("spec", "template", "metadata", "labels")
DEPLOYMENT = obj(
    "Deployment",
    "apps/v1",
    {"annotations": {"deployment.kubernetes.io/revision": "4", "team": "a"}},
    spec={
        "replicas": 2,
        "template": {"spec": {"containers": [{"name": "web", "image": "web:1", "env": [{"name": "A", "value": "b"}]}]}},
    },
    status={"replicas": 2, "conditions": [{"type": "Available", "lastUpdateTime": "2026-01-01T00:00:00Z"}]},
)
BINDING = obj(
    "ClusterRoleBinding",
    RBAC,
    {"name": "shop:reader", "namespace": ""},
    subjects=[
        {"kind": "ServiceAccount", "name": "web", "namespace": "shop"},
        {"kind": "Group", "name": "system:serviceaccounts:shop"},
    ],
)
POLICY = obj(
    "NetworkPolicy",
    "networking.k8s.io/v1",
    spec={
        "podSelector": {},
        "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}]}],
    },
)
POLICY_NAME = ("spec", "ingress", 0, "from", 0, "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name")
POD = obj(
    "Pod",
    spec={
        "nodeName": "node-0",
        "volumes": [{"name": "kube-api-access-abcde"}],
        "containers": [{"name": "a", "image": "a:1", "volumeMounts": [{"name": "kube-api-access-abcde"}]}],
    },
)
VOLUME = obj(
    "PersistentVolume",
    meta={"namespace": ""},
    spec={"claimRef": {"namespace": "shop", "name": "m", "uid": OLD, "resourceVersion": "5"}},
)
ROOT_CA = obj(meta={"name": "kube-root-ca.crt"}, data={"ca.crt": "old"})
GATHERED = obj("ClusterRole", RBAC, {"namespace": ""}, aggregationRule={}, rules=[{"verbs": ["get"]}])
ACCOUNT = obj("ServiceAccount", secrets=[{"name": "x-token-abcde"}])
ENDPOINTS = obj(
    "Endpoints",
    meta={"labels": {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}},
    subsets=[{"addresses": [{"ip": "10.1.0.4"}]}],
)
GENERAL = obj(
    meta={
        "uid": OLD,
        "resourceVersion": "7",
        "creationTimestamp": "t",
        "generation": 4,
        "generateName": "x-",
        "finalizers": ["a/b", "c/d"],
        "managedFields": [{"manager": "kubectl"}],
    }
)
REPLICAS = obj(
    "ReplicaSet",
    "apps/v1",
    {"labels": {"pod-template-hash": "5d8c7"}},
    spec={
        "selector": {"matchLabels": {"pod-template-hash": "5d8c7", "app": "x"}},
        "template": {"metadata": {"labels": {"pod-template-hash": "5d8c7"}}},
    },
)
DAEMON = obj("DaemonSet", "apps/v1", {"annotations": {"deprecated.daemonset.template.generation": "3"}})
SPACE = obj("Namespace", meta={"name": "shop", "labels": {"kubernetes.io/metadata.name": "shop"}})

GIVEN, COMPUTED = "assigned by the cluster", "computed by the target's controller"
COUNTED, PROVISIONED = "counted again by its controller", "provisioned by the target cluster"
NAMESPACE_LABEL = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}


def annotated(kind, api, key, value):
    """Return one row of EXPLAINED: the annotation `key` of a kind was `value` and is something else."""
    original = obj(kind, api, {"annotations": {key: value, "team": "a"}})
    return original, ("metadata", "annotations", key), f"{value}0"


RARE = [
    (obj(meta={"selfLink": "/api/v1/x"}), ("metadata", "selfLink"), ..., GIVEN),
    (
        obj("Service", spec={"healthCheckNodePort": 30100}),
        ("spec", "healthCheckNodePort"),
        30200,
        "allocated by the target cluster",
    ),
    (
        obj("NetworkPolicy", "networking.k8s.io/v1", spec={"egress": [{"to": [NAMESPACE_LABEL]}]}),
        ("spec", "egress", 0, "to", 0, "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name"),
        "copy",
        "follows the new name of its namespace",
    ),
    (
        obj("Pod", spec={"initContainers": [{"volumeMounts": [{"name": "kube-api-access-abcde"}]}]}),
        ("spec", "initContainers", 0, "volumeMounts", 0, "name"),
        "kube-api-access-fghij",
        GIVEN,
    ),
    (
        obj("Pod", meta={"labels": {"controller-revision-hash": "a"}}),
        ("metadata", "labels", "controller-revision-hash"),
        "b",
        COMPUTED,
    ),
    *(
        (
            obj("Pod", meta={"labels": {key: "a", "app": "x"}}),
            ("metadata", "labels", key),
            value,
            "copied from its node",
        )
        for key in ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
        for value in ("b", ...)
    ),
    (REPLICAS, ("spec", "template", "metadata", "labels", "pod-template-hash"), "77c4b", COMPUTED),
    *(
        (obj("Secret", meta={"labels": {key: "d"}}, type=TOKEN["type"]), ("metadata", "labels", key), ..., GIVEN)
        for key in ("kubernetes.io/legacy-token-last-used", "kubernetes.io/legacy-token-invalid-since")
    ),
    (JOB, ("metadata", "labels", "controller-uid"), NEW, COMPUTED),
    (JOB, ("metadata", "labels", "batch.kubernetes.io/controller-uid"), NEW, COMPUTED),
    (JOB, ("spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"), NEW, COMPUTED),
    (*annotated("Endpoints", "v1", "endpoints.kubernetes.io/last-change-trigger-time", "t"), COMPUTED),
    *(
        (*annotated("ReplicaSet", "apps/v1", f"deployment.kubernetes.io/{key}", "1"), COUNTED)
        for key in ("revision-history", "desired-replicas", "max-replicas")
    ),
    *(
        (*annotated("PersistentVolumeClaim", "v1", key, "x"), PROVISIONED)
        for key in (
            "pv.kubernetes.io/bound-by-controller",
            "volume.beta.kubernetes.io/storage-provisioner",
            "volume.kubernetes.io/storage-provisioner",
            "volume.kubernetes.io/selected-node",
            "volume.kubernetes.io/storage-resizer",
            "pv.kubernetes.io/migrated-to",
        )
    ),
]

ADMISSION, POLICIES = "admissionregistration.k8s.io/v1", "networking.k8s.io/v1"
NAMED = [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop", "other"]}]
TIERED = [{"key": "tier", "operator": "In", "values": ["shop"]}, NAMED[0] | {"values": ["other"]}]
CLIENT = {"service": {"namespace": "shop", "name": "hook"}, "caBundle": "b2xk"}
INJECTED = {"annotations": {"cert-manager.io/inject-ca-from": "shop/hook"}}
TARGET = [{"targetRef": {"kind": "Pod", "name": "x", "uid": OLD, "resourceVersion": "5"}}]


def policy(way, peer, requirements):
    peers = [{"namespaceSelector": {"matchExpressions": copy.deepcopy(requirements)}}]
    return obj("NetworkPolicy", POLICIES, spec={way: [{peer: peers}]})


def expression(way, peer):
    return ("spec", way, 0, peer, 0, "namespaceSelector", "matchExpressions", 0, "values", 0)


def hook(meta, requirements=NAMED):
    selector = {"matchExpressions": requirements, "matchLabels": {"kubernetes.io/metadata.name": "shop"}}
    webhooks = [{"namespaceSelector": selector, "clientConfig": CLIENT}]
    return copy.deepcopy(obj("MutatingWebhookConfiguration", ADMISSION, meta, webhooks=webhooks))


def extension(kind, meta):
    """Return the rest of EXPLAINED: what a definition or an APIService says of the Service behind it."""
    if kind == "APIService":
        return obj(kind, "apiregistration.k8s.io/v1", meta, spec=copy.deepcopy(CLIENT)), ("spec",)
    spec = {"conversion": {"webhook": {"clientConfig": copy.deepcopy(CLIENT)}}}
    return obj(kind, "apiextensions.k8s.io/v1", meta, spec=spec), ("spec", "conversion", "webhook", "clientConfig")


SELECTOR = ("webhooks", 0, "namespaceSelector")
EXTENSIONS = [
    (
        hook({}),
        (*SELECTOR, "matchLabels", "kubernetes.io/metadata.name"),
        "copy",
        "follows the new name of its namespace",
    ),
    (hook({}), (*SELECTOR, "matchExpressions", 0, "values", 0), "copy", "follows the new name of its namespace"),
    (
        hook({}),
        ("webhooks", 0, "clientConfig", "service", "namespace"),
        "copy",
        "follows the new name of its namespace",
    ),
    (hook(INJECTED), ("webhooks", 0, "clientConfig", "caBundle"), ..., "injected by another controller"),
    *(
        row
        for kind in ("APIService", "CustomResourceDefinition")
        for original, at in [extension(kind, INJECTED)]
        for row in (
            (original, (*at, "service", "namespace"), "copy", "follows the new name of its namespace"),
            (original, (*at, "caBundle"), "bmV3", "injected by another controller"),
        )
    ),
    (policy("ingress", "from", NAMED), expression("ingress", "from"), "copy", "follows the new name of its namespace"),
    (policy("egress", "to", NAMED), expression("egress", "to"), "copy", "follows the new name of its namespace"),
    *(
        (original, (*at, "targetRef", key), ..., "dropped, because it referred to an object of the source cluster")
        for original, at in (
            (obj("Endpoints", subsets=[{"addresses": TARGET}]), ("subsets", 0, "addresses", 0)),
            (obj("Endpoints", subsets=[{"notReadyAddresses": TARGET}]), ("subsets", 0, "notReadyAddresses", 0)),
            (obj("EndpointSlice", "discovery.k8s.io/v1", endpoints=TARGET), ("endpoints", 0)),
        )
        for key in ("uid", "resourceVersion")
    ),
]

STORAGE_CLASS, INGRESS_CLASS = (
    obj(kind, api, meta={"annotations": dict.fromkeys(keys, "true") | {"keep": "k"}})
    for kind, api, keys in (
        (
            "StorageClass",
            "storage.k8s.io/v1",
            (
                "storageclass.kubernetes.io/is-default-class",
                "storageclass.beta.kubernetes.io/is-default-class",
            ),
        ),
        ("IngressClass", "networking.k8s.io/v1", ("ingressclass.kubernetes.io/is-default-class",)),
    )
)
PRIORITY_CLASS = obj("PriorityClass", "scheduling.k8s.io/v1", globalDefault=True)
FILLED = obj("PersistentVolumeClaim", spec={key: {"kind": "A", "name": "b"} for key in ("dataSource", "dataSourceRef")})
STATIC, PROVISIONED = (
    obj("PersistentVolume", meta={"annotations": notes}, spec={"persistentVolumeReclaimPolicy": "Delete"})
    for notes in ({}, {"pv.kubernetes.io/provisioned-by": "d"})
)
BOTH_FAMILIES = obj("Service", spec={"ipFamilies": ["IPv4", "IPv6"]})
POLICY_OF_VOLUME = ("spec", "persistentVolumeReclaimPolicy")

COMES_WITHOUT = [
    (PRIORITY_CLASS, ("globalDefault",), ..., "the target has another default"),
    *(
        (each, ("metadata", "annotations", key), ..., "the target has another default")
        for each in (STORAGE_CLASS, INGRESS_CLASS)
        for key in each["metadata"]["annotations"]
        if key != "keep"
    ),
    (FILLED, ("spec", "dataSource"), ..., "the claim was filled from it before"),
    (FILLED, ("spec", "dataSourceRef"), ..., "the claim was filled from it before"),
    (STATIC, POLICY_OF_VOLUME, "Retain", "a static volume is retained"),
    (BOTH_FAMILIES, ("spec", "ipFamilies", 1), ..., "the families that the target has"),
]

EXPLAINED = [
    *RARE,
    *COMES_WITHOUT,
    *EXTENSIONS,
    (GENERAL, ("metadata", "uid"), NEW, "assigned by the cluster"),
    (obj(meta={"uid": OTHER}), ("metadata", "uid"), NEW, "assigned by the cluster"),
    (GENERAL, ("metadata", "resourceVersion"), "8", "assigned by the cluster"),
    (GENERAL, ("metadata", "creationTimestamp"), "u", "assigned by the cluster"),
    (GENERAL, ("metadata", "generation"), 1, "assigned by the cluster"),
    (GENERAL, ("metadata", "managedFields"), [{"manager": "kubeferry"}], "assigned by the cluster"),
    (GENERAL, ("metadata", "namespace"), "copy", "follows the new name of its namespace"),
    (GENERAL, ("metadata", "generateName"), ..., "dropped, because the name is kept and not generated again"),
    (GENERAL, ("metadata", "finalizers"), ..., "dropped, as the target may lack its controller"),
    (OWNED, OWNER_UID, NEW, "re-linked to the new owner"),
    (GENERAL, ("metadata", "ownerReferences"), [BUNDLE], "owned by the bundle of the restore"),
    (SERVICE, ("spec", "clusterIP"), "10.8.0.1", "allocated by the target cluster"),
    (SERVICE, ("spec", "clusterIPs", 0), "10.8.0.1", "allocated by the target cluster"),
    (SERVICE, ("spec", "ports", 0, "nodePort"), 31000, "allocated by the target cluster"),
    (TOKEN, ("data", "token"), "bmV3", "issued by the target cluster"),
    (TOKEN, ("data", "ca.crt"), "bmV3", "issued by the target cluster"),
    (TOKEN, ("data", "namespace"), b64("copy"), "follows the new name of its namespace"),
    (TOKEN, ("metadata", "annotations", "kubernetes.io/service-account.uid"), NEW, "re-linked to the new account"),
    (CLAIM, ("spec", "volumeName"), "pvc-2", "provisioned by the target cluster"),
    (CLAIM, ("spec", "volumeName"), ..., "provisioned by the target cluster"),
    (CLAIM, ("metadata", "annotations", "pv.kubernetes.io/bind-completed"), ..., "provisioned by the target cluster"),
    (JOB, (*TEMPLATE_LABELS, "controller-uid"), NEW, "computed by the target's controller"),
    (JOB, (*TEMPLATE_LABELS, "batch.kubernetes.io/controller-uid"), NEW, "computed by the target's controller"),
    (JOB, ("spec", "selector", "matchLabels", "controller-uid"), NEW, "computed by the target's controller"),
    (
        DEPLOYMENT,
        ("metadata", "annotations", "deployment.kubernetes.io/revision"),
        "1",
        "counted again by its controller",
    ),
    (DEPLOYMENT, ("status", "replicas"), 1, "observed again by its controller"),
    (DEPLOYMENT, ("status", "conditions", 0, "lastUpdateTime"), "later", "observed again by its controller"),
    (DEPLOYMENT, ("status",), ..., "observed again by its controller"),
    (
        DAEMON,
        ("metadata", "annotations", "deprecated.daemonset.template.generation"),
        "1",
        "counted again by its controller",
    ),
    (REPLICAS, ("metadata", "labels", "pod-template-hash"), "77c4b", "computed by the target's controller"),
    (
        REPLICAS,
        ("spec", "selector", "matchLabels", "pod-template-hash"),
        "77c4b",
        "computed by the target's controller",
    ),
    (BINDING, ("subjects", 0, "namespace"), "copy", "follows the new name of its namespace"),
    (BINDING, ("subjects", 1, "name"), "system:serviceaccounts:copy", "follows the new name of its namespace"),
    (BINDING, ("metadata", "name"), "copy:reader", "a copy for the mapped namespace"),
    (POLICY, POLICY_NAME, "copy", "follows the new name of its namespace"),
    (POD, ("spec", "nodeName"), "node-1", "scheduled by the target cluster"),
    (POD, ("spec", "volumes", 0, "name"), "kube-api-access-fghij", "assigned by the cluster"),
    (POD, ("spec", "containers", 0, "volumeMounts", 0, "name"), "kube-api-access-fghij", "assigned by the cluster"),
    (VOLUME, ("spec", "claimRef", "namespace"), "copy", "follows the new name of its namespace"),
    (VOLUME, ("spec", "claimRef", "uid"), NEW, "re-linked to the new claim"),
    (VOLUME, ("spec", "claimRef", "resourceVersion"), ..., GIVEN),
    (ROOT_CA, ("data", "ca.crt"), "new", "each cluster's own root certificate"),
    (GATHERED, ("rules",), [{"verbs": ["list"]}], "aggregated again from other roles"),
    (ACCOUNT, ("secrets",), ..., "generated Secrets are not backed up"),
    (ENDPOINTS, ("subsets", 0, "addresses", 0, "ip"), "10.2.0.9", "computed by the target's controller"),
    (SPACE, ("metadata", "name"), "copy", "follows the new name of its namespace"),
    (SPACE, ("metadata", "labels", "kubernetes.io/metadata.name"), "copy", "follows the new name of its namespace"),
]


@pytest.mark.parametrize(("original", "path", "value", "reason"), EXPLAINED)
def test_a_necessary_difference_is_explained(original, path, value, reason):
    found = reasons(original, changed(original, path, value))
    assert set(found) == {reason}


UNEXPLAINED = [
    (PRIORITY_CLASS, ("globalDefault",), "x"),
    (STORAGE_CLASS, ("metadata", "annotations", "keep"), ...),
    (FILLED, ("spec", "dataSource"), {"kind": "A", "name": "c"}),
    (STATIC, POLICY_OF_VOLUME, "Recycle"),
    (PROVISIONED, POLICY_OF_VOLUME, "Retain"),
    # a selector that asks something else than the namespace's name, an authority that its author wrote
    (policy("ingress", "from", TIERED), expression("ingress", "from"), "copy"),
    (policy("ingress", "from", NAMED), expression("ingress", "from"), "elsewhere"),
    (hook({}, TIERED), (*SELECTOR, "matchExpressions", 0, "values", 0), "copy"),
    (hook({}), ("webhooks", 0, "clientConfig", "caBundle"), ...),
    (
        hook({"annotations": {"cert-manager.io/inject-apiserver-ca": "false"}}),
        ("webhooks", 0, "clientConfig", "caBundle"),
        ...,
    ),
    (hook({}), ("webhooks", 0, "clientConfig", "service", "name"), "other"),
    (obj("Endpoints", subsets=[{"addresses": TARGET}]), ("subsets", 0, "addresses", 0, "targetRef", "name"), "y"),
    (obj("Endpoints", subsets=[{"addresses": TARGET}]), ("subsets", 0, "addresses", 0, "targetRef", "uid"), NEW),
    # a uid that is not the one that the object was mapped to
    (GENERAL, ("metadata", "uid"), OTHER),
    (OWNED, OWNER_UID, OTHER),
    (OWNED, OWNER_UID, ""),
    (changed(OWNED, OWNER_UID, OTHER), OWNER_UID, NEW),
    (TOKEN, ("metadata", "annotations", "kubernetes.io/service-account.uid"), OTHER),
    (JOB, (*TEMPLATE_LABELS, "controller-uid"), OTHER),
    (changed(JOB, ("metadata", "uid"), OTHER), (*TEMPLATE_LABELS, "controller-uid"), NEW),
    (VOLUME, ("spec", "claimRef", "uid"), OTHER),
    # the rest of an owner reference
    (OWNED, ("metadata", "ownerReferences", 0, "name"), "d"),
    (OWNED, ("metadata", "ownerReferences", 0), {"kind": "Catalog", "name": "c", "uid": NEW}),
    (OWNED, ("metadata", "ownerReferences"), ...),
    (GENERAL, ("metadata", "ownerReferences"), [BUNDLE | {"apiVersion": "v1"}]),
    (GENERAL, ("metadata", "ownerReferences"), [BUNDLE, BUNDLE]),
    # a namespace that nobody asked for
    (GENERAL, ("metadata", "namespace"), "elsewhere"),
    (TOKEN, ("data", "namespace"), b64("elsewhere")),
    (BINDING, ("subjects", 0, "namespace"), "elsewhere"),
    (BINDING, ("subjects", 1, "name"), "system:serviceaccounts:elsewhere"),
    (BINDING, ("subjects", 1, "name"), "system:authenticated"),
    (BINDING, ("metadata", "name"), "reader"),
    (POLICY, POLICY_NAME, "elsewhere"),
    (POLICY, ("spec", "podSelector"), ...),
    (SPACE, ("metadata", "name"), "elsewhere"),
    # a headless Service that is none any more, or the other way round
    (HEADLESS, ("spec", "clusterIP"), "10.8.0.1"),
    (SERVICE, ("spec", "clusterIP"), "None"),
    (SERVICE, ("spec", "ports", 0, "nodePort"), ...),
    (SERVICE, ("spec", "ports", 0, "port"), 81),
    # what a person wrote
    (DEPLOYMENT, ("spec", "template", "spec", "containers", 0, "image"), "web:2"),
    (DEPLOYMENT, ("spec", "template", "spec", "containers", 0, "env", 0, "value"), "c"),
    (DEPLOYMENT, ("spec", "replicas"), 3),
    (DEPLOYMENT, ("metadata", "annotations", "team"), ...),
    (CLAIM, ("spec", "storageClassName"), "fast"),
    (CLAIM, ("metadata", "annotations", "team"), "b"),
    (JOB, (*TEMPLATE_LABELS, "app"), "y"),
    (REPLICAS, ("spec", "selector", "matchLabels", "app"), "y"),
    (POD, ("spec", "containers", 0, "image"), "a:2"),
    (POD, ("spec", "volumes", 0, "name"), "kube-api-access"),
    (
        obj("Deployment", "apps/v1", {"labels": {"topology.kubernetes.io/zone": "a"}}),
        ("metadata", "labels", "topology.kubernetes.io/zone"),
        "b",
    ),
    (GENERAL, ("metadata", "finalizers"), ["e/f", "c/d"]),
    (GENERAL, ("metadata", "generateName"), "y-"),
    (OPAQUE, ("data", "token"), "bmV3"),
    (OPAQUE, ("data", "ca.crt"), "bmV3"),
    (OPAQUE, ("data", "namespace"), b64("copy")),
    (TOKEN, ("data", "token"), ...),
    (changed(ROOT_CA, ("metadata", "name"), "my-ca"), ("data", "ca.crt"), "new"),
    (changed(GATHERED, ("aggregationRule",), ...), ("rules",), []),
    (changed(ACCOUNT, ("secrets", 0, "name"), "made-by-hand"), ("secrets",), ...),
    (changed(ENDPOINTS, ("metadata", "labels"), {}), ("subsets", 0, "addresses", 0, "ip"), "10.2.0.9"),
    (obj("Catalog", "shop.example.com/v1", spec={"status": "open"}), ("spec", "status"), "closed"),
]


@pytest.mark.parametrize(("original", "path", "value"), UNEXPLAINED)
def test_its_near_miss_is_not_explained(original, path, value):
    found = reasons(original, changed(original, path, value))
    assert None in found


@pytest.mark.parametrize("kind", ["Service", "ClusterRoleBinding"])
def test_a_row_of_a_core_or_built_in_kind_does_not_explain_a_custom_kind_of_that_name(kind):
    original = obj(kind, "example.com/v1", spec={"clusterIP": "a"}, subjects=[{"namespace": "shop"}])
    restored = changed(changed(original, ("spec", "clusterIP"), "b"), ("subjects", 0, "namespace"), "copy")
    assert reasons(original, restored) == [None, None]


def applied(**fields):
    copied = obj("Service", **fields)
    return obj("Service", meta={"annotations": {LAST_APPLIED: json.dumps(copied)}})


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (applied(meta={"namespace": "copy"}, spec={"clusterIP": "10.0.0.7"}), "rewritten with the object"),
        (applied(meta={"namespace": "copy"}, spec={}), "rewritten with the object"),
        (applied(meta={"namespace": "elsewhere"}, spec={"clusterIP": "10.0.0.7"}), None),
        (applied(meta={"namespace": "copy"}, spec={"clusterIP": "10.0.0.7", "type": "NodePort"}), None),
        (changed(applied(), ("metadata", "annotations", LAST_APPLIED), '{"kind": '), None),
        (changed(applied(), ("metadata", "annotations", LAST_APPLIED), "[1]"), None),
        (changed(applied(), ("metadata", "annotations", LAST_APPLIED), ...), None),
    ],
)
def test_the_copy_of_kubectl_apply_may_change_as_the_object_may(now, reason):
    assert reasons(applied(spec={"clusterIP": "10.0.0.7"}), now) == [reason]


@pytest.mark.parametrize("text", ['{"kind": ', "[1]", "{}", '{"apiVersion": "v1", "kind": "Pod", "metadata": 1}'])
def test_a_copy_that_cannot_be_read_may_only_be_removed(text):
    original = obj(meta={"annotations": {LAST_APPLIED: text, "team": "a"}})
    path = ("metadata", "annotations", LAST_APPLIED)
    assert reasons(original, changed(original, path, ...)) == ["dropped, because it could not be read"]
    assert reasons(original, changed(original, path, "{}x")) == [None]
    assert reasons(changed(original, path, ...), original) == [None]


def test_a_secret_copied_by_kubectl_apply_is_compared_though_masked():
    def with_copy(namespace, value):
        copied = obj("Secret", meta={"namespace": namespace}, data={"a": value})
        return obj("Secret", meta={"annotations": {LAST_APPLIED: json.dumps(copied)}})

    assert reasons(with_copy("shop", "MQ=="), with_copy("copy", "MQ==")) == ["rewritten with the object"]
    assert reasons(with_copy("shop", "MQ=="), with_copy("copy", "Mg==")) == [None]


def test_a_namespace_mapped_to_itself_needs_no_new_name():
    """`tools` keeps its name, so a binding with subjects in it has no reason to be copied under another one."""
    original = obj("ClusterRoleBinding", RBAC, {"name": "reader", "namespace": ""}, subjects=[{"namespace": "tools"}])
    assert reasons(original, changed(original, ("metadata", "name"), "tools:reader")) == [None]


def test_every_row_is_needed():
    """A row that no example above reaches could be wrong, or too wide, without anybody noticing."""
    used = {
        matching(each, original, MOVE)
        for original, path, value, _ in EXPLAINED
        for each in differences(original, changed(original, path, value))
    }
    assert [(row.kinds, row.path) for row in ROWS if row not in used] == []
