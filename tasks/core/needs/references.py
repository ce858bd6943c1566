"""Which objects the fields of an object name, by the table of reference_fields.py.

Custom resources are left to custom_references.py. From the table follows, too, which kinds can name objects of a given
kind: where to look for users of a cluster-scoped object.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import Object, get, group_of, values
from kubeferry.tasks.core.kube.objects import Ref, annotations_of, labels_of
from kubeferry.tasks.core.needs.custom_references import custom_references
from kubeferry.tasks.core.needs.reference_fields import (
    CLUSTER_SCOPED,
    POD_SPEC,
    POD_SPEC_AT,
    SERVICE_AT,
    STARTS,
    TABLE,
    TYPED_AT,
    Row,
)

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


def references(obj: Object) -> Iterator[Reference]:
    """Yield what the fields of `obj` name, whether it exists or not; ownerReferences are not included."""
    kind = (group_of(obj["apiVersion"]), obj["kind"])
    namespace = obj["metadata"].get("namespace", "")
    for path, group, target in _rows(kind):
        for name in values(obj, path):
            if isinstance(name, str) and name:
                yield Reference(_target(group, target, namespace, name), path)
    for path in TYPED_AT.get(kind, ()):
        yield from (Reference(_typed(found, namespace), path) for found in values(obj, path) if _is_typed(found))
    for found in values(obj, SERVICE_AT[kind]) if kind in SERVICE_AT else ():
        service, of = get(found, "name"), get(found, "namespace")
        if isinstance(service, str) and isinstance(of, str):
            yield Reference(Ref("", "Service", of, service), SERVICE_AT[kind])
    if kind in _BY_MARK:
        yield from _BY_MARK[kind](obj, namespace)
    if kind not in TYPED_AT:
        yield from (Reference(*found, sure=False) for found in custom_references(obj))


def starts(obj: Object, need: Reference) -> bool:
    """Return whether pods of `obj` cannot start without what it names, or are not even created (admission)."""
    at = POD_SPEC_AT.get((group_of(obj["apiVersion"]), obj["kind"]))
    return at is not None and need.path.startswith(f"{at}.") and (need.target.group, need.target.kind) in STARTS


@lru_cache(maxsize=512)
def _rows(kind: tuple[str, str]) -> tuple[Row, ...]:
    at = POD_SPEC_AT.get(kind)
    pod = tuple((f"{at}.{path}", group, target) for path, group, target in POD_SPEC) if at else ()
    return (*pod, *TABLE.get(kind, ()))


def _is_typed(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("kind"), str) and isinstance(found.get("name"), str)


def _typed(found: dict[str, Any], namespace: str) -> Ref:
    group = str(found.get("apiGroup") or group_of(str(found.get("apiVersion") or "")))
    return _target(group, found["kind"], str(found.get("namespace") or namespace), found["name"])


def _target(group: str, kind: str, namespace: str, name: str) -> Ref:
    return Ref(group, kind, "" if (group, kind) in CLUSTER_SCOPED else namespace, name)


def _secret(obj: Object, namespace: str) -> Iterator[Reference]:
    # The token controller deletes a token Secret whose ServiceAccount does not exist.
    account = annotations_of(obj).get("kubernetes.io/service-account.name")
    if obj.get("type") == "kubernetes.io/service-account-token" and account:
        yield Reference(Ref("", "ServiceAccount", namespace, account), "metadata.annotations", vital=True)


def _endpoints(obj: Object, namespace: str) -> Iterator[Reference]:
    yield Reference(Ref("", "Service", namespace, obj["metadata"]["name"]), "metadata.name")


def _endpoint_slice(obj: Object, namespace: str) -> Iterator[Reference]:
    service = labels_of(obj).get("kubernetes.io/service-name")
    if service:
        yield Reference(Ref("", "Service", namespace, service), "metadata.labels")


_BY_MARK: dict[tuple[str, str], Callable[[Object, str], Iterator[Reference]]] = {
    ("", "Secret"): _secret,
    ("", "Endpoints"): _endpoints,
    ("discovery.k8s.io", "EndpointSlice"): _endpoint_slice,
}
"""Kinds that refer to another object by their name, a label or an annotation."""


def kinds_naming(targets: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Return the (group, kind) of built-in kinds whose fields may name an object of `targets`.

    Kinds with a typed field are always among them: the field may name any kind. So may custom resources, which are not.
    """
    if not targets:
        return frozenset()
    pods = POD_SPEC_AT if any((group, kind) in targets for _, group, kind in POD_SPEC) else ()
    rows = (of for of, rows in TABLE.items() if any((group, kind) in targets for _, group, kind in rows))
    return frozenset({*pods, *rows, *TYPED_AT})
