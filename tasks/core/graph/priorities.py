"""Restore priorities: a small table by kind that orders objects between which there is no edge.

A priority never overrides an edge (order.py). Custom resources come late, as CUSTOM. Velero calls such a list resource
priorities.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from kubeferry.tasks.core.kube.kinds import is_protected

if TYPE_CHECKING:
    from kubeferry.tasks.core.kube.objects import Ref


class Priority(IntEnum):
    """The priority of an object, lowest first. STORAGE and IDENTITY are set by annotation only."""

    POLICY = 0
    CONFIG = 1
    STORAGE = 2
    IDENTITY = 3
    WORKLOAD = 4
    TRAFFIC = 5
    CUSTOM = 6
    ADMISSION = 7


PRIORITIES: dict[tuple[str, str], Priority] = {
    **dict.fromkeys(
        [
            ("", "ResourceQuota"),
            ("", "LimitRange"),
            ("networking.k8s.io", "NetworkPolicy"),
            ("scheduling.k8s.io", "PriorityClass"),
            ("node.k8s.io", "RuntimeClass"),
            ("storage.k8s.io", "StorageClass"),
            ("networking.k8s.io", "IngressClass"),
        ],
        Priority.POLICY,
    ),
    **dict.fromkeys(
        [
            ("", "Pod"),
            ("", "ReplicationController"),
            ("apps", "Deployment"),
            ("apps", "ReplicaSet"),
            ("apps", "StatefulSet"),
            ("apps", "DaemonSet"),
            ("batch", "Job"),
            ("batch", "CronJob"),
        ],
        Priority.WORKLOAD,
    ),
    **dict.fromkeys(
        [
            ("networking.k8s.io", "Ingress"),
            ("autoscaling", "HorizontalPodAutoscaler"),
            ("autoscaling.k8s.io", "VerticalPodAutoscaler"),
            ("keda.sh", "ScaledObject"),
            ("keda.sh", "ScaledJob"),
            ("policy", "PodDisruptionBudget"),
        ],
        Priority.TRAFFIC,
    ),
    **dict.fromkeys(
        [
            ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
            ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
            ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
            ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
            ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
            ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
            ("apiregistration.k8s.io", "APIService"),
        ],
        Priority.ADMISSION,
    ),
}


def priority_of(ref: Ref) -> Priority:
    """Return the priority of an object by its kind; kinds of groups that are not protected are CUSTOM."""
    found = PRIORITIES.get((ref.group, ref.kind))
    if found is not None:
        return found
    return Priority.CONFIG if is_protected(ref.group) else Priority.CUSTOM
