"""The order that users set by annotations: Kubeferry's own, and those of three other tools.

Dependencies of an object, `Hints.depends_on`:

- `kubeferry.io/depends-on: Deployment/web, Secret/bank/key, Issuer.cert-manager.io/ca, Zone.example.com//main`: a
  comma-separated list of `Kind[.group][/namespace]/name`; whitespace around an entry is ignored. A kind without a group
  is a built-in one. Without a namespace the object's own is meant, or none for built-in cluster-scoped kinds; an empty
  one (`//`) marks a cluster-scoped custom resource.
- `config.kubernetes.io/depends-on: apps/namespaces/shop/Deployment/web, /Namespace/shop`: the format of cli-utils, a
  comma-separated list of `group/namespaces/namespace/kind/name` and, for cluster-scoped objects, `group/kind/name`; the
  core group is empty.

Position among objects that no edge connects:

- `Hints.wave`, an integer: `kubeferry.io/level`, `argocd.argoproj.io/sync-wave`, `helm.sh/hook-weight`. Lower comes
  first, no annotation counts as 0 (graph/order.py).
- `Hints.phase`: `kubeferry.io/category`, one of `policy`, `config`, `storage`, `identity`, `workload`, `traffic`,
  `custom`, `admission`.

Of the annotations for one purpose, the first in the order above counts; they are not combined. An annotation with an
invalid value counts for nothing. Those of Kubeferry and of cli-utils are reported (`Hints.invalid`), those of Argo CD
and Helm are not, as these tools do. None is an error: who may annotate one object must not stop the work on all others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.graph.priorities import Priority
from kubeferry.tasks.core.kube.kinds import CLUSTER_KINDS, GROUP_OF_KIND
from kubeferry.tasks.core.kube.objects import Ref, annotations_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object

T = TypeVar("T")

DEPENDS_ON = "kubeferry.io/depends-on"
LEVEL = "kubeferry.io/level"
CATEGORY = "kubeferry.io/category"
CLI_UTILS = "config.kubernetes.io/depends-on"
SYNC_WAVE = "argocd.argoproj.io/sync-wave"
HOOK_WEIGHT = "helm.sh/hook-weight"

_INTEGER = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hints:
    """What the annotations of one object say about its order."""

    depends_on: tuple[Ref, ...] = ()
    """In the order of the annotation, without duplicates; whether they exist is not checked here."""
    phase: Priority | None = None
    wave: int | None = None
    """None: no annotation sets it."""
    invalid: tuple[str, ...] = ()
    """What is wrong with annotations of Kubeferry and of cli-utils, which count for nothing then; one line each."""


class _InvalidError(Exception):
    """An annotation is invalid; the text says why."""


def hints_of(obj: Object) -> Hints:
    """Return what the annotations of `obj` say about its order."""
    notes = annotations_of(obj)
    if not notes:
        return NOTHING
    invalid: list[str] = []

    def said(read: Callable[[Object, Mapping[str, str]], T], otherwise: T) -> T:
        try:
            return read(obj, notes)
        except _InvalidError as error:
            invalid.append(str(error))
            return otherwise

    return Hints(said(_depends_on, ()), said(_phase, None), said(_wave, None), tuple(invalid))


NOTHING = Hints()


def explicit_edges(obj: Object) -> list[Edge]:
    """Return the edges from `obj` that its annotations define; whether the targets exist is not checked here."""
    key = depends_on_key(obj)
    return (
        [Edge(Ref.of(obj), each, Strength.EXPLICIT, key, Via.ANNOTATION) for each in hints_of(obj).depends_on]
        if key
        else []
    )


def depends_on_key(obj: Object) -> str | None:
    """Return the annotation that sets the dependencies of `obj`, the `why` of these edges; None if it has none."""
    return next((key for key in _READERS if key in annotations_of(obj)), None)


def _depends_on(obj: Object, notes: Mapping[str, str]) -> tuple[Ref, ...]:
    key = depends_on_key(obj)
    if key is None:
        return ()
    text = str(notes[key])
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    return tuple(dict.fromkeys(_READERS[key](obj, part) for part in parts))


def _ours(obj: Object, part: str) -> Ref:
    match part.split("/"):
        case [kind, name]:
            namespace = None
        case [kind, namespace, name]:
            pass
        case _:
            raise _bad(DEPENDS_ON, part, "is not Kind[.group][/namespace]/name")
    kind, dot, group = kind.partition(".")
    if not (kind and name and bool(dot) == bool(group)):
        raise _bad(DEPENDS_ON, part, "is not Kind[.group][/namespace]/name")
    if not dot and kind not in GROUP_OF_KIND:
        raise _bad(DEPENDS_ON, part, f"has no group, and {kind} is not a built-in kind")
    group = group or GROUP_OF_KIND[kind]
    if namespace is None:
        namespace = "" if (group, kind) in CLUSTER_KINDS else Ref.of(obj).namespace
    return Ref(group, kind, namespace, name)


def _cli_utils(_obj: Object, part: str) -> Ref:
    match part.split("/"):
        case [group, "namespaces", namespace, kind, name] if namespace and kind and name:
            return Ref(group, kind, namespace, name)
        case [group, kind, name] if kind and name:
            return Ref(group, kind, "", name)
    raise _bad(CLI_UTILS, part, "is neither group/namespaces/namespace/kind/name nor group/kind/name")


_READERS: Mapping[str, Callable[[Object, str], Ref]] = {DEPENDS_ON: _ours, CLI_UTILS: _cli_utils}


def _phase(_obj: Object, notes: Mapping[str, str]) -> Priority | None:
    if CATEGORY not in notes:
        return None
    phase = CATEGORIES.get(str(notes[CATEGORY]).strip())
    if phase is None:
        raise _bad(CATEGORY, str(notes[CATEGORY]), f"is not one of {', '.join(CATEGORIES)}")
    return phase


CATEGORIES: Mapping[str, Priority] = {phase.name.lower(): phase for phase in Priority}


def _wave(_obj: Object, notes: Mapping[str, str]) -> int | None:
    key = next((key for key in (LEVEL, SYNC_WAVE, HOOK_WEIGHT) if key in notes), None)
    if key is None:
        return None
    text = str(notes[key]).strip()
    if _INTEGER.fullmatch(text):
        return int(text)
    if key == LEVEL:
        raise _bad(LEVEL, text, "is not an integer of at most nine digits")
    return None


def _bad(key: str, part: str, why: str) -> _InvalidError:
    return _InvalidError(f"annotation {key} is ignored: {part[:SHOWN]!r} {why}")


SHOWN = 200
"""Most characters of an annotation that a message quotes."""


def with_namespaces(obj: Object, names: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return annotation → (old, new) of the depends-on annotations in which `names` (old → new) renames a namespace.

    Nothing else in their text changes; invalid parts stay.
    """
    found = {key: str(annotations_of(obj)[key]) for key in _READERS if key in annotations_of(obj)}
    renamed = {
        key: ",".join(_renamed(part, names, _PLACES[key]) for part in text.split(",")) for key, text in found.items()
    }
    return {key: (text, renamed[key]) for key, text in found.items() if renamed[key] != text}


_PLACES: Mapping[str, Mapping[int, int]] = {DEPENDS_ON: {3: 1}, CLI_UTILS: {5: 2}}
"""Annotation → number of fields of an entry → index of the namespace."""


def _renamed(part: str, names: Mapping[str, str], places: Mapping[int, int]) -> str:
    fields = part.split("/")
    is_namespace = [field.strip() for field in fields[:-1]] in (["Namespace"], ["", "Namespace"])
    place = -1 if is_namespace else places.get(len(fields))
    if place is not None:
        fields[place] = names.get(fields[place], fields[place])
    return "/".join(fields)
