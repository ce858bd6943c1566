"""What to do with an object that the target has already: a decision with its reason, from both objects alone.

An identical object is never touched. Cluster-wide objects are shared with others, so they are left as they are, and a
ServiceAccount is merged (semantics.md: existing objects on the target).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tasks.core.compare import differences
from tasks.core.edit import get
from tasks.core.keep import Keep, Surroundings
from tasks.core.objects import Object, Ref, annotations_of, labels_of, owners_of
from tasks.core.options import Existing
from tasks.core.strip import strip

SHOWN = 3
"""Differing fields that are named in a reason."""


VERBS = ("create", "get", "list", "watch")
"""What a restore does with every object: make it, look at one that is there, wait for it, read it back."""

MORE_VERBS = {Existing.UPDATE: ("patch",), Existing.RECREATE: ("delete",)}
"""What it may do besides with one in a namespace that is there with other content."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why."""

    action: Literal["unchanged", "kept", "merged", "linked", "conflict", "skipped", "updated", "recreated"]
    why: str = ""


def decide(wanted: Object, live: Object, existing: Existing) -> Decision:
    """Return what to do about `live`, which stands where `wanted` is to be restored."""
    changed = differing(wanted, live)
    if not changed:
        return Decision("unchanged")
    ref = Ref.of(wanted)
    where = ", ".join(changed[:SHOWN]) + (f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else "")
    if not ref.namespace:
        return Decision("kept", f"cluster-wide and there with other content: {where}")
    if (ref.group, ref.kind) == ("", "ServiceAccount"):
        return Decision("merged", f"labels, annotations and secrets added: {where}")
    return {
        Existing.FAIL: Decision("conflict", f"exists with other content: {where}"),
        Existing.SKIP: Decision("skipped", f"exists with other content: {where}"),
        Existing.UPDATE: Decision("updated", f"had other content: {where}"),
        Existing.RECREATE: Decision("recreated", f"had other content: {where}"),
    }[existing]


def verbs(ref: Ref, existing: Existing) -> tuple[str, ...]:
    """Return what credentials must allow with an object's type, for a restore to do with it what `decide` may say."""
    if not ref.namespace:
        return VERBS
    if (ref.group, ref.kind) == ("", "ServiceAccount"):
        return (*VERBS, "patch")
    return (*VERBS, *MORE_VERBS.get(existing, ()))


def differing(wanted: Object, live: Object) -> list[str]:
    """Return the paths in which `live` differs from `wanted`, apart from what only its cluster means."""
    static = get(live, "spec", "volumeName")
    around = Surroundings(static_volumes=frozenset({static} if isinstance(static, str) and _binds(wanted) else ()))
    portable = strip(live, around, Keep(completed_jobs=True))
    bare = {key: value for key, value in wanted["metadata"].items() if key != "ownerReferences"}
    return [each.path for each in differences(wanted | {"metadata": bare}, portable)]


def owners_lost(wanted: Object, live: Object) -> bool:
    """Return whether `live` names an owner of `wanted` by a uid that is not the owner's any more.

    The garbage collector deletes such an object (kubernetes.io: owners and dependents).
    """
    now = {(owner["kind"], owner["name"]): owner["uid"] for owner in owners_of(wanted)}
    return any(now.get((old["kind"], old["name"]), old["uid"]) != old["uid"] for old in owners_of(live))


def _binds(wanted: Object) -> bool:
    return bool(get(wanted, "spec", "volumeName"))  # a custom resource's spec may be anything


def merge_patch(wanted: Object, live: Object) -> dict[str, Any]:
    """Return the merge patch (RFC 7386) that adds what a ServiceAccount's backup has and the live one has not."""
    patch: dict[str, Any] = {"metadata": {"labels": labels_of(wanted), "annotations": annotations_of(wanted)}}
    for field in ("secrets", "imagePullSecrets"):
        have = live.get(field) or []
        more = [each for each in wanted.get(field) or [] if each not in have]
        patch |= {field: have + more} if more else {}
    if "automountServiceAccountToken" in wanted:
        patch["automountServiceAccountToken"] = wanted["automountServiceAccountToken"]
    return patch
