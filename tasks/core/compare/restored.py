"""Compare a restored namespace with the original, field by field, and explain the differences.

An object that only one side has is explained if a controller of that side created it, or if the backup or the restore
reported that it was excluded. An unexplained difference is a fault of the restore, or a later change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from kubeferry.tasks.core.compare.expected import Renaming
from kubeferry.tasks.core.compare.explain import explain, matching
from kubeferry.tasks.core.formats.links import links_of
from kubeferry.tasks.core.jsondoc.differences import differences
from kubeferry.tasks.core.kube.objects import Ref, annotations_of
from kubeferry.tasks.core.needs.ownership import recreated_by
from kubeferry.tasks.core.transform.rename.rewrite import rename

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from kubeferry.tasks.core.formats.records import Rewrite
    from kubeferry.tasks.core.jsondoc.edit import Object

WHOLE = "(the object)"
"""Takes the place of the field if only one side has the object."""

PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
"""Annotation of a dynamically provisioned PersistentVolume (kubernetes.io: well-known annotations)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between the original and the restored object."""

    ref: Ref
    """The original object, or the restored one if there is no original."""
    field: str
    """The field, as the table of explanations names it; WHOLE if one side lacks the object."""
    why: str | None
    """The explanation, or None."""
    text: str
    """The values, in one line; those of a Secret are not shown."""


class Restored(NamedTuple):
    """An original and its restored object."""

    original: Object
    restored: Object


def findings(
    original: Mapping[Ref, Object],
    restored: Mapping[Ref, Object],
    namespaces: Mapping[str, str],
    left_out: Mapping[Ref, str],
    rewrites: Iterable[Rewrite] = (),
) -> list[Finding]:
    """Return all that differs, sorted.

    Args:
        original: the live objects of the namespaces, and related objects.
        restored: the same of the restored namespaces.
        namespaces: each namespace of the original and its name on the target.
        left_out: what the backup and the restore excluded, and why.
        rewrites: what the restore rewrote.
    """
    targets = _targets(original, namespaces)
    pairs = {ref: Restored(obj, restored[targets[ref]]) for ref, obj in original.items() if targets[ref] in restored}
    move = Renaming(
        namespaces,
        {each.original["metadata"]["uid"]: each.restored["metadata"]["uid"] for each in pairs.values()},
        _by_object(rewrites, targets),
    )
    known = {targets[ref] for ref in pairs}
    found = [each for ref, pair in pairs.items() for each in _changed(ref, pair, move)]
    found += [_lost(ref, obj, original, pairs.keys(), left_out) for ref, obj in original.items() if ref not in pairs]
    found += [_extra(ref, obj, restored, known) for ref, obj in restored.items() if ref not in known]
    return sorted(found, key=lambda each: (each.ref, each.field))


def _targets(original: Mapping[Ref, Object], namespaces: Mapping[str, str]) -> dict[Ref, Ref]:
    """Return the target identity of each original object."""
    return {ref: Ref.of(rename(obj, namespaces).obj) for ref, obj in original.items()}


def _by_object(rewrites: Iterable[Rewrite], targets: Mapping[Ref, Ref]) -> dict[Ref, tuple[Rewrite, ...]]:
    """Return rewrites by original object; a restore records them under its old or its new identity."""
    by_name: dict[str, list[Rewrite]] = {}
    for each in rewrites:
        by_name.setdefault(each.object, []).append(each)
    names = {ref: dict.fromkeys((str(ref), str(target))) for ref, target in targets.items()}
    return {ref: tuple(each for name in some for each in by_name.get(name, ())) for ref, some in names.items()}


def _changed(ref: Ref, pair: Restored, move: Renaming) -> Iterator[Finding]:
    for each in differences(*pair):
        row = matching(each, pair.original, move)
        yield Finding(
            ref, row.path.removesuffix("**") if row else each.path, explain(each, pair.original, move), str(each)
        )
    for path in _stale(pair.restored, move.uids, ""):
        yield Finding(ref, path, None, f"{path}: still the uid of the original object")


def _stale(value: Any, uids: Mapping[str, str], path: str) -> Iterator[str]:
    """Yield the places where a restored object holds an outdated uid.

    It is a fault even without a difference: the garbage collector deletes objects with such an owner.
    """
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _stale(each, uids, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _stale(each, uids, f"{path}[{index}]")
    elif isinstance(value, str) and uids.get(value, value) != value:
        yield path


def _lost(
    ref: Ref, obj: Object, there: Mapping[Ref, Object], paired: Container[Ref], left_out: Mapping[Ref, str]
) -> Finding:
    """Return the finding for an object that was not restored."""
    return Finding(ref, WHOLE, _made(ref, obj, there, paired) or left_out.get(ref), "only in the original")


def _extra(ref: Ref, obj: Object, there: Mapping[Ref, Object], paired: Container[Ref]) -> Finding:
    """Return the finding for an object without an original."""
    return Finding(ref, WHOLE, _made(ref, obj, there, paired), "only in the restored namespaces")


def _made(ref: Ref, obj: Object, there: Mapping[Ref, Object], paired: Container[Ref]) -> str | None:
    """Explain an object by its owner, if the owner, or the owner's owner, exists on both sides."""
    if (ref.group, ref.kind) == ("", "PersistentVolume"):
        claim = (obj["spec"].get("claimRef") or {}) if PROVISIONED_BY in annotations_of(obj) else {}
        of = Ref("", "PersistentVolumeClaim", str(claim.get("namespace")), str(claim.get("name")))
        return "each side's claim has its own volume" if of in paired else None
    maker = recreated_by(ref, links_of(obj), there)
    if maker is None or not (maker in paired or _made(maker, there[maker], there, paired)):
        return None
    return f"each side's {maker.kind} creates its own"


# --- for people


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of the same field with the same explanation, in one or more comparisons."""

    field: str
    why: str | None
    kinds: tuple[str, ...]
    counts: tuple[int, ...]
    """Number of findings in each comparison."""


def grouped(comparisons: Iterable[Iterable[Finding]]) -> list[Group]:
    """Return findings in groups: unexplained ones first, then by the number of kinds."""
    found: dict[tuple[str, str | None], tuple[set[str], list[int]]] = {}
    sides = [list(each) for each in comparisons]
    for at, side in enumerate(sides):
        for each in side:
            kinds, counts = found.setdefault((each.field, each.why), (set(), [0] * len(sides)))
            kinds.add(each.ref.type)
            counts[at] += 1
    groups = [Group(field, why, tuple(sorted(kinds)), tuple(counts)) for (field, why), (kinds, counts) in found.items()]
    return sorted(groups, key=lambda each: (each.why is not None, -len(each.kinds), each.kinds, each.field))
