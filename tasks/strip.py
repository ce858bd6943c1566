"""Make what was read portable: choose what is carried, strip what only the old cluster meant, write the archive.

Works page by page from the spool. What strip removes and re-linking needs (uids, owners, addresses) goes to a file of
its own, also for objects that are not carried, such as the Pods of a Deployment. Where a string uses a value that the
cluster handed out, a binding says so.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import orjson

from tasks.core import bindings
from tasks.core.bindings import bindings_of
from tasks.core.carry import left_out
from tasks.core.errors import PermanentError
from tasks.core.keep import Keep, Surroundings
from tasks.core.layout import Member
from tasks.core.links import links_of, to_json
from tasks.core.manifest import LeftOut, Problem
from tasks.core.objects import Object, Ref, annotations_of, labels_of
from tasks.core.readiness import verdict
from tasks.core.references import CLUSTER_SCOPED, references
from tasks.core.related import Needs, related
from tasks.core.selection import parse_selector, selects
from tasks.core.strip import strip as portable
from tasks.discover import NAMESPACES
from tasks.ports import clock, progress
from tasks.ports.archive import FragmentWriter
from tasks.scope import CLUSTER, Scope, Stripped
from tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tasks.core.resources import ResourceType
    from tasks.index import Known


@step("strip {namespace}")
async def strip(scope: Scope, namespace: str, known: Known) -> Stripped:
    """Write a namespace's part of the archive and of the links file; return what became of it."""
    return await in_thread(_strip, scope, namespace, known)


@step("strip (cluster)")
async def strip_related(scope: Scope, parts: list[Stripped], known: Known) -> Stripped:
    """Write the cluster-scoped objects that the namespaces in `parts` need."""
    return await in_thread(_strip_related, scope, parts, known)


def _strip(scope: Scope, namespace: str, known: Known) -> Stripped:
    around = Surroundings(
        selecting_services=frozenset(
            each["metadata"]["name"]
            for each in scope.objects(namespace, _only(scope.types, "Service"))
            if _selects(each)
        ),
        static_volumes=frozenset(
            each["metadata"]["name"]
            for each in scope.objects(CLUSTER, _only(scope.related, "PersistentVolume"))
            if "pv.kubernetes.io/provisioned-by" not in annotations_of(each)
        ),
    )
    labels, notes = parse_selector(scope.options.selector), parse_selector(scope.options.annotation_selector)

    def unwanted(obj: Object) -> str | None:
        if obj["kind"] != "Namespace" and not (selects(labels, labels_of(obj)) and selects(notes, annotations_of(obj))):
            return "not selected"
        return None

    with _Part(scope, namespace, around, unwanted, known) as part:
        for kind in sorted([*scope.types, NAMESPACES]):
            for obj in scope.objects(namespace, [kind]):
                part.add(kind, obj)
            progress.step(f"strip {namespace}", part.seen)
    progress.step(f"strip {namespace}", part.seen, part.seen)
    return part.result()


def _strip_related(scope: Scope, parts: list[Stripped], known: Known) -> Stripped:
    needs = Needs(
        namespaces=frozenset(scope.namespaces),
        kinds=frozenset(kind for part in parts for kind in part.kinds),
        objects=frozenset(ref for part in parts for ref in part.wants),
    )
    wanted = related(scope.objects(CLUSTER, scope.related), needs)
    around = Surroundings()

    def unwanted(obj: Object) -> str | None:
        return None if Ref.of(obj) in wanted else ""

    with _Part(scope, CLUSTER, around, unwanted, known) as part:
        for kind in sorted(scope.related):
            for obj in scope.objects(CLUSTER, [kind]):
                part.add(kind, obj)
    return part.result()


def _only(types: Iterable[ResourceType], kind: str) -> list[ResourceType]:
    return [each for each in types if (each.group, each.kind) == ("", kind)]


def _selects(service: Object) -> bool:
    return bool((service.get("spec") or {}).get("selector"))


@dataclass
class _Part:
    """The files of one namespace's part, open for writing."""

    scope: Scope
    namespace: str
    around: Surroundings
    unwanted: Callable[[Object], str | None]
    known: Known
    seen: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    kinds: set[tuple[str, str]] = field(default_factory=set)
    wants: set[Ref] = field(default_factory=set)
    bound: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)

    def __enter__(self) -> Self:
        folder = self.scope.folder(self.namespace)
        self.keep = Keep(completed_jobs=self.scope.options.keep_completed_jobs)
        self.now = clock.now()
        self.archive = FragmentWriter(folder / "objects.tar.gz")
        self.entries = (folder / "entries.jsonl").open("wb")
        self.links = (folder / "links.jsonl").open("wb")
        self.gaps = (folder / "left-out.jsonl").open("wb")
        self.bindings = (folder / "bindings.jsonl").open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self.archive.close()
        for file in (self.entries, self.links, self.gaps, self.bindings):
            file.close()

    def add(self, kind: ResourceType, obj: Object) -> None:
        """Carry one object, or note why not; a reason of "" is not worth a note."""
        self.seen += 1
        why = self.unwanted(obj)
        if why == "":
            return
        self._link(obj)
        why = left_out(obj, self.around, self.keep) or why
        ref = Ref.of(obj)
        if why:
            _line(self.gaps, LeftOut(type=ref.type, namespace=ref.namespace, name=ref.name, why=why).model_dump())
            return
        carried = portable(obj, self.around, self.keep)
        path = Member(kind.group_resource, ref.namespace, ref.name).path
        sha256 = self.archive.add(path, orjson.dumps(carried))
        _line(self.entries, [path, sha256, f"{obj['apiVersion']}/{obj['kind']}"])
        self.counts[ref.type] += 1
        self.kinds.add((ref.group, ref.kind))
        self.wants.update(each.target for each in references(carried) if _outside(each.target))
        self._bind(carried, ref)

    def _bind(self, carried: Object, ref: Ref) -> None:
        try:
            found = bindings_of(carried, self.known.index, self.known.around)
        except PermanentError as error:  # an annotation of its user's that nobody can read: told, and not the end of it
            self.problems.append(Problem(what=str(ref), why=str(error)))
            return
        for binding in found:
            self.bound[binding.kind] += 1
            _line(self.bindings, bindings.to_json(binding))

    def _link(self, obj: Object) -> None:
        ref = Ref.of(obj)
        line = {"ref": [ref.group, ref.kind, ref.namespace, ref.name], **to_json(links_of(obj))}
        if "status" in obj:  # what has none has nothing to wait for
            state = verdict(obj, self.now)
            line |= {} if state.state == "ready" else {"notReady": state.why}
        _line(self.links, line)

    def result(self) -> Stripped:
        """Return what became of the part."""
        return Stripped(
            self.namespace,
            tuple(sorted(self.counts.items())),
            frozenset(self.kinds),
            frozenset(self.wants),
            tuple(sorted(self.bound.items())),
            tuple(self.problems),
        )


def _outside(target: Ref) -> bool:
    return (target.group, target.kind) in CLUSTER_SCOPED


def _line(file: Any, value: Any) -> None:
    file.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
