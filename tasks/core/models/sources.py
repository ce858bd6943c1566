"""The name of an object that the operator lets annotations read: `KIND[.GROUP]/NAMESPACE/NAME`."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from kubeferry.tasks.core.kube.objects import Ref

SourceName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]{0,62}(\.[a-z0-9.-]{1,253})?/([a-z0-9-]{1,63})?/[^/\s]{1,253}$"),
]
"""`ConfigMap/bank/rates`, `Issuer.cert-manager.io/shop/ca`; without namespace for a cluster-scoped one, `Node//a`."""


def source_of(text: str) -> Ref:
    """Return the object that a SourceName names."""
    kind, namespace, name = text.split("/")
    kind, _, group = kind.partition(".")
    return Ref(group, kind, namespace, name)


def source_text(ref: Ref) -> str:
    """Return the SourceName of an object."""
    return f"{ref.kind}{'.' if ref.group else ''}{ref.group}/{ref.namespace}/{ref.name}"
