"""The pods and nodes that manual Endpoints and EndpointSlices refer to, which a text scan cannot see.

An address with a `targetRef` to a pod belongs to that pod, even if another object has it too (its node, if the pod uses
the host network). The names of a pod and of its node are ordinary words: only here are they known to be names that a
restore changes. References to anything but a known pod are not followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import EACH, Object, Path, found, get
from kubeferry.tasks.core.kube.objects import Ref, type_of
from kubeferry.tasks.core.lookup.derive import has_fixed_name
from kubeferry.tasks.core.lookup.index import Index, Source
from kubeferry.tasks.core.lookup.tokens import key_of
from kubeferry.tasks.core.lookup.uses import Use

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeferry.tasks.core.lookup.derive import SourceIndex

ENTRIES: Mapping[tuple[str, str], tuple[Path, ...]] = {
    ("", "Endpoints"): (("subsets", EACH, "addresses", EACH), ("subsets", EACH, "notReadyAddresses", EACH)),
    ("discovery.k8s.io", "EndpointSlice"): (("endpoints", EACH),),
}
"""(group, kind) → path of the entries that have addresses, a targetRef and a nodeName (API reference v1.36)."""

_ADDRESSES: tuple[Path, ...] = (("ip",), ("addresses", EACH))


def endpoint_uses(obj: Object, index: Index, around: SourceIndex) -> list[Use]:
    """Return the uses of pods and nodes in the entries of `obj`; empty for an object of another kind.

    The form is "token" for an address and "whole" for a name; the pointers are those of the strings.
    """
    entries = (entry for path in ENTRIES.get(type_of(obj), ()) for entry in found(obj, path))
    namespace = obj["metadata"].get("namespace", "")
    return [use for at, entry in entries for use in _of_entry(at, entry, namespace, index, around)]


def _of_entry(at: str, entry: Any, namespace: str, index: Index, around: SourceIndex) -> Iterator[Use]:
    pod = _pod(entry, namespace, index, around)
    node = get(entry, "nodeName")
    if pod is None:
        if isinstance(node, str) and around.links(Ref("", "Node", "", node)) is not None:
            source = Source(Ref("", "Node", "", node), "/metadata/name")
            yield Use(f"{at}/nodeName", (), node, source, "whole")
        return
    for path in _ADDRESSES:
        for pointer, value in found(entry, path):
            field = _field(pod, value, around)
            if field:
                yield Use(f"{at}{pointer}", (), value, Source(pod, field))
    owner = around.controller(pod)
    if get(entry, "targetRef", "name") == pod.name and owner is not None and not has_fixed_name(pod, owner):
        yield Use(f"{at}/targetRef/name", (), pod.name, Source(pod, "/metadata/name"), "whole")
    if isinstance(node, str):
        yield Use(f"{at}/nodeName", (), node, Source(pod, "/spec/nodeName"), "whole")


def _pod(entry: Any, namespace: str, index: Index, around: SourceIndex) -> Ref | None:
    """Return the pod behind an entry: the one that it names, else the one that has its address."""
    target = get(entry, "targetRef")
    name = get(target, "name")
    if get(target, "kind") == "Pod" and isinstance(name, str):
        pod = Ref("", "Pod", get(target, "namespace") or namespace, name)
        if around.links(pod) is not None:
            return pod
    for path in _ADDRESSES:
        for _, value in found(entry, path):
            owner = index.owner(value) if isinstance(value, str) else None
            if owner is not None and (owner.ref.group, owner.ref.kind) == ("", "Pod"):
                return owner.ref
    return None


def _field(pod: Ref, value: Any, around: SourceIndex) -> str | None:
    """Return the pointer at which `pod` has the address `value`: its own takes precedence over its host's."""
    links, key = around.links(pod), key_of(value) if isinstance(value, str) else None
    if links is None or key is None:
        return None
    fields = [at for at, each in links.addresses.items() if key_of(each) == key]
    return min(fields, key=lambda at: (not at.startswith("/status/podIP"), at), default=None)
