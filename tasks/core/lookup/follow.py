"""Follow a chain through live objects that were read: the value, or None while it is not there.

Pods are found by the uids in ownerReferences, never by guessing at labels. None is returned until as many pods are
ready as the ordinal was counted among, so that two look-ups at different moments never meet the same pod. It refuses to
wait, and to take an object that is being deleted.
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import EACH, Object, found, get
from kubeferry.tasks.core.kube.objects import Ref, annotations_of, controller_of, labels_of
from kubeferry.tasks.core.lookup.steps import READS, Family, Named, Newest, Nodes, Pods, Read, Start, Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.lookup.chain import Chain

POD = ("", "Pod")
NODE = ("", "Node")
ROLE = "node-role.kubernetes.io/"

REVISIONS = ("deployment.kubernetes.io/revision", "rollout.argoproj.io/revision")
"""Annotations by which controllers number the ReplicaSets that they make."""


class Live:
    """Live objects of the target, found by identity and by the uid of their controller; built once for many chains."""

    def __init__(self, objects: Iterable[Object]) -> None:
        """Take all objects that the chains asked for, in any order; those being deleted do not count."""
        self._by_ref: dict[Ref, Object] = {}
        self._owned: dict[tuple[str, tuple[str, str]], list[Object]] = {}
        self._nodes: list[Object] = []
        for obj in objects:
            if not obj["metadata"].get("deletionTimestamp"):
                self._add(obj)

    def _add(self, obj: Object) -> None:
        ref = Ref.of(obj)
        self._by_ref[ref] = obj
        owner = controller_of(obj)
        if owner:
            self._owned.setdefault((owner.get("uid", ""), (ref.group, ref.kind)), []).append(obj)
        if (ref.group, ref.kind) == NODE:
            self._nodes.append(obj)

    def get(self, ref: Ref) -> Object | None:
        """Return an object by identity."""
        return self._by_ref.get(ref)

    def owned(self, owner: Object, kind: tuple[str, str]) -> list[Object]:
        """Return the objects of a kind that `owner` controls, by name."""
        some = self._owned.get((owner["metadata"].get("uid", ""), kind), [])
        return sorted(some, key=lambda obj: obj["metadata"]["name"])

    def nodes(self) -> list[Object]:
        """Return all nodes by name."""
        return sorted(self._nodes, key=lambda obj: obj["metadata"]["name"])


def pick(chain: Chain, live: Live) -> str | None:
    """Return the value at the end of `chain`, or None while it (or anything on the way) is not there."""
    at = walk(chain.steps[:-1], live)
    return None if at is None else read(chain.read, at)


def walk(steps: Iterable[Step], live: Live) -> Object | None:
    """Return the object that steps lead to, or None while it (or anything on the way) is not there."""
    at: Object | None = None
    for step in steps:
        at = _next(step, at, live)
        if at is None:
            return None
    return at


def _next(step: Step, at: Object | None, live: Live) -> Object | None:
    if isinstance(step, Start):
        return live.get(step.ref)
    if isinstance(step, Nodes):
        return _node(step, live)
    if at is None:
        return None
    if isinstance(step, Named):
        pod = live.get(Ref("", "Pod", at["metadata"].get("namespace", ""), step.name))
        return pod if pod is not None and _controls(at, pod) else None
    if isinstance(step, Newest):
        return max(live.owned(at, (step.group, step.kind)), key=_age, default=None)
    pods = ready_pods(step, at, live) if isinstance(step, Pods) else []
    return pods[step.ordinal] if isinstance(step, Pods) and pods else None


def _controls(owner: Object, obj: Object) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == owner["metadata"].get("uid")


def _age(obj: Object) -> tuple[int, str, str]:
    numbers = [annotations_of(obj).get(name, "") for name in REVISIONS]
    revision = max((int(each) for each in numbers if each.isascii() and each.isdigit()), default=0)
    return revision, obj["metadata"].get("creationTimestamp") or "", obj["metadata"]["name"]


def ready_pods(step: Pods, owner: Object, live: Live) -> list[Object]:
    """Return the owner's ready pods by name; none before as many are as were, or as it wants where that is fewer."""
    ready = [pod for pod in live.owned(owner, POD) if is_ready(pod)]
    wanted = get(owner, "spec", "replicas")
    of = min(step.of, wanted) if isinstance(wanted, int) else step.of
    return ready if len(ready) >= max(of, step.ordinal + 1) else []


def is_ready(pod: Object) -> bool:
    """Tell whether a pod counts: ready, or ended well, as a Job's."""
    if get(pod, "status", "phase") == "Succeeded":
        return True
    conditions = (condition for _, condition in found(pod, ("status", "conditions", EACH)))
    return any(get(each, "type") == "Ready" and get(each, "status") == "True" for each in conditions)


def _node(step: Nodes, live: Live) -> Object | None:
    same = live.get(Ref("", "Node", "", step.name))
    if same is not None:
        return same
    alike = [node for node in live.nodes() if roles_of(labels_of(node)) == step.roles]
    return alike[step.ordinal] if step.ordinal < len(alike) else None


def roles_of(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the roles that a node's labels give it, sorted (kubernetes.io: well-known labels)."""
    return tuple(sorted(label.removeprefix(ROLE) for label in labels if label.startswith(ROLE)))


def read(step: Read, obj: Object) -> str | None:
    """Return the value that `step` reads of `obj`, or None where it has none."""
    if step.what == "path":
        return _text(_at(obj, step.path))
    values = values_at(step.what, step.family, obj)
    return values[step.index] if step.index < len(values) else None


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        there = isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value)
        if not there and not (isinstance(value, dict) and key in value):
            return None
        value = value[key]
    return value


def _text(value: Any) -> str | None:
    """Return a value as text, as cli-utils' valueToString does: maps and lists as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def values_at(what: str, family: Family, obj: Object) -> list[str]:
    """Return the values of one family in the fields that READS names, each once, in order."""
    all_of_them = (value for path in READS[what] for _, value in found(obj, path))
    if what == "nodeAddress":
        all_of_them = (get(each, "address") for _, each in found(obj, ("status", "addresses", EACH)) if _no_name(each))
    texts = (value for value in all_of_them if isinstance(value, str) and value not in ("", "None"))
    return [value for value in dict.fromkeys(texts) if not family or family_of(value) == family]


def _no_name(address: Any) -> bool:
    """Tell whether a node's address is more than its name (links.py leaves the same out)."""
    return bool(get(address, "type") != "Hostname")


def family_of(value: str) -> Family:
    """Return the family of an address: a host name is one of its own."""
    try:
        return "IPv6" if ipaddress.ip_address(value).version == 6 else "IPv4"  # noqa: PLR2004 - the version of IP
    except ValueError:
        return "host"
