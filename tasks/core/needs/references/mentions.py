"""Who names objects of other namespaces, which a backup does not hold.

Of each such object the first user is kept, with the field, and the number of the others: thousands of objects may name
the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.kube.namespace_defaults import API_SERVER_OBJECTS, namespace_default

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.needs.references.fields import Kind


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

    def __init__(self, inside: Container[str], kinds: Container[Kind]) -> None:
        """Start empty.

        Args:
            inside: the namespaces of the backup.
            kinds: the (group, kind) of the cluster that are in namespaces: no others exist in another namespace.
        """
        self._inside, self._kinds = inside, kinds
        self._found: dict[Ref, Mention] = {}
        self._last: dict[Ref, Ref] = {}

    def note(self, user: Ref, target: Ref, path: str) -> None:
        """Collect one reference; what is in the backup's namespaces does not count."""
        kind = (target.group, target.kind)
        if not target.namespace or target.namespace in self._inside or kind not in self._kinds:
            return
        if namespace_default(target) or target in API_SERVER_OBJECTS:
            return
        first = self._found.get(target)
        if first is None:
            self._found[target] = Mention(user, path)
        elif user not in (first.user, self._last.get(target)):
            self._found[target] = Mention(first.user, first.path, first.more + 1)
        self._last[target] = user

    def losses(self, carried: Container[Ref] = ()) -> Iterator[Loss]:
        """Yield the objects of other namespaces that the backup does not hold; `carried` are those that it does."""
        for target, each in sorted(self._found.items(), key=lambda item: item[0]):
            if target not in carried:
                yield Loss.of(target, LossCode.NOT_CARRIED, f"it is of another namespace; {each.text}")
