"""The first objects of a new cluster: nodes with addresses of their own, storage classes that work, a rule for kwok."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kubeferry.deployments.sandbox.local import SandboxError
from kubeferry.deployments.sandbox.network import NODES

if TYPE_CHECKING:
    from kubeferry.deployments.sandbox.cluster import Cluster
    from kubeferry.deployments.sandbox.http import Api

DRIVER = "volumes.sandbox.kubeferry.io"
"""The CSI driver of the volumes: kwok's stages simulate it (stages/volumes.yaml)."""

CLASSES = {
    "standard": ("Immediate", "Delete"),
    "on-demand": ("WaitForFirstConsumer", "Delete"),
    "retained": ("Immediate", "Retain"),
}
"""Storage class → volumeBindingMode, reclaimPolicy; the first is the default."""

ADMISSION = "admissionregistration.k8s.io/v1"
KUBELETS = "kubelets.sandbox.kubeferry.io"
"""The policy for kwok, and its binding."""

READY = 60.0


def seed(cluster: Cluster) -> None:
    """Create missing nodes and storage classes, and the rule for kwok."""
    api = cluster.api
    api.create(f"/apis/{ADMISSION}/validatingadmissionpolicies", kubelets())
    api.create(f"/apis/{ADMISSION}/validatingadmissionpolicybindings", binding())
    for name, (mode, reclaim) in CLASSES.items():
        api.create("/apis/storage.k8s.io/v1/storageclasses", storage_class(name, mode, reclaim))
    api.create("/apis/storage.k8s.io/v1/csidrivers", driver())
    for number in range(NODES):
        api.create("/api/v1/nodes", node(cluster, number))


def wait(cluster: Cluster) -> None:
    """Wait until pods can be created: the nodes are Ready and the namespace `default` has its ServiceAccount."""
    api = cluster.api
    for what, done in (("its nodes are not Ready", nodes_ready), ("it has no default service account", has_account)):
        until = time.monotonic() + READY
        while not done(api):
            if time.monotonic() > until:
                raise SandboxError(f"{cluster.name}: {what} after {READY:.0f} s (logs: {cluster.folder / 'logs'})")
            time.sleep(0.1)


def nodes_ready(api: Api) -> bool:
    """Return whether all nodes are Ready and have no taint that keeps pods away."""
    nodes = (api.get("/api/v1/nodes") or {}).get("items", [])
    return len(nodes) >= NODES and all(is_ready(node) for node in nodes)


def is_ready(node: dict[str, Any]) -> bool:
    """Return whether `node` accepts pods."""
    conditions = node.get("status", {}).get("conditions") or []
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and not any(taint["key"].startswith("node.kubernetes.io/") for taint in node["spec"].get("taints", []))


def has_account(api: Api) -> bool:
    """Return whether the namespace `default` has its ServiceAccount, which pods run as."""
    return api.get("/api/v1/namespaces/default/serviceaccounts/default") is not None


def node(cluster: Cluster, number: int) -> dict[str, Any]:
    """Return a node with its addresses in the status, as a kubelet would create it."""
    name = f"{cluster.name}-node-{number + 1}"
    network = cluster.network
    ranges, addresses = [str(network.pods_of(number))], [str(network.node(number))]
    if network.dual_stack:
        ranges.append(str(network.pods6_of(number)))
        addresses.append(str(network.node6(number)))
    size = {"cpu": "64", "memory": "256Gi", "pods": "10k", "ephemeral-storage": "1Ti"}
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": cluster.name,
        "topology.kubernetes.io/zone": f"{cluster.name}-{number + 1}",
        "type": "kwok",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"podCIDR": ranges[0], "podCIDRs": ranges},
        "status": {
            "addresses": [
                *({"type": "InternalIP", "address": each} for each in addresses),
                {"type": "Hostname", "address": name},
            ],
            "capacity": size,
            "allocatable": size,
        },
    }


def storage_class(name: str, mode: str, reclaim: str) -> dict[str, Any]:
    """Return a storage class of the sandbox's driver."""
    default = {"storageclass.kubernetes.io/is-default-class": "true"} if name == next(iter(CLASSES)) else {}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": default},
        "provisioner": DRIVER,
        "volumeBindingMode": mode,
        "reclaimPolicy": reclaim,
        "allowVolumeExpansion": True,
    }


def driver() -> dict[str, Any]:
    """Return the CSIDriver; without attachment, so that no VolumeAttachment waits for an attacher."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSIDriver",
        "metadata": {"name": DRIVER},
        "spec": {"attachRequired": False, "podInfoOnMount": False},
    }


def kubelets() -> dict[str, Any]:
    """Return the policy that kwok deletes no pod that is not being deleted.

    A kubelet deletes a pod by its uid, kwok by its name only (its pod_controller.go, deleteResource): if it is late, it
    would delete the next pod of that name.
    """
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["pods"]}
    return {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": KUBELETS},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": [{"name": "kwok", "expression": 'request.userInfo.username == "kwok"'}],
            "validations": [
                {
                    "expression": "has(oldObject.metadata.deletionTimestamp)",
                    "message": "a kubelet deletes no pod that is not being deleted",
                }
            ],
        },
    }


def binding() -> dict[str, Any]:
    """Return what puts the policy for kwok into force."""
    return {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": KUBELETS},
        "spec": {"policyName": KUBELETS, "validationActions": ["Deny"]},
    }
