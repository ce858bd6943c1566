"""The parts that our stored files and the results of flows share: how a run ended, what is missing, and why.

A stored part is read back as untrusted input: pydantic refuses what is not exactly of its shape.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Phase(StrEnum):
    """How a backup or a restore ended."""

    COMPLETED = "Completed"
    PARTIAL = "Partial"
    FAILED = "Failed"


class Model(BaseModel):
    """A part of our own files: frozen, and of exactly this shape."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class LeftOut(Model):
    """An object that was there and is not in the backup (or was not restored), with the reason."""

    type: str
    namespace: str = ""
    name: str
    why: str


class PulledIn(Model):
    """An object that was not asked for and is in the backup all the same, since something that is in needs it."""

    type: str
    namespace: str = ""
    name: str
    why: str


class Problem(Model):
    """Something that could not be read, so that the backup is not complete."""

    what: str
    why: str


class Action(BaseModel):
    """What a restore did with one object, and why."""

    model_config = ConfigDict(frozen=True)

    type: str
    namespace: str = ""
    name: str
    action: str
    """created, unchanged, updated, recreated, merged or skipped."""
    why: str = ""


class Rewrite(BaseModel):
    """One value that was changed on the way: uid, name or namespace, at which place of which object."""

    model_config = ConfigDict(frozen=True)

    object: str
    path: str
    old: str
    new: str
    why: str
    rule: str = ""
    """The class of the rewrite, by which it can be switched off (rename_case.py, `RULES`); "" for one that cannot."""
