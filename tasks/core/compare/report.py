"""The report of `kubeferry diff`: each object that differs, with a unified diff, and what was not compared.

The differences come with their Secrets masked (diff.py); nothing here holds or hides a confidential value. Diffs are by
line: text of several lines is written as a block, and keys are sorted.
"""

from __future__ import annotations

import json
from collections import Counter
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
"""Lines of context around a change, as in diff -u."""

LONGEST = 4000
"""More differing lines than this on both sides are shown as one block: the search for common lines is quadratic."""

PAIRS = 40_000
"""The same for more pairs of equal lines: the search looks at each, perhaps once for each line. A text of 100,000 equal
lines, which anybody may store, took hours."""

NOTHING = "/dev/null"
"""The name in diff for a file that does not exist."""

WIDE = 1_000_000
"""Columns: a width at which YAML adds no line breaks of its own."""

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Base):  # type: ignore[misc] # which of the two it is, is known only here
    """Writes text of several lines as a block, and no aliases."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Write repeated values in full."""
        return True


def _text(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def unified(difference: ObjectDifference, before: str, after: str) -> str:
    """Return a difference in the form of `diff -u`; `before` and `after` are the names of the two sides."""
    old, new = _lines(difference.before), _lines(difference.after)
    body = list(_hunks(old, new))
    if not body:
        return ""
    head = [
        f"--- {f'{before}: {difference.ref}' if difference.before else NOTHING}",
        f"+++ {f'{after}: {difference.ref}' if difference.after else NOTHING}",
    ]
    return "\n".join([*head, *body]) + "\n"


def _lines(obj: Object | None) -> list[str]:
    if obj is None:
        return []
    text = yaml.dump(_readable(obj), Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=WIDE)
    return str(text).splitlines()


def _readable(obj: Object) -> Object:
    """Return an object with its last-applied annotation written over several lines."""
    copy = parsed(annotations_of(obj).get(LAST_APPLIED))
    if copy is None:
        return obj
    annotations = annotations_of(obj) | {
        LAST_APPLIED: json.dumps(copy, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    }
    return obj | {"metadata": obj["metadata"] | {"annotations": annotations}}


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
    """Return a range of lines as in diff -u: counted from 1, and an empty one by the line before it."""
    length = end - start
    return f"{start + 1}" if length == 1 else f"{start + (1 if length else 0)},{length}"


Opcode = tuple[str, int, int, int, int]


def _groups(old: list[str], new: list[str]) -> Iterable[list[Opcode]]:
    """Return the operations that turn `old` into `new`, in groups separated by common lines."""
    head = _shared(old, new)
    tail = _shared(old[head:][::-1], new[head:][::-1])
    ends = len(old) - tail, len(new) - tail
    if min(ends[0] - head, ends[1] - head) <= LONGEST and _pairs(old[head : ends[0]], new[head : ends[1]]) <= PAIRS:
        return SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT)
    around = [head - CONTEXT if head > CONTEXT else 0, min(tail, CONTEXT)]
    return [
        [
            ("equal", around[0], head, around[0], head),
            ("replace", head, ends[0], head, ends[1]),
            ("equal", ends[0], ends[0] + around[1], ends[1], ends[1] + around[1]),
        ]
    ]


def _pairs(one: list[str], other: list[str]) -> int:
    """Return the number of pairs of equal lines."""
    there = Counter(other)
    return sum(count * there[line] for line, count in Counter(one).items())


def _shared(one: list[str], other: list[str]) -> int:
    """Return the number of common lines at the start."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))


CHANGES = ("added", "removed", "changed")


class FieldDrift(ResultModel):
    """One field that differs; `old` or `new` is None if that side does not have it."""

    path: str
    old: Any = None
    new: Any = None


class ReportedDifference(ResultModel):
    """One object that differs, by its identity on the other side."""

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
    """All differences between a backup (old) and a cluster or another backup (new)."""

    backup: str
    store: str
    against: str
    """`cluster NAME` or `backup NAME`."""
    namespaces: dict[str, str]
    """Name in the backup to name on the other side."""
    same: bool
    """Nothing differs in what could be compared."""
    counts: dict[str, int]
    """Number of compared objects: same, added, removed, changed."""
    objects: list[ReportedDifference] = []
    problems: list[Problem] = []
    """What could not be compared, and why."""

    @property
    def exit_code(self) -> int:
        """Return the exit code: as diff(1), 1 if something differs, else 3 if not everything could be compared.

        1 is also the code of any failure: the requested check did not pass.
        """
        if self.objects:
            return 1
        return 3 if self.problems else 0


def reported_difference(
    difference: ObjectDifference, before: str, after: str, *, with_diff: bool
) -> ReportedDifference:
    """Return one difference for people and programs; `before` and `after` are the names of the two sides."""
    return ReportedDifference(
        type=difference.ref.type,
        namespace=difference.ref.namespace,
        name=difference.ref.name,
        change=difference.change,
        fields=[_field(each) for each in difference.fields],
        why=difference.why,
        diff=unified(difference, before, after) if with_diff else "",
    )


def _field(each: Difference) -> FieldDrift:
    old, new = (None if value is MISSING else revealed(value) for value in (each.old, each.new))
    return FieldDrift(path=each.path, old=old, new=new)
