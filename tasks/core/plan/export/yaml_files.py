"""An object as YAML that every reader takes for the same value: Go's and Python's, of YAML 1.1 and 1.2.

A string that some reader takes for another type is quoted. Text of several lines is a literal block, with its tabs and
characters as they are, so that a change of a line is a line in a diff. What was written is read again: if it is not the
same value, the object is written as JSON, which is YAML too but for its escapes: two halves of a character are none.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from kubeferry.tasks.core.jsondoc.printable import as_yaml, escaped_yaml

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object

UNFOLDED = 2**30
"""Width of a line: a long text stays one line."""

MARK = "kubeferry-block-"
"""What the name of a block begins with: the text has the name until the block is written."""


def dump(obj: Object) -> str:
    """Return an object as one YAML document, its keys in their order."""
    mark, plain = MARK, json.dumps(obj, ensure_ascii=False)
    while mark in plain:
        mark += "x-"
    blocks: list[str] = []
    text = as_yaml(_named(obj, mark, blocks), width=UNFOLDED)
    line = re.compile(rf"^( *)((?:- )*)(?:(.+): )?({mark}(\d+)-)$", re.MULTILINE)
    text = line.sub(lambda found: _written(found, blocks), text)
    return text if _same(text, obj) else escaped_yaml(json.dumps(obj, indent=2, ensure_ascii=False)) + "\n"


def _named(value: Any, mark: str, blocks: list[str]) -> Any:
    """Return a value with the names of blocks instead of their texts, which go to `blocks`."""
    if isinstance(value, dict):
        return {key: _named(each, mark, blocks) for key, each in value.items()}
    if isinstance(value, list):
        return [_named(each, mark, blocks) for each in value]
    if isinstance(value, str) and is_block(value):
        blocks.append(value)
        return f"{mark}{len(blocks) - 1}-"
    return value


def is_block(text: str) -> bool:
    """Return whether a text is written as a literal block: several lines that need no escape.

    A first line that is empty, or begins with a space, would need an indentation indicator, which readers disagree on.
    Empty lines at the end would become more of them where a tool (Helm) adds one to the document.
    """
    return (
        "\n" in text.rstrip("\n")
        and not text.endswith("\n\n")
        and not text.startswith((" ", "\t", "\n"))
        and text.replace("\n", "").replace("\t", "").isprintable()
    )


def _written(found: re.Match[str], blocks: list[str]) -> str:
    spaces, dashes, key, _, number = found.groups()
    text = blocks[int(number)]
    indent = " " * (len(spaces) + len(dashes) + (2 if key else 0))
    chomping = "" if text.endswith("\n") else "-"
    lines = [f"{indent}{line}" if line else "" for line in text.removesuffix("\n").split("\n")]
    head = found[0][: found.start(4) - found.start()]
    return "\n".join([f"{head}|{chomping}", *lines])


def _same(text: str, obj: Object) -> bool:
    try:
        read: Any = yaml.load(text, yaml.CSafeLoader)
    except yaml.YAMLError:
        return False
    return bool(read == obj)
