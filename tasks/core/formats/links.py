"""The links of an object, which stripping removes and re-linking needs: uid, owners, assigned addresses.

They are read from the live object at backup, stored as JSON in a file of ours beside the tarball, and read back at
restore. The file is untrusted input: whatever does not have exactly this shape is refused as damaged, and no value is
quoted in the error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.target.bundle import is_bundle
from kubeferry.tasks.core.formats.target.managers import is_entry, saved
from kubeferry.tasks.core.jsondoc.edit import EACH, Path, found, get, group_of
from kubeferry.tasks.core.kube.objects import Ref, is_segment, type_of
from kubeferry.tasks.core.kube.readiness.progress import progress

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from kubeferry.tasks.core.formats.target.managers import Entry
    from kubeferry.tasks.core.jsondoc.edit import Object

_INGRESS: tuple[Path, ...] = (
    ("status", "loadBalancer", "ingress", EACH, "ip"),
    ("status", "loadBalancer", "ingress", EACH, "hostname"),
)

ADDRESSES: Mapping[tuple[str, str], tuple[Path, ...]] = {
    ("", "Pod"): (
        ("status", "podIP"),
        ("status", "podIPs", EACH, "ip"),
        ("status", "hostIP"),
        ("status", "hostIPs", EACH, "ip"),
    ),
    ("", "Service"): (("spec", "clusterIP"), ("spec", "clusterIPs", EACH), *_INGRESS),
    ("networking.k8s.io", "Ingress"): _INGRESS,
    ("gateway.networking.k8s.io", "Gateway"): (("status", "addresses", EACH, "value"),),
    ("", "Node"): (("status", "addresses", EACH),),
}
"""(group, kind) → the fields with addresses that the cluster assigns; `externalIPs` are set by users."""


@dataclass(frozen=True, slots=True)
class Owner:
    """One ownerReference on the source cluster; None is a field that was not set."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """What tied an object to its source cluster: empty for an object that does not come from an API server."""

    uid: str = ""
    owners: tuple[Owner, ...] = ()
    addresses: Mapping[str, str] = field(default_factory=lambda: NO_ADDRESSES)
    """JSON pointer into the live object (RFC 6901) → the address: `/status/podIPs/0/ip` → `10.0.0.7`."""
    packed: bytes = b""
    """Its field managers as JSON (`packed`): decoded, they take more memory than all else that is kept of an object."""
    progress: str = ""
    """How far its controller was, where only its status said that (kube/readiness/progress.py)."""

    @property
    def managers(self) -> tuple[Entry, ...]:
        """Return its field managers (formats/target/managers.py)."""
        return tuple(orjson.loads(self.packed)) if self.packed else ()


NO_ADDRESSES: Mapping[str, str] = MappingProxyType({})


def packed(managers: Collection[Entry]) -> bytes:
    """Return field managers as `Links` holds them: b"" for none; what many objects have is there once."""
    return _shared(orjson.dumps(managers)) if managers else b""


@lru_cache(maxsize=4096)
def _shared(data: bytes) -> bytes:
    return data


def links_of(obj: Object) -> Links:
    """Return the links of a live object.

    Raises:
        DamagedError: its uid or ownerReferences are not what an API server writes.
    """
    meta = obj["metadata"]
    try:
        uid = _text(meta, "uid", "metadata", default="")
        owners = tuple(_owner(one) for one in _list(meta, "ownerReferences", "metadata") if not _is_bundle(one))
    except DamagedError as error:
        raise DamagedError(f"{Ref.of(obj)}: {error}") from error
    given = {at: value for at, value in _addresses(obj) if isinstance(value, str) and value not in ("", "None")}
    return Links(uid, owners, given or NO_ADDRESSES, packed(saved(obj)), progress(obj))


def _is_bundle(one: Any) -> bool:
    """Return whether an owner is the bundle of an earlier restore, which is never backed up."""
    return isinstance(one, dict) and is_bundle(one)


def _addresses(obj: Object) -> Iterator[tuple[str, Any]]:
    for path in ADDRESSES.get(type_of(obj), ()):
        for pointer, value in found(obj, path):
            if not isinstance(value, dict):
                yield pointer, value
            # The Hostname of a node is its name, which is found in many strings by chance.
            elif value.get("type") != "Hostname":
                yield f"{pointer}/address", get(value, "address")


def to_json(links: Links) -> dict[str, Any]:
    """Return `links` as JSON without empty fields: `{}` for no links.

    `{"uid": "…", "owners": [{"apiVersion", "kind", "name", "uid", "controller"?, "blockOwnerDeletion"?}],
    "addresses": {"/status/podIP": "10.0.0.7"}, "managers": [{"manager", "operation", …}], "progress": "web-5d4"}`
    """
    fields = {
        "uid": links.uid,
        "owners": [_owner_json(one) for one in links.owners],
        "addresses": dict(links.addresses),
        "managers": list(links.managers),
        "progress": links.progress,
    }
    return {name: value for name, value in fields.items() if value}


def _owner_json(owner: Owner) -> dict[str, Any]:
    fields = {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": owner.controller,
        "blockOwnerDeletion": owner.block_owner_deletion,
    }
    return {name: value for name, value in fields.items() if value is not None}


def from_json(value: Any) -> Links:
    """Return the links from the JSON of `to_json`; unknown fields of a later version are ignored.

    Raises:
        DamagedError: `value` is anything else.
    """
    addresses = _map(value, "links").get("addresses", {})
    for pointer, address in _map(addresses, "addresses").items():
        if not (isinstance(pointer, str) and pointer.startswith("/") and isinstance(address, str)):
            raise DamagedError("links: addresses must map JSON pointers to strings")
    owners = _list(value, "owners", "links")
    managers = _list(value, "managers", "links")
    if not all(map(is_entry, managers)):
        raise DamagedError("links: managers must be entries of managedFields")
    uid = _text(value, "uid", "links", default="")
    how_far = _text(value, "progress", "links", default="")
    given = dict(addresses) or NO_ADDRESSES
    return Links(uid, tuple(_owner(one) for one in owners), given, packed(managers), how_far)


def _owner(value: Any) -> Owner:
    _map(value, "owner")
    owner = Owner(
        api_version=_text(value, "apiVersion", "owner"),
        kind=_text(value, "kind", "owner"),
        name=_text(value, "name", "owner"),
        uid=_text(value, "uid", "owner"),
        controller=_optional(value, "controller"),
        block_owner_deletion=_optional(value, "blockOwnerDeletion"),
    )
    if not is_segment(owner.name):
        raise DamagedError("links: name of owner must be a name")
    return owner


def _map(value: Any, what: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise DamagedError(f"links: {what} must be a map")
    return value


def _list(value: dict[str, Any], name: str, what: str) -> list[Any]:
    items = value.get(name)
    if items is None:
        return []
    if not isinstance(items, list):
        raise DamagedError(f"links: {name} of {what} must be a list")
    return items


def _text(value: dict[str, Any], name: str, what: str, *, default: str | None = None) -> str:
    text = value.get(name, default)
    if not isinstance(text, str):
        raise DamagedError(f"links: {name} of {what} must be a string")
    return text


def _optional(value: dict[str, Any], name: str) -> bool | None:
    flag = value.get(name)
    if flag is not None and not isinstance(flag, bool):
        raise DamagedError(f"links: {name} of owner must be true or false")
    return flag


def owner_ref(owner: Owner, namespace: str) -> Ref:
    """Return the identity of an owner, which is in the namespace of its dependent or cluster-scoped."""
    return Ref(group_of(owner.api_version), owner.kind, namespace, owner.name)
