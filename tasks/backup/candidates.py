"""Candidates of a selective backup: the objects that may be backed up, which are selected, and what each needs.

Objects that may be backed up are made portable and kept in files, in the order of the spool, until all namespaces are
read: only then are the dependencies of selected objects known (select.py). Names and needs are in memory, no contents.
"""

from __future__ import annotations

import shutil
from typing import IO, TYPE_CHECKING, NamedTuple, Self

from kubeferry.tasks.backup.named import needs_of_parts
from kubeferry.tasks.backup.outside import find_outside
from kubeferry.tasks.backup.part import LEFT_OUT, REPORT_EVERY, Exclusions, Part, WrittenObject, leave, written_object
from kubeferry.tasks.backup.state import CLUSTER, Scope
from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.links import links_of
from kubeferry.tasks.core.formats.losses import Loss
from kubeferry.tasks.core.formats.reasons import NOT_SELECTED, Reason, ReasonCode
from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.edges import controller_edges, needs_of
from kubeferry.tasks.core.needs.implicit import Implied
from kubeferry.tasks.core.needs.references.find import references
from kubeferry.tasks.core.selection.resource_types import NAMESPACES, words_for
from kubeferry.tasks.core.selection.unmatched import Unmatched
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.plugins import installed
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator
    from pathlib import Path

    from kubeferry.tasks.backup.state import Stripped
    from kubeferry.tasks.core.formats.losses import Loss
    from kubeferry.tasks.core.formats.outside import Outside
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType, Words
    from kubeferry.tasks.core.lookup.derive import Known
    from kubeferry.tasks.core.needs.references.mentions import Mentions

NEVER = "never-written.jsonl"
BODIES = "candidates.jsonl"
BINDINGS = "candidates-bindings.jsonl"


@step("find candidates in {namespace}")
async def find_candidates(scope: Scope, namespace: str, known: Known) -> Candidates:
    """Return the candidates of a namespace."""
    return await in_thread(_find_candidates, scope, namespace, known)


@step("find cluster-scoped candidates")
async def find_related_candidates(scope: Scope, found: list[Candidates], known: Known) -> Candidates:
    """Return the cluster-scoped candidates that the namespaces of `found` need, selected or not."""
    return await in_thread(_find_related_candidates, scope, found, known)


class Candidate(NamedTuple):
    """An object without its content, which is in the files: see `WrittenObject`."""

    ref: Ref
    path: str
    what: str
    bound: tuple[str, ...]
    problem: str
    refused: str
    losses: tuple[Loss, ...] = ()


