"""What a restore changes under new names and uids, and tests of whether a new value is the expected one.

A test looks at the old value, the new one, the original object and the renaming. It judges the value, not the field:
explanations.py lists the fields that may change at all.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.formats.target.bundle import is_bundle
from kubeferry.tasks.core.jsondoc.differences import MISSING
from kubeferry.tasks.core.jsondoc.edit import Object
from kubeferry.tasks.core.kube.kinds import TOKEN_TYPE
from kubeferry.tasks.core.kube.namespace_defaults import ROOT_CERTIFICATE
from kubeferry.tasks.core.kube.objects import Ref, annotations_of, labels_of

if TYPE_CHECKING:
    from kubeferry.tasks.core.formats.records import Rewrite


@dataclass(frozen=True, slots=True)
class Renaming:
    """The inputs and results of a restore that explain changes."""

    namespaces: Mapping[str, str] = field(default_factory=dict)
    """Namespace in the backup → namespace on the target; others keep their names."""
    uids: Mapping[str, str] = field(default_factory=dict)
    """Uid in the backup → uid on the target, of every restored object."""
    rewrites: Mapping[Ref, tuple[Rewrite, ...]] = field(default_factory=dict)
    """What the restore rewrote in each object, by its identity in the backup."""


Test = Callable[[Any, Any, Object, Renaming], bool]
"""(old, new, original object, renaming) → whether the renaming explains the change."""

TOKEN_VOLUME = re.compile(r"kube-api-access-[a-z0-9]{5}")
"""Name of the volume that the ServiceAccount admission plugin adds to every Pod."""

INJECT = re.compile(r"(cert-manager\.io|certmanager\.k8s\.io|service\.(alpha|beta)\.openshift\.io)/inject-.*")
"""Annotations with which cert-manager's cainjector and OpenShift inject a `caBundle`."""

GROUP = "system:serviceaccounts:"
ACCOUNT = "system:serviceaccount:"


def anything(_old: Any, _new: Any, _obj: Object, _move: Renaming) -> bool:
    """Any value: the target decides."""
    return True


def both_set(old: Any, new: Any, _obj: Object, _move: Renaming) -> bool:
    """Both have a value, and the target decides which."""
    return MISSING not in (old, new)


def dropped(_old: Any, new: Any, _obj: Object, _move: Renaming) -> bool:
    """The restored object has no value."""
    return new is MISSING


def retained(_old: Any, new: Any, obj: Object, _move: Renaming) -> bool:
    """The volume is retained now, and nobody provisioned it."""
    return new == "Retain" and "pv.kubernetes.io/provisioned-by" not in annotations_of(obj)


def dropped_finalizer(_old: Any, new: Any, obj: Object, _move: Renaming) -> bool:
    """A finalizer is gone, or the next one of the original has moved to its index."""
    return new is MISSING or new in obj["metadata"].get("finalizers", [])


def mapped_namespace(old: Any, new: Any, _obj: Object, move: Renaming) -> bool:
    """The namespace is the one to which the old one was mapped."""
    return isinstance(old, str) and move.namespaces.get(old) == new


def mapped_uid(old: Any, new: Any, _obj: Object, move: Renaming) -> bool:
    """The uid is the new one of the old uid's object."""
    return isinstance(old, str) and move.uids.get(old) == new


def bundled(old: Any, new: Any, _obj: Object, _move: Renaming) -> bool:
    """An object without owners is now owned by a bundle only."""
    return old is MISSING and isinstance(new, list) and len(new) == 1 and is_bundle(new[0])


def fresh_uid(old: Any, new: Any, _obj: Object, move: Renaming) -> bool:
    """The uid is the mapped one, or an unknown one, of an object that a controller re-created."""
    return isinstance(old, str) and move.uids.get(old, new) == new


def own_uid(old: Any, new: Any, obj: Object, move: Renaming) -> bool:
    """The object's own uid, repeated in its labels, is that of the restored object."""
    return old == obj["metadata"].get("uid") and fresh_uid(old, new, obj, move)


