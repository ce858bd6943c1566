r"""Write text that comes from a cluster or a store so that a terminal only displays it.

Names and values are untrusted: control characters, of which terminal escape sequences are made, and characters that
reorder or hide text (U+202E and its kin) are shown as escapes. JSON and YAML keep the same values, with the escapes of
their own syntax. A string that a YAML reader might take for a number, a boolean or null is quoted.
"""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

LONGEST = 200
"""Characters of a name or value in a Markdown page; longer ones are truncated."""

_NEAR_NUMBERS = re.compile(r"[-+.]?[0-9.]")
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "=", "~", "<<"])
"""Words, in lower case, that some reader of YAML 1.1 or 1.2 takes for another type."""


def plain(text: str) -> str:
    r"""Return `text` with unprintable characters as `\x1b` and so on; line breaks stay."""
    return text if text.isprintable() else _escaped(text, lambda char: repr(char)[1:-1])


def one_line(text: str) -> str:
    r"""Return the same as one line: `\n`, too, is shown as an escape."""
    return plain(text).replace("\n", "\\n")


def words(text: str) -> str:
    r"""Return the same for a Markdown page, where it is plain text (CommonMark 2.4): no link, no image."""
    return re.sub(r"[\\`*_{}\[\]<>#|!&~]|(?<=:)//", r"\\\g<0>", one_line(text))


def code(text: str, longest: int = LONGEST) -> str:
    """Return it as a Markdown code span, with more backticks than it contains (CommonMark 6.1)."""
    shown = one_line(text if len(text) <= longest else f"{text[:longest]}…")
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence}{shown}{fence}" if len(fence) == 1 else f"{fence} {shown} {fence}"


def as_json(value: Any) -> str:
    """Return a JSON value as one indented JSON document that ends with a newline."""
    return "".join(json_pieces(value))


PIECE = 1000
"""Tokens of JSON that are written together."""


def json_pieces(value: Any) -> Iterator[str]:
    """Yield the same document piece by piece; a `Lazy` list in it is made while it is written."""
    tokens = json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value)
    while piece := "".join(islice(tokens, PIECE)):
        yield _escaped(piece, _in_json)
    yield "\n"


class Lazy(list[Any]):
    """A list for `json_pieces` that is never in memory as a whole: `make` makes each value from one of `items`."""

    def __init__(self, items: Iterable[T], make: Callable[[T], Any]) -> None:
        """Take what the values are made from."""
        super().__init__(items)
        self._make = make

    def __iter__(self) -> Iterator[Any]:
        """Yield the values."""
        return map(self._make, super().__iter__())


def as_yaml(value: Any, *, width: int = 80) -> str:
    """Return a JSON value as one YAML document, which YAML 1.1 and 1.2 read alike; longer lines of text are folded."""
    import yaml

    return escaped_yaml(yaml.dump(value, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=width))


def escaped_yaml(text: str) -> str:
    """Return YAML text with unprintable characters as escapes.

    Only strings in double quotes hold such characters (`_style`), and these allow escapes.
    """
    return _escaped(text, _in_yaml)


def _escaped(text: str, escape: Any) -> str:
    """Return `text` with unprintable characters escaped, line by line, since nearly all lines need nothing."""
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else _escaped_line(line, escape) for line in lines)


def _escaped_line(line: str, escape: Any) -> str:
    return "".join(each if each.isprintable() else escape(each) for each in line)


def _in_json(char: str) -> str:
    return json.dumps(char)[1:-1]


def _in_yaml(char: str) -> str:
    return f"\\U{ord(char):08X}"


@cache
def _dumper() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # without libyaml: slower, same output

    class Dumper(base):  # type: ignore[misc] # its type is not known
        """Quotes strings that could be read as another type."""

        def ignore_aliases(self, _data: Any) -> bool:
            """Write a repeated value in full: aliases are hard to read."""
            return True

    Dumper.add_representer(
        str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))
    )
    return Dumper


def _style(text: str) -> str | None:
    """Return the quotes that a string needs in YAML; None leaves it to PyYAML, which knows the other cases."""
    if not text.replace("\n", "").isprintable():
        return '"'
    return "'" if _NEAR_NUMBERS.match(text) or text.lower() in _WORDS else None
