"""Which objects a custom resource names, without knowledge of its kind: by the shape of a value, and by its key.

A map with `kind`, `name` and an `apiVersion`, `apiGroup` or `group` is a reference, and so is one of a built-in kind
without a group. A name, or a map with a `name` and perhaps a `namespace`, is a reference if its key says to which kind:
`secretRef`, `tlsSecretName`, `configMapKeyRef`, `serviceAccountName`, `claimName`, `issuerRef`. `metadata` and `status`
are not searched: they do not say what the object needs. Nothing else is guessed, since each guess can become an edge.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kubeferry.tasks.core.jsondoc.edit import Object, group_of
from kubeferry.tasks.core.kube.kinds import CLUSTER_KINDS, GROUP_OF_KIND, is_built_in
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.references.fields import Need

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CERT_MANAGER = "cert-manager.io"
GATEWAY = "gateway.networking.k8s.io"

_KINDS: Mapping[str, tuple[str, str]] = {
    "secret": ("", "Secret"),
    "secretkey": ("", "Secret"),
    "configmap": ("", "ConfigMap"),
    "configmapkey": ("", "ConfigMap"),
    "serviceaccount": ("", "ServiceAccount"),
    "service": ("", "Service"),
    "claim": ("", "PersistentVolumeClaim"),
    "persistentvolumeclaim": ("", "PersistentVolumeClaim"),
    "storageclass": ("storage.k8s.io", "StorageClass"),
    "priorityclass": ("scheduling.k8s.io", "PriorityClass"),
    "runtimeclass": ("node.k8s.io", "RuntimeClass"),
    "ingressclass": ("networking.k8s.io", "IngressClass"),
    "issuer": (CERT_MANAGER, "Issuer"),
}

_EXACT: Mapping[str, tuple[str, str]] = {
    "configmap": ("", "ConfigMap"),
    "secret": ("", "Secret"),
    "imagepullsecret": ("", "Secret"),
    "pullsecret": ("", "Secret"),
    "parentref": (GATEWAY, "Gateway"),
    "backendref": ("", "Service"),
    "certificateref": ("", "Secret"),
    "gatewayclassname": (GATEWAY, "GatewayClass"),
    "deviceclassname": ("resource.k8s.io", "DeviceClass"),
    "volumeattributesclassname": ("storage.k8s.io", "VolumeAttributesClass"),
}
"""Whole keys in lower case → kind. Those of the Gateway API are defaults of its specification."""

BY_SUFFIX: Mapping[str, tuple[str, str]] = {
    f"{word}{end}": kind for word, kind in _KINDS.items() for end in ("ref", "name")
}
"""Suffix of a key, in lower case → the kind that it names. The longest suffix counts."""

_MAPS_ONLY = frozenset({"configmap", "secret", "imagepullsecret", "pullsecret"})
"""Keys under which a string may be the content and not a name: a password under `secret`."""

_SUFFIXES = sorted(BY_SUFFIX, key=len, reverse=True)
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}", re.ASCII)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.:]{0,251}[a-z0-9])?", re.ASCII)
_NOT_NEEDED = ("apiVersion", "kind", "metadata", "status")

_CERTAIN = frozenset(
    f"{each}classname"
    for each in ("storage", "priority", "runtime", "ingress", "gateway", "device", "volumeattributes")
)
"""Whole keys in lower case that say the kind as clearly as a `kind` beside the name."""


_REFERENCE = frozenset({"apiVersion", "apiGroup", "group", "version", "kind", "name", "namespace", "uid", "optional"})
"""What a map holds that is a reference and nothing else."""


class Found(NamedTuple):
    """The object that is named, the path of the field that names it, and whether the resource needs it.

    That is where it says the kind: what is only guessed may not be a reference at all.
    """

    target: Ref
    path: str
    need: Need


def custom_references(obj: Object) -> Iterator[Found]:
    """Yield the objects that `obj` names, with the field's path as in references.py; nothing for built-in kinds.

    A custom resource named without a namespace may be cluster-scoped, which only its CRD says: both identities are
    yielded.
    """
    if is_built_in(group_of(obj["apiVersion"])):
        return
    own = Ref.of(obj)
    seen: set[tuple[Ref, str]] = set()
    for key, value, path in _walk(obj):
        for target, need in _named(key, value, own):
            if (target, path) not in seen and target != own:
                seen.add((target, path))
                yield Found(target, path, need)


def _walk(obj: Object) -> Iterator[tuple[str, Any, str]]:
    """Yield (key, value, path) of every part of `obj`; without recursion, as an archive may be nested deeply."""
    ahead = [(key, value, key) for key, value in reversed(obj.items()) if key not in _NOT_NEEDED]
    while ahead:
        key, value, path = ahead.pop()
        yield key, value, path
        if isinstance(value, dict):
            ahead += [(name, each, f"{path}.{name}") for name, each in reversed(value.items()) if name != "metadata"]
        elif isinstance(value, list):
            # An entry has the key of its list, in singular: `secretRef` for `secretRefs`.
            singular = key.removesuffix("[]").removesuffix("s") + "[]"
            ahead += [(singular, each, f"{path}[]") for each in reversed(value)]


def _named(key: str, value: Any, own: Ref) -> Iterator[tuple[Ref, Need]]:
    word = key.removesuffix("[]").lower()
    expected = _kind_under(word)
    if isinstance(value, str):
        if expected and word not in _MAPS_ONLY and _NAME.fullmatch(value):
            need = Need.OUTSIDE if word in _CERTAIN else Need.NOTHING
            yield from ((target, need) for target in _targets(expected, value, "", own))
        return
    if not isinstance(value, dict):
        return
    name, namespace = value.get("name"), value.get("namespace") or ""
    if not (isinstance(name, str) and _NAME.fullmatch(name) and isinstance(namespace, str)):
        return
    said = bool(value.get("kind"))
    kind = _kind_of(value, word, expected, own) if said else expected
    if kind:
        need = Need.OUTSIDE if said and _needed(word, value) else Need.NOTHING
        yield from ((target, need) for target in _targets(kind, name, namespace, own))


def _needed(word: str, value: dict[str, Any]) -> bool:
    """Return whether a map with a `kind` is certainly a reference: its key says so, or it holds nothing else.

    A list of health checks or of exceptions names objects, too, that its own object does not need: of other
    namespaces, or with settings beside the name.
    """
    if value.get("optional") is True:
        return False
    return word.endswith(("ref", "reference")) or (value.keys() <= _REFERENCE and not value.get("namespace"))


def _kind_under(word: str) -> tuple[str, str] | None:
    if word in _EXACT:
        return _EXACT[word]
    return next((BY_SUFFIX[end] for end in _SUFFIXES if word.endswith(end)), None)


def _kind_of(value: dict[str, Any], word: str, expected: tuple[str, str] | None, own: Ref) -> tuple[str, str] | None:
    """Return the (group, kind) that a map with a `kind` names; without a group only if kind or key are unambiguous."""
    kind = value["kind"]
    if not (isinstance(kind, str) and _KIND.fullmatch(kind)):
        return None
    for field in ("apiVersion", "apiGroup", "group"):
        group = value.get(field)
        if isinstance(group, str) and group:
            return (group_of(group) if field == "apiVersion" else group.partition("/")[0]), kind
    if kind in GROUP_OF_KIND:
        return GROUP_OF_KIND[kind], kind
    if expected and not is_built_in(expected[0]):
        return expected[0], kind
    return (own.group, kind) if word.endswith("ref") else None


def _targets(kind: tuple[str, str], name: str, namespace: str, own: Ref) -> Iterator[Ref]:
    if kind in CLUSTER_KINDS:
        yield Ref(*kind, "", name)
    elif is_built_in(kind[0]):
        # If a cluster-scoped object names no namespace, only its controller knows which one is meant.
        if namespace or own.namespace:
            yield Ref(*kind, namespace or own.namespace, name)
    else:
        yield Ref(*kind, namespace or own.namespace, name)
        if own.namespace and not namespace:
            yield Ref(*kind, "", name)
