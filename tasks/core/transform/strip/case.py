"""The input of a stripping rule: the object in its live form, and the evidence for what its author set.

An object is live if its API server wrote a uid or a resourceVersion into it. Guesses (did a user set this port, or the
server?) are made for live objects only: a stripped object holds only what its author wants, so that stripping is
idempotent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import Object, get
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED, parsed

if TYPE_CHECKING:
    from kubeferry.tasks.core.selection.policy import ClusterContext, Policy


@dataclass(frozen=True, slots=True)
class Case:
    """One object to strip, unchanged, with all that its rules may need."""

    original: Object
    live: bool
    applied: Object | None
    """The object in the last-applied annotation; None if there is none, or if it cannot be read."""

    around: ClusterContext
    keep: Policy

    @classmethod
    def of(cls, obj: Object, around: ClusterContext, keep: Policy) -> Case:
        """Return the case for `obj`."""
        meta = obj["metadata"]
        live = bool(meta.get("uid") or meta.get("resourceVersion"))
        return cls(obj, live, parsed(get(meta, "annotations", LAST_APPLIED)), around, keep)

    @property
    def has_managers(self) -> bool:
        """Return whether the object has managedFields at all."""
        return bool(self.original["metadata"].get("managedFields"))

    def set_by_manager(self, *path: str) -> bool:
        """Return whether any field manager owns `path`, in fieldsV1 notation: ("f:spec", "f:replicas").

        What the API server allocates after admission has no owner (KEP-555), so a client set an owned field. This is
        evidence only: False if managedFields are switched off.
        """
        entries = self.original["metadata"].get("managedFields")
        fields = [get(entry, "fieldsV1", *path) for entry in entries or () if isinstance(entry, dict)]
        return any(field is not None for field in fields)


Step = Callable[[Object, Case], Object]
"""One step of stripping: returns the object without one more thing and leaves the input unchanged."""
