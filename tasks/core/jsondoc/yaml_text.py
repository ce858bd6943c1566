"""Change strings in YAML text and leave every other character as it is: comments, quotes, order, odd numbers.

Parsing a document and writing it again would change what Go's YAML reads differently from Python's (`0o644`, `1:30`,
dates). So only the changed strings are replaced in the text, in double quotes. The result is parsed again and must have
the intended value, else nothing is changed. Text that is not YAML is refused.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Place

LARGEST = 1_000_000
"""Values of a document with all aliases expanded: some kilobytes can expand to more than the memory holds."""

DEEPEST = 1000
"""Nesting of lists and maps. The C parser recurses for each: 100,000 brackets crash the whole process."""

_MARKER = re.compile(r"^---(?=\s|$)", re.MULTILINE)


def documents(text: str) -> list[str]:
    """Return the documents of `text`; joined with `---`, they are `text` again."""
    return _MARKER.split(text)


def loaded(text: str) -> Any:
    """Return the value of one document.

    Raises:
        ValueError: it is too large with all aliases expanded, or nested too deeply.
        yaml.YAMLError: it is not YAML.
        RecursionError: it is nested too deeply.
    """
    if _may_be_deep(text) and _is_deep(text):
        raise ValueError("it is nested too deeply")
    if "*" in text and _expanded(yaml.compose(text, yaml.CSafeLoader), {}) > LARGEST:
        raise ValueError("its aliases expand to more values than fit into memory")
    return yaml.load(text, yaml.CSafeLoader)


def composed(text: str) -> yaml.Node | None:
    """Return the nodes of one document, each with its place in the text; an alias is the node that it names.

    Raises:
        ValueError: it is nested too deeply.
        yaml.YAMLError: it is not YAML.
    """
    if _may_be_deep(text) and _is_deep(text):
        raise ValueError("it is nested too deeply")
    found: yaml.Node | None = yaml.compose(text, yaml.CSafeLoader)
    return found


def edited(text: str, edit: Callable[[Any], Any]) -> str | None:
    """Return one document with its value changed by `edit`, or None if that is not possible, or too large.

    `edit` may replace strings only: keys, lists and maps must stay.
    """
    try:
        before = loaded(text)
        after = edit(before)
        changes = list(_changes(before, after))
        root = yaml.compose(text, yaml.CSafeLoader) if changes else None
        spans = sorted(_span(text, root, at, new) for at, new in changes)
        new = _spliced(text, spans)
        done: bool = yaml.load(new, yaml.CSafeLoader) == after
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return new if done else None


def _may_be_deep(text: str) -> bool:
    """Return whether the whole text must be checked: deep nesting takes many brackets, or a long line (indentation)."""
    return text.count("[") + text.count("{") > DEEPEST or max(map(len, text.splitlines()), default=0) > DEEPEST


def _is_deep(text: str) -> bool:
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                return True
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return False


def _expanded(node: yaml.Node | None, known: dict[int, float]) -> float:
    """Return the number of values in a node with aliases expanded; infinite for a node that contains itself."""
    if node is None or isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = float("inf")  # until it is known: only a node that contains itself reads this
        pairs = isinstance(node, yaml.MappingNode)
        below = [each for pair in node.value for each in pair] if pairs else node.value
        known[id(node)] = 1 + sum(_expanded(each, known) for each in below)
    return known[id(node)]


def _changes(before: Any, after: Any, at: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield the path and the new value of each string that differs."""
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
    """Return start and end of the text of the value at `at`, and its replacement.

    Raises:
        ValueError: the text itself has no such place (a merged key, or a value that an alias repeats).
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