class Candidates:
    """The candidates of one namespace. A plain class: Prefect would traverse every value of a dataclass."""

    def __init__(self, scope: Scope, namespace: str, known: Known) -> None:
        """Read nothing yet."""
        self.scope, self.namespace, self._known = scope, namespace, known
        self.selector, self._rules = scope.selector, installed()
        self.tally = Unmatched(self.selector)
        self.records: dict[Ref, Candidate] = {}
        self.selected: dict[Ref, str] = {}
        self.barred: dict[Ref, str] = {}
        """Objects excluded by name, with the reason."""
        self.edges: list[Edge] = []
        """Certain dependencies: their targets exist unless the manifests are wrong."""
        self.guesses: list[Edge] = []
        """Likely references of custom resources: their targets may not exist."""
        self.implied = Implied()
        self.outside: dict[Ref, Outside] = {}
        """Of what is not in the namespaces: why it may come."""
        self.losses: list[Loss] = []

    @property
    def folder(self) -> Path:
        """Return the folder of the files."""
        return self.scope.folder(self.namespace)

    @property
    def kinds(self) -> set[tuple[str, str]]:
        """Return the (group, kind) of all candidates."""
        return {(ref.group, ref.kind) for ref in self.records}

    @property
    def wants(self) -> dict[Ref, tuple[Ref, str]]:
        """Return the cluster-scoped objects that the candidates need, each with one that does, and why."""
        found: dict[Ref, tuple[Ref, str]] = {}
        for edge in (*self.edges, *self.guesses):
            if not edge.target.namespace:
                found.setdefault(edge.target, (edge.source, edge.why))
        return found

    def _mentions(self, users: Container[Ref]) -> Mentions:
        found = self.scope.mentions()
        for edge in (*self.edges, *self.guesses):
            if edge.via is Via.FIELD and edge.source in users:
                found.note(edge.source, edge.target, edge.why)
        return found

    def read(self, types: Collection[ResourceType], wanted: frozenset[Ref] | None = None) -> Self:
        """Read the spooled objects of some types; only those in `wanted`, if given."""
        bodies, lines = (self.folder / BODIES).open("wb"), (self.folder / BINDINGS).open("wb")
        with Exclusions(self.scope, self.namespace, NEVER) as exclusions, bodies, lines:
            words = {kind: words_for(kind) for kind in types}
            for kind, obj in self.scope.typed(self.namespace, types):
                if wanted is None or Ref.of(obj) in wanted:
                    self._look(kind, words[kind], obj, exclusions, (bodies, lines))
                    if exclusions.seen % REPORT_EVERY == 0:
                        progress.step(f"find candidates in {self.namespace}", exclusions.seen)
        progress.step(f"find candidates in {self.namespace}", exclusions.seen, exclusions.seen)
        return self

    def _look(
        self, kind: ResourceType, words: Words, obj: Object, exclusions: Exclusions, out: tuple[IO[bytes], IO[bytes]]
    ) -> None:
        ref = Ref.of(obj)
        self.tally.look(obj, words)
        never, selected = exclusions.never(obj), self.selector.why(obj, words)
        if never:
            self._never(obj, ref, selected, never)
            return
        if why_not := self.selector.why_not(ref, words):
            self.barred[ref] = why_not
            exclusions.leave(ref, Reason(ReasonCode.EXCLUDED, detail=why_not))
            return
        if selected:
            self.selected[ref] = selected
        body = exclusions.portable(obj, kind)
        made, bindings = written_object(kind, body, self._known, obj)
        problem = self._needs(body, obj) or made.problem
        for each in bindings:
            self.edges += (
                Edge(ref, need, Strength.BINDING, each.use.pointer, Via.BINDING) for need in each.needs if need != ref
            )
        out[0].write(made.data + b"\n")  # compact JSON has no line ends
        out[1].writelines(made.lines)
        lost = exclusions.losses(obj, body)
        self.records[ref] = Candidate(ref, made.path, made.what, made.bound, problem, made.refused, lost)

    def _never(self, obj: Object, ref: Ref, selected: str, why: Reason) -> None:
        """If a selected object is left to its controller, add an edge to its owner, from which it is re-created."""
        if selected and self.selector.narrow:
            self.tally.never[str(ref)] = why.text
            if why.code is ReasonCode.LEFT_TO_CONTROLLER:
                self.selected[ref] = selected
                self.edges += controller_edges(ref, links_of(obj))

    def _needs(self, body: Object, live: Object) -> str:
        """Record the dependencies of an object; return why they cannot be read, or ""."""
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
        """Write the namespace's part of the archive: the chosen candidates."""
        shutil.copyfile(self.folder / NEVER, self.folder / LEFT_OUT)
        with Part(self.folder) as part, (self.folder / LEFT_OUT).open("ab") as gaps:
            for each in self._written():
                if each.ref in chosen:
                    part.write(each)
                    part.outside += [self.outside[each.ref]] if each.ref in self.outside else []
                else:
                    leave(gaps, each.ref, NOT_SELECTED)
            part.losses += self.losses
            if not self.selector.only:
                part.losses += self._mentions(chosen).losses(chosen)
        return part.result(self.namespace)

    def _written(self) -> Iterator[WrittenObject]:
        """Yield the candidates with their contents from the files."""
        with (self.folder / BODIES).open("rb") as bodies, (self.folder / BINDINGS).open("rb") as lines:
            for each, body in zip(self.records.values(), bodies, strict=True):
                bound = tuple(next(lines) for _ in each.bound)
                yield WrittenObject(
                    each.ref,
                    each.path,
                    body[:-1],
                    each.what,
                    bound,
                    each.bound,
                    each.problem,
                    each.refused,
                    each.losses,
                )


def _find_candidates(scope: Scope, namespace: str, known: Known) -> Candidates:
    return Candidates(scope, namespace, known).read(sorted([*scope.types, NAMESPACES]))


def _find_related_candidates(scope: Scope, found: list[Candidates], known: Known) -> Candidates:
    around = find_outside(scope, needs_of_parts(scope, found))
    candidates = Candidates(scope, CLUSTER, known)
    candidates.outside = around.carried
    # A part of the namespaces is not an operator: what may belong to one is not missed.
    candidates.losses = [] if scope.selector.narrow else around.losses
    return candidates.read(around.types, frozenset(around.carried))
