"""`kubeferry list`, `show` and `verify`: show what is in a store. They need no cluster and no Prefect server.

What they show of restores comes from the journals in the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from kubeferry.flows.options.common import Format
from kubeferry.flows.options.from_model import takes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.errors import BackupNotFoundError, DamagedError
    from kubeferry.tasks.core.formats.journal import State
    from kubeferry.tasks.core.formats.manifest import Manifest
    from kubeferry.tasks.core.formats.velero_backup import Summary
    from kubeferry.tasks.ports.records.restores import StoredRestore
    from kubeferry.tasks.ports.store.base import Store


PARTIAL = 3
"""The exit code for a partial result."""

COLUMNS = ("name", "phase", "tool", "encrypted", "locked", "objects", "started", "namespaces", "error")
SELDOM = {"encrypted", "error", "locked"}
"""Columns that are shown only if a row has a value in them."""

HIDDEN = {"objects", "left_out", "losses", "outside", "selection"}
"""Fields of a manifest that an encrypted backup shows only with a key."""

LIST = """\
Examples:
  kubeferry list
  kubeferry list --restores
  kubeferry list --store 's3://backups/team?region=eu-central-1' -o json
"""
SHOW = """\
Examples:
  kubeferry show before-upgrade
  kubeferry show before-upgrade -o json
  kubeferry show before-upgrade-restore-20260102-030405
"""
VERIFY = """\
Examples:
  kubeferry verify before-upgrade
  kubeferry verify before-upgrade --deep -o json
"""


@takes("list", "restores store verify_with output debug")
def list_backups(*, restores: bool, store: str, output: Format) -> None:
    """List the backups of a store, Velero's too, newest last; exit 3 when one of them is damaged."""
    if restores:
        if not list_restores(store, output):
            raise typer.Exit(PARTIAL)
        return
    from kubeferry.flows.console.output import line, print_rows
    from kubeferry.flows.console.terminal import showing_progress
    from kubeferry.tasks.ports.records.backups import backups
    from kubeferry.tasks.ports.store.open import open_store

    with showing_progress():
        opened = open_store(store)
        found = [_row(each) | {"locked": _locked(opened, each)} for each in backups(opened)]
        rows = sorted(found, key=lambda row: (row["started"], row["name"]))
    if rows or output is not Format.TABLE:
        shown = [each for each in COLUMNS if each not in SELDOM or any(row[each] for row in rows)]
        print_rows(rows, output, columns=shown)
    else:
        line(f"no backups in {opened.url}")
    if any(row["error"] for row in rows):
        raise typer.Exit(PARTIAL)


@takes("show", "backup store identity verify_with output debug")
def show(backup: str, *, store: str, identities: list[str], output: Format) -> None:
    """Show what a backup holds: types and counts, its source, what was excluded and why; or what a restore did.

    JSON and YAML have the whole manifest, with the digest of each object, but never its content.
    An encrypted backup shows the names of objects only with --identity.
    """
    from kubeferry.flows.console.output import print_document, print_object
    from kubeferry.tasks.core.errors import BackupNotFoundError
    from kubeferry.tasks.ports.archive.encryption import opener
    from kubeferry.tasks.ports.records.backups import open_backup
    from kubeferry.tasks.ports.store.open import open_store

    try:
        found = open_backup(open_store(store), backup, opener(identities))
    except BackupNotFoundError as error:
        _restore(store, backup, output, error)
        return
    if found.manifest is None:
        print_object(_row(found.summary), output)
    elif output is Format.TABLE:
        _manifest(found.manifest)
    else:
        print_document(found.manifest.model_dump(mode="json", exclude=HIDDEN if found.closed else None), output)


def _restore(store: str, name: str, output: Format, missing: BackupNotFoundError) -> None:
    """Show a restore, since no backup has this name."""
    from kubeferry.tasks.core.errors import BackupNotFoundError
    from kubeferry.tasks.ports.records.restores import open_restore
    from kubeferry.tasks.ports.store.open import open_store

    try:
        found = open_restore(open_store(store), name)
    except BackupNotFoundError:
        raise missing from None
    show_restore(found, output)


@takes("verify", "backup deep store identity verify_with output debug")
def verify(backup: str, *, deep: bool, store: str, identities: list[str], output: Format) -> None:
    """Read every file of a backup back, compare it with the manifest, and check that a restore's order holds.

    An encrypted backup is verified whole without a key; its order and its objects (--deep) need --identity.
    Velero's archives have no digests: they are read whole, which proves less, and exit 3.
    """
    from dataclasses import asdict

    from kubeferry.flows.console.output import line, print_document
    from kubeferry.flows.console.terminal import showing_progress
    from kubeferry.tasks.maintain.verify import order_of
    from kubeferry.tasks.ports.records.backups import prove

    with showing_progress():
        proof = prove(store, backup, deep=deep, identities=identities)
        levels, broken = (None, None) if proof.closed else order_of(store, backup, identities)
    if output is not Format.TABLE:
        print_document({**asdict(proof), "levels": levels, "broken": broken}, output)
    else:
        objects = f", {proof.objects} objects one by one" if proof.objects else ""
        read = f"{proof.files} files, {proof.bytes} bytes{objects}"
        line(f"backup {backup}: {read}: " + ("as the manifest says" if proof.proved else "readable, without digests"))
        cycles = f", {broken} needs given up for cycles (see kubeferry plan)" if broken else ""
        holds = f"holds, {levels} levels{cycles}" if levels is not None else "not looked at without --identity"
        line(f"order of a restore: {holds}")
    if not proof.proved:
        raise typer.Exit(PARTIAL)


