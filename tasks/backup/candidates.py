"""Look a namespace over when only some of it is asked for: what may be carried, what is selected, what needs what.

What may be carried is made portable and kept in files, in the order of the spool, until the whole backup is looked
over: only then is it known what selected objects need (select.py). In memory are names and needs, no contents.
"""

from __future__ import annotations

import shutil
from typing import IO, TYPE_CHECKING, NamedTuple, Self

from kubeferry.tasks.backup.part import LEFT_OUT, TOLD, Carried, Exclusions, Part, carried, leave
from kubeferry.tasks.backup.state import CLUSTER, Scope
from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.links import links_of
from kubeferry.tasks.core.formats.reasons import NOT_SELECTED, Reason, ReasonCode
from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.cluster_scoped import Needs, related
from kubeferry.tasks.core.needs.edges import controller_edges, needs_of
from kubeferry.tasks.core.needs.implicit import Implied
from kubeferry.tasks.core.needs.references import CLUSTER_SCOPED, references
from kubeferry.tasks.core.selection.resource_types import NAMESPACES, words_for
from kubeferry.tasks.core.selection.unmatched import Unmatched
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.plugins import installed
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator
    from pathlib import Path

    from kubeferry.tasks.backup.state import Stripped
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType, Words
    from kubeferry.tasks.core.lookup.derive import Known

NEVER = "never-carried.jsonl"
BODIES = "surveyed.jsonl"
BINDINGS = "surveyed-bindings.jsonl"


@step("survey {namespace}")
async def survey(scope: Scope, namespace: str, known: Known) -> Candidates:
    """Look over all that a namespace holds."""
    return await in_thread(_survey, scope, namespace, known)


@step("survey (cluster)")
async def survey_related(scope: Scope, surveys: list[Candidates], known: Known) -> Candidates:
    """Look over the cluster-scoped objects that the namespaces of `surveys` need, selected or not."""
    return await in_thread(_survey_related, scope, surveys, known)


class Candidate(NamedTuple):
    """What is known of an object beside its content, which is in the files: see `Carried`."""

    ref: Ref
    path: str
    what: str
    bound: tuple[str, ...]
    problem: str
    refused: str


