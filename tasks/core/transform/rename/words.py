r"""Find a namespace's name as a word of a text: in prose, paths and dotted names, behind escapes, inside base64.

A word ends where a name ends: `shop-api`, `shop_db` and `workshop` are other words. `\n`, `\u002f` and `%2F` before a
name are escapes and not letters of it; a name itself never needs an escape (RFC 1123 has only characters that RFC 3986
leaves as they are). Base64 in a text is decoded where it is printable text, up to `DEEPEST` times, and encoded again as
it was: with or without padding, in the alphabet of URLs or in the usual one.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

DEEPEST = 3
"""How often base64 in base64 is decoded."""

_TOKEN = re.compile(r"(?<![\w+/-])[A-Za-z0-9+/_-]{4,}+={0,2}(?![\w=])", re.ASCII)
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_BEFORE = r"(?:(?<![\w-])|(?<=(?<!\\)\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
_SEXTET = 6
_BYTE = 8
_ROOM = 3
"""Bytes that four characters of base64 hold."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A namespace's name in a text, from `start` to `end`."""

    start: int
    end: int
    name: str
    escaped: bool
    """Whether a URL escape is beside it."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Base64 in a text, from `start` to `end`, and what it encodes."""

    start: int
    end: int
    text: str
    _urlsafe: bool
    _padded: bool

    def again(self, text: str) -> str:
        """Return another text, encoded in the same way."""
        encode = base64.urlsafe_b64encode if self._urlsafe else base64.b64encode
        found = encode(text.encode()).decode()
        return found if self._padded else found.rstrip("=")


@dataclass(frozen=True, slots=True)
class Words:
    """The names of namespaces as words."""

    names: Collection[str]
    _pattern: re.Pattern[str] = field(init=False, repr=False)
    _marks: tuple[bytes, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Compile the expression, the longest name first."""
        one = "|".join(re.escape(each) for each in sorted(self.names, key=len, reverse=True))
        object.__setattr__(self, "_pattern", re.compile(f"{_BEFORE}(?:{one})(?![\\w-])"))
        once = {core for each in self.names for core in _cores(each.encode())}
        twice = {core for each in once for core in _cores(each)}
        object.__setattr__(self, "_marks", (*(each.encode() for each in self.names), *once, *twice))

    def may_be_in(self, raw: bytes) -> bool:
        """Return whether an object may have one of the names anywhere, judged by its bytes alone: it is fast."""
        return any(each in raw for each in self._marks)

    def spots(self, text: str) -> Iterator[Spot]:
        """Yield the names in `text` itself, in order."""
        for match in self._pattern.finditer(text):
            start, end = match.span()
            left = _ESCAPED.fullmatch(text, start - 3, start) if start >= 3 else None  # noqa: PLR2004 - of `%2F`
            right = _ESCAPED.match(text, end)
            if not (left and _is_letter(left[1])) and not (right and _is_letter(right[1])):
                yield Spot(start, end, match[0], bool(left or right))

    def encoded(self, text: str) -> Iterator[Encoded]:
        """Yield the base64 in `text` that decodes to text and may have one of the names in it, in order."""
        if not any(each in text.encode(errors="replace") for each in self._marks[len(self.names) :]):
            return
        for match in _TOKEN.finditer(text):
            found = _decoded(match)
            if found:
                yield found


def replaced(text: str, words: Words, names: Mapping[str, str], wanted: Callable[[str, Spot], bool]) -> str:
    """Return `text` with each wanted name under its new name, inside of base64 as well.

    `wanted` is asked with the text around a name, which is the decoded one where it is encoded.
    """
    return _replaced(text, words, names, wanted, DEEPEST)


def _replaced(
    text: str, words: Words, names: Mapping[str, str], wanted: Callable[[str, Spot], bool], depth: int
) -> str:
    parts: list[tuple[int, int, str]] = [
        (spot.start, spot.end, names[spot.name]) for spot in words.spots(text) if wanted(text, spot)
    ]
    for each in words.encoded(text) if depth else ():
        inner = _replaced(each.text, words, names, wanted, depth - 1)
        if inner != each.text:
            parts.append((each.start, each.end, each.again(inner)))
    done, pieces = 0, []
    for start, end, new in sorted(parts):
        pieces += [text[done:start], new]
        done = end
    return "".join([*pieces, text[done:]])


def _decoded(match: re.Match[str]) -> Encoded | None:
    token = match[0]
    bare = token.rstrip("=")
    urlsafe = "-" in bare or "_" in bare
    if len(bare) % 4 == 1 or (urlsafe and ("+" in bare or "/" in bare)):
        return None
    if len(token) != len(bare) and len(token) % 4:
        return None
    try:
        data = base64.b64decode(bare + "=" * (-len(bare) % 4), b"-_" if urlsafe else None, validate=True)
        text = data.decode()
    except (binascii.Error, ValueError):
        return None
    found = Encoded(*match.span(), text, urlsafe, len(token) % 4 == 0)
    printable = all(each.isprintable() or each in "\r\n\t" for each in text)
    return found if printable and found.again(text) == token else None


def _is_letter(code: str) -> bool:
    char = chr(int(code, 16))
    return char.isascii() and (char.isalnum() or char in "-_")


def _cores(name: bytes) -> Iterator[bytes]:
    """Yield the characters that base64 always has for `name`, for each place in three bytes where it may begin."""
    for shift in range(_ROOM):
        room = bytes(shift) + name
        first, last = -(-shift * _BYTE // _SEXTET), len(room) * _BYTE // _SEXTET
        yield base64.b64encode(room + bytes(-len(room) % _ROOM))[first:last]
