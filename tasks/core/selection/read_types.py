"""The types that a backup reads beside those it is asked for: what its namespaces refer to, and who owns an address."""

from __future__ import annotations

from kubeferry.tasks.core.kube.resources import ResourceType

NAMESPACES = ResourceType("", "v1", "Namespace", "namespaces", namespaced=False, names=frozenset({"namespace", "ns"}))
"""The type of namespaces themselves."""

RELATED = frozenset(
    {
        ("", "persistentvolumes"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("networking.k8s.io", "ingressclasses"),
        ("node.k8s.io", "runtimeclasses"),
        ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ("rbac.authorization.k8s.io", "clusterroles"),
        ("scheduling.k8s.io", "priorityclasses"),
        ("storage.k8s.io", "storageclasses"),
    }
)
"""Cluster-scoped types of which a backup carries what its namespaces need (design.md 4)."""

INDEXED = frozenset(
    {
        ("", "pods"),
        ("", "services"),
        ("apps", "replicasets"),
        ("networking.k8s.io", "ingresses"),
        ("gateway.networking.k8s.io", "gateways"),
    }
)
"""Namespaced types that are read whatever is chosen: addresses and owners of addresses that saved objects may name."""

INDEXED_EVERYWHERE = frozenset({("", "nodes"), ("", "services")})
"""Types that are read in all of the cluster: what a namespace names may stand outside it."""
