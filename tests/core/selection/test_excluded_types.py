"""Which types a backup never includes and why, spelled out: no row of our table is read here."""

import pytest

from kubeferry.tasks.core.selection.exclusions import exclusion, type_left_out

EVENT = "events describe what happened in the source cluster"
NODE = "nodes and what drivers report about them belong to their cluster"
QUESTION = "a request to the API server, which stores nothing"
VELERO = "a run of Velero, which would run again where it is restored"
VIEW = "a view of objects that are backed up themselves"
MEASURED = "measured live, not stored"

NEVER = [
    ("", "events", "Event", EVENT),
    ("events.k8s.io", "events", "Event", EVENT),
    ("", "nodes", "Node", NODE),
    ("storage.k8s.io", "csinodes", "CSINode", NODE),
    ("storage.k8s.io", "csistoragecapacities", "CSIStorageCapacity", NODE),
    ("resource.k8s.io", "resourceslices", "ResourceSlice", NODE),
    (
        "storage.k8s.io",
        "volumeattachments",
        "VolumeAttachment",
        "the target attaches volumes to nodes itself",
    ),
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
    ("networking.k8s.io", "ipaddresses", "IPAddress", "the API server allocates addresses itself"),
    ("coordination.k8s.io", "leasecandidates", "LeaseCandidate", "every cluster elects its own leaders"),
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
]


@pytest.mark.parametrize(("group", "resource", "kind", "why"), NEVER)
def test_a_type_is_not_listed_and_its_objects_are_not_restored(group, resource, kind, why):
    assert type_left_out(group, resource, frozenset({"list", "create"})) == why
    assert (
        exclusion({"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": {"name": "a"}}).text == why
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("kube-root-ca.crt", "every cluster publishes its own root certificate"),
        ("openshift-service-ca.crt", "every cluster publishes its own service certificate"),
        ("istio-ca-root-cert", "every mesh publishes its own root certificate"),
    ],
)
def test_a_certificate_that_is_written_into_every_namespace_is_left_out(name, why):
    assert exclusion({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}).text == why


@pytest.mark.parametrize("label", ["velero.io/exclude-from-backup", "kubeferry.io/exclude"])
def test_an_author_leaves_an_object_out_by_a_label(label):
    meta = {"name": "a", "labels": {label: "true"}}
    assert exclusion({"apiVersion": "v1", "kind": "Secret", "metadata": meta}).text == f"labelled {label}=true"
