"""The journal of a restore: format `kubeferry.io/restore/v1`, and the state that its entries add up to.

A journal is a header and segments of JSON lines. An entry announces an action (`will`, always stored before the action
is taken), records it as done (`did`) or reverted (`undid`), says what is not as it was (`lost`), or marks the begin or
end of a process. Entries hold names
and uids of objects, never their content: the previous content of updated objects is in files of its own beside the
journal.

An announced action without a `did` is in doubt: the process was killed, or the response was lost. Objects that a
restore creates carry its own field manager (kubernetes.io: server-side apply, managers), so the live object shows
whether the restore created it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import StringConstraints, ValidationError

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.losses import Loss
from kubeferry.tasks.core.formats.records import MADE, Action, Intent, StoredModel
from kubeferry.tasks.core.kube.objects import Ref, field_managers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object

FORMAT: Literal["kubeferry.io/restore/v1"] = "kubeferry.io/restore/v1"

LOSSES = 1000
"""The most losses of an entry: a line stays far below the limit of one."""

NAMESPACES, DEFINITIONS = -1, 0
"""The levels before those of a plan, which count from 1."""

Token = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
End = Literal["Completed", "Partial", "Failed", "RolledBack", "Undone", "Stopped"]

REVERTED = ("RolledBack", "Undone")
"""Ends after which nothing of a restore is left, except what the entry names."""


class Target(StoredModel):
    """The target cluster; `uid` is that of its namespace kube-system, "" if it is not readable."""

    context: str
    host: str
    uid: str = ""
    authority: str = ""
    """SHA-256 of the certificates that prove its server; "" where the system's do."""


class Header(StoredModel):
    """The first file of a restore: what it does.

    `options` are those of the run, as far as a store may say them (models/from_store.py); they hold no secret.
    """

    format: Literal["kubeferry.io/restore/v1"] = FORMAT
    name: str
    token: Token
    """The part of the field manager that identifies this restore."""
    backup: str
    manifest: str = ""
    """SHA-256 of the backup's manifest, or of an archive that has none: a resumed restore goes on with no other."""
    target: Target
    namespaces: dict[str, str]
    """Old name → new name."""
    elsewhere: list[str] = []
    """Other namespaces in which it may create Roles, RoleBindings and grants for these."""
    started: datetime
    options: dict[str, Any]

    @property
    def manager(self) -> str:
        """Return the field manager of objects that this restore creates; a bundle's uid may follow (target/bundle.py).

        That of objects which it changes is `changer(manager)`.
        """
        return f"kubeferry-{self.token}"


class Entry(StoredModel):
    """One line of a journal. `objects` maps identities such as `Secret shop/token` to uids ("" if not known yet)."""

    at: datetime
    event: Literal["begin", "will", "did", "undid", "lost", "end"]
    action: str = ""
    """Announced: create, update, recreate, merge, patch; done: created and so on."""
    level: int = 0
    objects: dict[str, str] = {}
    wrote: dict[str, str] = {}
    """Of `objects` that were changed: the digest of the content that they had then (core/plan/reversal.py)."""
    former: str = ""
    """The file that holds the previous content of `objects`, one line each, in the same order."""
    line: int = 0
    """The line of the first object, counted from 0."""
    phase: End | Literal[""] = ""
    why: str = ""
    """The process that began; why it ended; what could not be reverted."""
    losses: list[Loss] = []
    """Of `lost`, right before the end: what is not as it was, at most `LOSSES` of them."""


@dataclass(frozen=True, slots=True)
class Made:
    """An object that a restore created."""

    uid: str
    level: int


@dataclass(frozen=True, slots=True)
class Previous:
    """The place of the content that an object had before a restore changed it."""

    uid: str
    level: int
    action: str
    file: str
    line: int


@dataclass
class State:
    """What a restore has done so far, according to its journal."""

    created: dict[Ref, Made] = field(default_factory=dict)
    formers: dict[Ref, Previous] = field(default_factory=dict)
    """The content of each object before the restore, not between two changes of it."""
    doubtful: dict[Ref, int] = field(default_factory=dict)
    """Announced creates whose result is not known, with their level."""
    wrote: dict[Ref, str] = field(default_factory=dict)
    """The digest of the content that an object had after the restore changed it."""
    done: dict[Ref, tuple[int, str]] = field(default_factory=dict)
    """Object → its level, and the last action on it."""
    holder: str = ""
    """The process that began last."""
    end: End | Literal[""] = ""
    why: str = ""
    losses: list[Loss] = field(default_factory=list)
    """What is not as it was, when the restore ended."""
    last: datetime | None = None
    """The time of the last entry."""

    def action(self, ref: Ref) -> Action:
        """Return the last action on an object; an unknown word counts as created."""
        word = self.done[ref][1]
        return next((each for each in Action if each == word), Action.CREATED)

    def levels(self) -> dict[int, dict[str, int]]:
        """Return level → action → number of objects; `in doubt` for what was only announced."""
        found: dict[int, dict[str, int]] = {}
        for level, action in [*self.done.values(), *((level, "in doubt") for level in self.doubtful.values())]:
            row = found.setdefault(level, {})
            row[action] = row.get(action, 0) + 1
        return dict(sorted(found.items()))


