"""Make a plan from an archive alone, with no cluster and no Prefect, and hand out its parts.

The work is that of the steps `download` and `plan`, which a restore runs too: what is shown is what would be done.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.losses import without_repetition
from kubeferry.tasks.core.plan.late_values import deferral
from kubeferry.tasks.core.plan.parts import Part, Parts
from kubeferry.tasks.plan.build import _plan
from kubeferry.tasks.plan.download import _download, refuse_plain
from kubeferry.tasks.plan.grants import open_grants
from kubeferry.tasks.ports.local.workdir import workdir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.graph.order import Edge
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.models.options import RestoreOptions
    from kubeferry.tasks.plan.state import Item, Plan, Source


class Planned:
    """A plan and the objects in it; of use until its `with` block ends."""

    def __init__(self, source: Source, plan: Plan) -> None:
        """Take the plan out of a restore that was planned."""
        self._source, self._plan = source, plan
        self.parts = _parts(source, plan)

    def body(self, ref: Ref) -> Object:
        """Return an object as it is to be created, read from the spool; of a Secret too."""
        found: Object = self._plan.contents.read(self._plan.items[ref].slot)
        return found

    def whole(self, ref: Ref) -> Object:
        """Return an object with the values that come late, when it was created."""
        item = self._plan.items[ref]
        found: Object = self._plan.contents.read(item.whole or item.slot)
        return found


@contextmanager
def planned(options: RestoreOptions) -> Iterator[Planned]:
    """Yield the plan of a restore, as `planned_restore` makes it."""
    with planned_restore(options) as (source, plan):
        yield Planned(source, plan)


@contextmanager
def planned_restore(options: RestoreOptions) -> Iterator[tuple[Source, Plan]]:
    """Yield what is restored, and its plan; what was read is deleted when the `with` block ends.

    Raises:
        BackupNotFoundError: no backup of that name.
        DamagedError: a file or an object is missing, changed, or cannot be read.
        UsageError: the options do not fit the backup, or it is not encrypted although keys are given.
    """
    with workdir() as work:
        found = _download(options, work)
        try:
            refuse_plain(found.source)
            _plan(found.source, found.plan)
            yield found.source, found.plan
        finally:
            found.source.close()
            found.plan.contents.close()


def _parts(source: Source, plan: Plan) -> Parts:
    return Parts(
        backup=source.options.backup,
        store=source.backup.store.url,
        namespaces=_namespaces(plan),
        items={ref: _part(item) for ref, item in plan.items.items()},
        first=plan.namespaces,
        definitions=plan.definitions,
        order=plan.order,
        left_out=plan.left_out,
        rewrites=plan.rewrites,
        wants={ref: frozenset(users) for ref, users in plan.wants.items() if ref not in plan.items},
        kinds=plan.defined(),
        absent=source.options.absent,
        instead=_instead(plan),
        impossible=plan.impossible,
        selection=plan.selection,
        missing=plan.missing,
        warnings=plan.warnings,
        problems=plan.problems,
        losses=without_repetition(plan.losses),
        grants=[*open_grants(source, plan), *plan.occupied],
    )


def _namespaces(plan: Plan) -> dict[str, str]:
    """Return old to new name, also of namespaces that the archive holds objects of and not the namespace itself."""
    return plan.spaces()


def _part(item: Item) -> Part:
    return Part(
        ref=item.ref,
        source=item.source,
        api_version=item.api_version,
        why=item.why,
        owners=item.links.owners,
        unowned=item.unowned,
        not_ready=item.not_ready,
        bindings=item.bindings,
        late=item.late,
    )


def _instead(plan: Plan) -> dict[Edge, str]:
    """Return what is done instead of waiting, for each edge that was given up."""
    items = plan.items
    return {
        edge: deferral(plan.contents.read(items[edge.source].whole or items[edge.source].slot), edge).how.value
        for edge in plan.order.broken
    }
