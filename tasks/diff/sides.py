"""What comparing a backup with a cluster and with another backup have in common: the backup's side, and its terms.

An object that only the other side has counts as added if this backup would have taken it: by the options it was made
with, and by those of the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

from kubeferry.tasks.core.compare.diff import owned, owner_references
from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.links import owner_ref
from kubeferry.tasks.core.formats.reasons import ReasonCode
from kubeferry.tasks.core.kube.objects import Ref, type_of
from kubeferry.tasks.core.lookup.bindings import bind
from kubeferry.tasks.core.models.options import Selection
from kubeferry.tasks.core.selection.selector import Selector
from kubeferry.tasks.plan.unpacked import archived_object

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from kubeferry.tasks.core.formats.layout import Member
    from kubeferry.tasks.core.formats.links import Owner
    from kubeferry.tasks.core.formats.records import LeftOut
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import Words
    from kubeferry.tasks.core.lookup.chain import Chain
    from kubeferry.tasks.plan.state import Item, Plan, Source


@dataclass(frozen=True, slots=True)
class DiffScope:
    """What a backup would take, and what is asked of it now."""

    backup: Selector
    asked: Selector
    known: frozenset[Ref]
    """What the archive holds, in the comparison or not, under the names of the other side."""
    left_out: frozenset[Ref]
    """What the backup says it left out, under the same names."""

    @classmethod
    def of(cls, source: Source) -> Self:
        """Return the terms of a planned restore.

        Raises:
            DamagedError: the manifest's options are none.
        """
        manifest, names = source.backup.manifest, source.options.map
        gaps = [each for each in (manifest.left_out if manifest else ()) if each.code != ReasonCode.BEING_DELETED]
        kinds = {plural: kind for kind, plural in plurals(source).items()}
        held = [Ref(*kinds[one.group_resource], one.namespace, one.name) for one in _members(source)]
        return cls(
            backup=taken_by(source),
            asked=Selector.of(source.options),
            known=frozenset(ref.renamed(names) for ref in held),
            left_out=frozenset(_ref(each).renamed(names) for each in gaps),
        )

    @property
    def narrow(self) -> bool:
        """Return whether only some of what the namespaces hold is compared."""
        return self.backup.narrow or self.asked.narrow

    def may_take(self, words: Words) -> bool:
        """Return whether objects of a kind may be taken at all."""
        return self.backup.may_select(words) and self.asked.may_select(words)

    def takes(self, obj: Object, ref: Ref, words: Words) -> bool:
        """Return whether an object that the backup does not have would have been taken."""
        if ref in self.known or ref in self.left_out:
            return False
        return bool(self.backup.why(obj, words) and self.asked.why(obj, words))


def plurals(source: Source) -> dict[tuple[str, str], str]:
    """Return (group, kind) → the type's name in the archive, of each type that it holds."""
    first = {each.member.group_resource: each for each in reversed(source.archived)}
    return {type_of(archived_object(source, each)): plural for plural, each in first.items()}


def _members(source: Source) -> Iterator[Member]:
    return (each.member for each in source.archived)


def _ref(each: LeftOut) -> Ref:
    kind, _, group = each.type.partition(".")
    return Ref(group, kind, each.namespace, each.name)


def taken_by(source: Source) -> Selector:
    """Return what a backup was asked to take.

    Raises:
        DamagedError: its manifest has something that no backup is asked for.
    """
    manifest = source.backup.manifest
    selection = manifest.selection if manifest else None
    try:
        return Selector.of(Selection.model_validate(selection.options if selection else {}))
    except ValidationError as error:
        message = error.errors(include_input=False)[0]["msg"]
        raise DamagedError(f"backup {source.options.backup}: its selection cannot be read: {message}") from None


def whole(plan: Plan, item: Item) -> Object:
    """Return an object as the backup holds it, under its new names."""
    found: Object = plan.contents.read(item.whole or item.slot)
    return found


def as_backed_up(body: Object, item: Item, there: Container[Ref], named: Iterable[Mapping[str, Any]]) -> Object:
    """Return an object of the backup with its owners, as far as these are there; those `named` by the other side are.

    A restore leaves out an owner that is nowhere; one of a kind that was not looked at may be anywhere.
    """
    known = {(each["kind"], each["name"]) for each in named}

    def found(owner: Owner) -> bool:
        refs = (owner_ref(owner, namespace) for namespace in (item.ref.namespace, ""))
        return (owner.kind, owner.name) in known or any(ref in there for ref in refs)

    return owned(body, owner_references(item.links.owners, found))


def with_values(body: Object, item: Item, values: Mapping[Chain, str]) -> Object:
    """Return an object with the values that are known in the place of those of the old cluster."""
    known = [each for each in item.bindings if each.chain in values]
    return bind(body, known, lambda each: values[each.chain])[0]
