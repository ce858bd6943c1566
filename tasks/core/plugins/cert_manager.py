"""cert-manager: certificates are restored with their keys, and none is issued again.

- The Secret is created before its Certificate, even if the Certificate owns it: cert-manager issues a certificate as
  soon as it finds a Certificate without a Secret. With the Secret, its trigger policies find what they check: the data,
  the annotations of the issuer and the name of the certificate, all restored unchanged.
- CertificateRequests, Orders, Challenges, the solver objects of challenges and the keys of unfinished issuances are
  excluded: each belongs to one issuance of the source cluster. A restored request would be issued again, and count
  against rate limits.
- A Certificate that an Ingress or a Gateway owns is re-created by cert-manager from their annotations.
- The keys of ACME accounts are Secrets that issuers name (needs/references/custom.py), so they come first and the
  account stays the same.

Certificates are not inspected: one that has expired, or whose DNS names changed with a renamed namespace, is issued
again, as it should be. Source: internal/controller/certificates/policies and pkg/apis of cert-manager's master branch
in August 2026.
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
    (GROUP, "CertificateRequest"): "one issuance of the source cluster; cert-manager requests a new one when due",
    ("acme.cert-manager.io", "Order"): "one issuance of the source cluster; cert-manager creates a new order when due",
    (
        "acme.cert-manager.io",
        "Challenge",
    ): "one issuance of the source cluster; cert-manager creates new ones itself",
}
"""(group, kind) → why it is never restored."""

MARKS: Mapping[str, str] = {
    "cert-manager.io/next-private-key": "the private key of an unfinished issuance",
    "acme.cert-manager.io/http01-solver": "solved a challenge of the source cluster",
}
"""Label that cert-manager sets to `true` → why an object with it is never restored."""


def leave_out(obj: Object) -> str | None:
    """Return why an object is excluded: it belongs to one issuance only; else None."""
    known = ISSUANCE.get((group_of(obj["apiVersion"]), obj["kind"]))
    return known or next((why for mark, why in MARKS.items() if labels_of(obj).get(mark) == "true"), None)


def needs(obj: Object) -> Iterator[Need]:
    """Yield the Secret that holds the private key of a Certificate."""
    secret = spec_of(obj).get("secretName")
    if (group_of(obj["apiVersion"]), obj["kind"]) == CERTIFICATE and isinstance(secret, str) and secret:
        yield Need(Ref("", "Secret", Ref.of(obj).namespace, secret), "spec.secretName", first=True)


RULES = Plugin(
    name="cert-manager",
    interface=INTERFACE,
    rebuilt={CERTIFICATE: frozenset({("networking.k8s.io", "Ingress"), ("gateway.networking.k8s.io", "Gateway")})},
    # If an option keeps the status, this field would name a Secret that is excluded.
    dynamic_fields={CERTIFICATE: (("status", "nextPrivateKeySecretName"),)},
    needs=needs,
    leave_out=leave_out,
)
