"""The records of a migration in the store: a header, its source, and the result of each namespace.

The header is written at the start, the source when the backup is complete, and an end for each namespace. A namespace
with an end that is not Failed is never migrated again. All records are in `restores/NAME/`, where Velero ignores
unknown files, beside the backup and the journals of the restores.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from kubeferry.tasks.core.formats.journal import Target
from kubeferry.tasks.core.formats.layout import backup_name
from kubeferry.tasks.core.formats.losses import Loss
from kubeferry.tasks.core.formats.records import Phase, Problem, StoredModel

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT: Literal["kubeferry.io/migration/v1"] = "kubeferry.io/migration/v1"

SHARED = "cluster.wide"
"""Used as the namespace of cluster-scoped objects; no namespace has a dot in its name."""


class Header(StoredModel):
    """The options of a migration, as far as a store may say them, and its clusters; none is a secret."""

    format: Literal["kubeferry.io/migration/v1"] = FORMAT
    name: str
    started: datetime
    origin: Target | None = None
    """The source cluster."""
    target: Target | None = None
    """The target cluster."""
    options: dict[str, Any]


class Source(StoredModel):
    """What is migrated: the backup that holds it, and the namespaces, old name → new name.

    `absent` are requested namespaces that cannot be migrated, each with the reason; `unread` is what could not be read,
    by namespace, and under "" what does not belong to a single one.
    """

    format: Literal["kubeferry.io/migration/v1"] = FORMAT
    backup: str
    manifest: str = ""
    """SHA-256 of the backup's manifest: a migration goes on with no other one."""
    cluster: str
    namespaces: dict[str, str]
    absent: dict[str, str] = {}
    unread: dict[str, list[Problem]] = {}


class End(StoredModel):
    """The result of one namespace, or of the cluster-scoped objects (SHARED)."""

    format: Literal["kubeferry.io/migration/v1"] = FORMAT
    namespace: str
    into: str
    phase: Phase
    restore: str = ""
    """Name of its restore, for `show`, `undo` and `restore --resume`; "" if none began."""
    objects: int = 0
    counts: dict[str, int] = {}
    actions: dict[str, int] = {}
    problems: list[Problem] = []
    warnings: list[Problem] = []
    """What is listed and is no problem: rights of others, a namespace that was there."""
    losses: list[Loss] = []
    """What is not as it was, for example claims that came back empty."""
    error: str = ""
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Return whether nothing is left to do."""
        return self.phase is not Phase.FAILED

    @property
    def why(self) -> str:
        """Return the error or the problems in one line."""
        text = self.error or "; ".join(f"{each.what}: {each.why}" for each in self.problems[:3])
        return text + (f"; and {len(self.problems) - 3} more" if not self.error and len(self.problems) > 3 else "")  # noqa: PLR2004 - as many are listed

    @property
    def title(self) -> str:
        """Return the namespace as shown to a user."""
        if self.namespace == SHARED:
            return "(cluster-wide)"
        return self.namespace if self.namespace == self.into else f"{self.namespace} → {self.into}"


def migration_name(asked: str, namespaces: list[str], now: datetime) -> str:
    """Return the name of a new migration: `asked`, or one generated from the namespaces and the time.

    Raises:
        UsageError: `asked` is not a valid name.
    """
    return backup_name(asked or f"migrate-{backup_name('', namespaces, now)}", namespaces, now)


def restore_name(migration: str, namespace: str, turn: int) -> str:
    """Return the name of the restore of a namespace; after a rollback, the next restore is a further `turn`."""
    return f"{migration}.{namespace}" + (f".{turn}" if turn > 1 else "")


def phase_of(ends: Iterable[End]) -> Phase:
    """Return the phase of the migration: Failed only if no namespace was migrated."""
    listed = [each for each in ends if each.namespace != SHARED]
    shared_failed = any(not each.done for each in ends if each.namespace == SHARED)
    if listed and not any(each.done for each in listed):
        return Phase.FAILED
    whole = all(each.phase is Phase.COMPLETED for each in listed) and not shared_failed
    return Phase.COMPLETED if whole else Phase.PARTIAL


def counts_of(ends: Iterable[End]) -> dict[str, int]:
    """Return the number of objects of all namespaces together, by type."""
    counts: Counter[str] = Counter()
    for end in ends:
        counts.update(end.counts)
    return dict(sorted(counts.items()))


def unread_of(problems: Iterable[Problem], namespaces: Iterable[str]) -> dict[str, list[Problem]]:
    """Return what could not be read by namespace; under "" what does not belong to a single one."""
    known, found = set(namespaces), dict[str, list[Problem]]()
    for each in problems:
        _, namespace = each.place
        found.setdefault(namespace if namespace in known else "", []).append(each)
    return found
