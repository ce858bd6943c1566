"""Kubernetes' own kinds, spelled out from its API reference: group, scope, plural, short names, and when each comes."""

import pytest

from kubeferry.tasks.core.graph.priorities import Priority, priority_of
from kubeferry.tasks.core.kube.kinds import (
    CLUSTER_KINDS,
    GROUP_OF_KIND,
    is_built_in,
    is_protected,
    plural_of,
    short_names_of,
)
from kubeferry.tasks.core.kube.objects import Ref

# What `kubectl api-resources` prints: NAME SHORTNAMES GROUP NAMESPACED KIND.
RESOURCES = """
configmaps                        cm        -                             true   ConfigMap
endpoints                         ep        -                             true   Endpoints
limitranges                       limits    -                             true   LimitRange
namespaces                        ns        -                             false  Namespace
nodes                             no        -                             false  Node
persistentvolumeclaims            pvc       -                             true   PersistentVolumeClaim
persistentvolumes                 pv        -                             false  PersistentVolume
pods                              po        -                             true   Pod
podtemplates                      -         -                             true   PodTemplate
replicationcontrollers            rc        -                             true   ReplicationController
resourcequotas                    quota     -                             true   ResourceQuota
secrets                           -         -                             true   Secret
serviceaccounts                   sa        -                             true   ServiceAccount
services                          svc       -                             true   Service
mutatingadmissionpolicies         -         admissionregistration.k8s.io  false  MutatingAdmissionPolicy
mutatingadmissionpolicybindings   -         admissionregistration.k8s.io  false  MutatingAdmissionPolicyBinding
mutatingwebhookconfigurations     -         admissionregistration.k8s.io  false  MutatingWebhookConfiguration
validatingadmissionpolicies       -         admissionregistration.k8s.io  false  ValidatingAdmissionPolicy
validatingadmissionpolicybindings -         admissionregistration.k8s.io  false  ValidatingAdmissionPolicyBinding
validatingwebhookconfigurations   -         admissionregistration.k8s.io  false  ValidatingWebhookConfiguration
customresourcedefinitions         crd,crds  apiextensions.k8s.io          false  CustomResourceDefinition
apiservices                       -         apiregistration.k8s.io        false  APIService
controllerrevisions               -         apps                          true   ControllerRevision
daemonsets                        ds        apps                          true   DaemonSet
deployments                       deploy    apps                          true   Deployment
replicasets                       rs        apps                          true   ReplicaSet
statefulsets                      sts       apps                          true   StatefulSet
horizontalpodautoscalers          hpa       autoscaling                   true   HorizontalPodAutoscaler
cronjobs                          cj        batch                         true   CronJob
jobs                              -         batch                         true   Job
leases                            -         coordination.k8s.io           true   Lease
endpointslices                    -         discovery.k8s.io              true   EndpointSlice
ingressclasses                    -         networking.k8s.io             false  IngressClass
ingresses                         ing       networking.k8s.io             true   Ingress
networkpolicies                   netpol    networking.k8s.io             true   NetworkPolicy
runtimeclasses                    -         node.k8s.io                   false  RuntimeClass
poddisruptionbudgets              pdb       policy                        true   PodDisruptionBudget
clusterrolebindings               -         rbac.authorization.k8s.io     false  ClusterRoleBinding
clusterroles                      -         rbac.authorization.k8s.io     false  ClusterRole
rolebindings                      -         rbac.authorization.k8s.io     true   RoleBinding
roles                             -         rbac.authorization.k8s.io     true   Role
deviceclasses                     -         resource.k8s.io               false  DeviceClass
resourceclaims                    -         resource.k8s.io               true   ResourceClaim
resourceclaimtemplates            -         resource.k8s.io               true   ResourceClaimTemplate
priorityclasses                   pc        scheduling.k8s.io             false  PriorityClass
csidrivers                        -         storage.k8s.io                false  CSIDriver
csinodes                          -         storage.k8s.io                false  CSINode
csistoragecapacities              -         storage.k8s.io                true   CSIStorageCapacity
storageclasses                    sc        storage.k8s.io                false  StorageClass
volumeattachments                 -         storage.k8s.io                false  VolumeAttachment
volumeattributesclasses           vac       storage.k8s.io                false  VolumeAttributesClass
"""
ROWS = [["" if each == "-" else each for each in line.split()] for line in RESOURCES.strip().splitlines()]


