"""What an object that is being deleted waits for: its own finalizers, or those of its dependents.

A finalizer is removed only on request: its controller has something to do first (kubernetes.io: Finalizers). The
garbage collector's own finalizers are not a reason: an object with one of them waits for its dependents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import EACH, Object, found, get
from kubeferry.tasks.core.kube.objects import Ref, owners_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COLLECTORS = ("foregroundDeletion", "orphan")
"""Finalizers that the garbage collector adds and removes (kubernetes.io: Garbage collection)."""

MOST = 3
"""Most dependents in a message."""


def own_finalizers(live: Object) -> list[str]:
    """Return the finalizers of an object that are not the garbage collector's."""
    return [each for each in live["metadata"].get("finalizers") or [] if each not in COLLECTORS]


def waits_for_dependents(live: Object) -> bool:
    """Return whether an object waits for its dependents only."""
    return bool(live["metadata"].get("finalizers")) and not own_finalizers(live)


def by_owner(objects: Iterable[Object]) -> dict[str, list[Object]]:
    """Return the uid of each owner → its dependents."""
    owned: dict[str, list[Object]] = {}
    for obj in objects:
        for owner in owners_of(obj):
            owned.setdefault(str(owner.get("uid")), []).append(obj)
    return owned


def finalizers_of(live: Object, owned: Mapping[str, list[Object]]) -> list[Object]:
    """Return the dependents with own finalizers, for which `live` waits."""
    blocking: dict[str, Object] = {}
    seen: set[str] = set()
    todo = [str(live["metadata"]["uid"])] if set(COLLECTORS) & set(live["metadata"].get("finalizers") or []) else []
    while todo:
        uid = todo.pop()
        if uid in seen:
            continue
        seen.add(uid)
        for each in owned.get(uid, ()):
            todo.append(str(each["metadata"]["uid"]))
            if own_finalizers(each):
                blocking[todo[-1]] = each
    return sorted(blocking.values(), key=Ref.of)


def still_there(live: Object, seconds: float, blocking: Iterable[Object] = ()) -> str:
    """Return why an object still exists after `seconds`, in a phrase that names the finalizers."""
    if not live["metadata"].get("deletionTimestamp"):
        return f"was to be deleted with its owner and still exists after {seconds:.0f} s"
    waits = own_finalizers(live) or _named(blocking) or list(live["metadata"].get("finalizers") or [])
    said = _said(live)
    text = f"is being deleted and still exists after {seconds:.0f} s"
    text += f": it waits for {', '.join(waits)}" if waits else ""
    return f"{text}: {'; '.join(said)}" if said else text


def held_up(live: Object) -> str:
    """Return what a namespace that is being deleted waits for, "" if nothing says it.

    Its own finalizers, and what its conditions say: content that remains, the finalizers of that, groups that do not
    answer (kubernetes/kubernetes: pkg/controller/namespace/deletion/status_condition_utils.go).
    """
    inside = [each for each in get(live, "spec", "finalizers") or [] if each != "kubernetes"]
    own = [f"finalizer {each} of the namespace itself" for each in (*own_finalizers(live), *inside)]
    return "; ".join([*own, *_said(live)])


def _said(live: Object) -> list[str]:
    return [str(get(each, "message")) for _, each in found(live, ("status", "conditions", EACH)) if _holds_up(each)]


def _named(blocking: Iterable[Object]) -> list[str]:
    named = [f"{Ref.of(each)} ({', '.join(own_finalizers(each))})" for each in blocking]
    return named[:MOST] + ([f"{len(named) - MOST} more"] if len(named) > MOST else [])


def _holds_up(condition: Any) -> bool:
    """Return whether a condition explains why a namespace still exists (NamespaceDeletionDiscoveryFailure…)."""
    return bool(get(condition, "status") == "True" and str(get(condition, "type")).startswith("Namespace"))
