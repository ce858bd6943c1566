"""The kinds that a backup never carries, each with the reason that a person reads; refuses to look at objects.

Rows come from what Velero leaves out (its default excluded resources), from the Kubernetes API reference, and from
what the API server makes or serves by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENT = "events tell what happened in the old cluster"
NODE = "nodes and what drivers say of them belong to their cluster"
ATTACHMENT = "which volume is attached to which node is decided anew by the target"
QUESTION = "a question to the API server, which stores nothing"
MEASURED = "measured live, not stored"
ALLOCATED = "the API server allocates addresses itself"
ELECTION = "leaders are elected anew"
VELERO = "a run of Velero, which would run again where it is restored"
VIEW = "a view of objects that are carried themselves"

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
    ("", "bindings", "Binding", "an order to the scheduler, which stores nothing"),
    ("authentication.k8s.io", "tokenrequests", "TokenRequest", "tokens are issued anew by the target"),
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
        "a certificate request is for the authority of the old cluster",
    ),
    ("networking.k8s.io", "ipaddresses", "IPAddress", ALLOCATED),
    ("coordination.k8s.io", "leasecandidates", "LeaseCandidate", ELECTION),
    ("internal.apiserver.k8s.io", "storageversions", "StorageVersion", "how the old API servers stored objects"),
    ("kubeferry.io", "bundles", "Bundle", "every restore makes a bundle of its own"),
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
"""(group, resource) → why objects of that type are never carried; "" is the core group."""

KINDS_LEFT_OUT: Mapping[tuple[str, str], str] = {(group, kind): why for group, _, kind, why in _ROWS}
"""(group, kind) → the same reason, for an object at hand."""

NEEDED_VERBS = {"list": "the server does not list it", "create": "the server does not create it"}
"""What a type must allow to be saved and restored, and the reason where it does not."""


def type_left_out(group: str, resource: str, verbs: frozenset[str]) -> str | None:
    """Return why objects of a type are never carried, or None where they are.

    `verbs` are those that discovery names for the type: one that cannot be listed cannot be saved, one that cannot be
    created cannot be restored (reviews, metrics, views).
    """
    known = TYPES_LEFT_OUT.get((group, resource))
    return known or next((why for verb, why in NEEDED_VERBS.items() if verb not in verbs), None)
