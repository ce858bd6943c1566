"""Which objects the fields of an object name, by the table of reference_fields.py and the rules of reference_marks.py.

Custom resources are left to custom_references.py. From the table follows, too, which kinds can name objects of a given
kind: where to look for users of a cluster-scoped object.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import Object, get, group_of, values
from kubeferry.tasks.core.kube.kinds import CLUSTER_KINDS
from kubeferry.tasks.core.kube.objects import Ref, labels_of, token_account
from kubeferry.tasks.core.needs.references.custom import custom_references
from kubeferry.tasks.core.needs.references.fields import (
    CLUSTER_SCOPED,
    POD_SPEC,
    POD_SPEC_AT,
    POD_SPEC_TYPED,
    SERVICE_AT,
    STARTS,
    TABLE,
    TYPED_AT,
    Kind,
    Need,
    Row,
    Typed,
)
from kubeferry.tasks.core.needs.references.marks import marks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to another object: `path` is the field that names `target`."""

    target: Ref
    path: str
    vital: bool = False
    """Whether a controller deletes the object if `target` does not exist."""
    sure: bool = True
    """False: found by its shape in a custom resource (custom_references.py), so it may not be a reference at all."""
    need: Need = field(default=Need.OUTSIDE, compare=False)
    """Whether the object works without `target`; NOTHING for a guess whose resource does not say the kind."""


def references(obj: Object) -> Iterator[Reference]:
    """Yield what the fields of `obj` name, whether it exists or not; ownerReferences are not included."""
    kind = (group_of(obj["apiVersion"]), obj["kind"])
    namespace = obj["metadata"].get("namespace", "")
    bound = kind == _CLAIM and bool(get(obj, "spec", "volumeName"))
    for row, found, beside in _walk(_tree(kind), obj):
        reference = _named(row, found, beside, obj) if isinstance(row, Row) else _typed(row, found, namespace)
        if reference:
            # Nothing is provisioned for a claim that has its volume: neither its class nor its source is needed.
            free = bound and reference.target.kind != "PersistentVolume"
            yield replace(reference, need=Need.NOTHING) if free else reference
    for found in values(obj, SERVICE_AT[kind]) if kind in SERVICE_AT else ():
        service, of = get(found, "name"), get(found, "namespace")
        if isinstance(service, str) and isinstance(of, str):
            yield Reference(Ref("", "Service", of, service), SERVICE_AT[kind], need=Need.NOTHING)
    if kind in _BY_MARK:
        yield from _BY_MARK[kind](obj, namespace)
    yield from (Reference(each.target, each.path, need=each.need) for each in marks(obj, kind, namespace))
    if kind not in TYPED_AT:
        for target, path, need in custom_references(obj):
            yield Reference(target, path, sure=False, need=need)


def starts(obj: Object, named: Reference) -> bool:
    """Return whether pods of `obj` cannot start without what it names, or are not even created (admission)."""
    at = POD_SPEC_AT.get((group_of(obj["apiVersion"]), obj["kind"]))
    inside = at is not None and named.path.startswith(f"{at}.")
    return inside and named.need is not Need.NOTHING and (named.target.group, named.target.kind) in STARTS


@dataclass(slots=True)
class _Node:
    """A part of a kind: what its fields name, and the parts below it; each key with whether it holds a list."""

    rows: list[Row | Typed] = field(default_factory=list)
    below: dict[str, tuple[bool, _Node]] = field(default_factory=dict)


@lru_cache(maxsize=512)
def _tree(kind: Kind) -> _Node:
    """Return the table of a kind as a tree, with which an object is walked once, whatever the number of rows."""
    root = _Node()
    for row in (*_pod_rows(kind), *TABLE.get(kind, ()), *TYPED_AT.get(kind, ())):
        node = root
        for part in row.path.split("."):
            each, key = part.endswith("[]"), part.removesuffix("[]")
            node = node.below.setdefault(key, (each, _Node()))[1]
        node.rows.append(row)
    return root


