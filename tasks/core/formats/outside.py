"""What a backup has from outside of its namespaces: cluster-wide objects, and objects of other namespaces, with why.

Codes are stored in manifests and shown by `-o json`: a code never changes once it is in use.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Self

from kubeferry.tasks.core.formats.records import Identity, StrictModel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.kube.objects import Ref


class OutsideCode(StrEnum):
    """The kind of a reason; programs compare this, never the sentence."""

    NAMED = "named"
    """A field of an object that is carried names it."""
    DEFINES = "defines"
    """It defines a kind of which the namespaces have objects."""
    GIVES_RIGHTS = "gives-rights"
    """It gives rights to accounts of the namespaces."""
    CALLS_SERVICE = "calls-service"
    """The API server calls a Service of the namespaces because of it."""
    NAMES_NAMESPACE = "names-namespace"
    """It names one of the namespaces, or an object in it."""
    RELEASE = "release"
    """It belongs to a release of Helm, or to an operator of OLM, in the namespaces."""
    OPERATOR = "operator"
    """It belongs to an operator that runs in the namespaces."""


OPERATORS = frozenset({OutsideCode.RELEASE, OutsideCode.OPERATOR})
"""Reasons by which a definition is that of an operator: whose cluster-wide objects are then carried as well."""


class Outside(Identity, StrictModel):
    """One object from outside of the namespaces, and why it is carried."""

    code: str
    """An `OutsideCode`, or one of a newer Kubeferry."""
    why: str
    """For people, never parsed; it quotes no content of an object but names."""
    spaces: list[str] = []
    """The namespaces of the backup for which it is carried."""

    @classmethod
    def of(cls, ref: Ref, code: OutsideCode, why: str, spaces: Iterable[str] = ()) -> Self:
        """Return an object with the reason."""
        return cls(
            type=ref.type, namespace=ref.namespace, name=ref.name, code=code.value, why=why, spaces=sorted(spaces)
        )
