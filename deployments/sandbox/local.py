"""Small files that are never seen half-written: written beside their place, then renamed into it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = 0o600
"""Mode of every file: nearly all hold tokens or keys, and none is for another user."""


def write(path: Path, text: str) -> None:
    """Write `text` to `path` at once, for this user only; folders on the way are made."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "w") as file:
        file.write(text)
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in `path`; {} when it is absent or unreadable, as after a crash or a full disk."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write `data` to `path` as JSON, at once."""
    write(path, json.dumps(data, indent=1))
