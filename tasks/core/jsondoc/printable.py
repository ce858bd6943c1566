r"""Write what a cluster or a store told as text that a terminal shows and does nothing else with.

Names and values are anybody's: control characters, of which a terminal's commands are made, and those that turn or hide
text (U+202E and its kin) are shown as escapes. JSON and YAML stay documents of the same values: there the escapes are
those of the language. What a YAML reader might take for a number, a flag or nothing is written in quotes.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

LONGEST = 200
"""Characters of a name or value on a page of Markdown; what is longer is cut."""

_NEAR_NUMBERS = re.compile(r"[-+.]?[0-9.]")
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "=", "~", "<<"])
"""What some reader of YAML 1.1 or 1.2 (or of neither quite) takes for another type, in lower case."""


def plain(text: str) -> str:
    r"""Return `text` with control characters and their like as `\x1b` and so on; its lines stay lines."""
    return text if text.isprintable() else _escaped(text, lambda char: repr(char)[1:-1])


def one_line(text: str) -> str:
    r"""Return the same as one line: `\n` too is shown as an escape."""
    return plain(text).replace("\n", "\\n")


def words(text: str) -> str:
    r"""Return the same for a page of Markdown, where it is nothing but text (CommonMark 2.4): no link, no image."""
    return re.sub(r"[\\`*_{}\[\]<>#|!&~]|(?<=:)//", r"\\\g<0>", one_line(text))


def code(text: str, longest: int = LONGEST) -> str:
    """Return it as Markdown's code: in backticks, more of them than it holds itself (CommonMark 6.1)."""
    shown = one_line(text if len(text) <= longest else f"{text[:longest]}…")
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence}{shown}{fence}" if len(fence) == 1 else f"{fence} {shown} {fence}"


def as_json(value: Any) -> str:
    """Return JSON's types as one document of JSON, indented, with a newline at its end."""
    return _escaped(json.dumps(value, indent=2, ensure_ascii=False), _in_json) + "\n"


def as_yaml(value: Any) -> str:
    """Return JSON's types as one document of YAML, which 1.1 and 1.2 read alike."""
    import yaml

    # Only what is in double quotes holds such characters: there an escape stands for one.
    return _escaped(yaml.dump(value, Dumper=_dumper(), sort_keys=False, allow_unicode=True), _in_yaml)


def _escaped(text: str, escape: Any) -> str:
    """Return `text` with what is not printable escaped, line by line, since nearly all lines need nothing."""
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

    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # without libyaml it is slower, and the same

    class Dumper(base):  # type: ignore[misc] # its type is not known
        """Puts in quotes what could be read as something else than text."""

        def ignore_aliases(self, _data: Any) -> bool:
            """Write a value that comes twice twice: an alias is not for people."""
            return True

    Dumper.add_representer(
        str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))
    )
    return Dumper


def _style(text: str) -> str | None:
    """Return the quotes that a text needs in YAML; None leaves it to the writer, which knows the other reasons."""
    if not text.replace("\n", "").isprintable():
        return '"'
    return "'" if _NEAR_NUMBERS.match(text) or text.lower() in _WORDS else None
