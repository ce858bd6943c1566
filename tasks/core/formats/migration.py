"""What a migration writes down in the store, beside its backup and the journals of its restores, and what it answers.

A header when it begins, its namespaces when they are backed up, and an end for each namespace: what has an end that is
no failure is never done again. All of it stands in `restores/NAME/`, where Velero looks for nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from kubeferry.tasks.core.formats.layout import backup_name
from kubeferry.tasks.core.formats.records import Phase, Problem, StoredModel

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT: Literal["kubeferry.io/migration/v1"] = "kubeferry.io/migration/v1"

SHARED = "cluster.wide"
"""Stands for the namespace of what has none; no namespace has a dot in its name."""


class Header(StoredModel):
    """What a migration was asked for; its options hold no secret."""

    format: Literal["kubeferry.io/migration/v1"] = FORMAT
    name: str
    started: datetime
    options: dict[str, Any]


class Source(StoredModel):
    """What of the source is migrated: the backup that holds it, and the namespaces, old name to new name.

    `absent` are namespaces that were asked for and cannot be migrated, each with the reason; `unread` is what could not
    be read of a namespace, and of all of them under "".
    """

    format: Literal["kubeferry.io/migration/v1"] = FORMAT
    backup: str
    cluster: str
    namespaces: dict[str, str]
    absent: dict[str, str] = {}
    unread: dict[str, list[Problem]] = {}


class End(StoredModel):
    """How it went with one namespace, or with what is cluster-wide (SHARED)."""

    format: Literal["kubeferry.io/migration/v1"] = FORMAT
    namespace: str
    into: str
    phase: Phase
    restore: str = ""
    """Name of its restore, which `show`, `undo` and `restore --resume` take; "" where none began."""
    objects: int = 0
    counts: dict[str, int] = {}
    actions: dict[str, int] = {}
    problems: list[Problem] = []
    error: str = ""
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Return whether nothing is left to do."""
        return self.phase is not Phase.FAILED

    @property
    def why(self) -> str:
        """Return in one line what is wrong with it."""
        told = self.error or "; ".join(f"{each.what}: {each.why}" for each in self.problems[:3])
        return told + (f"; and {len(self.problems) - 3} more" if not self.error and len(self.problems) > 3 else "")  # noqa: PLR2004 - as many are told

    @property
    def title(self) -> str:
        """Return what people read for its namespace."""
        if self.namespace == SHARED:
            return "(cluster-wide)"
        return self.namespace if self.namespace == self.into else f"{self.namespace} → {self.into}"


def migration_name(asked: str, namespaces: list[str], now: datetime) -> str:
    """Return the name of a new migration: the one asked for, or one made from the namespaces and the time.

    Raises:
        UsageError: the name asked for cannot be one.
    """
    return backup_name(asked or f"migrate-{backup_name('', namespaces, now)}", namespaces, now)


def restore_name(migration: str, namespace: str, turn: int) -> str:
    """Return the name of the restore of a namespace; it is restored anew in a further turn when one was taken back."""
    return f"{migration}.{namespace}" + (f".{turn}" if turn > 1 else "")


def phase_of(ends: Iterable[End]) -> Phase:
    """Return how all of it went: Failed only when nothing came across."""
    listed = [each for each in ends if each.namespace != SHARED]
    shared_failed = any(not each.done for each in ends if each.namespace == SHARED)
    if listed and not any(each.done for each in listed):
        return Phase.FAILED
    whole = all(each.phase is Phase.COMPLETED for each in listed) and not shared_failed
    return Phase.COMPLETED if whole else Phase.PARTIAL


def unread_of(problems: Iterable[Problem], namespaces: Iterable[str]) -> dict[str, list[Problem]]:
    """Return what could not be read by namespace, under "" what is not of one of them alone."""
    known, found = set(namespaces), dict[str, list[Problem]]()
    for each in problems:
        _, namespace = each.place
        found.setdefault(namespace if namespace in known else "", []).append(each)
    return found
