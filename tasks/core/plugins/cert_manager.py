"""cert-manager: certificates come back with the keys that they had, and nothing is issued anew.

- The Secret is there before its Certificate, even where the Certificate owns it: cert-manager issues at once when it
  finds a Certificate without a Secret. With it, its trigger policies find what they look for: data, the issuer's
  annotations and the certificate's name, all carried as they are.
- CertificateRequests, Orders and Challenges, the solver objects of challenges and the keys of issuances under way are
  left out: they were about one issuance of the old cluster, and a request restored would be issued, and counted by rate
  limits, again.
- A Certificate that an Ingress or a Gateway owns is left to cert-manager, which makes it from their annotations.
- The keys of ACME accounts are Secrets that issuers name (generic_references.py), so they come first, and the account
  stays the same.

It does not look into certificates: one that has expired, or whose DNS names a renamed namespace changed, is issued anew
as it should be. Source: internal/controller/certificates/policies and pkg/apis of cert-manager's master
branch in August 2026.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import Object, group_of
from kubeferry.tasks.core.kube.objects import Ref, labels_of
from kubeferry.tasks.core.kube.readiness.verdict import spec_of
from kubeferry.tasks.core.plugins.interface import INTERFACE, Kind, Need, Plugin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GROUP = "cert-manager.io"
CERTIFICATE: Kind = (GROUP, "Certificate")

ISSUANCE: Mapping[Kind, str] = {
    (GROUP, "CertificateRequest"): "one issuance of the old cluster; cert-manager asks anew when it is due",
    ("acme.cert-manager.io", "Order"): "one issuance of the old cluster; cert-manager orders anew when it is due",
    ("acme.cert-manager.io", "Challenge"): "one issuance of the old cluster; cert-manager answers new ones itself",
}
"""(group, kind) → why it is never restored."""

MARKS: Mapping[str, str] = {
    "cert-manager.io/next-private-key": "the key of an issuance that was under way",
    "acme.cert-manager.io/http01-solver": "answered a challenge of the old cluster",
}
"""Label that cert-manager sets to `true` → why what bears it is never restored."""


def leave_out(obj: Object) -> str | None:
    """Return why an object belongs to one issuance only, or None."""
    known = ISSUANCE.get((group_of(obj["apiVersion"]), obj["kind"]))
    return known or next((why for mark, why in MARKS.items() if labels_of(obj).get(mark) == "true"), None)


def needs(obj: Object) -> Iterator[Need]:
    """Yield the Secret that a Certificate keeps its key in."""
    secret = spec_of(obj).get("secretName")
    if (group_of(obj["apiVersion"]), obj["kind"]) == CERTIFICATE and isinstance(secret, str) and secret:
        yield Need(Ref("", "Secret", Ref.of(obj).namespace, secret), "spec.secretName", first=True)


RULES = Plugin(
    name="cert-manager",
    interface=INTERFACE,
    rebuilt={CERTIFICATE: frozenset({("networking.k8s.io", "Ingress"), ("gateway.networking.k8s.io", "Gateway")})},
    # With it a status that an option keeps would tell cert-manager of a key that is left out.
    dynamic_fields={CERTIFICATE: (("status", "nextPrivateKeySecretName"),)},
    needs=needs,
    leave_out=leave_out,
)
