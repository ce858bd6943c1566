"""Release node ports that another Service of the target uses: a node port belongs to one Service of a cluster.

A backup removes the ports that the source's API server allocated; a user set the others, which stay if they are free.
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
"""Fields in which a Service has node ports."""

ANNOTATION: Path = ("metadata", "annotations", LAST_APPLIED)


def held(services: Iterable[Object]) -> dict[int, Ref]:
    """Return the Service that uses each node port."""
    return {port: Ref.of(each) for each in services for port in _ports(each)}


def wanted(service: Object) -> set[int]:
    """Return the node ports that a Service asks for."""
    return set(_ports(service))


def _ports(service: Object) -> list[int]:
    return [port for path in PORTS for _, port in found(service, path) if isinstance(port, int) and port]


def give_up(service: Object, taken: Mapping[int, Ref]) -> tuple[Object, list[Rewrite]]:
    """Return the Service without the node ports in `taken`, for which the target allocates others, and what changed."""
    freed = _without(service, taken)
    rewrites = [
        Rewrite.of(
            Ref.of(service),
            at,
            str(port),
            "",
            f"used by {taken[port]}: the target allocates another",
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
