"""What to do with an object that exists on the target: a decision with its reason, from both objects alone.

An identical object is never changed. Cluster-scoped objects are shared with others, so they are kept as they are, and a
ServiceAccount is merged. What an update cannot change is reported before anything is written. A kind in an option goes
by any of its names; two modes for one kind are refused. This module also lists the permissions that a mode needs, and
rebuilds an object's previous content for a rollback.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.formats.records import Action
from kubeferry.tasks.core.jsondoc.differences import differences, steps_of
from kubeferry.tasks.core.jsondoc.edit import Object, get
from kubeferry.tasks.core.kube.immutable_fields import freezes
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.objects import Ref, annotations_of, controller_of, labels_of, owners_of
from kubeferry.tasks.core.kube.resources import words_of
from kubeferry.tasks.core.models.options import Existing
from kubeferry.tasks.core.needs.ownership import CLAIM
from kubeferry.tasks.core.selection.policy import ClusterContext, Policy
from kubeferry.tasks.core.transform.strip.portable import strip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.core.models.options import RestoreOptions


HOLDERS = frozenset({CLAIM, ("", "PersistentVolume"), NAMESPACE})
"""Kinds whose deletion takes contents along that are in no backup of API objects."""

CHANGES = frozenset({Existing.UPDATE, Existing.RECREATE})
"""With these, an object that is there gets the content of the backup. A namespace is never deleted for it."""

SHOWN = 3
"""Most differing fields in a reason."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and the reason."""

    action: Action
    why: str = ""


def decide(
    wanted: Object, live: Object, existing: Existing, adopter: Ref | None = None, *, shared: bool = False
) -> Decision:
    """Return what to do about `live`, which has the identity of `wanted`; a `shared` one is of another namespace.

    `adopter` is the controller that is to adopt `wanted`: if it has created `live` itself, that is equivalent; but a
    claim, which has no template that is kept up, is not.
    """
    changed = differing(wanted, live)
    if not changed:
        return Decision(Action.UNCHANGED)
    ref = Ref.of(wanted)
    where = named(changed)
    if not ref.namespace or shared:
        return _of_others(ref, existing, where)
    if (ref.group, ref.kind) == ("", "ServiceAccount"):
        return Decision(Action.MERGED, f"labels, annotations and secrets added: {where}")
    controller = controller_of(live)
    if (ref.group, ref.kind) == CLAIM:
        adopter = None
    if adopter and controller and (controller["kind"], controller["name"]) == (adopter.kind, adopter.name):
        return Decision(Action.KEPT, f"created by its controller, {adopter.kind} {adopter.name}: {where}")
    frozen = [path for path in changed if freezes(live, steps_of(path))] if existing is Existing.UPDATE else []
    if frozen:
        return Decision(Action.IMMUTABLE, f"has other content in immutable fields: {named(frozen)}")
    return {
        Existing.FAIL: Decision(Action.CONFLICT, f"exists with other content: {where}"),
        Existing.SKIP: Decision(Action.SKIPPED, f"exists with other content: {where}"),
        Existing.UPDATE: Decision(Action.UPDATED, f"had other content: {where}"),
        Existing.RECREATE: Decision(Action.RECREATED, f"had other content: {where}{_contents(ref)}"),
    }[existing]


def _of_others(ref: Ref, existing: Existing, where: str) -> Decision:
    if (ref.group, ref.kind) == NAMESPACE and existing in CHANGES:
        return Decision(Action.UPDATED, f"had other content: {where}")
    of = "of another namespace" if ref.namespace else "cluster-scoped"
    return Decision(Action.KEPT, f"{of}, and exists with other content: {where}")


def _contents(ref: Ref) -> str:
    is_claim = (ref.group, ref.kind) in HOLDERS
    return "; the contents of its volume go with it, unless the volume is retained" if is_claim else ""


def named(paths: Sequence[str]) -> str:
    """Return fields for a reason: the first ones, and the number of others."""
    return ", ".join(paths[:SHOWN]) + (f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else "")


def as_saved(live: Object, wanted: Object) -> Object:
    """Return `live` as a backup would hold it, for a comparison with `wanted` from a backup."""
    static = get(live, "spec", "volumeName")
    around = ClusterContext(static_volumes=frozenset({static} if isinstance(static, str) and _binds(wanted) else ()))
    # Only where status is plain data does a portable object have one.
    return strip(live, around, Policy(completed_jobs=True, status="status" in wanted))


def differing(wanted: Object, live: Object) -> list[str]:
    """Return the paths in which `live` differs from `wanted`, apart from what has a meaning in its cluster only."""
    return [each.path for each in differences(_without(wanted, "ownerReferences"), as_saved(live, wanted))]


def leftover(wanted: Object, live: Object) -> dict[str, Any]:
    """Return the merge patch (RFC 7386) that also removes from `live` what `wanted` does not have.

    Server-side apply keeps fields of other field managers: this patch removes the rest. Finalizers stay.
    """
    before, after = (_without(each, "finalizers", "ownerReferences") for each in (as_saved(live, wanted), wanted))
    patch = merge_patch_of(before, after)
    # Refuses another object that now has this name.
    return patch | {"metadata": patch.get("metadata", {}) | {"uid": live["metadata"]["uid"]}}


