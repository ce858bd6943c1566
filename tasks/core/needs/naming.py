"""Which kinds have fields that name objects of given kinds: where to look for who uses a cluster-wide object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.needs.references import POD_SPEC, POD_SPEC_AT, TABLE, TYPED_AT

if TYPE_CHECKING:
    from collections.abc import Collection


def kinds_naming(targets: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Return the (group, kind) whose fields may name an object of `targets`, by the tables of references.py.

    What a typed field names is not known from its kind. Custom resources are not among them: they may name anything.
    """
    if not targets:
        return frozenset()
    pods = POD_SPEC_AT if any((group, kind) in targets for _, group, kind in POD_SPEC) else ()
    rows = (of for of, rows in TABLE.items() if any((group, kind) in targets for _, group, kind in rows))
    return frozenset({*pods, *rows, *TYPED_AT})
