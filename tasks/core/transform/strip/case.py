"""What a rule of stripping knows of the object at hand: its live form, and the evidence of what its author wants.

An object is live when its API server wrote a uid or a resourceVersion into it. Guesses (did a person set this port, or
did the server?) are made on live objects only: what was stripped once holds only what its author wants, so that
stripping twice is stripping once.
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
    """One object to strip, as it came, with all that its rules may ask."""

    original: Object
    live: bool
    applied: Object | None
    """The object in the last-applied annotation; None without one, or with one that cannot be read."""

    around: ClusterContext
    keep: Policy

    @classmethod
    def of(cls, obj: Object, around: ClusterContext, keep: Policy) -> Case:
        """Return the case of `obj`."""
        meta = obj["metadata"]
        live = bool(meta.get("uid") or meta.get("resourceVersion"))
        return cls(obj, live, parsed(get(meta, "annotations", LAST_APPLIED)), around, keep)

    def set_by_manager(self, *path: str) -> bool:
        """Tell whether any manager of fields owns `path`, in the terms of fieldsV1: ("f:spec", "f:replicas").

        What the API server allocates after admission is owned by nobody (KEP-555), so an owned field was set by a
        client. Only as much as evidence: False where managedFields were switched off.
        """
        entries = self.original["metadata"].get("managedFields")
        fields = [get(entry, "fieldsV1", *path) for entry in entries or () if isinstance(entry, dict)]
        return any(field is not None for field in fields)


Step = Callable[[Object, Case], Object]
"""Takes an object on its way to be stripped and returns it without one more thing; the input survives."""
