"""What a move changes (namespaces, uids), and the tests of whether a new value is the one that the move asks for.

A test looks at the old value, the new one, the original object and the move. It answers for the value, not for the
field: which field may change at all is the table in explain.py.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.formats.bundle import is_bundle
from kubeferry.tasks.core.jsondoc.differences import MISSING
from kubeferry.tasks.core.jsondoc.edit import Object
from kubeferry.tasks.core.kube.kinds import TOKEN_TYPE
from kubeferry.tasks.core.kube.namespace_defaults import ROOT_CERTIFICATE
from kubeferry.tasks.core.kube.objects import Ref, annotations_of, labels_of

if TYPE_CHECKING:
    from kubeferry.tasks.core.formats.records import Rewrite


@dataclass(frozen=True, slots=True)
class Renaming:
    """What a restore was asked for and what it was given."""

    namespaces: Mapping[str, str] = field(default_factory=dict)
    """Namespace in the backup → namespace on the target; one that is not in here keeps its name."""
    uids: Mapping[str, str] = field(default_factory=dict)
    """Uid in the backup → uid on the target, of every object that was restored."""
    rewrites: Mapping[Ref, tuple[Rewrite, ...]] = field(default_factory=dict)
    """What the restore says it rewrote in each object, by its identity in the backup."""


Test = Callable[[Any, Any, Object, Renaming], bool]
"""(old, new, original object, move) → whether the move explains that old became new."""

TOKEN_VOLUME = re.compile(r"kube-api-access-[a-z0-9]{5}")
"""What the service-account admission plug-in calls the volume that it adds to every Pod."""

INJECT = re.compile(r"(cert-manager\.io|certmanager\.k8s\.io|service\.(alpha|beta)\.openshift\.io)/inject-.*")
"""Annotations of cert-manager's cainjector and of OpenShift by which they write a `caBundle`."""

GROUP = "system:serviceaccounts:"
ACCOUNT = "system:serviceaccount:"


def anything(_old: Any, _new: Any, _obj: Object, _move: Renaming) -> bool:
    """Whatever it is, the target decides."""
    return True


def both_told(old: Any, new: Any, _obj: Object, _move: Renaming) -> bool:
    """Both have a value, and the target decides which."""
    return MISSING not in (old, new)


def dropped(_old: Any, new: Any, _obj: Object, _move: Renaming) -> bool:
    """The restored object has no value."""
    return new is MISSING


def dropped_finalizer(_old: Any, new: Any, obj: Object, _move: Renaming) -> bool:
    """A finalizer is gone, or the next one of the original has moved up in its place."""
    return new is MISSING or new in obj["metadata"].get("finalizers", [])


def mapped_namespace(old: Any, new: Any, _obj: Object, move: Renaming) -> bool:
    """The namespace is the one that the old one was mapped to."""
    return isinstance(old, str) and move.namespaces.get(old) == new


def mapped_uid(old: Any, new: Any, _obj: Object, move: Renaming) -> bool:
    """The uid is the one that the old uid's object has now."""
    return isinstance(old, str) and move.uids.get(old) == new


def bundled(old: Any, new: Any, _obj: Object, _move: Renaming) -> bool:
    """Return whether what was nobody's is owned by a bundle, and by nothing else."""
    return old is MISSING and isinstance(new, list) and len(new) == 1 and is_bundle(new[0])


def fresh_uid(old: Any, new: Any, _obj: Object, move: Renaming) -> bool:
    """The uid is the mapped one, or one that the restore never saw, of an object that a controller made anew."""
    return isinstance(old, str) and move.uids.get(old, new) == new


def own_uid(old: Any, new: Any, obj: Object, move: Renaming) -> bool:
    """A uid of the object itself, repeated in its labels, is that of the restored object."""
    return old == obj["metadata"].get("uid") and fresh_uid(old, new, obj, move)


def not_headless(old: Any, new: Any, _obj: Object, _move: Renaming) -> bool:
    """Neither address is `None`: a headless Service stays headless, and no other becomes so."""
    return "None" not in (old, new)


def token_volume(old: Any, new: Any, _obj: Object, _move: Renaming) -> bool:
    """Both names are made up by the service-account admission plug-in."""
    return all(isinstance(name, str) and TOKEN_VOLUME.fullmatch(name) for name in (old, new))


def of_token(_old: Any, new: Any, obj: Object, _move: Renaming) -> bool:
    """The Secret is a service-account token, and has a value again."""
    return bool(obj.get("type") == TOKEN_TYPE and new is not MISSING)


def token_used(_old: Any, _new: Any, obj: Object, _move: Renaming) -> bool:
    """The Secret is a service-account token, whose use the API server notes in a label."""
    return bool(obj.get("type") == TOKEN_TYPE)


def token_namespace(old: Any, new: Any, obj: Object, move: Renaming) -> bool:
    """The namespace inside a service-account token Secret is the mapped one."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return False
    was, now = (base64.b64decode(value).decode() for value in (old, new))
    return of_token(old, new, obj, move) and mapped_namespace(was, now, obj, move)


def root_certificate(_old: Any, _new: Any, obj: Object, _move: Renaming) -> bool:
    """The ConfigMap is the one in which every cluster publishes its own root certificate."""
    return bool(obj["metadata"]["name"] == ROOT_CERTIFICATE[2])


def generated_secrets(old: Any, new: Any, obj: Object, _move: Renaming) -> bool:
    """Only Secrets that a token controller had generated for the account are gone."""
    items = old if isinstance(old, list) else [old]
    prefixes = tuple(f"{obj['metadata']['name']}-{kind}-" for kind in ("token", "dockercfg"))
    return new is MISSING and all(isinstance(i, dict) and str(i.get("name")).startswith(prefixes) for i in items)


def service_account_subject(old: Any, new: Any, _obj: Object, move: Renaming) -> bool:
    """A subject that names service accounts by their namespace names them by the mapped one."""
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
    """The ClusterRole's rules are gathered from others."""
    return "aggregationRule" in obj


def filled_by_controller(_old: Any, _new: Any, obj: Object, _move: Renaming) -> bool:
    """The Endpoints belong to a Service with a selector, and a controller writes them."""
    managed = labels_of(obj).get("endpoints.kubernetes.io/managed-by") == "endpoint-controller"
    return managed or "endpoints.kubernetes.io/last-change-trigger-time" in annotations_of(obj)


def selected_namespace(old: Any, new: Any, obj: Object, move: Renaming) -> bool:
    """A requirement of a selector lists the mapped namespace, and it is one on namespaces' names that did."""
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
    """An annotation asks another controller to write the authority."""
    return any(INJECT.fullmatch(key) and value != "false" for key, value in annotations_of(obj).items())
