"""A result as text for people: a table of types and counts, and a page of Markdown."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.loss_sections import sections
from kubeferry.tasks.core.formats.losses import by_weight
from kubeferry.tasks.core.jsondoc.printable import code, one_line, words
from kubeferry.tasks.core.models.results import BackupResult, DeleteResult, RestoreResult, UndoResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.formats.records import Problem

MOST = 50
"""Most lines of a section of the page; the manifest has all of them."""


DONE = {BackupResult: "saved", RestoreResult: "restored", UndoResult: "undone", DeleteResult: "deleted"}

AnyResult = BackupResult | RestoreResult | UndoResult | DeleteResult


def rows(result: AnyResult) -> list[dict[str, str | int]]:
    """Return one row per type with its count, then one per reason and type of excluded objects."""
    done = DONE[type(result)]
    table: list[dict[str, str | int]] = [
        {"type": kind, done: count, "left out": "", "why": ""} for kind, count in sorted(result.counts.items())
    ]
    gaps = Counter((gap.type, gap.why) for gap in result.left_out)
    return table + [
        {"type": one_line(kind), done: "", "left out": count, "why": one_line(why)}
        for (kind, why), count in sorted(gaps.items())
    ]


def summary(result: AnyResult) -> str:
    """Return a page of Markdown: what, where, how long, problems, excluded objects."""
    kind = type(result).__name__.removesuffix("Result")
    page = [f"# {kind} {result.name}: {result.phase}", ""]
    page += _backup(result) if isinstance(result, BackupResult) else []
    page += _restore(result) if isinstance(result, RestoreResult) else []
    page += _undo(result) if isinstance(result, UndoResult) else []
    page += _delete(result) if isinstance(result, DeleteResult) else []
    page += [f"- {result.objects} objects in {result.seconds:.1f} s"]
    page += [f"- store: {code(result.store, len(result.store))}"] if result.store else []
    page += [""]
    page += _problems("Problems", result.problems)
    page += _problems("Warnings", result.warnings)
    for title, lines in sections(by_weight(result.losses)):
        page += _section(title, (f"{code(each.place)}: {words(each.why)}" for each in lines))
    if isinstance(result, RestoreResult):
        page += _restored(result)
    if isinstance(result, DeleteResult):
        page += _deleted(result)
    if isinstance(result, BackupResult):
        page += _section(
            "Included as dependencies",
            (words(f"{each.type} {each.namespace}/{each.name}: {each.why}") for each in result.pulled_in),
        )
    gaps = (words(f"{gap.type} {gap.namespace}/{gap.name}: {gap.why}") for gap in result.left_out)
    page += _section("Excluded", gaps)
    return "\n".join(page)


def aftermath(result: RestoreResult) -> list[str]:
    """Return the state after a failed restore, and what to do about it, a line each."""
    back = result.taken_back
    if back is None:
        ways = f"kubeferry restore --resume {result.name}, or kubeferry undo {result.name}"
        return [f"its changes stay: {ways}"] if sum(result.actions.values()) else []
    lines = [f"rolled back: {back.deleted} deleted, {back.restored} restored"]
    lines += [f"not rolled back: {each.what}: {each.why}" for each in back.left]
    lines += [f"{each.what} {each.why}" for each in back.notes]
    return lines + ([f"try again with: kubeferry undo {result.name}"] if back.left else [])


def stopped(name: str, backup: str, names: dict[str, str], actions: dict[str, int]) -> str:
    """Return a page of Markdown on a restore that was stopped midway: what it did, and how to continue."""
    did = ", ".join(f"{count} {action}" for action, count in sorted(actions.items())) or "nothing was written"
    moved = ", ".join(old if old == new else f"{old} → {new}" for old, new in names.items())
    lines = [f"from backup: {words(backup)}", f"namespaces: {words(moved)}", f"until then: {did}; these changes stay"]
    resume, undo = f"kubeferry restore --resume {name}", f"kubeferry undo {name}"
    lines.append(
        f"to continue: {code(resume, len(resume))}, or a run of *restore* whose Resume is {code(name, len(name))}"
    )
    lines.append(f"to undo it: {code(undo, len(undo))}")
    return "\n".join([f"# Restore {name}: Stopped", "", *(f"- {line}" for line in lines), ""])


def _backup(result: BackupResult) -> list[str]:
    lines = [f"- namespaces: {', '.join(result.namespaces)}", f"- cluster: {words(result.cluster)}"]
    lines += [f"- one point in time: revision {result.revision}"]
    lines += [f"- selected: {words(result.selection)}"] if result.selection else []
    lines += [f"- encrypted, Velero cannot read it; to: {code(each, len(each))}" for each in result.encrypted_to]
    others = (words(f"{kind} ({why})") for kind, why in result.not_at_revision.items())
    return lines + [f"- not at that revision: {each}" for each in others]


def _restore(result: RestoreResult) -> list[str]:
    moved = ", ".join(old if old == new else f"{old} → {new}" for old, new in result.namespaces.items())
    did = ", ".join(f"{count} {action}" for action, count in result.actions.items())
    facts = {"from backup": result.backup, "namespaces": moved, "cluster": result.cluster}
    return [*(f"- {what}: {words(value)}" for what, value in facts.items()), f"- {did}"]


def _undo(result: UndoResult) -> list[str]:
    back = result.taken_back
    lines = [f"- from backup: {result.backup}", f"- cluster: {result.cluster}"]
    lines += [f"- {back.deleted} deleted, {back.restored} restored", ""]
    lines += _problems("Not rolled back", back.left)
    return lines + _problems("Not exactly as before", back.notes)


def _delete(result: DeleteResult) -> list[str]:
    what = f"bundle {result.bundle}" if result.bundle else f"all with labels {code(result.selector)}"
    lines = [f"- {what} in {', '.join(result.namespaces)}", f"- cluster: {result.cluster}"]
    return lines + (["- a dry run: nothing was deleted"] if result.dry_run else [])


def _deleted(result: DeleteResult) -> list[str]:
    sections = {
        "Still exists": result.left,
        "Listed, but not part of the bundle": result.refused,
        "Finalizers removed": result.forced,
        "Untied": result.untied,
    }
    page = [_problems(title, found) for title, found in sections.items()]
    needed = (words(f"{each.object}: by {each.by}, {each.why}") for each in result.needed)
    page += [_section("Needed by other objects", needed)]
    return [line for section in page for line in section]


def _problems(title: str, found: Iterable[Problem]) -> list[str]:
    return _section(title, (f"**{words(each.what)}**: {words(each.why)}" for each in found))


def _section(title: str, lines: Iterable[str]) -> list[str]:
    listed = list(lines)
    if not listed:
        return []
    more = [f"- … and {len(listed) - MOST} more"] if len(listed) > MOST else []
    return [f"## {title}", *(f"- {line}" for line in listed[:MOST]), *more, ""]


def _restored(result: RestoreResult) -> list[str]:
    page = _problems("Not ready", result.not_ready)
    others = (words(f"{each.type} {each.namespace}/{each.name}: {each.action} {each.why}") for each in result.notable)
    rewrites = (
        f"{words(each.object)} {code(each.path)}: {code(each.old)} → {code(each.new)} ({words(each.why)})"
        for each in result.rewrites
    )
    return [*page, *_section("Existing objects", others), *_section("Rewritten", rewrites)]
