"""Marks: made-up values that must turn up only where they belong, and the search for each of their forms."""

import base64
import re
import sqlite3
import zlib
from dataclasses import dataclass


def spellings(mark):
    """Return a mark as bytes in every form in which it may stand in a longer text: itself, hex, base64 once and twice.

    Base64 of a longer text holds that of a part of it at one of three offsets, but for the characters at its edges.
    """
    once = {each for shift in range(3) for each in encoded(mark.encode(), shift)}
    twice = {each for inner in once for shift in range(3) for each in encoded(inner, shift)}
    return {mark.encode(), mark.encode().hex().encode(), *once, *twice}


def encoded(text, shift):
    """Yield base64 of `text` behind `shift` other bytes, without the characters that its neighbours decide."""
    whole = base64.b64encode(bytes(shift) + text)
    middle = whole[(shift * 8 + 5) // 6 : (shift + len(text)) * 8 // 6]
    yield middle
    yield middle.replace(b"+", b"-").replace(b"/", b"_")


@dataclass(frozen=True)
class Marks:
    """Marks by what each of them marks."""

    marks: dict[str, str]

    def pattern(self):
        found = ((what, spelling) for what, mark in self.marks.items() for spelling in spellings(mark))
        return {what: re.compile(b"|".join(sorted(map(re.escape, forms)))) for what, forms in _grouped(found).items()}

    def found(self, places):
        """Return `place: what` for each mark found; `places` yields (name of a place, its bytes)."""
        patterns = self.pattern()
        # Nearly all places hold none, which one pattern of all sees at once.
        any_of_them = re.compile(b"|".join(pattern.pattern for pattern in patterns.values()))
        return sorted(
            f"{place}: {what}"
            for place, data in places
            if any_of_them.search(data)
            for what, pattern in patterns.items()
            if pattern.search(data)
        )


def _grouped(pairs):
    groups = {}
    for key, value in pairs:
        groups.setdefault(key, set()).add(value)
    return groups


def files(root):
    """Yield (path below `root`, bytes) of every file; what is packed comes unpacked as well."""
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            yield str(path.relative_to(root)), data
            if data.startswith(b"\x1f\x8b"):
                yield f"{path.relative_to(root)} (unpacked)", unpacked(data)


def unpacked(data):
    """Return all members of gzip bytes, one after the other."""
    out = b""
    while data:
        member = zlib.decompressobj(wbits=31)
        out += member.decompress(data)
        data = member.unused_data
    return out


def rows(database):
    """Yield (table, row as text) of all of a SQLite database: on its pages a long text is cut in pieces."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - its own names
                yield table, repr(row).encode()
    connection.close()
