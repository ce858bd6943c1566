"""What a backup excludes, by kind and by object, each with one short sentence for people.

An object that a controller of the target re-creates from a backed-up object is excluded only if it never holds state;
the restore decides on other owned objects. `default` service accounts and Helm's Secrets are backed up like all others.
The kinds come from Velero's default excluded resources, from the Kubernetes API reference, and from what the API server
creates or serves by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kubeferry.tasks.core.formats.links import Links, links_of
from kubeferry.tasks.core.formats.reasons import BEING_DELETED, Reason, ReasonCode
from kubeferry.tasks.core.jsondoc.edit import EACH, Object, found, get, group_of
from kubeferry.tasks.core.kube.namespace_defaults import API_SERVER, namespace_default
from kubeferry.tasks.core.kube.objects import Ref, annotations_of, controller_of, labels_of
from kubeferry.tasks.core.needs.ownership import pod_of
from kubeferry.tasks.core.selection.policy import DEFAULTS, UNKNOWN_CLUSTER, ClusterContext, Policy

EVENT = "events describe what happened in the source cluster"
NODE = "nodes and what drivers report about them belong to their cluster"
ATTACHMENT = "the target attaches volumes to nodes itself"
QUESTION = "a request to the API server, which stores nothing"
MEASURED = "measured live, not stored"
ALLOCATED = "the API server allocates addresses itself"
ELECTION = "every cluster elects its own leaders"
VELERO = "a run of Velero, which would run again where it is restored"
VIEW = "a view of objects that are backed up themselves"

_ROWS = (
    # group, resource, kind, reason
    ("", "events", "Event", EVENT),
    ("events.k8s.io", "events", "Event", EVENT),
    ("", "nodes", "Node", NODE),
    ("storage.k8s.io", "csinodes", "CSINode", NODE),
    ("storage.k8s.io", "csistoragecapacities", "CSIStorageCapacity", NODE),
    ("resource.k8s.io", "resourceslices", "ResourceSlice", NODE),
    ("storage.k8s.io", "volumeattachments", "VolumeAttachment", ATTACHMENT),
    ("", "componentstatuses", "ComponentStatus", MEASURED),
    ("metrics.k8s.io", "nodes", "NodeMetrics", MEASURED),
    ("metrics.k8s.io", "pods", "PodMetrics", MEASURED),
    ("", "bindings", "Binding", "a request of the scheduler, which stores nothing"),
    ("authentication.k8s.io", "tokenrequests", "TokenRequest", "the target issues its own tokens"),
    ("authentication.k8s.io", "tokenreviews", "TokenReview", QUESTION),
    ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview", QUESTION),
    ("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview", QUESTION),
    ("authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview", QUESTION),
    ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview", QUESTION),
    ("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview", QUESTION),
    (
        "certificates.k8s.io",
        "certificatesigningrequests",
        "CertificateSigningRequest",
        "a certificate request is for a signer of the source cluster",
    ),
    ("networking.k8s.io", "ipaddresses", "IPAddress", ALLOCATED),
    ("coordination.k8s.io", "leasecandidates", "LeaseCandidate", ELECTION),
    ("internal.apiserver.k8s.io", "storageversions", "StorageVersion", "how the source API servers stored objects"),
    ("kubeferry.io", "bundles", "Bundle", "every restore creates its own bundle"),
    ("velero.io", "backups", "Backup", VELERO),
    ("velero.io", "restores", "Restore", VELERO),
    ("velero.io", "deletebackuprequests", "DeleteBackupRequest", VELERO),
    ("velero.io", "downloadrequests", "DownloadRequest", VELERO),
    ("velero.io", "serverstatusrequests", "ServerStatusRequest", VELERO),
    ("velero.io", "podvolumebackups", "PodVolumeBackup", VELERO),
    ("velero.io", "podvolumerestores", "PodVolumeRestore", VELERO),
    ("velero.io", "datauploads", "DataUpload", VELERO),
    ("velero.io", "datadownloads", "DataDownload", VELERO),
    ("image.openshift.io", "imagestreamtags", "ImageStreamTag", VIEW),
    ("image.openshift.io", "imagetags", "ImageTag", VIEW),
    ("authorization.openshift.io", "roles", "Role", VIEW),
    ("authorization.openshift.io", "rolebindings", "RoleBinding", VIEW),
)

TYPES_LEFT_OUT: Mapping[tuple[str, str], str] = {(group, resource): why for group, resource, _, why in _ROWS}
"""(group, resource) → why objects of that type are never backed up; "" is the core group."""

KINDS_LEFT_OUT: Mapping[tuple[str, str], str] = {(group, kind): why for group, _, kind, why in _ROWS}
"""(group, kind) → the same reason, by kind."""

NEEDED_VERBS = {"list": "the server does not list it", "create": "the server does not create it"}
"""Verbs that a type must support to be backed up and restored, and the reason if it does not."""


def type_left_out(group: str, resource: str, verbs: frozenset[str]) -> str | None:
    """Return why objects of a type are never backed up, or None if they are.

    `verbs` are those in the discovery document: a type without list cannot be backed up, one without create cannot be
    restored (reviews, metrics, views).
    """
    known = TYPES_LEFT_OUT.get((group, resource))
    return known or next((why for verb, why in NEEDED_VERBS.items() if verb not in verbs), None)


Rule = Callable[[Object, ClusterContext, Policy], Reason | None]

EXCLUDING_LABELS = ("velero.io/exclude-from-backup", "kubeferry.io/exclude")
"""Labels with which the author of an object excludes it, if the value is "true"."""

MADE_BY_API_SERVER = Reason(ReasonCode.MADE_BY_CLUSTER, detail="the API server creates its own `kubernetes` service")

SLICE_MANAGERS: Mapping[str, str] = {
    "endpointslice-controller.k8s.io": "the endpoint slice controller creates it from the service's pods",
    "endpointslicemirroring-controller.k8s.io": "mirrored from an Endpoints object, which is backed up itself",
}
"""Values of the managed-by label that Kubernetes' own controllers write; any other is from a person or another tool."""

TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
UNNAMED_MANAGER = "a controller creates it from the service's pods"


def exclusion(obj: Object, around: ClusterContext = UNKNOWN_CLUSTER, keep: Policy = DEFAULTS) -> Reason | None:
    """Return why `obj`, as the API server lists it, is excluded, or None if it is backed up."""
    kind = (group_of(obj["apiVersion"]), obj["kind"])
    if kind in KINDS_LEFT_OUT:
        return Reason(ReasonCode.NEVER_CARRIED, detail=KINDS_LEFT_OUT[kind])
    default = namespace_default(Ref.of(obj))
    if default and not default.may_hold_user_content:
        return Reason(ReasonCode.NAMESPACE_DEFAULT, detail=default.made_by)
    if obj["metadata"].get("deletionTimestamp"):
        return BEING_DELETED
    labels = labels_of(obj)
    for label in EXCLUDING_LABELS:
        if labels.get(label) == "true":
            return Reason(ReasonCode.EXCLUDED_BY_LABEL, detail=label)
    rule = RULES.get(kind)
    return rule(obj, around, keep) if rule else None


def _left_to_owner(owner: Mapping[str, Any], namespace: str) -> Reason:
    """Return that an object is left to the controller of an ownerReference."""
    group, kind, name = group_of(str(owner.get("apiVersion") or "")), str(owner.get("kind")), str(owner.get("name"))
    return Reason(ReasonCode.LEFT_TO_CONTROLLER, Ref(group, kind, namespace, name))


def of_pod(ref: Ref, links: Links) -> Reason | None:
    """Return that a claim is made anew with its pod, or None."""
    pod = pod_of(ref, links)
    return Reason(ReasonCode.LEFT_TO_CONTROLLER, pod) if pod else None


def _claim(obj: Object, _around: ClusterContext, _keep: Policy) -> Reason | None:
    return of_pod(Ref.of(obj), links_of(obj))


def _made(why: str) -> Reason:
    return Reason(ReasonCode.MADE_BY_CLUSTER, detail=why)


def _pod(obj: Object, _around: ClusterContext, _keep: Policy) -> Reason | None:
    if "kubernetes.io/config.mirror" in annotations_of(obj):
        return _made("mirrors a static pod of its node")
    owner = controller_of(obj)
    if owner:
        return _left_to_owner(owner, obj["metadata"].get("namespace", ""))
    phase = get(obj, "status", "phase")
    return Reason(ReasonCode.FINISHED, detail=phase) if phase in ("Succeeded", "Failed") else None


def _job(obj: Object, _around: ClusterContext, keep: Policy) -> Reason | None:
    for _, condition in found(obj, ("status", "conditions", EACH)):
        how = get(condition, "type")
        if how in ("Complete", "Failed") and get(condition, "status") == "True":
            return None if keep.completed_jobs else Reason(ReasonCode.FINISHED, detail=how)
    return None


