"""Why an object is not in a backup or not restored: a value with a code, of which a sentence is made where it is shown.

Codes are stored in manifests and stand in `-o json`: one that was written once keeps its word.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubeferry.tasks.core.kube.objects import Ref


class ReasonCode(StrEnum):
    """What kind of reason it is; programs compare this and never the sentence."""

    NEVER_CARRIED = "never-carried"
    """No backup holds objects of its kind."""
    NAMESPACE_DEFAULT = "namespace-default"
    """Something of the cluster makes it in every namespace."""
    MADE_BY_CLUSTER = "made-by-cluster"
    """Something of the cluster makes it, not one of the controllers below."""
    BEING_DELETED = "being-deleted"
    EXCLUDED_BY_LABEL = "excluded-by-label"
    LEFT_TO_CONTROLLER = "left-to-controller"
    """The controller that owns it makes it again."""
    MADE_BY_ENDPOINTS_CONTROLLER = "made-by-endpoints-controller"
    FINISHED = "finished"
    """A Pod or Job has done its work."""
    BY_PLUGIN = "by-plugin"
    EXCLUDED = "excluded"
    """The selection says so."""
    NOT_SELECTED = "not-selected"
    NOT_NEEDED = "not-needed"
    """Nothing that is restored needs it."""
    NAMESPACE_NOT_SELECTED = "namespace-not-selected"
    REPLACED = "replaced"
    """Another object has its name now."""
    OLDER = "older"
    """It was there before the bundle that it is in."""
    UNKNOWN_KIND = "unknown-kind"
    """The cluster does not serve its kind."""
    OTHER_VERSIONS = "other-versions"
    """The cluster serves its kind in other versions only."""
    NOT_READ = "not-read"
    """The cluster did not answer for its kind."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an object is left out; `about` is the object that the reason names, `detail` a phrase for a person."""

    code: ReasonCode
    about: Ref | None = None
    detail: str = ""

    @property
    def text(self) -> str:
        """Return the reason as a person reads it."""
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
    ReasonCode.MADE_BY_ENDPOINTS_CONTROLLER: "the endpoints controller makes it from the service's pods",
    ReasonCode.NOT_SELECTED: "not selected, and nothing selected needs it",
    ReasonCode.NAMESPACE_NOT_SELECTED: "its namespace is left out",
    ReasonCode.UNKNOWN_KIND: "the cluster does not know its kind",
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
    """Return the code of a sentence of a backup that was made before there were codes; "" where nothing asks for it."""
    return next((code.value for begin, code in _BEGINNINGS.items() if sentence.startswith(begin)), "")
