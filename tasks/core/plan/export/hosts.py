"""Where objects have the names under which they are reached from outside; these differ between environments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import parse_paths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeferry.tasks.core.jsondoc.edit import Path

GATEWAY = "gateway.networking.k8s.io"

HOSTS: Mapping[tuple[str, str], tuple[Path, ...]] = {
    ("networking.k8s.io", "Ingress"): parse_paths("spec.rules[].host", "spec.tls[].hosts[]"),
    (GATEWAY, "Gateway"): parse_paths("spec.listeners[].hostname"),
    **dict.fromkeys(
        [(GATEWAY, kind) for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute")], parse_paths("spec.hostnames[]")
    ),
    ("route.openshift.io", "Route"): parse_paths("spec.host"),
}
"""(group, kind) → the fields with host names (the API reference of each)."""
