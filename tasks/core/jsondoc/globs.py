r"""Globs as Velero reads them (gobwas/glob 0.2): `*`, `**`, `?`, `[abc]`, `[a-z]`, `[!a-z]`, `{a,b}`, `\` before any.

With a separator, `*` and `?` do not match it, and `**` does. A bracket holds some characters, or one range.
"""

from __future__ import annotations

import re
from functools import lru_cache

_TOKEN = re.compile(
    r"\\(?P<plain>.)|\[(?P<no>!?+)(?:(?P<low>.)-(?P<high>.)|(?P<some>(?!.-)(?:\\.|[^\]\\])+))\]|\*\*|.", re.DOTALL
)


@lru_cache(maxsize=256)
def glob_pattern(glob: str, apart: str = "") -> re.Pattern[str]:
    """Return a glob as a regular expression, for `fullmatch`; `apart` is the separator, "" for none.

    Raises:
        ValueError: a bracket or a brace is not closed, or a range is reversed.
    """
    single = f"[^{re.escape(apart)}]" if apart else "."
    parts = {"**": ".*", "*": f"{single}*", "?": single, "{": "(?:"}
    found, depth = [], 0
    for token in _TOKEN.finditer(glob):
        text = token[0]
        if token["low"] or token["some"]:
            found.append(_bracket(token, glob))
        elif depth and text in ("}", ","):
            found.append(")" if text == "}" else "|")
        elif text in ("[", "\\"):
            raise ValueError(f"{glob!r} is not a glob: {text} does not end")
        else:
            found.append(parts.get(text) or re.escape(token["plain"] or text))
        depth += {"{": 1, "}": -1 if depth else 0}.get(text, 0)
    if depth:
        raise ValueError(f"{glob!r} is not a glob: {{ does not end")
    return re.compile("".join(found), re.DOTALL)


def _bracket(token: re.Match[str], glob: str) -> str:
    if token["low"] and token["low"] > token["high"]:
        raise ValueError(f"{glob!r} is not a glob: the range {token[0]} is reversed")
    some = re.sub(r"\\(.)", r"\1", token["some"] or "", flags=re.DOTALL)
    inside = f"{re.escape(token['low'])}-{re.escape(token['high'])}" if token["low"] else re.escape(some)
    return f"[{'^' if token['no'] else ''}{inside}]"
