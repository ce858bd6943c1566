"""The files of one namespace's part of a backup, written object by object.

The archive has the stripped objects, and another file the bindings of strings that use a value assigned by the cluster.
What stripping removes and re-linking needs (uids, owners, addresses) goes to the links file, also for objects that are
not backed up, such as the Pods of a Deployment. Excluded objects go to a file of their own, with the reason.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

import orjson

from kubeferry.tasks.backup.state import CLUSTER, Scope, Stripped
from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.layout import Member
from kubeferry.tasks.core.formats.links import links_of
from kubeferry.tasks.core.formats.links import to_json as links_to_json
from kubeferry.tasks.core.formats.losses import Loss  # noqa: TC001 - the type of a field of a NamedTuple
from kubeferry.tasks.core.formats.records import LeftOut, Problem
from kubeferry.tasks.core.formats.untrusted import validated_bytes
from kubeferry.tasks.core.kube.objects import Ref, annotations_of, type_of
from kubeferry.tasks.core.kube.readiness.evaluate import why_not_ready
from kubeferry.tasks.core.lookup.bindings import Binding, bindings_of, to_json
from kubeferry.tasks.core.selection.exclusions import exclusion
from kubeferry.tasks.core.selection.policy import ClusterContext, Policy
from kubeferry.tasks.core.transform.strip.apart import is_plain_status, with_apart
from kubeferry.tasks.core.transform.strip.portable import strip as portable
from kubeferry.tasks.core.transform.volumes import CLAIM, lost_at_backup
from kubeferry.tasks.ports.archive.tarball import FragmentWriter
from kubeferry.tasks.ports.local import clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from kubeferry.tasks.core.formats.outside import Outside
    from kubeferry.tasks.core.formats.reasons import Reason
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.core.lookup.derive import Known

LEFT_OUT = "left-out.jsonl"

REPORT_EVERY = 500
"""Objects between two progress reports of a namespace."""


class WrittenObject(NamedTuple):
    """An object as written: path in the archive, JSON, `apps/v1/Deployment`, lines and classes of its bindings."""

    ref: Ref
    path: str
    data: bytes
    what: str
    lines: tuple[bytes, ...] = ()
    bound: tuple[str, ...] = ()
    problem: str = ""
    """What could not be parsed; "" for nothing."""
    refused: str = ""
    """Why it is not written; "" if it is."""
    losses: tuple[Loss, ...] = ()
    """What of it is not in the archive as it was."""


def written_object(
    kind: ResourceType, obj: Object, known: Known, live: Object | None = None
) -> tuple[WrittenObject, list[Binding]]:
    """Return a portable object as written, and its bindings.

    Status and finalizers of the `live` object are written with it, and have no bindings: a restore writes them apart.
    """
    ref = Ref.of(obj)
    found, problem = bindings_of(obj, known.index, known.around)
    place, data, refused = Member(kind.group_resource, ref.namespace, ref.name), b"", ""
    try:
        data = validated_bytes(with_apart(obj, live) if live else obj, place)
    except DamagedError as error:  # it would make the whole backup unreadable
        refused = f"cannot be kept in an archive: it {error}"
    lines = tuple(orjson.dumps(to_json(each), option=orjson.OPT_APPEND_NEWLINE) for each in found)
    what = f"{obj['apiVersion']}/{obj['kind']}"
    return WrittenObject(
        ref, place.path, data, what, lines, tuple(each.kind for each in found), problem, refused
    ), found


class Exclusions:
    """Decides which live objects are backed up; writes the links of all, and the reasons of the excluded ones."""

    def __init__(self, scope: Scope, namespace: str, gaps: str = LEFT_OUT) -> None:
        """Open the files; `gaps` is the name of the file with the reasons."""
        folder = scope.folder(namespace)
        self.keep = Policy(completed_jobs=scope.options.keep_completed_jobs)
        self.around = ClusterContext() if namespace == CLUSTER else _context_of(scope, namespace)
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
        """Write the links of an object; return why it is never backed up, or None."""
        self.seen += 1
        self._link(obj)
        why = exclusion(obj, self.around, self.keep)
        if why:
            self.leave(Ref.of(obj), why)
        return why

    def portable(self, obj: Object, kind: ResourceType | None = None) -> Object:
        """Return an object without the fields that are meaningful only in the old cluster."""
        plain = kind is not None and "status" in obj and is_plain_status(kind)
        return portable(obj, self.around, replace(self.keep, status=True) if plain else self.keep)

    def losses(self, live: Object, portable: Object) -> tuple[Loss, ...]:
        """Return what of an object is not in the archive as it was."""
        return tuple(lost_at_backup(live, portable)) if type_of(live) == CLAIM else ()

    def leave(self, ref: Ref, why: Reason) -> None:
        """Write why an object is excluded."""
        leave(self._gaps, ref, why)

    def _link(self, obj: Object) -> None:
        ref = Ref.of(obj)
        line = {"ref": [ref.group, ref.kind, ref.namespace, ref.name], **links_to_json(links_of(obj))}
        why = why_not_ready(obj, self.now)
        _line(self._links, line | ({"notReady": why} if why else {}))


def _context_of(scope: Scope, namespace: str) -> ClusterContext:
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
        self.losses: list[Loss] = []
        """What is not in the archive as it was on the cluster."""
        self.outside: list[Outside] = []
        """What is in the archive from outside of the namespaces."""
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

    def write(self, each: WrittenObject) -> None:
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
        self.losses += each.losses
        if each.problem:
            self._problem(each.ref, each.problem)

    def _problem(self, ref: Ref, why: str) -> None:
        self.problems.append(Problem(what=str(ref), why=why, group=ref.group, namespace=ref.namespace))

    def result(self, namespace: str, wants: Mapping[Ref, tuple[Ref, str]] = MappingProxyType({})) -> Stripped:
        """Return the summary of the part; `wants` are the cluster-scoped objects that it refers to, and from where."""
        return Stripped(
            namespace,
            tuple(sorted(self.counts.items())),
            frozenset(self.kinds),
            dict(wants),
            tuple(sorted(self.bound.items())),
            tuple(self.problems),
            tuple(self.losses),
            tuple(self.outside),
        )


def leave(gaps: IO[bytes], ref: Ref, why: Reason) -> None:
    """Write a line with the reason why an object is excluded."""
    _line(gaps, LeftOut.of(ref, why).model_dump())


def _line(file: IO[bytes], value: Any) -> None:
    file.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