def _locked(store: Store, found: Summary | DamagedError) -> str:
    """Return until when its Backup object, and so all of it, is locked in the store; "" if it is not."""
    from kubeferry.tasks.core.formats.layout import BackupKeys
    from kubeferry.tasks.ports.local import clock

    if isinstance(found, Exception):
        return ""
    return str(store.lock([BackupKeys(found.name).metadata], clock.now()) or "")


def _row(found: Summary | DamagedError) -> dict[str, Any]:
    if isinstance(found, Exception):
        empty = {"encrypted": False, "namespaces": [], "objects": 0}
        return dict.fromkeys(COLUMNS, "") | empty | {"phase": "Damaged", "error": str(found)}
    return {
        "name": found.name,
        "phase": found.phase,
        "tool": found.tool,
        "encrypted": found.encrypted,
        "objects": found.items,
        "started": found.started,
        "namespaces": found.namespaces,
        "completed": found.completed,
        "expires": found.expires,
        "errors": found.errors,
        "error": "",
    }


def _manifest(manifest: Manifest) -> None:
    from kubeferry.flows.console import output, results

    source = manifest.source
    summary = {
        "backup": manifest.name,
        "phase": manifest.phase.value,
        "created": f"{manifest.created:%Y-%m-%d %H:%M:%S} UTC by Kubeferry {manifest.kubeferry}",
        "namespaces": manifest.namespaces,
        "cluster": f"{source.context} ({source.host}, {source.version}, uid {source.uid or 'not known'})",
        "revision": manifest.revision,
        "objects": sum(manifest.counts.values()),
    }
    output.print_object(summary, Format.TABLE)
    output.line("")
    results.counts(manifest.counts, "saved")
    results.encrypted_to(manifest.encryption.recipients if manifest.encryption else [])
    results.section("Not at that revision", ["TYPE", "WHY"], sorted(manifest.not_at_revision.items()))
    if manifest.selection:
        results.selected(manifest.selection.asked, manifest.selection.pulled_in)
    results.outside(manifest.outside)
    results.left_out(manifest.left_out)
    results.losses(manifest.losses)
    results.problems("Warnings", manifest.selection.warnings if manifest.selection else [])
    results.problems("Problems", manifest.problems)


RESTORE_COLUMNS = ("name", "phase", "backup", "cluster", "objects", "started", "namespaces", "error")
UNFINISHED = "Unfinished"
"""The phase of a restore that has not ended: it is running, or was killed."""


def list_restores(store: str, output: Format) -> bool:
    """Print the restores of a store, newest last; return whether all could be read."""
    from kubeferry.flows.console.output import line, print_rows
    from kubeferry.flows.console.terminal import showing_progress
    from kubeferry.tasks.ports.records.restores import restores
    from kubeferry.tasks.ports.store.open import open_store

    with showing_progress():
        opened = open_store(store)
        rows = sorted(map(_restore_row, restores(opened)), key=lambda row: (row["started"], row["name"]))
    damaged = any(row["error"] for row in rows)
    if rows or output is not Format.TABLE:
        print_rows(rows, output, columns=RESTORE_COLUMNS if damaged else RESTORE_COLUMNS[:-1])
    else:
        line(f"no restores in {opened.url}")
    return not damaged


def show_restore(found: StoredRestore, output: Format) -> None:
    """Print what a restore did so far, level by level; JSON and YAML name every object."""
    from kubeferry.flows.console.output import print_document

    if output is Format.TABLE:
        _table(found)
    else:
        print_document(_restore_row(found) | _details(found), output)


def _table(found: StoredRestore) -> None:
    from kubeferry.flows.console.output import line, print_object
    from kubeferry.flows.console.results import losses, section

    row = _restore_row(found)
    shown = ("name", "phase", "why", "backup", "cluster", "objects", "started", "last", "by")
    print_object({name: row[name] for name in shown if row[name]} | {"namespaces": _moved(found)}, Format.TABLE)
    levels = [
        [_level(level), ", ".join(f"{count} {action}" for action, count in sorted(did.items()))]
        for level, did in found.state.levels().items()
    ]
    section("Done", ["LEVEL", "OBJECTS"], levels)
    losses(found.state.losses)
    section("Not known to be done", ["OBJECT", "LEVEL"], [[str(ref), at] for ref, at in found.state.doubtful.items()])
    if row["phase"] in (UNFINISHED, "Stopped", "Failed") and (found.state.created or found.state.formers):
        line(f"resume it: kubeferry restore --resume {row['name']}; or undo it: kubeferry undo {row['name']}")


def _level(level: int) -> str:
    return {-1: "namespaces", 0: "definitions"}.get(level, str(level))


def _moved(found: StoredRestore) -> str:
    names = found.header.namespaces.items()
    return ", ".join(old if old == new else f"{old} → {new}" for old, new in names)


def _restore_row(found: StoredRestore | DamagedError) -> dict[str, Any]:
    if isinstance(found, Exception):
        empty = {"namespaces": [], "objects": 0}
        return dict.fromkeys(RESTORE_COLUMNS, "") | empty | {"phase": "Damaged", "error": str(found)}
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
        "losses": [each.model_dump() for each in found.state.losses],
        "not_known": [{"object": str(ref), "level": level} for ref, level in sorted(found.state.doubtful.items())],
    }


def _done(state: State) -> Iterator[dict[str, Any]]:
    for ref, (level, action) in sorted(state.done.items(), key=lambda each: (each[1][0], each[0])):
        uid = state.created[ref].uid if ref in state.created else ""
        yield {"level": level, "object": str(ref), "action": action} | ({"uid": uid} if uid else {})
