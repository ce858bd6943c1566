"""What `kubeferry list --restores` and `kubeferry show RESTORE` print: what journals in a store tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.flows.options.common import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.errors import DamagedError
    from kubeferry.tasks.core.formats.journal import State
    from kubeferry.tasks.ports.records.restores import StoredRestore

COLUMNS = ("name", "phase", "backup", "cluster", "objects", "started", "namespaces", "error")
UNFINISHED = "Unfinished"
"""Of a restore without an end: at work, or killed."""


def list_restores(store: str, output: Format) -> bool:
    """Print the restores of a store, newest last; return whether all could be read."""
    from kubeferry.flows.console.output import line, print_rows
    from kubeferry.flows.console.terminal import told
    from kubeferry.tasks.ports.records.restores import restores
    from kubeferry.tasks.ports.store.open import open_store

    with told():
        opened = open_store(store)
        rows = sorted(map(_row, restores(opened)), key=lambda row: (row["started"], row["name"]))
    damaged = any(row["error"] for row in rows)
    if rows or output is not Format.TABLE:
        print_rows(rows, output, columns=COLUMNS if damaged else COLUMNS[:-1])
    else:
        line(f"no restores in {opened.url}")
    return not damaged


def show_restore(found: StoredRestore, output: Format) -> None:
    """Print what a restore did so far, level by level; JSON and YAML name every object."""
    from kubeferry.flows.console.output import print_document

    if output is Format.TABLE:
        _table(found)
    else:
        print_document(_row(found) | _details(found), output)


def _table(found: StoredRestore) -> None:
    from kubeferry.flows.console.output import line, print_object
    from kubeferry.flows.console.results import section

    row = _row(found)
    shown = ("name", "phase", "why", "backup", "cluster", "objects", "started", "last", "by")
    print_object({name: row[name] for name in shown if row[name]} | {"namespaces": _moved(found)}, Format.TABLE)
    levels = [
        [_level(level), ", ".join(f"{count} {action}" for action, count in sorted(did.items()))]
        for level, did in found.state.levels().items()
    ]
    section("Done", ["LEVEL", "OBJECTS"], levels)
    section("Not known to be done", ["OBJECT", "LEVEL"], [[str(ref), at] for ref, at in found.state.doubtful.items()])
    if row["phase"] in (UNFINISHED, "Stopped", "Failed") and (found.state.created or found.state.formers):
        line(f"go on: kubeferry restore --resume {row['name']}; or take it back: kubeferry undo {row['name']}")


def _level(level: int) -> str:
    return {-1: "namespaces", 0: "definitions"}.get(level, str(level))


def _moved(found: StoredRestore) -> str:
    names = found.header.namespaces.items()
    return ", ".join(old if old == new else f"{old} → {new}" for old, new in names)


def _row(found: StoredRestore | DamagedError) -> dict[str, Any]:
    if isinstance(found, Exception):
        empty = {"namespaces": [], "objects": 0}
        return dict.fromkeys(COLUMNS, "") | empty | {"phase": "Damaged", "error": str(found)}
    header, state = found.header, found.state
    return {
        "name": header.name,
        "phase": state.end or UNFINISHED,
        "why": state.why,
        "backup": header.backup,
        "cluster": header.target.context,
        "objects": len(state.done),
        "started": header.started.isoformat(timespec="seconds"),
        "last": state.last.isoformat(timespec="seconds") if state.last else "",
        "by": state.holder,
        "namespaces": list(header.namespaces.values()),
        "error": "",
    }


def _details(found: StoredRestore) -> dict[str, Any]:
    return {
        "map": found.header.namespaces,
        "target": found.header.target.model_dump(),
        "options": found.header.options,
        "done": list(_done(found.state)),
        "not_known": [{"object": str(ref), "level": level} for ref, level in sorted(found.state.doubtful.items())],
    }


def _done(state: State) -> Iterator[dict[str, Any]]:
    for ref, (level, action) in sorted(state.done.items(), key=lambda each: (each[1][0], each[0])):
        uid = state.created[ref].uid if ref in state.created else ""
        yield {"level": level, "object": str(ref), "action": action} | ({"uid": uid} if uid else {})
