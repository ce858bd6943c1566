"""Give up node ports that another Service of the target holds: one port of all nodes belongs to one Service.

What the source's server allocated was cleared at backup; what is left was set by a person, and kept where it can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.formats.records import Cause, Rewrite
from kubeferry.tasks.core.jsondoc.edit import EACH, GONE, Object, Path, change, found
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED, as_kubectl, parsed
from kubeferry.tasks.core.kube.objects import Ref, annotations_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PORTS: tuple[Path, ...] = (("spec", "ports", EACH, "nodePort"), ("spec", "healthCheckNodePort"))
"""Where a Service holds ports of the nodes."""

ANNOTATION: Path = ("metadata", "annotations", LAST_APPLIED)


def held(services: Iterable[Object]) -> dict[int, Ref]:
    """Return which Service holds each node port."""
    return {port: Ref.of(each) for each in services for port in _ports(each)}


def wanted(service: Object) -> set[int]:
    """Return the node ports that a Service asks for."""
    return set(_ports(service))


def _ports(service: Object) -> list[int]:
    return [port for path in PORTS for _, port in found(service, path) if isinstance(port, int) and port]


def give_up(service: Object, taken: Mapping[int, Ref]) -> tuple[Object, list[Rewrite]]:
    """Return the Service without the node ports in `taken`, which the target then allocates anew, and what changed."""
    freed = _without(service, taken)
    rewrites = [
        Rewrite(
            object=str(Ref.of(service)),
            path=at,
            old=str(port),
            new="",
            why=f"held by {taken[port]}: allocated anew",
            cause=Cause.ALLOCATED,
        )
        for path in PORTS
        for at, port in found(service, path)
        if isinstance(port, int) and port in taken
    ]
    applied = parsed(annotations_of(service).get(LAST_APPLIED))
    if applied is not None and wanted(applied) & taken.keys():
        text = as_kubectl(_without(applied, taken))
        freed = change(freed, ANNOTATION, lambda _: text)
    return freed, rewrites


def _without(service: Object, taken: Mapping[int, Ref]) -> Object:
    def edit(port: Any) -> Any:
        return GONE if isinstance(port, int) and port in taken else port

    for path in PORTS:
        service = change(service, path, edit)
    return service
