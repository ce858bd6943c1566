"""What becomes of a Secret in an export: left out, in clear, named by an ExternalSecret, or encrypted for SOPS.

Only Secrets with content count: a token that Kubernetes itself fills in is exported without content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.confidential import is_secret
from kubeferry.tasks.core.kube.objects import Ref

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object

OPAQUE = "Opaque"
"""The type of a Secret that has none (kubernetes.io, Types of Secret)."""

EXTERNAL_SECRETS = "external-secrets.io/v1"
"""The API version of the External Secrets Operator since 0.16."""


@dataclass(frozen=True, slots=True)
class SecretStore:
    """Where an ExternalSecret gets its values: the name and the kind of a SecretStore."""

    name: str
    kind: str = "SecretStore"


def confidential(obj: Object) -> bool:
    """Return whether an object holds values that must not be written in clear."""
    return is_secret(obj) and bool(keys(obj))


def keys(obj: Object) -> list[str]:
    """Return the keys of a Secret's content."""
    maps = (obj.get(field) for field in ("data", "stringData"))
    return sorted({key for each in maps if isinstance(each, dict) for key in each})


def external_secret(obj: Object, store: SecretStore) -> Object:
    """Return an ExternalSecret that creates a Secret with the same name, type, labels, annotations and keys.

    Its operator reads each key as a property of the secret `NAMESPACE/NAME` in the store.
    """
    ref = Ref.of(obj)
    meta = {field: obj["metadata"][field] for field in ("labels", "annotations") if obj["metadata"].get(field)}
    template: dict[str, Any] = {"metadata": meta} if meta else {}
    if obj.get("type", OPAQUE) != OPAQUE:
        template["type"] = obj["type"]
    target: dict[str, Any] = {"name": ref.name, **({"template": template} if template else {})}
    if obj.get("immutable"):
        target["immutable"] = True
    remote = f"{ref.namespace}/{ref.name}"
    return {
        "apiVersion": EXTERNAL_SECRETS,
        "kind": "ExternalSecret",
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "spec": {
            "secretStoreRef": {"kind": store.kind, "name": store.name},
            "target": target,
            "data": [{"secretKey": key, "remoteRef": {"key": remote, "property": key}} for key in keys(obj)],
        },
    }
