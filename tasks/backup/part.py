"""The files of one namespace's part of a backup, and what goes into them, object by object.

What is carried goes into the archive, stripped, with the bindings of the strings that use a value which the cluster
handed out. What strip removes and re-linking needs (uids, owners, addresses) goes to a file of its own, also for
objects that are not carried, such as the Pods of a Deployment; what is left out goes to another one, with the reason.
"""

from __future__ import annotations

from collections import Counter
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

import orjson

from kubeferry.tasks.backup.state import CLUSTER, Scope, Stripped
from kubeferry.tasks.core.errors import DamagedError, PermanentError
from kubeferry.tasks.core.formats.layout import Member
from kubeferry.tasks.core.formats.links import links_of
from kubeferry.tasks.core.formats.links import to_json as links_to_json
from kubeferry.tasks.core.formats.records import LeftOut, Problem
from kubeferry.tasks.core.formats.untrusted import validated_bytes
from kubeferry.tasks.core.kube.objects import Ref, annotations_of
from kubeferry.tasks.core.kube.readiness.evaluate import why_not_ready
from kubeferry.tasks.core.lookup.bindings import Binding, bindings_of, to_json
from kubeferry.tasks.core.selection.exclusions import exclusion
from kubeferry.tasks.core.selection.policy import ClusterContext, Policy
from kubeferry.tasks.core.transform.strip.portable import strip as portable
from kubeferry.tasks.ports.archive.tarball import FragmentWriter
from kubeferry.tasks.ports.local import clock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kubeferry.tasks.core.formats.reasons import Reason
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.core.lookup.derive import Known

LEFT_OUT = "left-out.jsonl"

TOLD = 500
"""Objects after which it is told how far a namespace has come."""


class Carried(NamedTuple):
    """One object as it is written: path in the archive, JSON, `apps/v1/Deployment`, its bindings' lines and classes."""

    ref: Ref
    path: str
    data: bytes
    what: str
    lines: tuple[bytes, ...] = ()
    bound: tuple[str, ...] = ()
    problem: str = ""
    """What of it could not be understood; "" for nothing."""
    refused: str = ""
    """Why it is not written at all; "" where it is."""


def carried(kind: ResourceType, obj: Object, known: Known) -> tuple[Carried, list[Binding]]:
    """Return a portable object as it is written, and its bindings."""
    ref, problem, found = Ref.of(obj), "", list[Binding]()
    try:
        found = bindings_of(obj, known.index, known.around)
    except PermanentError as error:  # an annotation of its user's that nobody can read: told, and not the end of it
        problem = str(error)
    place, data, refused = Member(kind.group_resource, ref.namespace, ref.name), b"", ""
    try:
        data = validated_bytes(obj, place)
    except DamagedError as error:  # a backup that holds it could not be read back, as a whole
        refused = f"cannot be kept in an archive: it {error}"
    lines = tuple(orjson.dumps(to_json(each), option=orjson.OPT_APPEND_NEWLINE) for each in found)
    what = f"{obj['apiVersion']}/{obj['kind']}"
    return Carried(ref, place.path, data, what, lines, tuple(each.kind for each in found), problem, refused), found


class Exclusions:
    """Decides of each live object whether it is carried; writes the links of all, and the reasons of what is not."""

    def __init__(self, scope: Scope, namespace: str, gaps: str = LEFT_OUT) -> None:
        """Open the files; `gaps` is the name of the one with the reasons."""
        folder = scope.folder(namespace)
        self.keep = Policy(completed_jobs=scope.options.keep_completed_jobs)
        self.around = ClusterContext() if namespace == CLUSTER else _surroundings(scope, namespace)
        self.now = clock.now()
        self.seen = 0
        self._links = (folder / "links.jsonl").open("wb")
        self._gaps = (folder / gaps).open("wb")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        self._links.close()
        self._gaps.close()

    def never(self, obj: Object) -> Reason | None:
        """Take note of an object; return why it is never carried, or None."""
        self.seen += 1
        self._link(obj)
        why = exclusion(obj, self.around, self.keep)
        if why:
            self.leave(Ref.of(obj), why)
        return why

    def portable(self, obj: Object) -> Object:
        """Return an object without what only its old cluster meant."""
        return portable(obj, self.around, self.keep)

    def leave(self, ref: Ref, why: Reason) -> None:
        """Write why an object is left out."""
        leave(self._gaps, ref, why)

    def _link(self, obj: Object) -> None:
        ref = Ref.of(obj)
        line = {"ref": [ref.group, ref.kind, ref.namespace, ref.name], **links_to_json(links_of(obj))}
        why = why_not_ready(obj, self.now)
        _line(self._links, line | ({"notReady": why} if why else {}))


def _surroundings(scope: Scope, namespace: str) -> ClusterContext:
    services = scope.objects(namespace, _only([*scope.types, *scope.indexed], "Service"))
    volumes = scope.objects(CLUSTER, _only(scope.related, "PersistentVolume"))
    return ClusterContext(
        selecting_services=frozenset(each["metadata"]["name"] for each in services if _selects(each)),
        static_volumes=frozenset(
            each["metadata"]["name"]
            for each in volumes
            if "pv.kubernetes.io/provisioned-by" not in annotations_of(each)
        ),
    )


def _only(types: Iterable[ResourceType], kind: str) -> list[ResourceType]:
    return [each for each in types if (each.group, each.kind) == ("", kind)]


def _selects(service: Object) -> bool:
    return bool((service.get("spec") or {}).get("selector"))


class Part:
    """The archive of one namespace's part, open for writing."""

    def __init__(self, folder: Path) -> None:
        """Open the files."""
        self.counts: Counter[str] = Counter()
        self.kinds: set[tuple[str, str]] = set()
        self.bound: Counter[str] = Counter()
        self.problems: list[Problem] = []
        self._archive = FragmentWriter(folder / "objects.tar.gz")
        self._entries = (folder / "entries.jsonl").open("wb")
        self._bindings = (folder / "bindings.jsonl").open("wb")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        self._archive.close()
        self._entries.close()
        self._bindings.close()

    def write(self, each: Carried) -> None:
        """Write one object."""
        if each.refused:
            self._problem(each.ref, each.refused)
            return
        sha256 = self._archive.add(each.path, each.data)
        _line(self._entries, [each.path, sha256, each.what])
        self._bindings.writelines(each.lines)
        self.counts[each.ref.type] += 1
        self.kinds.add((each.ref.group, each.ref.kind))
        self.bound.update(each.bound)
        if each.problem:
            self._problem(each.ref, each.problem)

    def _problem(self, ref: Ref, why: str) -> None:
        self.problems.append(Problem(what=str(ref), why=why, group=ref.group, namespace=ref.namespace))

    def result(self, namespace: str, wants: Iterable[Ref] = ()) -> Stripped:
        """Return what became of the part; `wants` are the cluster-scoped objects that it names."""
        return Stripped(
            namespace,
            tuple(sorted(self.counts.items())),
            frozenset(self.kinds),
            frozenset(wants),
            tuple(sorted(self.bound.items())),
            tuple(self.problems),
        )


def leave(gaps: IO[bytes], ref: Ref, why: Reason) -> None:
    """Write a line that tells why an object is left out."""
    _line(gaps, LeftOut.of(ref, why).model_dump())


def _line(file: IO[bytes], value: Any) -> None:
    file.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
