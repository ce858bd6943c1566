"""A Kubernetes object as a plain dict: its identity, labels, annotations and owners, and which names are valid.

A text that cannot be the name of an object must not get into a URL, a path or a command.

Sources: kubernetes.io, Object Names and IDs; apimachinery, pkg/api/validation/path (ValidatePathSegmentName).
"""

from __future__ import annotations

import re
from sys import intern
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from kubeferry.tasks.core.jsondoc.edit import Object, group_of
from kubeferry.tasks.core.kube.kinds import TOKEN_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping


class Ref(NamedTuple):
    """The identity of an object within one cluster; the API version is not part of it.

    `namespace` is "" for a cluster-scoped object, `group` is "" for the core group. A tuple, as it is hashed and
    compared more than anything else: that takes a tenth of what a dataclass takes.
    """

    group: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, obj: Object) -> Ref:
        """Return the identity of `obj`."""
        meta = obj["metadata"]
        return cls(group_of(obj["apiVersion"]), obj["kind"], meta.get("namespace", ""), meta["name"])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the identity from its text form: `Deployment.apps shop/web`.

        Raises:
            ValueError: it does not have that form.
        """
        kind_group, space, path = text.partition(" ")
        kind, _, group = kind_group.partition(".")
        namespace, _, name = path.rpartition("/")
        if not (kind and space and name):
            raise ValueError(f"{text[:200]!r} names no object")
        return cls(group, kind, namespace, name)

    @property
    def type(self) -> str:
        """Kind and group as users write them: `Deployment.apps`, `Secret`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def path(self) -> str:
        """Namespace and name: `shop/web`, or `shop-admin` for a cluster-scoped object."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def renamed(self, names: Mapping[str, str]) -> Ref:
        """Return the identity after namespaces are renamed (old → new; others keep their name)."""
        if (self.group, self.kind) == ("", "Namespace"):
            return Ref("", "Namespace", "", names.get(self.name, self.name))
        return Ref(self.group, self.kind, names.get(self.namespace, self.namespace), self.name)

    def shared(self, name: str = "") -> Ref:
        """Return the same identity to keep: what many have in common is in memory once, and so is an equal `name`."""
        own = name if name == self.name else self.name
        return Ref(intern(self.group), intern(self.kind), intern(self.namespace), own)

    def __str__(self) -> str:
        """Return kind, group, namespace and name: `Deployment.apps shop/web`."""
        return f"{self.type} {self.path}"


def labels_of(obj: Object) -> dict[str, str]:
    """Return the labels of `obj`, {} if it has none."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Object) -> dict[str, str]:
    """Return the annotations of `obj`, {} if it has none."""
    return obj["metadata"].get("annotations") or {}


def token_account(obj: Object) -> str:
    """Return the ServiceAccount whose token a Secret holds, "" for every other object.

    The token controller deletes it where that account does not exist (Kubernetes: "Managing Service Accounts").
    """
    return annotations_of(obj).get("kubernetes.io/service-account.name", "") if obj.get("type") == TOKEN_TYPE else ""


def owners_of(obj: Object) -> list[dict[str, Any]]:
    """Return the ownerReferences of `obj`, [] if it has none."""
    return obj["metadata"].get("ownerReferences") or []


def with_owners(obj: Object, owners: list[dict[str, Any]]) -> Object:
    """Return `obj` with these ownerReferences and no others; without the field if there are none."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "ownerReferences"}
    return obj | {"metadata": meta | ({"ownerReferences": owners} if owners else {})}


def is_owner(value: Any) -> bool:
    """Return whether a value is an ownerReference: a map with all that one must have (OwnerReference v1 meta)."""
    must = ("apiVersion", "kind", "name", "uid")
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in must)


def field_managers(obj: Object) -> list[dict[str, Any]]:
    """Return the managedFields of `obj`, [] if it has none; what is no map there is left out."""
    return [each for each in obj["metadata"].get("managedFields") or () if isinstance(each, dict)]


def controller_of(obj: Object) -> dict[str, Any] | None:
    """Return the ownerReference with `controller: true`, or None."""
    return next((owner for owner in owners_of(obj) if owner.get("controller")), None)


def type_of(obj: Object) -> tuple[str, str]:
    """Return (group, kind) of `obj`."""
    return group_of(obj["apiVersion"]), obj["kind"]


NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A DNS label (RFC 1123), which the name of a namespace must be."""

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_SEGMENT = re.compile(r"[^/\\%\x00-\x1f\x7f\ud800-\udfff]{1,512}")
"""No control characters and no lone surrogates (bytes that are not UTF-8)."""


def is_segment(text: str) -> bool:
    """Return whether a text can be the name of any object: one path segment, such as `system:shop`."""
    return _SEGMENT.fullmatch(text) is not None and text not in {".", ".."}


def is_subdomain(text: str) -> bool:
    """Return whether a text is a DNS subdomain (RFC 1123), which the names of most kinds must be."""
    return _SUBDOMAIN.fullmatch(text) is not None and ".." not in text