def not_headless(old: Any, new: Any, _obj: Object, _move: Renaming) -> bool:
    """Neither address is `None`: a headless Service stays headless, and no other becomes headless."""
    return "None" not in (old, new)


def token_volume(old: Any, new: Any, _obj: Object, _move: Renaming) -> bool:
    """The ServiceAccount admission plugin generated both names."""
    return all(isinstance(name, str) and TOKEN_VOLUME.fullmatch(name) for name in (old, new))


def of_token(_old: Any, new: Any, obj: Object, _move: Renaming) -> bool:
    """The Secret is a service-account token, and has a value again."""
    return bool(obj.get("type") == TOKEN_TYPE and new is not MISSING)


def token_used(_old: Any, _new: Any, obj: Object, _move: Renaming) -> bool:
    """The Secret is a service-account token, whose use the API server records in a label."""
    return bool(obj.get("type") == TOKEN_TYPE)


def token_namespace(old: Any, new: Any, obj: Object, move: Renaming) -> bool:
    """The namespace inside a service-account token Secret is the mapped one."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return False
    was, now = (base64.b64decode(value).decode() for value in (old, new))
    return of_token(old, new, obj, move) and mapped_namespace(was, now, obj, move)


def root_certificate(_old: Any, _new: Any, obj: Object, _move: Renaming) -> bool:
    """The ConfigMap is the one with the cluster's own root certificate."""
    return bool(obj["metadata"]["name"] == ROOT_CERTIFICATE[2])


def generated_secrets(old: Any, new: Any, obj: Object, _move: Renaming) -> bool:
    """Only Secrets that a token controller had generated for the account are gone."""
    items = old if isinstance(old, list) else [old]
    prefixes = tuple(f"{obj['metadata']['name']}-{kind}-" for kind in ("token", "dockercfg"))
    return new is MISSING and all(isinstance(i, dict) and str(i.get("name")).startswith(prefixes) for i in items)


def service_account_subject(old: Any, new: Any, _obj: Object, move: Renaming) -> bool:
    """A subject whose name contains a service account's namespace contains the mapped one."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return False
    for prefix in (GROUP, ACCOUNT):
        namespace, colon, name = old.removeprefix(prefix).partition(":")
        if old.startswith(prefix) and namespace in move.namespaces:
            return new == f"{prefix}{move.namespaces[namespace]}{colon}{name}"
    return False


def named_for_target(_old: Any, new: Any, obj: Object, move: Renaming) -> bool:
    """The copy of a binding has the target namespace of one of its subjects in its name."""
    named = {subject.get("namespace") for subject in obj.get("subjects") or []}
    targets = [target for source, target in move.namespaces.items() if source in named and source != target]
    return isinstance(new, str) and any(target in new for target in targets)


def aggregated(_old: Any, _new: Any, obj: Object, _move: Renaming) -> bool:
    """The ClusterRole's rules are aggregated from others."""
    return "aggregationRule" in obj


def filled_by_controller(_old: Any, _new: Any, obj: Object, _move: Renaming) -> bool:
    """The Endpoints belong to a Service with a selector, so a controller writes them."""
    managed = labels_of(obj).get("endpoints.kubernetes.io/managed-by") == "endpoint-controller"
    return managed or "endpoints.kubernetes.io/last-change-trigger-time" in annotations_of(obj)


def selected_namespace(old: Any, new: Any, obj: Object, move: Renaming) -> bool:
    """A requirement of a selector on namespace names lists the mapped namespace instead of the old one."""
    named = (each["values"] for each in _requirements(obj) if each.get("key") == "kubernetes.io/metadata.name")
    return mapped_namespace(old, new, obj, move) and any(old in values for values in named)


def _requirements(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all `{key, operator, values}` in an object."""
    if isinstance(value, dict) and isinstance(value.get("values"), list):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _requirements(each)


def injected(_old: Any, _new: Any, obj: Object, _move: Renaming) -> bool:
    """An annotation requests the injection of a CA bundle."""
    return any(INJECT.fullmatch(key) and value != "false" for key, value in annotations_of(obj).items())
