"""Where objects have the names under which they are reached from outside; these differ between environments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import EACH, Path

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES: Path = ("spec", "hostnames", EACH)

HOSTS: Mapping[tuple[str, str], tuple[Path, ...]] = {
    ("networking.k8s.io", "Ingress"): (("spec", "rules", EACH, "host"), ("spec", "tls", EACH, "hosts", EACH)),
    ("gateway.networking.k8s.io", "Gateway"): (("spec", "listeners", EACH, "hostname"),),
    ("gateway.networking.k8s.io", "HTTPRoute"): (_NAMES,),
    ("gateway.networking.k8s.io", "GRPCRoute"): (_NAMES,),
    ("gateway.networking.k8s.io", "TLSRoute"): (_NAMES,),
    ("route.openshift.io", "Route"): (("spec", "host"),),
}
"""(group, kind) → the fields with host names (the API reference of each)."""
