"""Objects that every namespace gets by itself: what controllers create in each, and Kubeferry's own Lease.

Such an object does not mean that the namespace is in use. The API server's own Service exists in the namespace
`default` only.
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
"""The name of Kubeferry's Lease, by which restores and deletions exclude each other (formats/target/lease.py)."""


@dataclass(frozen=True, slots=True)
class Default:
    """An object that every namespace has, under a fixed name."""

    made_by: str
    """What creates it, as a phrase: the reason why it is not backed up."""

    may_hold_user_content: bool = False
    """Whether users change it, so that it is backed up all the same."""


NAMESPACE_DEFAULTS: Mapping[tuple[str, str, str], Default] = {
    DEFAULT_ACCOUNT: Default("every namespace has one", may_hold_user_content=True),
    ROOT_CERTIFICATE: Default("every cluster publishes its own root certificate"),
    ("", "ConfigMap", "openshift-service-ca.crt"): Default("every cluster publishes its own service certificate"),
    ("", "ConfigMap", "istio-ca-root-cert"): Default("every mesh publishes its own root certificate"),
    ("coordination.k8s.io", "Lease", LEASE_NAME): Default("a restore was running"),
}
"""(group, kind, name) → what creates it (kube-controller-manager; OpenShift's service-ca; istiod)."""

API_SERVER = Ref("", "Service", "default", "kubernetes")
API_SERVER_OBJECTS = frozenset(
    {
        API_SERVER,
        Ref("", "Endpoints", "default", "kubernetes"),
        Ref("discovery.k8s.io", "EndpointSlice", "default", "kubernetes"),
    }
)
"""What the API server creates for itself; every cluster has its own, and no rename of namespaces applies."""


def namespace_default(ref: Ref) -> Default | None:
    """Return what creates this object in every namespace, or None if it is an ordinary object."""
    return NAMESPACE_DEFAULTS.get((ref.group, ref.kind, ref.name))