@pytest.mark.parametrize(("plural", "short", "group", "namespaced", "kind"), ROWS)
def test_each_kind_has_the_group_the_scope_and_the_names_of_kubectl(plural, short, group, namespaced, kind):
    assert GROUP_OF_KIND[kind] == group
    assert ((group, kind) in CLUSTER_KINDS) is (namespaced == "false")
    assert plural_of(kind) == plural
    assert short_names_of(group, kind) == tuple(short.split(",")) * bool(short)


@pytest.mark.parametrize(
    "group",
    [
        *sorted({row[2] for row in ROWS}),
        "authentication.k8s.io",
        "authorization.k8s.io",
        "certificates.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io",
        "storagemigration.k8s.io",
    ],
)
def test_a_group_that_the_api_server_serves_itself_is_its_own(group):
    assert is_built_in(group)


@pytest.mark.parametrize(
    "group",
    ["cluster.x-k8s.io", "gateway.networking.k8s.io", "metrics.k8s.io", "snapshot.storage.k8s.io", "cert-manager.io"],
)
def test_a_group_of_a_project_beside_kubernetes_is_not(group):
    assert not is_built_in(group)


@pytest.mark.parametrize(
    ("group", "built_in", "protected"),
    [
        ("", True, True),
        ("apps", True, True),
        ("storage.k8s.io", True, True),
        # CRDs of subprojects: what waits, renames or is shown by the built-in kinds' rules must not take these for one.
        ("gateway.networking.k8s.io", False, True),
        ("snapshot.storage.k8s.io", False, True),
        ("metrics.k8s.io", False, True),
        ("node.kubernetes.io", False, True),
        # Reserved are whole labels only.
        ("cluster.x-k8s.io", False, False),
        ("k8s.io", False, False),
        ("notk8s.io", False, False),
        ("cert-manager.io", False, False),
    ],
)
def test_groups_that_are_built_in_and_groups_that_are_reserved(group, built_in, protected):
    assert (is_built_in(group), is_protected(group)) == (built_in, protected)


TURNS = {
    Priority.POLICY: "ResourceQuota LimitRange NetworkPolicy PriorityClass RuntimeClass StorageClass IngressClass",
    Priority.CONFIG: "ConfigMap Secret Service ServiceAccount PersistentVolumeClaim PersistentVolume PodTemplate"
    " Endpoints Role RoleBinding ClusterRole ClusterRoleBinding Lease EndpointSlice ControllerRevision ResourceClaim",
    Priority.WORKLOAD: "Pod ReplicationController Deployment ReplicaSet StatefulSet DaemonSet Job CronJob",
    Priority.TRAFFIC: "Ingress HorizontalPodAutoscaler PodDisruptionBudget",
    Priority.ADMISSION: "ValidatingWebhookConfiguration MutatingWebhookConfiguration ValidatingAdmissionPolicy"
    " ValidatingAdmissionPolicyBinding APIService",
}


@pytest.mark.parametrize(("phase", "kind"), [(phase, kind) for phase, kinds in TURNS.items() for kind in kinds.split()])
def test_each_kind_has_its_turn(phase, kind):
    group = next(row[2] for row in ROWS if row[4] == kind)
    assert priority_of(Ref(group, kind, "shop", "it")) is phase


@pytest.mark.parametrize(
    ("group", "kind"),
    [("autoscaling.k8s.io", "VerticalPodAutoscaler"), ("keda.sh", "ScaledObject"), ("keda.sh", "ScaledJob")],
)
def test_what_scales_a_workload_comes_after_it(group, kind):
    assert priority_of(Ref(group, kind, "shop", "it")) is Priority.TRAFFIC


@pytest.mark.parametrize("group", ["", "apps", "batch", "autoscaling", "policy", "extensions", "events.k8s.io"])
def test_a_kind_that_a_later_kubernetes_adds_counts_as_configuration(group):
    assert priority_of(Ref(group, "Newcomer", "shop", "it")) is Priority.CONFIG


def test_the_turns_are_in_this_order():
    turns = "POLICY CONFIG STORAGE IDENTITY WORKLOAD TRAFFIC CUSTOM ADMISSION"
    assert [phase.name for phase in sorted(Priority)] == turns.split()