class Candidates:
    """What one namespace holds. A plain class: Prefect would walk through a dataclass' every value."""

    def __init__(self, scope: Scope, namespace: str, known: Known) -> None:
        """Begin; nothing is looked at yet."""
        self.scope, self.namespace, self._known = scope, namespace, known
        self.selector, self._rules = scope.selector, installed()
        self.tally = Unmatched(self.selector)
        self.records: dict[Ref, Candidate] = {}
        self.selected: dict[Ref, str] = {}
        self.barred: dict[Ref, str] = {}
        """What is excluded by name, with the reason."""
        self.edges: list[Edge] = []
        """What is needed for sure, and exists unless somebody made an error."""
        self.guesses: list[Edge] = []
        """What custom resources seem to name: it need not exist."""
        self.implied = Implied()

    @property
    def folder(self) -> Path:
        """Return where the files are."""
        return self.scope.folder(self.namespace)

    @property
    def kinds(self) -> set[tuple[str, str]]:
        """Return the (group, kind) of what may be carried."""
        return {(ref.group, ref.kind) for ref in self.records}

    @property
    def wants(self) -> set[Ref]:
        """Return the cluster-scoped objects that are needed."""
        needed = (edge.target for edge in (*self.edges, *self.guesses))
        return {target for target in needed if (target.group, target.kind) in CLUSTER_SCOPED}

    def read(self, types: Collection[ResourceType], wanted: frozenset[Ref] | None = None) -> Self:
        """Look over the spooled objects of some types; of these only `wanted`, where that is given."""
        bodies, lines = (self.folder / BODIES).open("wb"), (self.folder / BINDINGS).open("wb")
        with Exclusions(self.scope, self.namespace, NEVER) as sieve, bodies, lines:
            words = {kind: words_for(kind) for kind in types}
            for kind, obj in self.scope.typed(self.namespace, types):
                if wanted is None or Ref.of(obj) in wanted:
                    self._look(kind, words[kind], obj, sieve, (bodies, lines))
                    if sieve.seen % TOLD == 0:
                        progress.step(f"survey {self.namespace}", sieve.seen)
        progress.step(f"survey {self.namespace}", sieve.seen, sieve.seen)
        return self

    def _look(
        self, kind: ResourceType, words: Words, obj: Object, sieve: Exclusions, out: tuple[IO[bytes], IO[bytes]]
    ) -> None:
        ref = Ref.of(obj)
        self.tally.look(obj, words)
        never, selected = sieve.never(obj), self.selector.why(obj, words)
        if never:
            self._never(obj, ref, selected, never)
            return
        if why_not := self.selector.why_not(ref, words):
            self.barred[ref] = why_not
            sieve.leave(ref, Reason(ReasonCode.EXCLUDED, detail=why_not))
            return
        if selected:
            self.selected[ref] = selected
        body = sieve.portable(obj)
        made, bindings = carried(kind, body, self._known)
        problem = self._needs(body, obj) or made.problem
        for each in bindings:
            self.edges += (
                Edge(ref, need, Strength.BINDING, each.use.pointer, Via.BINDING) for need in each.needs if need != ref
            )
        out[0].write(made.data + b"\n")  # compact JSON has no line ends
        out[1].writelines(made.lines)
        self.records[ref] = Candidate(ref, made.path, made.what, made.bound, problem, made.refused)

    def _never(self, obj: Object, ref: Ref, selected: str, why: Reason) -> None:
        """Follow what is selected and made by a controller to that one: it is what makes it again."""
        if selected and self.selector.narrow:
            self.tally.never[str(ref)] = why.text
            if why.code is ReasonCode.LEFT_TO_CONTROLLER:
                self.selected[ref] = selected
                self.edges += controller_edges(ref, links_of(obj))

    def _needs(self, body: Object, live: Object) -> str:
        """Take note of what an object needs; return why that cannot be known, or ""."""
        named = list(references(body))
        ref = Ref.of(body)
        self.guesses += (Edge(ref, each.target, Strength.REFERENCE, each.path) for each in named if not each.sure)
        try:
            self.implied.look(body)
            self.edges += needs_of(body, (each for each in named if each.sure), links_of(live), self._rules)
        except PermanentError as error:
            return str(error)
        return ""

    def write(self, chosen: Container[Ref]) -> Stripped:
        """Write the part of the archive: of what may be carried, that which is chosen."""
        shutil.copyfile(self.folder / NEVER, self.folder / LEFT_OUT)
        with Part(self.folder) as part, (self.folder / LEFT_OUT).open("ab") as gaps:
            for each in self._carried():
                if each.ref in chosen:
                    part.write(each)
                else:
                    leave(gaps, each.ref, NOT_SELECTED)
        return part.result(self.namespace)

    def _carried(self) -> Iterator[Carried]:
        """Yield what may be carried, as it was kept."""
        with (self.folder / BODIES).open("rb") as bodies, (self.folder / BINDINGS).open("rb") as lines:
            for each, body in zip(self.records.values(), bodies, strict=True):
                bound = tuple(next(lines) for _ in each.bound)
                yield Carried(each.ref, each.path, body[:-1], each.what, bound, each.bound, each.problem, each.refused)


def _survey(scope: Scope, namespace: str, known: Known) -> Candidates:
    return Candidates(scope, namespace, known).read(sorted([*scope.types, NAMESPACES]))


def _survey_related(scope: Scope, surveys: list[Candidates], known: Known) -> Candidates:
    needs = Needs(
        namespaces=frozenset(scope.namespaces),
        kinds=frozenset(kind for each in surveys for kind in each.kinds),
        objects=frozenset(ref for each in surveys for ref in each.wants),
    )
    wanted = related(scope.objects(CLUSTER, scope.related), needs)
    return Candidates(scope, CLUSTER, known).read(sorted(scope.related), wanted)
