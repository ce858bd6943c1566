"""The parts that our stored files and the results of flows share: how a run ended, what is missing, and why.

A stored part is read back as untrusted input: pydantic refuses what is not exactly of its shape.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field

from kubeferry.tasks.core.formats.reasons import code_of

if TYPE_CHECKING:
    from kubeferry.tasks.core.formats.reasons import Reason
    from kubeferry.tasks.core.kube.objects import Ref


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
    """It is there with other content and stays as it is, whatever was asked for."""
    MERGED = "merged"
    """It has what it lacked besides what it had."""
    LINKED = "linked"
    CONFLICT = "conflict"
    IMMUTABLE = "immutable"
    SKIPPED = "skipped"
    UPDATED = "updated"
    RECREATED = "recreated"
    LEFT = "left"
    """A controller has made its own in the meantime."""
    CHANGED = "changed"
    """Somebody or something of the cluster has changed it since."""
    DELETED = "deleted"
    RESTORED = "restored"
    """It has its previous content again."""


MADE = frozenset({Action.CREATED, Action.RECREATED})
"""The object is the restore's own."""

CHANGING = frozenset({Action.MERGED, Action.UPDATED, Action.RECREATED})
"""An object that is there is changed; with the other actions it matters to nobody which one it is."""

UNTOUCHED = frozenset({Action.UNCHANGED, Action.KEPT, Action.SKIPPED, Action.MERGED})
"""The object on the target is not meant to be what the backup holds."""

STAYS = frozenset({Action.KEPT, Action.SKIPPED})
"""Nothing is written to the object, its late values included."""


class Intent(StrEnum):
    """What a journal announces before it is done."""

    CREATE = "create"
    """Of an object that is not there; every other intent keeps the previous object first."""
    UPDATE = "update"
    RECREATE = "recreate"
    MERGE = "merge"
    LINK = "link"
    PATCH = "patch"


class ResultModel(BaseModel):
    """A part of what a flow answers: frozen."""

    model_config = ConfigDict(frozen=True)


class StoredModel(BaseModel):
    """A part of our own files: frozen, and with no field but these."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StrictModel(StoredModel):
    """A part of a manifest: of exactly this shape, with no value converted to another type."""

    model_config = ConfigDict(strict=True)


class LeftOut(StrictModel):
    """An object that was there and is not in the backup (or was not restored), with the reason."""

    type: str
    namespace: str = ""
    name: str
    why: str
    code: str = Field(default_factory=lambda data: code_of(data["why"]))
    """A `ReasonCode`; of a backup that was made before there were codes it is read off the sentence."""

    @classmethod
    def of(cls, ref: Ref, reason: Reason) -> Self:
        """Return an object with the reason why it is left out."""
        return cls(type=ref.type, namespace=ref.namespace, name=ref.name, why=reason.text, code=reason.code.value)


class PulledIn(StrictModel):
    """An object that was not asked for and is in the backup all the same, since something that is in needs it."""

    type: str
    namespace: str = ""
    name: str
    why: str


class Problem(StrictModel):
    """Something that could not be read, so that the backup is not complete."""

    what: str
    why: str
    group: str = ""
    """The API group that it is of, where all of a group could not be read."""
    namespace: str = ""
    """The namespace that it stands in; "" where it is not of one alone."""

    @property
    def place(self) -> tuple[str, str]:
        """Return what could not be read, without its namespace, and the namespace.

        In a backup that was made before problems had a namespace, `what` alone tells it: `secrets in shop`.
        """
        what, inside, namespace = self.what.rpartition(" in ")
        if self.namespace:
            return (what if inside and namespace == self.namespace else self.what), self.namespace
        return (what, namespace) if inside else (self.what, "")


class ActionTaken(ResultModel):
    """What a restore did with one object, and why."""

    type: str
    namespace: str = ""
    name: str
    action: Action
    why: str = ""


class Cause(StrEnum):
    """What changed a value on the way."""

    RENAMED = "renamed"
    """A namespace has another name."""
    LOOKED_UP = "looked-up"
    """The target's own value stands in the place of the old cluster's."""
    MODIFIED = "modified"
    ALLOCATED = "allocated"
    """The target allocates another one, as somebody holds the old one there."""


class Rewrite(ResultModel):
    """One value that was changed on the way: uid, name or namespace, at which place of which object."""

    object: str
    path: str
    old: str
    new: str
    why: str
    cause: Cause = Cause.RENAMED
    rule: str = ""
    """The class of the rewrite, by which it can be switched off (rename_case.py, `RULES`); "" for one that cannot."""
