"""The values of a chart: their defaults with comments, the schema, and how a template reads one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.plan.export.yaml_files import dump

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass
class Values:
    """The defaults of a chart, by path; each may have a comment."""

    defaults: dict[tuple[str, ...], Any] = field(default_factory=dict)
    comments: dict[tuple[str, ...], str] = field(default_factory=dict)

    def add(self, path: tuple[str, ...], default: Any, comment: str = "") -> str:
        """Add a value; return the expression that reads it."""
        self.defaults.setdefault(path, default)
        self.note(path, comment)
        return reading(path)

    def note(self, path: tuple[str, ...], comment: str) -> None:
        """Set the comment above a value, or above a group of values."""
        if comment:
            self.comments.setdefault(path, comment)

    def tree(self) -> dict[str, Any]:
        """Return the defaults as one map."""
        found: dict[str, Any] = {}
        for path, value in self.defaults.items():
            inside = found
            for key in path[:-1]:
                inside = inside.setdefault(key, {})
            inside[path[-1]] = value
        return found

    def text(self) -> str:
        """Return `values.yaml`."""
        return "".join(self._lines((), self.tree()))

    def _lines(self, at: tuple[str, ...], tree: dict[str, Any]) -> Iterator[str]:
        indent = "  " * len(at)
        for key, value in tree.items():
            path = (*at, key)
            for line in self.comments.get(path, "").splitlines():
                yield f"{indent}# {line}\n"
            if path in self.defaults:
                yield "".join(f"{indent}{line}\n" for line in dump({key: value}).splitlines())
            else:
                yield f"{indent}{dump({key: None}).partition(':')[0]}:\n"
                yield from self._lines(path, value)

    def schema(self) -> str:
        """Return `values.schema.json`."""
        head = {"$schema": "https://json-schema.org/draft-07/schema#", "title": "Values"}
        return json.dumps(head | self._schema((), self.tree()), indent=2) + "\n"

    def _schema(self, at: tuple[str, ...], value: Any) -> dict[str, Any]:
        described = {"description": self.comments[at]} if at in self.comments else {}
        if isinstance(value, dict) and at not in self.defaults:
            inside = {key: self._schema((*at, key), each) for key, each in value.items()}
            return described | {"type": "object", "properties": inside}
        return described | _typed(value)


def _typed(value: Any) -> dict[str, Any]:
    """Return the schema of a value: another one of its type is legal; null takes anything."""
    match value:
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": ["integer", "null"]}
        case str():
            return {"type": "string"}
        case dict():
            return {"type": "object"}
        case list():
            return {"type": "array"}
    return {}


def reading(path: tuple[str, ...]) -> str:
    """Return the expression that reads a value."""
    if all(_WORD.fullmatch(key) for key in path):
        return ".Values." + ".".join(path)
    return f"(index .Values {' '.join(map(json.dumps, path))})"


def key_of(name: str) -> str:
    """Return an object's name as a key that `--set` takes without escapes."""
    return _ILLEGAL.sub("-", name)
