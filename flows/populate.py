"""Populate: one backup is the template of many namespaces, each created by a restore of its own, side by side.

The backup is unpacked once. A namespace that fails is rolled back and never stops the others; another run of the same
name does only what is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.runtime import flow_run

from kubeferry.flows.restore import restore
from kubeferry.tasks.core.formats.migration import End
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.core.models.options_migration import PopulateOptions
from kubeferry.tasks.migrate.ends import end_of
from kubeferry.tasks.migrate.populate import begun, ended, failed_end, populated, report_populated, template_of
from kubeferry.tasks.migrate.progress import Board
from kubeferry.tasks.plan.template import Template, sharing, unpack_template
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.local.gc import settle
from kubeferry.tasks.ports.local.workdir import workdir
from kubeferry.tasks.ports.prefect.parameters import flow_of
from kubeferry.tasks.ports.prefect.subflows import lean
from kubeferry.tasks.step import in_thread, side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubeferry.tasks.core.models.options_migration import Into
    from kubeferry.tasks.core.models.results import PopulateResult


def _run_name() -> str:
    asked = flow_run.parameters
    return f"populate {len(asked['into'])} namespaces from {asked['backup']}"


@flow_of(PopulateOptions, name="populate", flow_run_name=_run_name)
async def populate(options: PopulateOptions) -> PopulateResult:
    """Create namespaces from one backup, each with its own name, labels, replicas, hosts and patches."""
    started = clock.now()
    settle()
    with workdir() as work:
        template = await in_thread(Template, options, work)
        try:
            await unpack_template(template)
            populating = _Populating(options, template, template_of(options, template))
            with sharing(template):
                ends = await populating.run()
        finally:
            template.close()
    result = populated(options, template, populating.namespace, ends, populating.earlier, started)
    await report_populated(result)
    return result


class _Populating:
    """The state of one run."""

    def __init__(self, options: PopulateOptions, template: Template, namespace: str) -> None:
        self.options, self.template, self.namespace = options, template, namespace
        self.earlier: list[str] = []

    async def run(self) -> list[End]:
        """Return the outcome of each namespace."""
        todo, ends = list(self.options.into), list[End]()
        async with Board(self.options.called, len(todo), "populate") as board:
            # The first one that succeeds creates cluster-scoped objects: the others find them and never roll them back.
            while self.template.is_shared and todo and not any(end.done for end in ends):
                ends += await self._make(board, [todo.pop(0)])
            ends += await self._make(board, todo)
        return ends

    async def _make(self, board: Board, some: Sequence[Into]) -> list[End]:
        async with lean(lambda child, _: str(child.flow_run_name)):
            return await side_by_side(
                lambda into: board.ended(into.name, self._one(into)), some, self.options.side_by_side
            )

    async def _one(self, into: Into) -> End:
        """Return the outcome of one namespace; a failure is an outcome, too."""
        started = clock.now()
        try:
            asked = await in_thread(begun, self.options, self.template, self.namespace, into)
            if not isinstance(asked, RestoreOptions):
                self.earlier.append(into.name)
                return ended(self.namespace, into.name, asked)
            named = restore.with_options(flow_run_name=f"populate {into.name}", validate_parameters=False)
            result = await named(asked)
            return end_of(self.namespace, into.name, result)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other namespaces go on
            return failed_end(self.namespace, into.name, error, started)