def merge_patch_of(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch (RFC 7386) that makes `new` of `old`."""
    patch: dict[str, Any] = dict.fromkeys(sorted(old.keys() - new.keys()))
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            deeper = merge_patch_of(before, value)
            patch |= {key: deeper} if deeper else {}
        elif key not in old or differences({"": before}, {"": value}):
            patch[key] = value
    return patch


def _without(obj: Object, *fields: str) -> Object:
    """Return an object without some fields of its metadata."""
    return obj | {"metadata": {key: value for key, value in obj["metadata"].items() if key not in fields}}


def owners_lost(wanted: Object, live: Object) -> bool:
    """Return whether `live` names an owner of `wanted` by a uid that the owner no longer has.

    The garbage collector deletes such an object (kubernetes.io: owners and dependents).
    """
    now = {(owner["kind"], owner["name"]): owner["uid"] for owner in owners_of(wanted)}
    return any(now.get((old["kind"], old["name"]), old["uid"]) != old["uid"] for old in owners_of(live))


def _binds(wanted: Object) -> bool:
    return bool(get(wanted, "spec", "volumeName"))  # a custom resource's spec may be anything


def merge_patch(wanted: Object, live: Object) -> dict[str, Any]:
    """Return the merge patch (RFC 7386) that adds what the live ServiceAccount lacks."""
    patch: dict[str, Any] = {"metadata": {"labels": labels_of(wanted), "annotations": annotations_of(wanted)}}
    for field in ("secrets", "imagePullSecrets"):
        have = live.get(field) or []
        more = [each for each in wanted.get(field) or [] if each not in have]
        patch |= {field: have + more} if more else {}
    if "automountServiceAccountToken" in wanted:
        patch["automountServiceAccountToken"] = wanted["automountServiceAccountToken"]
    return patch


VERBS = ("create", "get", "list", "watch")
"""Verbs for every object: create it, read an existing one, wait for it, read it back."""

MORE_VERBS = {Existing.UPDATE: ("patch",), Existing.RECREATE: ("delete",)}
"""Additional verbs for a namespaced object that exists with other content."""


def mode_of(kind: ResourceType, options: RestoreOptions) -> Existing:
    """Return what to do with existing objects of a type: the mode of its kind, else the mode of all.

    A kind goes by any of its names; a name with its group takes precedence over one without. What holds contents that
    no backup has is never deleted unless its kind is named: it is updated instead.
    """
    kinds = options.existing_kinds
    words = [word for word in kinds if _is(kind, word)]
    if words:
        return kinds[max(words, key=lambda word: ("." in word, word))]
    spared = options.existing is Existing.RECREATE and (kind.group, kind.kind) in HOLDERS
    return Existing.UPDATE if spared else options.existing


def kind_faults(types: Iterable[ResourceType], kinds: Mapping[str, Existing]) -> list[str]:
    """Return the faults in the modes of kinds, a line each: an unknown name, or two modes for one kind."""
    known = list(types)
    faults = [
        f"--existing {word}={mode.value}: the cluster serves no kind {word}, and the backup has no CRD for it"
        for word, mode in sorted(kinds.items())
        if not any(_is(kind, word) for kind in known)
    ]
    for kind in known if kinds else ():
        said = {
            grouped: sorted(word for word in kinds if ("." in word) is grouped and _is(kind, word))
            for grouped in (True, False)
        }
        words = said[True] or said[False]
        if len({kinds[word] for word in words}) > 1:
            faults.append(f"--existing has two modes for {kind.group_resource}: {', '.join(words)}")
    return faults


def advice(kind: ResourceType) -> str:
    """Return the options for an object that cannot be updated."""
    lost = ", and deletes its volume unless that is retained" if kind.group_resource == "persistentvolumeclaims" else ""
    return (
        f"--existing recreate, or for this kind --existing {kind.group_resource}=recreate, re-creates it{lost}; "
        "=skip keeps it"
    )


def verbs(ref: Ref, existing: Existing) -> tuple[str, ...]:
    """Return the verbs that a restore needs for an object's type, for any result of `decide`."""
    if not ref.namespace:
        return (*VERBS, "patch") if (ref.group, ref.kind) == NAMESPACE and existing in CHANGES else VERBS
    if (ref.group, ref.kind) == ("", "ServiceAccount"):
        return (*VERBS, "patch")
    return (*VERBS, *MORE_VERBS.get(existing, ()))


def _is(kind: ResourceType, word: str) -> bool:
    return word.lower() in words_of(kind.group, kind.kind, (kind.resource, *kind.names))


_SERVERS = frozenset(
    {
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
    }
)
"""Fields of metadata that only the API server writes."""


def content(live: Object) -> Object:
    """Return the content of an object: without what only the API server writes, and without status."""
    meta = {key: value for key, value in live["metadata"].items() if key not in _SERVERS and value not in ({}, [])}
    return {key: value for key, value in live.items() if key not in ("metadata", "status")} | {"metadata": meta}


def replacement(previous: Object, live: Object) -> Object:
    """Return the replacement for `live` with its previous content; the server refuses it if `live` has changed."""
    wanted = content(previous)
    kept = {key: live["metadata"][key] for key in ("uid", "resourceVersion")}
    status = {"status": live["status"]} if "status" in live else {}
    return wanted | {"metadata": wanted["metadata"] | kept} | status


def to_create_again(previous: Object) -> Object:
    """Return what to create if the object is gone; a Service requests its previous addresses."""
    return content(previous)
