"""What preflight finds against a restore: a sentence, and the planned objects that cannot be restored because of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.kube.objects import Ref


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One reason against a restore."""

    text: str
    """A line for the user; it names the object and the cause."""
    refs: tuple[Ref, ...] = ()
    """The planned objects that it stops; none: it stops the whole restore."""

    @property
    def why(self) -> str:
        """Return the reason alone, for a list that names the object already."""
        named = f"{self.refs[0]}: " if len(self.refs) == 1 else ""
        return self.text.removeprefix(named) if named else self.text

    @classmethod
    def of(cls, text: str, refs: Iterable[Ref]) -> Self:
        """Return a fault of some objects, given in any order."""
        return cls(text, tuple(sorted(refs)))
