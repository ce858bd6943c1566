"""Who names what a backup does not hold: objects of other namespaces, and cluster-scoped ones that could not be read.

Of each such object the first user is kept, with the field, and the number of the others: thousands of objects may name
the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.kube.namespace_defaults import API_SERVER_OBJECTS, namespace_default

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.needs.reference_fields import Kind


@dataclass(frozen=True, slots=True)
class Mention:
    """The first object that names another one, with the field, and how many more do."""

    user: Ref
    path: str
    more: int = 0

    @property
    def text(self) -> str:
        """Return it as a sentence without its object: `Certificate shop/web names it (spec.issuerRef)`."""
        others = f", and {self.more} more do" if self.more else ""
        return f"{self.user} names it ({self.path}){others}"


class Mentions:
    """Collects who names what, reference by reference."""

    def __init__(self, inside: Container[str], kinds: Container[Kind], wide: Container[Kind] = ()) -> None:
        """Start empty.

        Args:
            inside: the namespaces of the backup.
            kinds: the (group, kind) of the cluster that are in namespaces: no others exist in another namespace.
            wide: the cluster-scoped (group, kind) to collect besides.
        """
        self._inside, self._kinds, self._wide = inside, kinds, wide
        self._found: dict[Ref, Mention] = {}
        self._last: dict[Ref, Ref] = {}

    def note(self, user: Ref, target: Ref, path: str) -> None:
        """Collect one reference; what is in the backup's namespaces does not count."""
        kind = (target.group, target.kind)
        outside = target.namespace not in self._inside and kind in self._kinds
        if not (outside if target.namespace else kind in self._wide):
            return
        if namespace_default(target) or target in API_SERVER_OBJECTS:
            return
        first = self._found.get(target)
        if first is None:
            self._found[target] = Mention(user, path)
        elif user not in (first.user, self._last.get(target)):
            self._found[target] = Mention(first.user, first.path, first.more + 1)
        self._last[target] = user

    def of_wide(self) -> Mapping[Ref, Mention]:
        """Return the cluster-scoped objects that are named."""
        return {target: each for target, each in self._found.items() if not target.namespace}

    def losses(self) -> Iterator[Loss]:
        """Yield the objects of other namespaces, which no backup of these namespaces holds."""
        for target, each in sorted(self._found.items(), key=lambda item: item[0]):
            if target.namespace:
                yield Loss.of(target, LossCode.NOT_CARRIED, each.text)
