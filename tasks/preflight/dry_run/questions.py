"""What to ask: one object of each shape, and of kinds that nothing judges a few.

A restore of thousands of plain objects must not send each of them twice. Two objects with the same content but for
their names, labels and annotations get the same answer, unless these are near a limit.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED
from kubeferry.tasks.core.kube.objects import annotations_of, labels_of
from kubeferry.tasks.core.needs.pod_templates import pod_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Item, Plan

PLAIN = frozenset(
    {
        ("", "ConfigMap"),
        ("", "Endpoints"),
        ("", "Secret"),
        ("", "ServiceAccount"),
        ("apps", "ControllerRevision"),
        ("coordination.k8s.io", "Lease"),
        ("discovery.k8s.io", "EndpointSlice"),
    }
)
"""Kinds of which the API server itself knows no rule but the form of their fields, which did not change."""

ANNOTATIONS = 200 * 1024
LABEL = 63
NAME = 52
SIZE = 900 * 1024
"""Near limits, and what a rename makes longer: all annotations of an object (262,144 bytes), the value of a label (63),
a name (63 of many kinds, 52 of a CronJob), and what a Secret or ConfigMap holds (1 MiB)."""


@dataclass(slots=True)
class Question:
    """One request: the first of some objects that get the same answer, or the pod of its template."""

    refs: list[Ref]
    of_pod: bool = False


@dataclass
class Questions:
    """What to ask about some objects of a plan."""

    asked: list[Question] = field(default_factory=list)
    rest: dict[tuple[str, str, str], list[Ref]] = field(default_factory=dict)
    """(group, kind, namespace) → the objects that are not asked about unless one of those that are is refused."""


POD = ("", "Pod")


def questions(plan: Plan, refs: Iterable[Ref], is_judged: Callable[[tuple[str, str], str], bool]) -> Questions:
    """Return what to ask about planned objects.

    `is_judged` says whether webhooks or policies look at new objects of a (group, kind) in a namespace.
    """
    found = Questions()
    shapes: dict[object, Question] = {}
    plain: dict[tuple[str, str, str], list[Item]] = defaultdict(list)
    for ref in sorted(refs):
        item = plan.items[ref]
        obj = plan.contents.read(item.slot)
        judged = is_judged((ref.group, ref.kind), ref.namespace)
        if _near(obj, item):
            found.asked.append(Question([ref]))
        elif (ref.group, ref.kind) in PLAIN and not judged:
            plain[ref.group, ref.kind, ref.namespace].append(item)
        else:
            _add(found, shapes, (ref.kind, ref.namespace, item.api_version, _shape(obj, judged=judged)), ref)
        pod = pod_of(obj) if not item.not_ready else None
        if pod:
            shape = _shape(pod, judged=is_judged(POD, ref.namespace))
            _add(found, shapes, (POD, ref.namespace, shape), ref, of_pod=True)
    for kind, items in plain.items():
        few = {items[0].ref, max(items, key=lambda each: each.slot.size).ref, max(items, key=_length).ref}
        found.asked += [Question([ref]) for ref in sorted(few)]
        found.rest[kind] = [each.ref for each in items if each.ref not in few]
    return found


def _add(found: Questions, shapes: dict[object, Question], key: object, ref: Ref, *, of_pod: bool = False) -> None:
    if key in shapes:
        shapes[key].refs.append(ref)
    else:
        shapes[key] = Question([ref], of_pod)
        found.asked.append(shapes[key])


def _length(item: Item) -> int:
    return len(item.ref.name)


def _shape(obj: Object, *, judged: bool) -> str:
    """Return what objects that get the same answer have in common; who judges may look at labels and annotations."""
    content: Object = {key: value for key, value in obj.items() if key != "metadata"}
    template = get(obj, "spec", "template", "spec")
    if not judged and template:  # the labels of pods, and what selects them, follow the name
        spec = {key: value for key, value in obj["spec"].items() if key not in {"selector", "serviceName"}}
        content["spec"] = spec | {"template": template}
    if judged:
        kept = {key: value for key, value in annotations_of(obj).items() if key != LAST_APPLIED}
        content |= {"metadata": [labels_of(obj), kept]}
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _near(obj: Object, item: Item) -> bool:
    annotations, labels = annotations_of(obj), labels_of(obj)
    if item.slot.size > SIZE or any(len(str(value)) > LABEL for value in labels.values()):
        return True
    if len(item.ref.name) > NAME and item.ref.name != item.source.name:
        return True
    size = item.slot.size if annotations else 0
    return size > ANNOTATIONS and sum(len(f"{key}{value}".encode()) for key, value in annotations.items()) > ANNOTATIONS
