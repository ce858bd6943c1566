"""Give objects the contents that they had before a restore changed or replaced them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import (
    AlreadyExistsError,
    ConflictError,
    DamagedError,
    InvalidError,
    KubeferryError,
    NotFoundError,
)
from kubeferry.tasks.core.formats.records import Intent, Problem
from kubeferry.tasks.core.kube.objects import Ref, is_owner, owners_of
from kubeferry.tasks.core.plan.existing import content, to_create_again
from kubeferry.tasks.delete.remove import SECONDS
from kubeferry.tasks.restore.managers import give_former

if TYPE_CHECKING:
    from kubeferry.tasks.core.formats.journal import Previous
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import Discovery, ResourceType
    from kubeferry.tasks.core.plan.reversal import Mandate
    from kubeferry.tasks.ports.archive.encryption import Opener
    from kubeferry.tasks.ports.cluster.client import Cluster
    from kubeferry.tasks.ports.records.journal import Journal
    from kubeferry.tasks.ports.records.restores import StoredRestore
    from kubeferry.tasks.restore.back.owners import Owners

AGAIN = (Intent.RECREATE, Intent.LINK)
"""Actions by which the former object was deleted, or may have been: it is created again, under a new uid."""


@dataclass
class Formers:
    """The former contents of one restore; safe for use by many threads."""

    stored: StoredRestore
    cluster: Cluster
    discovery: Discovery
    mandate: Mandate
    opener: Opener
    owners: Owners
    journal: Journal | None = None
    """The journal of the process that changed them, which has contents of its own."""
    allow_plain: bool = True
    """Whether to give back what was kept in the clear, although there are keys."""
    seconds: int = SECONDS
    """How long what is to be made again may take to go."""
    taken: set[Ref] = field(default_factory=set)
    """What this run deleted."""
    notes: list[Problem] = field(default_factory=list)
    """What came back in another way than it was."""

    def why_not(self, ref: Ref, former: Previous) -> str:
        """Return why an object may not get its former content, "" if it may; nothing is changed."""
        try:
            body = self._former(ref, former)
            kind = self._kind(ref, body)
            live = self.cluster.find(kind, ref.namespace, ref.name) if kind and ref not in self.taken else None
            return self._refusal(ref, former, live, body)
        except KubeferryError as error:
            return str(error)

    def _refusal(self, ref: Ref, former: Previous, live: Object | None, body: Object) -> str:
        """Return why an object may not get its former content, "" if it may."""
        if live is None:
            if former.action not in AGAIN:
                return "was deleted by somebody since"
            if not (self.mandate.may_make_again(ref) or ref in self.taken):
                return "is not there, and nothing proves that the restore removed it: say --force to create it again"
            return ""
        if live["metadata"]["uid"] != former.uid:
            return "another object has that name now"
        if "deletionTimestamp" in live["metadata"] and former.action not in AGAIN:
            return "is being deleted"
        same = content(live) == content(body)
        return "" if same else self.mandate.why_not(ref, live, self.stored.state.wrote.get(ref, ""), body)

    def give_back(self, ref: Ref, former: Previous) -> str:
        """Give one object its former content; return why that cannot be, "" if it has it.

        Raises:
            KubeferryError: the cluster or the store does not answer as it should.
        """
        body = self._former(ref, former)
        kind = self._kind(ref, body)
        if kind is None:
            return "its kind is not served any more"
        live = self._settled(kind, ref, former)
        why = self._refusal(ref, former, live, body)
        if why:
            return why
        if live is None:
            return self._again(ref, kind, body)
        given = self.owners.without_gone(body)
        try:
            if content(live) != content(body):
                give_former(self.cluster, kind, given, former.uid)
            elif given is not body:
                self.owners.untie(kind, body, given)
        except (InvalidError, ConflictError, NotFoundError) as error:
            if former.action in AGAIN and self._settled(kind, ref, former) is None:
                return self.give_back(ref, former)  # the garbage collector was faster
            return f"cannot be given its former content: {error}"
        self.owners.came_back(body, given, former.uid)
        return ""

    def _settled(self, kind: ResourceType, ref: Ref, former: Previous) -> Object | None:
        """Return a live object; one that is to be made again is waited for while it goes.

        Raises:
            ConflictError: it does not go.
        """
        limit = time.monotonic() + self.seconds
        while True:
            live = self.cluster.find(kind, ref.namespace, ref.name)
            meta = live["metadata"] if live else {}
            goes = meta.get("uid") == former.uid and "deletionTimestamp" in meta and former.action in AGAIN
            if not goes:
                return live
            if time.monotonic() > limit:
                raise ConflictError(f"is being deleted and is still there after {self.seconds} s: see its finalizers")
            time.sleep(0.2)

    def _former(self, ref: Ref, former: Previous) -> Object:
        """Return the former content of an object, from this process's own copy if it has one.

        Raises:
            DamagedError: the store has none of it.
        """
        mine = self.journal.previous(ref) if self.journal else None
        body = mine or self.stored.former(former, self.opener, allow_plain=self.allow_plain)
        if Ref.of(body) != ref or not all(map(is_owner, owners_of(body))):
            raise DamagedError("what was kept of it was changed in the store")
        return body

    def _kind(self, ref: Ref, body: Object) -> ResourceType | None:
        """Return the type of an object in the version in which its former content was read."""
        kind, version = self.discovery.by_kind(ref.group, ref.kind), str(body["apiVersion"]).rpartition("/")[2]
        served = self.discovery.versions.get((ref.group, ref.kind), ())
        return self.discovery.in_version(kind, version) if kind and version in served else kind

    def _again(self, ref: Ref, kind: ResourceType, body: Object) -> str:
        given = self.owners.without_gone(body)
        try:
            created, _ = self.cluster.create(kind, ref.namespace, to_create_again(given))
        except AlreadyExistsError:
            return "another object has that name now"
        self.owners.came_back(body, given, str(created["metadata"]["uid"]))
        self.notes.append(Problem(what=str(ref), why="was made again: it has a new uid"))
        return ""
