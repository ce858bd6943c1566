"""What a restore has written down, and by whom: its journal, its leases, its bundles, and what it made.

Everything is announced in the journal before it is done; here is what knows the restore's own objects from others'.
"""

from __future__ import annotations

import secrets
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.journal import DEFINITIONS, changer
from kubeferry.tasks.core.formats.records import MADE, Action
from kubeferry.tasks.core.formats.target.bundle import maker

if TYPE_CHECKING:
    from kubeferry.tasks.core.formats.records import Intent
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Plan
    from kubeferry.tasks.ports.cluster.leases import Hold
    from kubeferry.tasks.ports.records.journal import Journal
    from kubeferry.tasks.ports.records.restores import StoredRestore


class Transaction:
    """A restore that may write; safe to report to from many threads."""

    def __init__(self, plan: Plan, resumed: StoredRestore | None = None) -> None:
        """Begin; nothing may be written before the journal is open."""
        self._plan = plan
        self.journal: Journal
        """Opened before the first write."""
        self.manager = ""
        """The field manager of what this restore creates, by which it knows its own (formats/journal.py)."""
        self.resumed = resumed
        """What an earlier process did of this restore, where this one goes on."""
        self.made: set[Ref] = set()
        """Objects that this restore created, now or before it was resumed."""
        self.bundles: dict[str, str] = {}
        """Namespace of the target → uid of the bundle that lists what is created in it."""
        self.bundle_of_all = ""
        """The uid of the only bundle, which lists what is from outside too; "" where there are many, or none."""
        self.members: dict[Ref, str] = {}
        """What was created where nothing was, with its uid: what a bundle lists."""
        self.hold: Hold | None = None
        """The leases of the target's namespaces."""
        self.refused = False
        """Whether the target refused it before it wrote anything but its namespaces: these go in any case."""
        self._lock = Lock()

    def __repr__(self) -> str:
        """Return how it is shown among a step's parameters."""
        return "transaction"

    @cached_property
    def token(self) -> str:
        """What tells this restore from any other of its name, however often its beginning is tried."""
        return secrets.token_hex(6)

    @property
    def begun(self) -> bool:
        """Return whether anything may have been written to the target."""
        return hasattr(self, "journal")

    def bundle_of(self, ref: Ref) -> str:
        """Return the uid of the bundle that lists an object when it is created, "" where none does.

        Namespaces and CRDs, which are there before, belong to none.
        """
        if not self._plan.shared(ref):
            return self.bundles.get(ref.namespace, "")
        return self.bundle_of_all if self._plan.level(ref) > DEFINITIONS else ""

    @property
    def changer(self) -> str:
        """Return the field manager to change an object with that was there before."""
        return changer(self.manager)

    def maker(self, ref: Ref) -> str:
        """Return the field manager to create an object with: it names the restore and its bundle."""
        uid = self.bundle_of(ref)
        return maker(self.manager, uid) if uid else self.manager

    def keep(self, ref: Ref, intent: Intent, live: Object, beside: Ref | None = None) -> None:
        """Keep what an object of others is before it is changed; what this restore made has no previous content.

        One that the backup does not have is kept at the level of the object `beside`, for whose sake it is changed.
        """
        if ref in self.made:
            return
        if beside:
            self._plan.place(ref, self._plan.level(beside))
        self.journal.keep(self._plan.level(ref), intent, ref, live)

    def did(self, ref: Ref, uid: str, action: Action, wrote: str = "") -> None:
        """Write down what was done with one object; `wrote` is the digest of what it has now, where it was changed."""
        self.journal.did(self._plan.level(ref), action, ref, uid, wrote)
        self.know(ref, uid, action)

    def know(self, ref: Ref, uid: str, action: Action) -> None:
        """Take note of what the journal holds already."""
        with self._lock:
            if action in MADE:
                self.made.add(ref)
            if action == Action.CREATED:
                self.members[ref] = uid

    def close(self) -> bool:
        """Let the leases go and close the journal.

        Returns:
            Whether it was stopped midway, and what it did stays.
        """
        if self.hold:
            self.hold.release()
        return self.begun and self.journal.close()