def fold(entries: Iterable[Entry]) -> State:
    """Return the state that the entries of a journal add up to."""
    state = State()
    for entry in entries:
        state.last = entry.at
        _HOW[entry.event](state, entry)
    return state


def _begin(state: State, entry: Entry) -> None:
    state.holder, state.end, state.why, state.losses = entry.why, "", "", []


def _will(state: State, entry: Entry) -> None:
    for line, (ref, uid) in enumerate(_named(entry), start=entry.line):
        if entry.action == Intent.CREATE:
            if ref not in state.created:
                state.doubtful[ref] = entry.level
        elif ref not in state.created:
            state.formers.setdefault(ref, Previous(uid, entry.level, entry.action, entry.former, line))


def _did(state: State, entry: Entry) -> None:
    for ref, uid in _named(entry):
        if str(ref) in entry.wrote:
            state.wrote[ref] = entry.wrote[str(ref)]
        state.doubtful.pop(ref, None)
        state.done[ref] = (entry.level, entry.action)
        if entry.action in MADE:
            state.created[ref] = Made(uid, entry.level)


def _undid(state: State, entry: Entry) -> None:
    for ref, _ in _named(entry):
        state.doubtful.pop(ref, None)
        state.done.pop(ref, None)
        if entry.action == Action.DELETED:
            state.created.pop(ref, None)
        else:
            state.formers.pop(ref, None)


def _lost(state: State, entry: Entry) -> None:
    state.losses += entry.losses


def _end(state: State, entry: Entry) -> None:
    state.end, state.why = entry.phase, entry.why


_HOW = {"begin": _begin, "will": _will, "did": _did, "undid": _undid, "lost": _lost, "end": _end}


def _named(entry: Entry) -> Iterator[tuple[Ref, str]]:
    return ((Ref.parse(text), uid) for text, uid in entry.objects.items())


CHANGED = ":changed"
"""What the field manager of a change ends with: who changed an object did not create it, and must not delete it."""


def changer(manager: str) -> str:
    """Return the field manager under which a restore changes objects that were there before."""
    return f"{manager}{CHANGED}"


def changed_by(live: Object, manager: str) -> bool:
    """Return whether the restore with this field manager changed a live object that was there before."""
    return any(each.get("manager") == changer(manager) for each in field_managers(live))


def made_by(live: Object, manager: str) -> bool:
    """Return whether the restore with this field manager created a live object, with or without a bundle."""
    return any(str(each.get("manager")).partition("@")[0] == manager for each in field_managers(live))


def parse_header(data: Any, name: str) -> Header:
    """Validate the decoded header, which must be that of restore `name`.

    Raises:
        DamagedError: another format, another restore's header, or an invalid one.
    """
    found = data.get("format") if isinstance(data, dict) else None
    if found != FORMAT:
        why = f"its journal is of format {str(found)[:80]!r}, this Kubeferry reads {FORMAT}"
        raise DamagedError(f"restore {name}: {why}")
    try:
        header = Header.model_validate(data)
    except ValidationError as error:
        raise DamagedError(f"restore {name}: its header is damaged at {_where(error)}") from None
    if header.name != name:
        raise DamagedError(f"restore {name}: its header is that of restore {header.name[:80]!r}")
    return header


def parse_entries(data: bytes, name: str, segment: str) -> list[Entry]:
    """Return the entries of one segment.

    Raises:
        DamagedError: a line is not a valid entry.
    """
    entries = []
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            entry = Entry.model_validate_json(line)
            list(_named(entry))
        except ValidationError as error:
            raise DamagedError(f"restore {name}: {segment} line {number} is damaged at {_where(error)}") from None
        except ValueError as error:
            raise DamagedError(f"restore {name}: {segment} line {number}: {error}") from None
        entries.append(entry)
    return entries


def _where(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])[:200]!r}: {first['msg']}"
