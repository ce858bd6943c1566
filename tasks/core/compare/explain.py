"""Explain why a field of a restored object differs from the original; what has no explanation stays unexplained.

The reasons are a table (explanations.py), which also applies to the copy of the object that `kubectl apply` keeps in an
annotation. A changed string is explained by the rewrites that the restore recorded for its object: the old text with
all of them applied in one pass must equal the new text exactly, also inside base64.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.compare.explanations import ROWS, Row
from kubeferry.tasks.core.formats.records import HIDDEN, Cause
from kubeferry.tasks.core.jsondoc.differences import MISSING, differences, revealed, steps_of
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.strings import decoded, pointer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.compare.expected import Renaming
    from kubeferry.tasks.core.formats.records import Rewrite
    from kubeferry.tasks.core.jsondoc.differences import Difference
    from kubeferry.tasks.core.jsondoc.edit import Object


LOOKED_UP = "looked up on the target"


def reason(old: Any, new: Any, rewrites: Iterable[Rewrite]) -> str | None:
    """Return why `old` became `new` if the rewrites of its object explain it, else None."""
    made = {each.old: each for each in rewrites if each.old}
    if not (isinstance(old, str) and isinstance(new, str) and made):
        return None
    for before, after in ((old, new), (decoded(old), decoded(new))):
        used: list[Rewrite] = []
        if before is not None and _replaced(before, made, used) == after and used:
            return "; ".join(sorted({LOOKED_UP if each.cause is Cause.LOOKED_UP else each.why for each in used}))
    return None


def _replaced(text: str, made: dict[str, Rewrite], used: list[Rewrite]) -> str:
    longest_first = sorted(made, key=len, reverse=True)
    pattern = re.compile(r"(?<![A-Za-z0-9])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![A-Za-z0-9])")

    def new(found: re.Match[str]) -> str:
        used.append(made[found[0]])
        return made[found[0]].new

    return pattern.sub(new, text)


LAST_APPLIED = 'metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]'


def explain(difference: Difference, obj: Object, moved: Renaming) -> str | None:
    """Return why the restored object may differ from the live original `obj`, or None if nothing explains it.

    `difference` is one of `differences(obj, restored)`. A difference without explanation is a fault of the restore, or
    a later change.
    """
    if difference.path == LAST_APPLIED:
        return _applied(revealed(difference.old), revealed(difference.new), moved)
    row = matching(difference, obj, moved)
    rewrites = moved.rewrites.get(Ref.of(obj), ())
    if not row and (why := _hidden(difference, rewrites)):
        return why
    return row.reason if row else reason(revealed(difference.old), revealed(difference.new), rewrites)


def _hidden(difference: Difference, rewrites: Iterable[Rewrite]) -> str | None:
    """Return why a value of a Secret differs by the place of its rewrites: what they wrote is not shown."""
    at = pointer(tuple(steps_of(difference.path)))
    found = [each for each in rewrites if each.old == HIDDEN and each.path.partition(" ")[0] == at]
    return "; ".join(sorted({LOOKED_UP if each.cause is Cause.LOOKED_UP else each.why for each in found})) or None


def matching(difference: Difference, obj: Object, moved: Renaming) -> Row | None:
    """Return the first row that explains `difference`, or None."""
    old, new = revealed(difference.old), revealed(difference.new)
    rows = (row for row in ROWS if _concerns(row, obj) and _pattern(row.path).fullmatch(difference.path))
    return next((row for row in rows if row.test(old, new, obj, moved)), None)


def _concerns(row: Row, obj: Object) -> bool:
    group = group_of(obj["apiVersion"])
    return row.kinds == "*" or f"{obj['kind']}.{group}".rstrip(".") in row.kinds.split()


@cache
def _pattern(path: str) -> re.Pattern[str]:
    """Compile a row's path; keys in brackets may hold any text but are always quoted, so they match no index."""
    below = path.endswith("**")
    escaped = re.escape(path.removesuffix("**")).replace(re.escape("[*]"), r"\[\d+\]")
    return re.compile(escaped + (r"(?:[.\[].*)?" if below else ""), re.DOTALL)


def _applied(old: Any, new: Any, moved: Renaming) -> str | None:
    """Explain the copy that `kubectl apply` keeps of the object, by explaining each difference inside it."""
    was, now = _parsed(old), _parsed(new)
    if was is None:
        return "dropped, because it could not be read" if new is MISSING and old is not MISSING else None
    if now is None or not all(explain(each, was, moved) for each in differences(was, now)):
        return None
    return "rewritten with the object"


def _parsed(text: Any) -> Object | None:
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:  # truncated or edited manually
        return None
    if not isinstance(found, dict) or not {"apiVersion", "kind"} <= found.keys():
        return None
    return found if isinstance(found.get("metadata"), dict) else None
