"""What is read besides the chosen objects, and what each kind is waited for: spelled out, not read from our tables."""

import pytest

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.evaluate import ready_when
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.ops.rights import for_backup, for_restore
from kubeferry.tasks.core.selection.resource_types import INDEXED, INDEXED_EVERYWHERE, RELATED


def test_cluster_wide_types_of_which_a_backup_includes_what_its_namespaces_need():
    assert {".".join(filter(None, (resource, group))) for group, resource in RELATED} == {
        "persistentvolumes",
        "apiservices.apiregistration.k8s.io",
        "customresourcedefinitions.apiextensions.k8s.io",
        "gatewayclasses.gateway.networking.k8s.io",
        "mutatingadmissionpolicies.admissionregistration.k8s.io",
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "ingressclasses.networking.k8s.io",
        "runtimeclasses.node.k8s.io",
        "clusterrolebindings.rbac.authorization.k8s.io",
        "clusterroles.rbac.authorization.k8s.io",
        "priorityclasses.scheduling.k8s.io",
        "storageclasses.storage.k8s.io",
    }


def test_types_that_are_read_since_objects_may_name_their_addresses():
    """ReplicaSets are the owners by which a pod's successor is found; nodes and Services count wherever they are."""
    assert {resource for _, resource in INDEXED} == {"pods", "services", "replicasets", "ingresses", "gateways"}
    assert {resource for _, resource in INDEXED_EVERYWHERE} == {"nodes", "services"}


def of(group, kind, resource, *, namespaced):
    return ResourceType(group, "v1", kind, resource, namespaced=namespaced, verbs=frozenset({"list", "create"}))


TYPES = [
    of("", "Secret", "secrets", namespaced=True),
    of("", "Event", "events", namespaced=True),
    of("", "Node", "nodes", namespaced=False),
    of("", "Service", "services", namespaced=True),
    of("", "ServiceAccount", "serviceaccounts", namespaced=True),
    of("node.k8s.io", "RuntimeClass", "runtimeclasses", namespaced=False),
    of("storage.k8s.io", "CSIDriver", "csidrivers", namespaced=False),
]


def test_a_backup_asks_for_the_rights_that_it_takes_and_no_others():
    assert sorted(str(each) for each in for_backup(TYPES, ["shop", "bank"])) == [
        "get namespaces",
        "list nodes",
        "list runtimeclasses.node.k8s.io",
        "list secrets in bank",
        "list secrets in shop",
        "list serviceaccounts in bank",
        "list serviceaccounts in shop",
        "list services",
        "list services in bank",
        "list services in shop",
    ]


def test_a_restore_asks_for_the_rights_that_it_takes_and_no_others():
    asked = {str(each) for each in for_restore(TYPES, ["shop"])}
    assert asked == {
        "create namespaces",
        "get namespaces",
        "create runtimeclasses.node.k8s.io",
        "get runtimeclasses.node.k8s.io",
        *(f"{verb} {kind} in shop" for kind in ("secrets", "services") for verb in ("create", "get", "list", "watch")),
        *(f"{verb} serviceaccounts in shop" for verb in ("create", "get", "list", "patch", "watch")),
        *(f"{verb} leases.coordination.k8s.io in shop" for verb in ("create", "delete", "get", "patch")),
        "create bundles.kubeferry.io in shop",
        "get bundles.kubeferry.io in shop",
        "patch bundles/status.kubeferry.io in shop",
    }


@pytest.mark.parametrize(
    ("group", "kind", "phrase"),
    [
        ("apps", "Deployment", "all replicas are updated and available"),
        ("apps", "StatefulSet", "all replicas are updated and available"),
        ("apps", "DaemonSet", "every node that should run it has an available pod"),
        ("apps", "ReplicaSet", "all replicas are available"),
        ("", "ReplicationController", "all replicas are available"),
        ("batch", "Job", "it has started (or is complete, or suspended)"),
        ("", "Pod", "its condition Ready is true"),
        ("", "PersistentVolumeClaim", "it is bound, unless that waits for its first pod"),
        ("", "PersistentVolume", "it is Available or Bound"),
        ("", "Namespace", "it is Active and has its ServiceAccount `default`"),
        ("", "ResourceQuota", "its usage is calculated"),
        ("", "Secret", "it exists (a service account token: is issued)"),
        ("apiextensions.k8s.io", "CustomResourceDefinition", "it is established and its kind is served"),
        ("apiregistration.k8s.io", "APIService", "the API server can reach its service"),
        ("", "ConfigMap", "it exists"),
        ("batch", "CronJob", "it exists"),
        ("networking.k8s.io", "Ingress", "it exists"),
        ("example.com", "Deployment", "its condition Ready is true, if it has one"),
    ],
)
def test_a_plan_says_what_each_kind_is_waited_for(group, kind, phrase):
    assert ready_when(Ref(group, kind, "shop", "it")) == phrase
