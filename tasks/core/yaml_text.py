"""Change values inside YAML text and leave every other character as it is: comments, quotes, order, odd numbers.

Parsing and writing a document anew would change what Go's YAML reads differently from Python's (`0o644`, `1:30`,
dates). So the changed strings are cut out of the text and the new ones put in their places, in double quotes. The
result is parsed again and has to be what was asked for, else nothing is changed. It refuses text that is no YAML.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tasks.core.strings import Place

_MARKER = re.compile(r"^---(?=\s|$)", re.MULTILINE)


def documents(text: str) -> list[str]:
    """Return the documents of `text`, which together, with `---` between them, are it again."""
    return _MARKER.split(text)


def edited(text: str, edit: Callable[[Any], Any]) -> str | None:
    """Return one document with its value changed as `edit` does, or None where that cannot be done.

    `edit` may replace strings only: keys, lists and maps have to stay.
    """
    try:
        before = yaml.load(text, yaml.CSafeLoader)
        after = edit(before)
        changes = list(_changes(before, after))
        root = yaml.compose(text, yaml.CSafeLoader) if changes else None
        spans = sorted(_span(text, root, at, new) for at, new in changes)
        new = _spliced(text, spans)
        done: bool = yaml.load(new, yaml.CSafeLoader) == after
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return new if done else None


def _changes(before: Any, after: Any, at: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield the place and the new value of each string that differs."""
    if before is after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before:
            yield from _changes(before[key], after[key], (*at, key))
    elif isinstance(before, list) and isinstance(after, list):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _changes(old, new, (*at, index))
    elif before != after:
        yield at, after


def _span(text: str, node: yaml.Node | None, at: Place, new: str) -> tuple[int, int, str]:
    """Return from where to where the text of the value at `at` goes, and what has to be there instead.

    Raises:
        ValueError: there is no such place in the text itself (a merged key, or a value that an anchor repeats).
    """
    for step in at:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
        else:
            found = (
                [value for key, value in node.value if key.value == step] if isinstance(node, yaml.MappingNode) else []
            )
            if not found:
                raise ValueError(f"no {step!r} in the text")
            node = found[-1]
    if node is None:
        raise ValueError("no text")
    start, end = node.start_mark.index, node.end_mark.index
    written = json.dumps(new, ensure_ascii=False)
    return start, end, written + "\n" if text[start:end].endswith("\n") else written


def _spliced(text: str, spans: list[tuple[int, int, str]]) -> str:
    parts, done = [], 0
    for start, end, new in spans:
        parts += [text[done:start], new]
        done = end
    return "".join([*parts, text[done:]])