def _pod_rows(kind: Kind) -> Iterator[Row | Typed]:
    if at := POD_SPEC_AT.get(kind):
        yield from (row._replace(path=f"{at}.{row.path}") for row in POD_SPEC)
        yield from (row._replace(path=f"{at}.{row.path}") for row in POD_SPEC_TYPED)


def _walk(node: _Node, value: dict[str, Any]) -> Iterator[tuple[Row | Typed, Any, dict[str, Any]]]:
    """Yield each row with the value in its field, and the map that the field is in."""
    for key, (each, child) in node.below.items():
        found = value.get(key)
        if found is None:
            continue
        for item in (found if isinstance(found, list) else ()) if each else (found,):
            for row in child.rows:
                yield row, item, value
            if child.below and isinstance(item, dict):
                yield from _walk(child, item)


def _named(row: Row, name: Any, beside: dict[str, Any], obj: Object) -> Reference | None:
    if not (isinstance(name, str) and name) or name == "*":
        return None
    namespace = obj["metadata"].get("namespace", "")
    if row.namespace:
        # The Secret of a volume that names no namespace is in that of its claim.
        namespace = beside.get(row.namespace) or get(obj, "spec", "claimRef", "namespace") or ""
    if not isinstance(namespace, str) or (row.namespace and not namespace):
        return None
    need = Need.NOTHING if beside.get("optional") is True else row.need
    return Reference(_target(row.group, row.kind, namespace, name), row.path, need=need)


def _typed(row: Typed, found: Any, namespace: str) -> Reference | None:
    if not (isinstance(found, dict) and isinstance(found.get("kind"), str) and isinstance(found.get("name"), str)):
        return None
    group = str(found.get("apiGroup") or group_of(str(found.get("apiVersion") or "")))
    target = _target(group, found["kind"], str(found.get("namespace") or namespace), found["name"])
    return Reference(target, row.path, need=row.need)


def _target(group: str, kind: str, namespace: str, name: str) -> Ref:
    wide = (group, kind) in CLUSTER_SCOPED or (group, kind) in CLUSTER_KINDS
    return Ref(group, kind, "" if wide else namespace, name)


def _secret(obj: Object, namespace: str) -> Iterator[Reference]:
    if account := token_account(obj):
        yield Reference(Ref("", "ServiceAccount", namespace, account), "metadata.annotations", vital=True)


def _endpoints(obj: Object, namespace: str) -> Iterator[Reference]:
    yield Reference(Ref("", "Service", namespace, obj["metadata"]["name"]), "metadata.name")


def _endpoint_slice(obj: Object, namespace: str) -> Iterator[Reference]:
    service = labels_of(obj).get("kubernetes.io/service-name")
    if service:
        yield Reference(Ref("", "Service", namespace, service), "metadata.labels")


_CLAIM = ("", "PersistentVolumeClaim")

_BY_MARK: dict[Kind, Callable[[Object, str], Iterator[Reference]]] = {
    ("", "Secret"): _secret,
    ("", "Endpoints"): _endpoints,
    ("discovery.k8s.io", "EndpointSlice"): _endpoint_slice,
}
"""Kinds that refer to another object by their name, a label or an annotation."""


def kinds_naming(targets: Collection[Kind]) -> frozenset[Kind]:
    """Return the (group, kind) of built-in kinds whose fields may name an object of `targets`.

    Kinds with a typed field are among them if the field may name a cluster-scoped kind: it may name any. So may custom
    resources, which are not.
    """
    if not targets:
        return frozenset()
    pods = POD_SPEC_AT if any((row.group, row.kind) in targets for row in POD_SPEC) else ()
    rows = (of for of, rows in TABLE.items() if any((row.group, row.kind) in targets for row in rows))
    typed = (of for of, rows in TYPED_AT.items() if any(row.wide for row in rows))
    return frozenset({*pods, *rows, *typed})
