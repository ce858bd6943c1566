"""Write the journal of a restore into a store while it runs: lines are collected and saved in segments.

Stores cannot append, so a journal is a series of numbered files, each written once and atomically (`put_new`): a reader
never sees half a line, and if two processes run the same restore, only one can write the next segment.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from threading import Condition, Thread
from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.errors import ConflictError, KubeferryError, PermanentError
from kubeferry.tasks.core.formats.journal import LOSSES, End, Entry
from kubeferry.tasks.core.formats.layout import RestoreKeys, former_file
from kubeferry.tasks.core.formats.records import Action, Intent
from kubeferry.tasks.ports.archive import gzip
from kubeferry.tasks.ports.local import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from kubeferry.tasks.core.formats.losses import Loss
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.ports.archive.spool import Slot, Spool
    from kubeferry.tasks.ports.store.base import Store

SECONDS = 0.5
"""How long entries of completed actions may be batched; entries of coming actions are saved at once."""


@dataclass(frozen=True, slots=True)
class _Previous:
    level: int
    action: str
    ref: Ref
    live: Object


class Journal:
    """The journal of one restore, open for writing; safe for use by many threads.

    Every method raises the error of a segment that the store refused: a restore without a journal must stop.
    """

    def __init__(
        self,
        store: Store,
        keys: RestoreKeys,
        number: int,
        seal: Callable[[bytes], bytes] | None = None,
        spool: Spool | None = None,
        earlier: Collection[Ref] = (),
    ) -> None:
        """Continue after segment `number` (0: a new journal).

        `seal` encrypts previous contents. `spool` keeps them for a rollback by this process, which needs neither a key
        for them then, nor has to believe the store. `earlier` are the objects whose content an earlier process saved.
        """
        self._store, self.keys, self._number, self._seal = store, keys, number, seal
        self._spool = spool
        self._slots: dict[str, Slot] = {}
        self._earlier = frozenset(map(str, earlier))
        self._condition = Condition()
        self._did: dict[tuple[int, str], dict[str, str]] = defaultdict(dict)
        self._wrote: dict[str, str] = {}
        self.announced: set[str] = set()
        """What was announced in this process: the store is not asked for it."""
        self._lines: list[Entry] = []
        self._previous: list[_Previous] = []
        self._asked = self._saved = 0
        """Tickets: the last one issued, and the last one saved in the store."""
        self._hurry = 0
        """The highest ticket that a thread waits for."""
        self._idle = False
        """Whether the journal's own thread waits for something to save."""
        self._error: KubeferryError | None = None
        self._closing = self._ended = False
        self._thread = Thread(target=self._run, name=f"journal {keys.name}", daemon=True)
        self._thread.start()

    # --- entries

    def begin(self, who: str) -> None:
        """Record that a process begins or resumes the restore."""
        self._line(Entry(at=clock.now(), event="begin", why=who), wait=True)

    def will_create(self, level: int, refs: Iterable[Ref]) -> None:
        """Record the objects about to be created; saved in the store when this returns."""
        objects = dict.fromkeys(map(str, refs), "")
        self.announced.update(objects)
        if objects:
            self._line(
                Entry(at=clock.now(), event="will", action=Intent.CREATE, level=level, objects=objects), wait=True
            )

    def keep(self, level: int, intent: Intent, ref: Ref, live: Object) -> None:
        """Save the content of an object before it is changed; saved in the store when this returns.

        The content before the first change is the one that a rollback gives back (`fold`).
        """
        with self._condition:
            self._check()
            self._previous.append(_Previous(level, intent, ref, live))
            self.announced.add(str(ref))
            if self._spool and str(ref) not in self._slots and str(ref) not in self._earlier:
                self._slots[str(ref)] = self._spool.append(orjson.dumps(live))
            self._wait(self._ticket())

    def previous(self, ref: Ref) -> Object | None:
        """Return the content that this process saved of an object; None if an earlier one did, or nobody."""
        slot = self._slots.get(str(ref))
        found: Object | None = self._spool.read(slot) if self._spool and slot else None
        return found

    def did(self, level: int, action: Action, ref: Ref, uid: str, wrote: str = "") -> None:
        """Record a completed action; saved in the store soon. `wrote` is the digest of what an object has now."""
        with self._condition:
            self._check()
            self._did[level, action][str(ref)] = uid
            if wrote:
                self._wrote[str(ref)] = wrote
            self._ticket()

    def undid(self, action: Action, level: int, objects: dict[str, str]) -> None:
        """Record what was rolled back: `deleted`, or `restored` to its previous content."""
        if objects:
            self._line(Entry(at=clock.now(), event="undid", action=action, level=level, objects=objects), wait=False)

    def end(self, phase: End, why: str = "", losses: Sequence[Loss] = ()) -> None:
        """Record how the restore ended, and what is not as it was."""
        self._ended = True
        for start in range(0, len(losses), LOSSES):
            some = list(losses[start : start + LOSSES])
            self._line(Entry(at=clock.now(), event="lost", losses=some), wait=False)
        self._line(Entry(at=clock.now(), event="end", phase=phase, why=why), wait=True)

    def flush(self) -> None:
        """Return when all entries so far are saved in the store."""
        with self._condition:
            self._check()
            self._wait(self._asked)

    def close(self) -> bool:
        """Save the remaining entries if the store accepts them, end the thread; return whether it stopped midway."""
        with self._condition:
            stopped = not (self._ended or self._closing)
            if stopped and not self._error:
                self._lines.append(Entry(at=clock.now(), event="end", phase="Stopped"))
                self._ticket()
            self._closing = True
            self._condition.notify_all()
        self._thread.join()
        if self._spool:
            self._spool.close()
            self._spool = None
        return stopped

    # --- the thread

    def _line(self, entry: Entry, *, wait: bool) -> None:
        with self._condition:
            self._check()
            self._lines.append(entry)
            ticket = self._ticket()
            if wait:
                self._wait(ticket)

    def _ticket(self) -> int:
        self._asked += 1
        if self._idle:  # else it looks by itself, and a wake-up for each object would cost more than the object
            self._idle = False
            self._condition.notify_all()
        return self._asked

    def _wait(self, ticket: int) -> None:
        self._hurry = max(self._hurry, ticket)
        self._condition.notify_all()
        self._condition.wait_for(lambda: self._saved >= ticket or self._error)
        if self._error:
            raise self._error

    def _check(self) -> None:
        if self._error:
            raise self._error
        if self._closing:
            raise PermanentError(f"restore {self.keys.name} was stopped: its journal is closed")

    def _run(self) -> None:
        while True:
            with self._condition:
                self._idle = True
                self._condition.wait_for(lambda: self._asked > self._saved or self._closing)
                self._idle = False
                self._gather()
                if self._asked == self._saved:
                    return
                ticket, number = self._asked, self._number + 1
                entries, previous = self._taken()
            error = self._save(number, entries, previous)
            with self._condition:
                self._error = error
                self._saved, self._number = (self._saved if error else ticket), number
                self._condition.notify_all()
                if error:
                    return

    def _gather(self) -> None:
        """Wait a little for more entries, unless a thread waits for those here."""
        limit = time.monotonic() + SECONDS
        while not self._closing and self._hurry <= self._saved and (left := limit - time.monotonic()) > 0:
            self._condition.wait(left)

    def _taken(self) -> tuple[list[Entry], list[_Previous]]:
        """Return the lines of the next segment and the previous contents that belong to it."""
        now = clock.now()
        # Completed actions are older than announced or rolled back ones, and an end always comes last.
        entries = [
            Entry(at=now, event="did", action=action, level=level, objects=objects, wrote=self._written(objects))
            for (level, action), objects in self._did.items()
        ]
        entries += sorted(self._lines, key=lambda entry: entry.event == "end")
        previous = sorted(self._previous, key=lambda each: (each.level, each.action))
        self._did, self._lines, self._previous, self._wrote = defaultdict(dict), [], [], {}
        return entries, previous

    def _written(self, objects: Iterable[str]) -> dict[str, str]:
        return {each: self._wrote[each] for each in objects if each in self._wrote}

    def _save(self, number: int, entries: list[Entry], previous: list[_Previous]) -> KubeferryError | None:
        file = former_file(number, sealed=self._seal is not None)
        try:
            if previous:
                lines = b"".join(orjson.dumps(each.live) + b"\n" for each in previous)
                packed = gzip.compress(lines)
                self._store.put(self.keys.former(file), self._seal(packed) if self._seal else packed)
            segment = [*_kept(file, previous), *entries]
            data = b"".join(each.model_dump_json(exclude_defaults=True).encode() + b"\n" for each in segment)
            mine = self._store.put_new(self.keys.segment(number), data)
        except KubeferryError as error:
            return error
        except Exception as error:  # noqa: BLE001 - threads must not wait for this one forever
            return PermanentError(f"restore {self.keys.name}: its journal cannot be written: {error}")
        return None if mine else ConflictError(f"another process has resumed restore {self.keys.name}: this one stops")


def _kept(file: str, previous: list[_Previous]) -> list[Entry]:
    """Return the lines that announce changes: one for each level and action, with their position in the file."""
    entries = []
    for line, each in enumerate(previous):
        if line == 0 or (previous[line - 1].level, previous[line - 1].action) != (each.level, each.action):
            entries.append(
                Entry(at=clock.now(), event="will", action=each.action, level=each.level, former=file, line=line)
            )
        entries[-1].objects[str(each.ref)] = str(each.live["metadata"]["uid"])
    return entries
