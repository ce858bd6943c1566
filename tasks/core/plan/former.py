"""What an object has to be given to be again what it was: its former content, and whether it has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object

_SERVERS = frozenset(
    {
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
    }
)
"""Fields of metadata that only the API server writes."""


def content(live: Object) -> Object:
    """Return what a person can say of an object: without what only the API server writes, and without status."""
    meta = {key: value for key, value in live["metadata"].items() if key not in _SERVERS and value not in ({}, [])}
    return {key: value for key, value in live.items() if key not in ("metadata", "status")} | {"metadata": meta}


def replacement(former: Object, live: Object) -> Object:
    """Return what to put in the place of `live` so that it has its former content; refused if it changes meanwhile."""
    wanted = content(former)
    kept = {key: live["metadata"][key] for key in ("uid", "resourceVersion")}
    status = {"status": live["status"]} if "status" in live else {}
    return wanted | {"metadata": wanted["metadata"] | kept} | status


def anew(former: Object) -> Object:
    """Return what to create when the object itself is gone: addresses of a Service are asked for again as they were."""
    return content(former)
