"""Explain a changed string by the rewrites that a restore says it made in its object: all of them, and nothing else.

The old text with every rewrite applied in one pass has to be the new text to the letter, also inside of base64. A
change that nobody told of stays unexplained.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.kube.strings import decoded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.formats.records import Rewrite

LOOKED_UP = "looked up on the target"


def reason(old: Any, new: Any, rewrites: Iterable[Rewrite]) -> str | None:
    """Return why `old` became `new` if the rewrites of its object explain it, else None."""
    made = {each.old: each for each in rewrites if each.old}
    if not (isinstance(old, str) and isinstance(new, str) and made):
        return None
    for before, after in ((old, new), (decoded(old), decoded(new))):
        used: list[Rewrite] = []
        if before is not None and _replaced(before, made, used) == after and used:
            return "; ".join(sorted({LOOKED_UP if "→" in each.why else each.why for each in used}))
    return None


def _replaced(text: str, made: dict[str, Rewrite], used: list[Rewrite]) -> str:
    longest_first = sorted(made, key=len, reverse=True)
    pattern = re.compile(r"(?<![A-Za-z0-9])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![A-Za-z0-9])")

    def new(found: re.Match[str]) -> str:
        used.append(made[found[0]])
        return made[found[0]].new

    return pattern.sub(new, text)
