"""What `kubeferry diff` answers: each object that drifted, with its fields, and what could not be compared.

Made of drifts whose Secrets are masked (drift_mask.py); nothing here holds a value that may not be shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from kubeferry.tasks.core.compare.drift_text import unified
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.jsondoc.differences import MISSING, revealed

if TYPE_CHECKING:
    from kubeferry.tasks.core.compare.diff import Drift
    from kubeferry.tasks.core.jsondoc.differences import Difference

CHANGES = ("added", "removed", "changed")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class FieldDrift(_Model):
    """One field that is not the same; `old` and `new` are None where that side does not have it."""

    path: str
    old: Any = None
    new: Any = None


class ObjectDrift(_Model):
    """One object that is not the same, under its identity on the side that the backup is compared with."""

    type: str
    namespace: str = ""
    name: str
    change: str
    """added: the backup does not have it; removed: only the backup has it; changed."""
    fields: list[FieldDrift] = []
    why: str = ""
    diff: str = ""
    """A unified diff of YAML."""


class DriftReport(_Model):
    """All that differs between a backup (old) and a cluster or another backup (new)."""

    backup: str
    store: str
    against: str
    """`cluster NAME` or `backup NAME`."""
    namespaces: dict[str, str]
    """Name in the backup to name on the other side."""
    same: bool
    """Nothing differs, as far as could be seen."""
    counts: dict[str, int]
    """Objects that were compared: same, added, removed, changed."""
    objects: list[ObjectDrift] = []
    problems: list[Problem] = []
    """What could not be compared, and why."""

    @property
    def exit_code(self) -> int:
        """Return what the command line exits with: as diff(1) 1 where something differs, else 3 where not all was seen.

        design.md 3 has no code of its own for drift: the check that was asked for did not pass.
        """
        if self.objects:
            return 1
        return 3 if self.problems else 0


def object_drift(drift: Drift, before: str, after: str, *, with_diff: bool) -> ObjectDrift:
    """Return one drift for people and programs; `before` and `after` are what the two sides are called."""
    return ObjectDrift(
        type=drift.ref.type,
        namespace=drift.ref.namespace,
        name=drift.ref.name,
        change=drift.change,
        fields=[_field(each) for each in drift.fields],
        why=drift.why,
        diff=unified(drift, before, after) if with_diff else "",
    )


def _field(each: Difference) -> FieldDrift:
    old, new = (None if value is MISSING else revealed(value) for value in (each.old, each.new))
    return FieldDrift(path=each.path, old=old, new=new)
