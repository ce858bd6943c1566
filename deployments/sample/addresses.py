"""Placeholders for addresses that the cluster allocates, such as `${Service/api}` in the sample. Asks no cluster."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.strings import put, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object

MARK = re.compile(r"\$\{(Service|Pod)/([-a-z0-9.]+)\}")
"""The placeholder in the YAML: a kind, and the name of an object in the same namespace."""

FIELDS = {"Service": ("spec", "clusterIP"), "Pod": ("status", "podIP")}
"""Kind → the field of its address."""


def named(obj: Object) -> Iterator[Ref]:
    """Yield each object whose address `obj` refers to."""
    namespace = obj["metadata"].get("namespace", "")
    for leaf in walk(obj):
        yield from (Ref("", kind, namespace, name) for kind, name in MARK.findall(leaf.text))


def filled(obj: Object, live: Callable[[Ref], Object]) -> Object:
    """Return `obj` with addresses instead of placeholders; `live` returns an object from the cluster.

    Raises:
        PermanentError: an object has no address yet.
    """
    known = {ref: _address(live(ref)) for ref in set(named(obj))}
    namespace = obj["metadata"].get("namespace", "")

    def address(mark: re.Match[str]) -> str:
        return known[Ref("", mark[1], namespace, mark[2])]

    return put(obj, {leaf.at: MARK.sub(address, leaf.text) for leaf in walk(obj) if MARK.search(leaf.text)})


def _address(live: Object) -> str:
    found = get(live, *FIELDS[live["kind"]])
    if not isinstance(found, str) or not found:
        raise PermanentError(f"{Ref.of(live)} has no address")
    return found
