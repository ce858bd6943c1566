"""What is in a namespace without anybody's doing: what controllers make in every one, and our own Lease.

Such an object says nothing about whether somebody uses the namespace. The API server's own Service stands in the
namespace `default` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.kube.objects import Ref

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_ACCOUNT = ("", "ServiceAccount", "default")
ROOT_CERTIFICATE = ("", "ConfigMap", "kube-root-ca.crt")
LEASE_NAME = "kubeferry-restore"
"""The name of our own Lease, by which a restore or a deletion at work is seen by another one (formats/lease.py)."""


@dataclass(frozen=True, slots=True)
class Default:
    """An object that is in every namespace, under a fixed name."""

    made_by: str
    """Who makes it, and why it is not part of a backup; a phrase for a person."""

    may_hold_user_content: bool = False
    """Whether people change it, so that a backup holds it all the same."""


NAMESPACE_DEFAULTS: Mapping[tuple[str, str, str], Default] = {
    DEFAULT_ACCOUNT: Default("every namespace has one", may_hold_user_content=True),
    ROOT_CERTIFICATE: Default("every cluster publishes its own root certificate"),
    ("", "ConfigMap", "openshift-service-ca.crt"): Default("every cluster publishes its own service certificate"),
    ("", "ConfigMap", "istio-ca-root-cert"): Default("every mesh publishes its own root certificate"),
    ("coordination.k8s.io", "Lease", LEASE_NAME): Default("a restore was at work"),
}
"""(group, kind, name) → who makes it (kubernetes.io: kube-controller-manager; OpenShift's service-ca; istiod)."""

API_SERVER = Ref("", "Service", "default", "kubernetes")
API_SERVER_OBJECTS = frozenset(
    {
        API_SERVER,
        Ref("", "Endpoints", "default", "kubernetes"),
        Ref("discovery.k8s.io", "EndpointSlice", "default", "kubernetes"),
    }
)
"""What the API server makes for itself; every cluster has its own, whatever namespaces are called."""


def namespace_default(ref: Ref) -> Default | None:
    """Return who makes an object in every namespace, or None for any other one."""
    return NAMESPACE_DEFAULTS.get((ref.group, ref.kind, ref.name))
