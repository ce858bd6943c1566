"""What the steps of one backup share: names, types and the folder they spool to. No clients, no contents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.formats.manifest import Source  # noqa: TC001 - a dataclass that Prefect looks into
from kubeferry.tasks.core.formats.records import Problem  # noqa: TC001 - as above
from kubeferry.tasks.core.kube.resources import ResourceType  # noqa: TC001 - as above
from kubeferry.tasks.core.models.options import BackupOptions  # noqa: TC001 - as above
from kubeferry.tasks.core.selection.selector import Selector
from kubeferry.tasks.ports.cluster.client import Cluster, connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref

CLUSTER = "(cluster)"
"""Stands for the namespace of what has none, where steps are given one; no namespace can have this name."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One backup under way.

    `types` are the namespaced types to read, `related` the cluster-scoped ones of which the namespaces may need some.
    `indexed` (in the namespaces) and `everywhere` (in all of the cluster) are read only for the addresses and uids
    that others may name, and not saved.
    `followed` are types that are read only because what is asked for may need something of them, `excluded` the
    (group, kind) that are not read whoever needs them.
    `own_revisions` names groups behind aggregated API servers: their revisions are not the cluster's.
    `recipients` are the public keys to encrypt to; with none the backup is not encrypted.
    `at_once` says that the namespaces are read by lists of all of the cluster.
    """

    name: str
    options: BackupOptions
    work: str
    namespaces: tuple[str, ...]
    source: Source
    revision: str
    types: tuple[ResourceType, ...]
    related: tuple[ResourceType, ...]
    indexed: tuple[ResourceType, ...]
    everywhere: tuple[ResourceType, ...]
    own_revisions: frozenset[str]
    problems: tuple[Problem, ...]
    followed: frozenset[ResourceType] = frozenset()
    excluded: frozenset[tuple[str, str]] = frozenset()
    unread: tuple[Unread, ...] = ()
    recipients: tuple[str, ...] = ()
    at_once: bool = False

    @property
    def selector(self) -> Selector:
        """Return what is asked for of the namespaces."""
        return Selector.of(self.options)

    def cluster(self) -> Cluster:
        """Return the source cluster."""
        return connect(self.options.context or None, self.options.kubeconfig or None)

    def folder(self, namespace: str) -> Path:
        """Return the folder where a namespace is spooled."""
        return Path(self.work) / namespace

    def page(self, namespace: str, kind: ResourceType, number: int) -> Path:
        """Return where a LIST page of one type is spooled."""
        return self.folder(namespace) / "pages" / f"{kind.group_resource}@{number:06}.json"

    def objects(self, namespace: str, types: Iterable[ResourceType]) -> Iterator[Object]:
        """Yield the spooled objects of some types, as the server listed them."""
        for _, obj in self.typed(namespace, types):
            yield obj

    def typed(self, namespace: str, types: Iterable[ResourceType]) -> Iterator[tuple[ResourceType, Object]]:
        """Yield the same, each with its type; the folder is looked at once, as there are thousands of them."""
        spooled = self._spooled(namespace)
        for kind in types:
            what = {"apiVersion": kind.api_version, "kind": kind.kind}  # a LIST leaves out what its items are
            for page in spooled.get(kind.group_resource, ()):
                for item in orjson.loads(page.read_bytes()).get("items") or []:
                    yield kind, what | item

    def _spooled(self, namespace: str) -> dict[str, list[Path]]:
        """Return the spooled LIST pages by type, in order."""
        found: dict[str, list[Path]] = {}
        for path in sorted((self.folder(namespace) / "pages").iterdir()):
            found.setdefault(path.name.rpartition("@")[0], []).append(path)
        return found


@dataclass(frozen=True, slots=True)
class Unread:
    """A type that could not be read, and of which nothing is asked for: what is asked for may need something of it.

    `kind` is "" for a whole group; `what` names it to people.
    """

    group: str
    kind: str
    namespace: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What reading a namespace met: how many pages, types that could not be read, types not at the revision.

    `problems` are types that were to be saved, `unread` those of which something may be needed, `not_indexed` those
    that were only to be looked at.
    """

    pages: int
    problems: tuple[Problem, ...]
    not_indexed: tuple[tuple[str, str], ...]
    not_at_revision: tuple[tuple[str, str], ...]
    unread: tuple[Unread, ...] = ()


@dataclass(frozen=True, slots=True)
class Stripped:
    """What became of a namespace: counts by type, and what it needs from around it.

    `kinds` are the (group, kind) found, `wants` the cluster-scoped objects that its fields name,
    `bindings` how many uses of the cluster's values were found, by class, `problems` what could not be understood.
    """

    namespace: str
    counts: tuple[tuple[str, int], ...]
    kinds: frozenset[tuple[str, str]]
    wants: frozenset[Ref]
    bindings: tuple[tuple[str, int], ...] = ()
    problems: tuple[Problem, ...] = ()
