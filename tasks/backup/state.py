"""The state that the steps of one backup share: names, types and the spool folder. No clients, no contents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.formats.layout import file_stem
from kubeferry.tasks.core.formats.losses import Loss  # noqa: TC001 - a dataclass that Prefect looks into
from kubeferry.tasks.core.formats.manifest import Source  # noqa: TC001 - a dataclass that Prefect looks into
from kubeferry.tasks.core.formats.outside import Outside  # noqa: TC001 - as above
from kubeferry.tasks.core.formats.records import Problem  # noqa: TC001 - as above
from kubeferry.tasks.core.kube.resources import ResourceType  # noqa: TC001 - as above
from kubeferry.tasks.core.models.options import BackupOptions  # noqa: TC001 - as above
from kubeferry.tasks.core.needs.references.mentions import Mentions
from kubeferry.tasks.core.selection.selector import Selector
from kubeferry.tasks.ports.cluster.client import Cluster, connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref

CLUSTER = "(cluster)"
"""Placeholder namespace of cluster-scoped objects; not a valid name of a namespace."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One backup in progress.

    `types` are the namespaced types to read, `related` the cluster-scoped types that the namespaces may need.
    `named` are other cluster-scoped types, of which only what the objects name is read.
    `indexed` (in the namespaces) and `everywhere` (in the whole cluster) are read only for the addresses and uids that
    other objects may use, and are not backed up.
    `followed` are types that are read only because selected objects may need them, `excluded` the (group, kind) that
    are never read.
    `own_revisions` are groups of aggregated API servers, whose revisions are not the cluster's.
    `recipients` are the public keys to encrypt to; without any the backup is not encrypted.
    `losses` are what the types alone say: what no backup of them has as it was; `losses_by_kind` count where the backup
    has objects of that (group, kind).
    `at_once`: the namespaces are read by cluster-wide lists.
    `elsewhere` are namespaced types that are read in the whole cluster: other namespaces may have some for these.
    `wide` are the other cluster-wide types: those of an operator in the namespaces are read when that is known.
    `deployment` is the name of the deployment of Prefect that runs it, "" for none.
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
    losses: tuple[Loss, ...] = ()
    losses_by_kind: Mapping[tuple[str, str], Loss] = field(default_factory=dict)
    named: tuple[ResourceType, ...] = ()
    followed: frozenset[ResourceType] = frozenset()
    excluded: frozenset[tuple[str, str]] = frozenset()
    unread: tuple[Unread, ...] = ()
    recipients: tuple[str, ...] = ()
    at_once: bool = False
    elsewhere: tuple[ResourceType, ...] = ()
    wide: tuple[ResourceType, ...] = ()
    deployment: str = ""

    @property
    def selector(self) -> Selector:
        """Return the selection of the options."""
        return Selector.of(self.options)

    def mentions(self) -> Mentions:
        """Return a collection of what the objects name outside of the backup."""
        kinds = frozenset((each.group, each.kind) for each in self.types)
        return Mentions(frozenset(self.namespaces), kinds)

    def cluster(self) -> Cluster:
        """Return the source cluster."""
        return connect(self.options.context or None, self.options.kubeconfig or None)

    def folder(self, namespace: str) -> Path:
        """Return the spool folder of a namespace."""
        return Path(self.work) / namespace

    def page(self, namespace: str, kind: ResourceType, number: int) -> Path:
        """Return the spool file of a LIST page of one type."""
        return self.folder(namespace) / "pages" / f"{file_stem(kind.group_resource)}@{number:06}.json"

    def pages(self, namespace: str, kind: ResourceType) -> list[Path]:
        """Return the spooled LIST pages of one type, in order."""
        return self._spooled(namespace).get(file_stem(kind.group_resource), [])

    def objects(self, namespace: str, types: Iterable[ResourceType]) -> Iterator[Object]:
        """Yield the spooled objects of some types, as the server listed them."""
        for _, obj in self.typed(namespace, types):
            yield obj

    def typed(self, namespace: str, types: Iterable[ResourceType]) -> Iterator[tuple[ResourceType, Object]]:
        """Yield the same, each with its type; the folder is listed only once, as it has thousands of pages."""
        spooled = self._spooled(namespace)
        for kind in types:
            what = {"apiVersion": kind.api_version, "kind": kind.kind}  # a LIST omits apiVersion and kind of its items
            for page in spooled.get(file_stem(kind.group_resource), ()):
                for item in orjson.loads(page.read_bytes()).get("items") or []:
                    yield kind, what | item

    def _spooled(self, namespace: str) -> dict[str, list[Path]]:
        """Return the spooled LIST pages by the beginning of their names, which is that of the type, in order."""
        found: dict[str, list[Path]] = {}
        for path in sorted((self.folder(namespace) / "pages").iterdir()):
            found.setdefault(path.name.rpartition("@")[0], []).append(path)
        return found


@dataclass(frozen=True, slots=True)
class Unread:
    """A type that could not be read and is not selected itself, but that selected objects may need.

    `kind` is "" for a whole group; `what` is its name in messages.
    """

    group: str
    kind: str
    namespace: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """The result of reading a namespace: pages, types that could not be read, types not at the revision.

    Of the types that could not be read, `problems` were to be backed up, `unread` may be needed by selected objects,
    and `not_indexed` were only to be indexed. `losses` are types that only tell who else has to do with the namespaces.
    """

    pages: int
    problems: tuple[Problem, ...]
    not_indexed: tuple[tuple[str, str], ...]
    not_at_revision: tuple[tuple[str, str], ...]
    unread: tuple[Unread, ...] = ()
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class Stripped:
    """Summary of a namespace's part: counts by type, and the dependencies outside of the namespace.

    `kinds` are the (group, kind) found, `wants` the cluster-scoped objects that its fields refer to, each with one that
    does and the path of the field; `bindings` the number of uses of the cluster's values by class, `problems` what
    could not be parsed, `losses` what is not in it as it was, `outside` what is in it from outside of the namespaces.
    """

    namespace: str
    counts: tuple[tuple[str, int], ...]
    kinds: frozenset[tuple[str, str]]
    wants: Mapping[Ref, tuple[Ref, str]]
    bindings: tuple[tuple[str, int], ...] = ()
    problems: tuple[Problem, ...] = ()
    losses: tuple[Loss, ...] = ()
    outside: tuple[Outside, ...] = ()
