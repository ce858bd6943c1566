"""The order that people wrote into annotations, ours and three that other tools have made known.

What an object depends on, `Hints.depends_on`:

- `kubeferry.io/depends-on: Deployment/web, Secret/bank/key, Issuer.cert-manager.io/ca, Zone.example.com//main`: a
  comma list of `Kind[.group][/namespace]/name`, spaces around a part ignored. A kind without group is Kubernetes' own.
  Without a namespace the object's own is meant, or none for Kubernetes' cluster-scoped kinds; an empty one (`//`) says
  that a custom kind is cluster-scoped.
- `config.kubernetes.io/depends-on: apps/namespaces/shop/Deployment/web, /Namespace/shop`: cli-utils' form, a comma list
  of `group/namespaces/namespace/kind/name` and, cluster-scoped, `group/kind/name`; the core group is empty.

Where it comes among objects that no edge connects:

- `Hints.wave`, an integer: `kubeferry.io/level`, `argocd.argoproj.io/sync-wave`, `helm.sh/hook-weight`. Lower comes
  first, no annotation counts as 0 (order.py).
- `Hints.phase`: `kubeferry.io/category`, one of `policy`, `config`, `storage`, `identity`, `workload`, `traffic`,
  `custom`, `admission`.

Of the annotations for one thing the first that an object has decides; they do not add up. A value that cannot be read
is refused for ours and for cli-utils' (as cli-utils does), and counts as none where Argo CD and Helm take it so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import AnnotationError
from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.graph.priorities import Priority
from kubeferry.tasks.core.kube.kinds import CLUSTER_KINDS, GROUP_OF_KIND
from kubeferry.tasks.core.kube.objects import Ref, annotations_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object

DEPENDS_ON = "kubeferry.io/depends-on"
LEVEL = "kubeferry.io/level"
CATEGORY = "kubeferry.io/category"
CLI_UTILS = "config.kubernetes.io/depends-on"
SYNC_WAVE = "argocd.argoproj.io/sync-wave"
HOOK_WEIGHT = "helm.sh/hook-weight"

_INTEGER = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hints:
    """What the annotations of one object say about its turn."""

    depends_on: tuple[Ref, ...] = ()
    """In the order written, each once; whether they exist is not known here."""
    phase: Priority | None = None
    wave: int | None = None
    """None: nothing is said."""


def hints_of(obj: Object) -> Hints:
    """Return what the annotations of `obj` say about its turn.

    Raises:
        AnnotationError: one of ours, or cli-utils', cannot be read; the message names the object and the bad part.
    """
    notes = annotations_of(obj)
    if not notes:
        return NOTHING
    return Hints(_depends_on(obj, notes), _phase(obj, notes), _wave(obj, notes))


NOTHING = Hints()


def explicit_edges(obj: Object) -> list[Edge]:
    """Return what `obj` waits for because its annotations say so; whether it exists is not known here.

    Raises:
        AnnotationError: as `hints_of`.
    """
    key = depends_on_key(obj)
    return (
        [Edge(Ref.of(obj), each, Strength.EXPLICIT, key, Via.ANNOTATION) for each in hints_of(obj).depends_on]
        if key
        else []
    )


def depends_on_key(obj: Object) -> str | None:
    """Return the annotation that says what `obj` depends on, which is an edge's `why`; None where it has none."""
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
            raise _bad(obj, DEPENDS_ON, part, "is not Kind[.group][/namespace]/name")
    kind, dot, group = kind.partition(".")
    if not (kind and name and bool(dot) == bool(group)):
        raise _bad(obj, DEPENDS_ON, part, "is not Kind[.group][/namespace]/name")
    if not dot and kind not in GROUP_OF_KIND:
        raise _bad(obj, DEPENDS_ON, part, f"names no group, and Kubernetes has no kind {kind}")
    group = group or GROUP_OF_KIND[kind]
    if namespace is None:
        namespace = "" if (group, kind) in CLUSTER_KINDS else Ref.of(obj).namespace
    return Ref(group, kind, namespace, name)


def _cli_utils(obj: Object, part: str) -> Ref:
    match part.split("/"):
        case [group, "namespaces", namespace, kind, name] if namespace and kind and name:
            return Ref(group, kind, namespace, name)
        case [group, kind, name] if kind and name:
            return Ref(group, kind, "", name)
    raise _bad(obj, CLI_UTILS, part, "is neither group/namespaces/namespace/kind/name nor group/kind/name")


_READERS: Mapping[str, Callable[[Object, str], Ref]] = {DEPENDS_ON: _ours, CLI_UTILS: _cli_utils}


def _phase(obj: Object, notes: Mapping[str, str]) -> Priority | None:
    if CATEGORY not in notes:
        return None
    phase = CATEGORIES.get(str(notes[CATEGORY]).strip())
    if phase is None:
        raise _bad(obj, CATEGORY, str(notes[CATEGORY]), f"is none of {', '.join(CATEGORIES)}")
    return phase


CATEGORIES: Mapping[str, Priority] = {phase.name.lower(): phase for phase in Priority}


def _wave(obj: Object, notes: Mapping[str, str]) -> int | None:
    key = next((key for key in (LEVEL, SYNC_WAVE, HOOK_WEIGHT) if key in notes), None)
    if key is None:
        return None
    text = str(notes[key]).strip()
    if _INTEGER.fullmatch(text):
        return int(text)
    if key == LEVEL:
        raise _bad(obj, LEVEL, text, "is not an integer of at most nine digits")
    return None


def _bad(obj: Object, key: str, part: str, why: str) -> AnnotationError:
    return AnnotationError(f"{Ref.of(obj)}: annotation {key}: {part!r} {why}")


def with_namespaces(obj: Object, names: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return annotation → (old, new) of the depends-on annotations in which `names` (old → new) renames a namespace.

    Nothing else of their text changes; parts that cannot be read stay.
    """
    found = {key: str(annotations_of(obj)[key]) for key in _READERS if key in annotations_of(obj)}
    renamed = {
        key: ",".join(_renamed(part, names, _PLACES[key]) for part in text.split(",")) for key, text in found.items()
    }
    return {key: (text, renamed[key]) for key, text in found.items() if renamed[key] != text}


_PLACES: Mapping[str, Mapping[int, int]] = {DEPENDS_ON: {3: 1}, CLI_UTILS: {5: 2}}
"""Annotation → of how many fields a part is → which of them is a namespace."""


def _renamed(part: str, names: Mapping[str, str], places: Mapping[int, int]) -> str:
    fields = part.split("/")
    is_namespace = [field.strip() for field in fields[:-1]] in (["Namespace"], ["", "Namespace"])
    place = -1 if is_namespace else places.get(len(fields))
    if place is not None:
        fields[place] = names.get(fields[place], fields[place])
    return "/".join(fields)
