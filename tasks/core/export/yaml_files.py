"""An object as YAML that every reader takes for the same value: Go's and Python's, of YAML 1.1 and 1.2.

A string that some reader takes for another type is quoted. Text of several lines is a literal block, with its tabs and
characters as they are, so that a change of a line is a line in a diff. What was written is read again: if it is not the
same value, the object is written as JSON, which is YAML too.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from kubeferry.tasks.core.jsondoc.printable import escaped_yaml, scalar_style

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object

_LINE = re.compile(r"^( *)((?:- )*)(?:(.+): )?(kubeferry-block-(\d+)-)$", re.MULTILINE)
"""A line whose value is the name of a block; it stands there until the block is written."""


def dump(obj: Object) -> str:
    """Return an object as one YAML document, its keys in their order."""
    blocks: list[str] = []
    text = escaped_yaml(
        yaml.dump(_named(obj, blocks), Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=2**30)
    )
    text = _LINE.sub(lambda found: _written(found, blocks), text)
    return text if _same(text, obj) else json.dumps(obj, indent=2, ensure_ascii=True) + "\n"


def _named(value: Any, blocks: list[str]) -> Any:
    """Return a value with the names of blocks instead of their texts, which go to `blocks`."""
    if isinstance(value, dict):
        return {key: _named(each, blocks) for key, each in value.items()}
    if isinstance(value, list):
        return [_named(each, blocks) for each in value]
    if isinstance(value, str) and is_block(value):
        blocks.append(value)
        return f"kubeferry-block-{len(blocks) - 1}-"
    return value


def is_block(text: str) -> bool:
    """Return whether a text is written as a literal block: several lines that need no escape.

    A first line that is empty, or begins with a space, would need an indentation indicator, which readers disagree on.
    """
    return (
        "\n" in text.rstrip("\n")
        and not text.startswith((" ", "\t", "\n"))
        and text.replace("\n", "").replace("\t", "").isprintable()
    )


def _written(found: re.Match[str], blocks: list[str]) -> str:
    spaces, dashes, key, _, number = found.groups()
    text = blocks[int(number)] if int(number) < len(blocks) else None
    if text is None:  # a text of the object that looks like the name of a block
        return found[0]
    indent = " " * (len(spaces) + len(dashes) + (2 if key else 0))
    chomping = "-" if not text.endswith("\n") else "+" if text.endswith("\n\n") else ""
    lines = [f"{indent}{line}" if line else "" for line in text.removesuffix("\n").split("\n")]
    head = found[0][: found.start(4) - found.start()]
    return "\n".join([f"{head}|{chomping}", *lines])


def _same(text: str, obj: Object) -> bool:
    try:
        read: Any = yaml.load(text, yaml.CSafeLoader)
    except yaml.YAMLError:
        return False
    return bool(read == obj)


@cache
def _dumper() -> Any:
    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # without libyaml: slower, same output

    class Dumper(base):  # type: ignore[misc] # its type is not known
        """Quotes what could be read as another type, and writes every value in full."""

        def ignore_aliases(self, _data: Any) -> bool:
            """Write a repeated value again: aliases are hard to read."""
            return True

    Dumper.add_representer(
        str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style=scalar_style(text))
    )
    return Dumper
