"""What `kubeferry diff` answers: each object that drifted, with its fields, and what could not be compared.

Made of drifts whose Secrets are masked (drift_mask.py); nothing here holds a value that may not be shown.

Write a drift as a unified diff of YAML, line by line: text of several lines stands as such, and keys are sorted.

It refuses nothing and hides nothing: what may not be shown was masked before (drift_mask.py).
"""

from __future__ import annotations

import json
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import yaml

from kubeferry.tasks.core.formats.records import Problem, ResultModel
from kubeferry.tasks.core.jsondoc.differences import MISSING, revealed
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED, parsed
from kubeferry.tasks.core.kube.objects import annotations_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubeferry.tasks.core.compare.diff import ObjectDifference
    from kubeferry.tasks.core.jsondoc.differences import Difference
    from kubeferry.tasks.core.jsondoc.edit import Object


CONTEXT = 3
"""Lines around a change, as diff -u shows them."""

LONGEST = 4000
"""Lines that may differ on both sides before they are shown as one block: looking for what they share is quadratic."""

NOTHING = "/dev/null"
"""What diff calls the side that has no such file."""

WIDE = 1_000_000
"""Columns: YAML's own line breaks would make a line of what is none."""

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Base):  # type: ignore[misc] # which of the two it is, is known only here
    """Writes text of several lines as a block, and nothing by reference."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Write what occurs twice twice."""
        return True


def _text(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def unified(drift: ObjectDifference, before: str, after: str) -> str:
    """Return a drift as `diff -u` writes it; `before` and `after` are what the two sides are called."""
    old, new = _lines(drift.before), _lines(drift.after)
    body = list(_hunks(old, new))
    if not body:
        return ""
    head = [
        f"--- {f'{before}: {drift.ref}' if drift.before else NOTHING}",
        f"+++ {f'{after}: {drift.ref}' if drift.after else NOTHING}",
    ]
    return "\n".join([*head, *body]) + "\n"


def _lines(obj: Object | None) -> list[str]:
    if obj is None:
        return []
    text = yaml.dump(_readable(obj), Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=WIDE)
    return str(text).splitlines()


def _readable(obj: Object) -> Object:
    """Return an object with the copy that `kubectl apply` keeps of it written over several lines."""
    copy = parsed(annotations_of(obj).get(LAST_APPLIED))
    if copy is None:
        return obj
    told = annotations_of(obj) | {LAST_APPLIED: json.dumps(copy, sort_keys=True, indent=1, ensure_ascii=False) + "\n"}
    return obj | {"metadata": obj["metadata"] | {"annotations": told}}


def _hunks(old: list[str], new: list[str]) -> Iterator[str]:
    for group in _groups(old, new):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@"
        for tag, old_start, old_end, new_start, new_end in group:
            if tag == "equal":
                yield from (f" {line}" for line in old[old_start:old_end])
                continue
            yield from (f"-{line}" for line in old[old_start:old_end])
            yield from (f"+{line}" for line in new[new_start:new_end])


def _range(start: int, end: int) -> str:
    """Return a range of lines as diff -u counts it: from 1, and an empty one by the line before it."""
    length = end - start
    return f"{start + 1}" if length == 1 else f"{start + (1 if length else 0)},{length}"


Opcode = tuple[str, int, int, int, int]


def _groups(old: list[str], new: list[str]) -> Iterable[list[Opcode]]:
    """Return what to do to `old` to have `new`, in groups apart by what is the same."""
    head = _shared(old, new)
    tail = _shared(old[head:][::-1], new[head:][::-1])
    ends = len(old) - tail, len(new) - tail
    if min(ends[0] - head, ends[1] - head) <= LONGEST:
        return SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT)
    around = [head - CONTEXT if head > CONTEXT else 0, min(tail, CONTEXT)]
    return [
        [
            ("equal", around[0], head, around[0], head),
            ("replace", head, ends[0], head, ends[1]),
            ("equal", ends[0], ends[0] + around[1], ends[1], ends[1] + around[1]),
        ]
    ]


def _shared(one: list[str], other: list[str]) -> int:
    """Return how many lines at the beginning are the same."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))


CHANGES = ("added", "removed", "changed")


class FieldDrift(ResultModel):
    """One field that is not the same; `old` and `new` are None where that side does not have it."""

    path: str
    old: Any = None
    new: Any = None


class ReportedDifference(ResultModel):
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


class DiffReport(ResultModel):
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
    objects: list[ReportedDifference] = []
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


def object_drift(drift: ObjectDifference, before: str, after: str, *, with_diff: bool) -> ReportedDifference:
    """Return one drift for people and programs; `before` and `after` are what the two sides are called."""
    return ReportedDifference(
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
