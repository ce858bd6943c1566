"""The parts that stored files and results of flows share: how a run ended, what is missing or changed, and why.

A stored part is read back as untrusted input: pydantic refuses what does not have exactly its shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field

from kubeferry.tasks.core.formats.reasons import code_of
from kubeferry.tasks.core.jsondoc.confidential import is_confidential, may_show
from kubeferry.tasks.core.jsondoc.differences import steps_of

if TYPE_CHECKING:
    from kubeferry.tasks.core.formats.reasons import Reason
    from kubeferry.tasks.core.kube.objects import Ref


HIDDEN = "(not shown: in a Secret)"
"""What is shown instead of a value of a Secret."""


def hidden(ref: Ref, path: str) -> bool:
    """Return whether a place, a JSON pointer or a path with dots, holds what is not shown of a Secret."""
    return is_confidential(ref.group, ref.kind) and not may_show(steps_of(path.lstrip("/").replace("/", ".")))


class Phase(StrEnum):
    """How a backup or a restore ended."""

    COMPLETED = "Completed"
    PARTIAL = "Partial"
    FAILED = "Failed"


class Action(StrEnum):
    """What a restore did with an object, or would do with it."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    """It exists with other content and is not changed."""
    MERGED = "merged"
    """Missing entries were added to the existing ones."""
    LINKED = "linked"
    CONFLICT = "conflict"
    IMMUTABLE = "immutable"
    SKIPPED = "skipped"
    UPDATED = "updated"
    RECREATED = "recreated"
    LEFT = "left"
    """A controller has created its own in the meantime."""
    CHANGED = "changed"
    """A user or a controller has changed it since."""
    DELETED = "deleted"
    RESTORED = "restored"
    """Its previous content is back."""


MADE = frozenset({Action.CREATED, Action.RECREATED})
"""The restore created the object."""

CHANGING = frozenset({Action.MERGED, Action.UPDATED, Action.RECREATED})
"""Actions that change an existing object."""

UNTOUCHED = frozenset({Action.UNCHANGED, Action.KEPT, Action.SKIPPED, Action.MERGED})
"""The object on the target may differ from the one in the backup."""

STAYS = frozenset({Action.KEPT, Action.SKIPPED})
"""Nothing is written to the object, not even late values."""


class Intent(StrEnum):
    """What a journal announces before the action."""

    CREATE = "create"
    """For an object that does not exist; every other intent saves the previous object first."""
    UPDATE = "update"
    RECREATE = "recreate"
    MERGE = "merge"
    LINK = "link"
    PATCH = "patch"


class ResultModel(BaseModel):
    """A part of what a flow answers: frozen."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class StoredModel(BaseModel):
    """A part of our own files: frozen, and with no field but these."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class StrictModel(StoredModel):
    """A part of a manifest: of exactly this shape, with no value converted to another type."""

    model_config = ConfigDict(strict=True)


class Identity(BaseModel):
    """An object by type, namespace and name."""

    type: str
    namespace: str = ""
    name: str

    @property
    def text(self) -> str:
        """Return the object as a `Ref` is shown: `Deployment.apps shop/web`."""
        return f"{self.type} {self.namespace}/{self.name}" if self.namespace else f"{self.type} {self.name}"


class LeftOut(Identity, StrictModel):
    """An object that existed and is not in the backup (or was not restored), with the reason."""

    why: str
    code: str = Field(default_factory=lambda data: code_of(data["why"]))
    """A `ReasonCode`; in a backup from before there were codes, it is derived from the sentence."""

    @classmethod
    def of(cls, ref: Ref, reason: Reason) -> Self:
        """Return an excluded object with the reason."""
        return cls(type=ref.type, namespace=ref.namespace, name=ref.name, why=reason.text, code=reason.code.value)


class PulledIn(Identity, StrictModel):
    """An object that is not selected, and is included because an included object needs it."""

    why: str


class Problem(StrictModel):
    """Something that could not be read, so that the backup is not complete."""

    what: str
    why: str
    group: str = ""
    """The API group, if a whole group could not be read."""
    namespace: str = ""
    """Its namespace; "" if it does not belong to a single one."""

    @property
    def place(self) -> tuple[str, str]:
        """Return what could not be read, without its namespace, and the namespace.

        In a backup from before problems had a namespace, only `what` names it: `secrets in shop`.
        """
        what, inside, namespace = self.what.rpartition(" in ")
        if self.namespace:
            return (what if inside and namespace == self.namespace else self.what), self.namespace
        return (what, namespace) if inside else (self.what, "")


class ActionTaken(Identity, ResultModel):
    """What a restore did with one object, and why."""

    action: Action
    why: str = ""


class Cause(StrEnum):
    """Why a value was rewritten."""

    RENAMED = "renamed"
    """A namespace was renamed."""
    LOOKED_UP = "looked-up"
    """A value that the source cluster assigned was replaced by that of the target."""
    MODIFIED = "modified"
    ALLOCATED = "allocated"
    """The target allocates another value, as the old one is in use there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """One value that was rewritten: in which object, at which path, the old and the new value.

    A part of results, too, but no model: a restore under another name has one or more for each object, and pydantic
    takes 600 bytes for each.
    """

    object: str
    path: str
    old: str
    new: str
    why: str
    cause: Cause = Cause.RENAMED
    rule: str = ""
    """The class of the rewrite, by which it can be disabled (transform/rename/classes.py, `RULES`); "" if it cannot."""

    @classmethod
    def of(
        cls, ref: Ref, path: str, old: str, new: str, why: str, *, cause: Cause = Cause.RENAMED, layers: str = ""
    ) -> Self:
        """Return the rewrite of a value at a JSON pointer; of a Secret, no value is shown.

        All rewrites are made here, but for those of `rename`, which show names of namespaces only. `layers` tells the
        encodings of the value, such as ` (base64)`.
        """
        shown = (HIDDEN, HIDDEN) if hidden(ref, path) else (old, new)
        return cls(object=str(ref), path=path + layers, old=shown[0], new=shown[1], why=why, cause=cause)