def _service(obj: Object, _around: ClusterContext, _keep: Policy) -> Reason | None:
    return MADE_BY_API_SERVER if _is_kubernetes(obj, obj["metadata"]["name"]) else None


def _endpoints(obj: Object, around: ClusterContext, _keep: Policy) -> Reason | None:
    """Exclude the endpoints controller's objects (pkg/controller/endpoint), not those that a person wrote.

    Only that controller writes its label (since 1.33) and the trigger time; before, a Service of the same name with a
    selector is the only sign of Endpoints whose pods never changed.
    """
    name, annotations = obj["metadata"]["name"], annotations_of(obj)
    if _is_kubernetes(obj, name):
        return MADE_BY_API_SERVER
    if "control-plane.alpha.kubernetes.io/leader" in annotations:
        return _made("a lock of a leader election")
    made = labels_of(obj).get("endpoints.kubernetes.io/managed-by") == "endpoint-controller"
    made = made or TRIGGER_TIME in annotations or name in around.selecting_services
    return Reason(ReasonCode.MADE_BY_ENDPOINTS_CONTROLLER) if made else None


def _endpoint_slice(obj: Object, _around: ClusterContext, _keep: Policy) -> Reason | None:
    """Exclude slices of Kubernetes' controllers, not those that a person or another tool added.

    A Service with a selector proves nothing here: others may add slices of their own to it (KEP-752).
    """
    labels = labels_of(obj)
    if _is_kubernetes(obj, labels.get("kubernetes.io/service-name")):
        return MADE_BY_API_SERVER
    owner, manager = controller_of(obj), labels.get("endpointslice.kubernetes.io/managed-by")
    if manager is not None and manager in SLICE_MANAGERS:
        return _made(SLICE_MANAGERS[manager])
    if owner:
        return _left_to_owner(owner, obj["metadata"].get("namespace", ""))
    return _made(UNNAMED_MANAGER) if manager is None and TRIGGER_TIME in annotations_of(obj) else None


def _is_kubernetes(obj: Object, service: str | None) -> bool:
    return (obj["metadata"].get("namespace"), service) == (API_SERVER.namespace, API_SERVER.name)


def _volume(obj: Object, _around: ClusterContext, _keep: Policy) -> Reason | None:
    # Velero backs them up; a claim in a backup names manually created volumes only (transform/strip/storage.py).
    made = "pv.kubernetes.io/provisioned-by" in annotations_of(obj)
    return _made("provisioned dynamically: its claim gets a new volume") if made else None


def _lease(obj: Object, _around: ClusterContext, _keep: Policy) -> Reason | None:
    return _made("the heartbeat of a node") if obj["metadata"].get("namespace") == "kube-node-lease" else None


def _api_service(obj: Object, _around: ClusterContext, _keep: Policy) -> Reason | None:
    managed = "kube-aggregator.kubernetes.io/automanaged" in labels_of(obj)
    return _made("the API server registers it for a built-in group or a CRD") if managed else None


def _rbac(obj: Object, _around: ClusterContext, _keep: Policy) -> Reason | None:
    default = labels_of(obj).get("kubernetes.io/bootstrapping") == "rbac-defaults"
    return _made("every cluster creates its default roles and bindings") if default else None


def _priority_class(obj: Object, _around: ClusterContext, _keep: Policy) -> Reason | None:
    # The prefix is reserved: the API server creates these and refuses them from anyone else.
    system = obj["metadata"]["name"].startswith("system-")
    return _made("every cluster creates its system- priority classes") if system else None


RBAC = "rbac.authorization.k8s.io"

RULES: Mapping[tuple[str, str], Rule] = {
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("", "Endpoints"): _endpoints,
    ("", "PersistentVolume"): _volume,
    ("", "PersistentVolumeClaim"): _claim,
    ("resource.k8s.io", "ResourceClaim"): _claim,
    ("discovery.k8s.io", "EndpointSlice"): _endpoint_slice,
    ("batch", "Job"): _job,
    ("coordination.k8s.io", "Lease"): _lease,
    ("apiregistration.k8s.io", "APIService"): _api_service,
    (RBAC, "Role"): _rbac,
    (RBAC, "RoleBinding"): _rbac,
    (RBAC, "ClusterRole"): _rbac,
    (RBAC, "ClusterRoleBinding"): _rbac,
    ("scheduling.k8s.io", "PriorityClass"): _priority_class,
}
"""(group, kind) → the rule for objects of that kind."""
