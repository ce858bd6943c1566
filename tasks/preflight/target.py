"""A cluster as one restore sees it: types and namespaces, each asked for once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError, NotFoundError
from kubeferry.tasks.core.kube.readiness.verdict import Context
from kubeferry.tasks.ports.cluster.cached import CachedTarget
from kubeferry.tasks.ports.cluster.namespaces import existing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.kube.resources import Discovery, ResourceType
    from kubeferry.tasks.core.models.options import RestoreOptions
    from kubeferry.tasks.plan.state import Item
    from kubeferry.tasks.ports.cluster.client import Cluster


class Target:
    """The cluster that is restored into, and what it has answered so far; no client is kept."""

    def __init__(self, options: RestoreOptions, cached: CachedTarget | None = None) -> None:
        """Begin; `cached` answers are shared by the restores of a migration."""
        self._options = options
        self.cached = cached or CachedTarget(self.cluster)
        self._discovery: Discovery
        self._written: dict[tuple[str, str], str] = {}
        self.context = Context()
        self.namespaces: dict[str, Object | None] = {}
        """Namespaces as the last look before the first write found them; None for one that is not there."""
        self.old_namespaces: set[str] = set()
        """Namespaces that were there before: objects may be there already."""
        self.check: Callable[[], None] | None = None
        """Raises where nothing may be written any more: its leases are lost."""

    def __repr__(self) -> str:
        """Return the context: Prefect shows it where it shows parameters."""
        return f"cluster {self._options.context or '(current context)'}"

    @property
    def discovery(self) -> Discovery:
        """Return what the cluster serves, what is written in the version in which it is; set by the first look."""
        return self._discovery

    @discovery.setter
    def discovery(self, found: Discovery) -> None:
        self._discovery = found.reading(self._written) if self._written else found

    def write_in(self, versions: Mapping[tuple[str, str], str]) -> None:
        """Note in which version objects of each (group, kind) are written: they are looked at in the same one."""
        self._written |= versions
        self.discovery = self._discovery

    def cluster(self) -> Cluster:
        """Return the cluster; a plan alone asks for none, and is made without the client."""
        from kubeferry.tasks.ports.cluster.client import connect

        found = connect(self._options.context or None, self._options.kubeconfig or None)
        return found.guarded(self.check) if self.check else found

    def namespace(self, name: str) -> Object | None:
        """Return a namespace as the look that is under way found it: it is asked for once."""
        if name not in self.namespaces:
            self.namespaces[name] = existing(self.cluster(), name)
        return self.namespaces[name]

    def find(self, ref: Ref) -> Object | None:
        """Return an object as it is now, None where there is none, or no such kind.

        Raises:
            ForbiddenError: these credentials may not read it.
        """
        kind = self.discovery.by_kind(ref.group, ref.kind)
        return self.cluster().find(kind, ref.namespace, ref.name) if kind else None

    def visible(self, group: str, kind: str) -> list[Object]:
        """Return all objects of a kind, [] where these credentials may not list them; asked for once."""
        try:
            return self.cached.everywhere(group, kind)
        except ForbiddenError:
            return []

    def type_of(self, ref: Ref) -> ResourceType:
        """Return the type of an object.

        Raises:
            NotFoundError: the cluster does not serve it (preflight would have said so).
        """
        found = self.discovery.by_kind(ref.group, ref.kind)
        if found is None:
            raise NotFoundError(f"{ref}: cluster {self.cluster().name} does not serve {ref.type}")
        return found

    def type_of_item(self, item: Item) -> ResourceType:
        """Return the type of an object in the version that the backup holds, which need not be the preferred one.

        Raises:
            NotFoundError: as `type_of`.
        """
        return self.discovery.in_version(self.type_of(item.ref), item.api_version.rpartition("/")[2])
