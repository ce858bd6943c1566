"""Why an object is not in a backup or not restored: a code, from which a sentence is made for output.

Codes are stored in manifests and shown by `-o json`: a code never changes once it is in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubeferry.tasks.core.kube.objects import Ref


class ReasonCode(StrEnum):
    """The kind of a reason; programs compare this, never the sentence."""

    NEVER_CARRIED = "never-carried"
    """Objects of its kind are never backed up."""
    NAMESPACE_DEFAULT = "namespace-default"
    """A controller of the cluster creates it in every namespace."""
    MADE_BY_CLUSTER = "made-by-cluster"
    """The cluster creates it, but not one of the controllers below."""
    BEING_DELETED = "being-deleted"
    EXCLUDED_BY_LABEL = "excluded-by-label"
    LEFT_TO_CONTROLLER = "left-to-controller"
    """The controller that owns it re-creates it."""
    MADE_BY_ENDPOINTS_CONTROLLER = "made-by-endpoints-controller"
    FINISHED = "finished"
    """A Pod or Job that has finished."""
    BY_PLUGIN = "by-plugin"
    EXCLUDED = "excluded"
    """The selection excludes it."""
    NOT_SELECTED = "not-selected"
    NOT_NEEDED = "not-needed"
    """Nothing that is restored needs it."""
    NAMESPACE_NOT_SELECTED = "namespace-not-selected"
    REPLACED = "replaced"
    """Another object has its name now."""
    OLDER = "older"
    """It existed before the bundle that lists it."""
    UNKNOWN_KIND = "unknown-kind"
    """The cluster does not serve its kind."""
    OTHER_VERSIONS = "other-versions"
    """The cluster serves its kind in other versions only."""
    NOT_READ = "not-read"
    """The cluster did not respond for its kind."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an object is excluded; `about` is the object that the reason names, `detail` a phrase for output."""

    code: ReasonCode
    about: Ref | None = None
    detail: str = ""

    @property
    def text(self) -> str:
        """Return the reason as shown to a user."""
        match self.code:
            case ReasonCode.LEFT_TO_CONTROLLER if self.about:
                return f"left to its controller, {self.about.kind} {self.about.name}{self.detail}"
            case ReasonCode.FINISHED:
                return f"has finished ({self.detail})"
            case ReasonCode.EXCLUDED_BY_LABEL:
                return f"labelled {self.detail}=true"
            case _:
                return self.detail or _TEXTS.get(self.code, self.code.value)


_TEXTS = {
    ReasonCode.BEING_DELETED: "being deleted",
    ReasonCode.MADE_BY_ENDPOINTS_CONTROLLER: "the endpoints controller creates it from the Service's pods",
    ReasonCode.NOT_SELECTED: "not selected, and nothing selected needs it",
    ReasonCode.NAMESPACE_NOT_SELECTED: "its namespace is excluded",
    ReasonCode.UNKNOWN_KIND: "the cluster does not serve its kind",
}

NOT_SELECTED = Reason(ReasonCode.NOT_SELECTED)
BEING_DELETED = Reason(ReasonCode.BEING_DELETED)
UNKNOWN_KIND = Reason(ReasonCode.UNKNOWN_KIND)

_BEGINNINGS = {
    "left to its controller, ": ReasonCode.LEFT_TO_CONTROLLER,
    "has finished": ReasonCode.FINISHED,
    "being deleted": ReasonCode.BEING_DELETED,
    "the endpoints controller makes it": ReasonCode.MADE_BY_ENDPOINTS_CONTROLLER,
}


def code_of(sentence: str) -> str:
    """Return the code for a sentence of an old backup, which has no codes; "" if none is needed."""
    return next((code.value for begin, code in _BEGINNINGS.items() if sentence.startswith(begin)), "")
