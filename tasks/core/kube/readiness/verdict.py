"""What a readiness rule takes and returns: context and verdict; and safe access to a status.

A status is whatever its controller wrote: custom resources have strings, maps or nothing where conditions should be. So
every function here accepts any JSON and raises nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from kubeferry.tasks.core.jsondoc.edit import Object


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an object is ready, and why."""

    state: Literal["ready", "waiting", "failed"]
    """failed: it is not expected to become ready by waiting."""
    why: str
    """A phrase without the object's name: `1 of 3 replicas available`."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule needs to know beyond the object itself."""

    wait_for_first_consumer: frozenset[str] = frozenset()
    """Names of the StorageClasses with `volumeBindingMode: WaitForFirstConsumer`."""
    default_class: str | None = None
    """Name of the default StorageClass, for claims that name none."""
    wait_for_addresses: bool = False
    """Whether a LoadBalancer Service and an Ingress are ready only when they have an address."""


Rule = Callable[[Object, datetime, Context], Verdict]
"""The rule of one kind: takes the object, the current (timezone-aware) time, and the context."""

Condition = dict[str, Any]
"""One entry of `status.conditions`."""


def ready(why: str) -> Verdict:
    """Return the verdict `ready`: there is nothing to wait for."""
    return Verdict("ready", why)


def waiting(why: str) -> Verdict:
    """Return the verdict `waiting`: it may become ready."""
    return Verdict("waiting", why)


def failed(why: str) -> Verdict:
    """Return the verdict `failed`: waiting does not help."""
    return Verdict("failed", why)


def always(why: str) -> Rule:
    """Return the rule of a kind that is ready as soon as it exists."""
    return lambda _obj, _now, _context: ready(why)


def status_of(obj: Object) -> dict[str, Any]:
    """Return the status of `obj`, {} if it is not a map."""
    return mapping(obj.get("status"))


def spec_of(obj: Object) -> dict[str, Any]:
    """Return the spec of `obj`, {} if it is not a map."""
    return mapping(obj.get("spec"))


def mapping(value: Any) -> dict[str, Any]:
    """Return `value` if it is a map, else {}."""
    return value if isinstance(value, dict) else {}


def maps(value: Any) -> list[dict[str, Any]]:
    """Return the maps in `value` if it is a list, else []."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def condition(obj: Object, kind: str) -> Condition:
    """Return the condition of type `kind`, {} if there is none."""
    found = (each for each in maps(status_of(obj).get("conditions")) if each.get("type") == kind)
    return next(found, {})


def holds(cond: Condition) -> bool:
    """Return whether a condition is True; False, Unknown and absent are not."""
    return cond.get("status") == "True"


def reason_in(cond: Condition, otherwise: str) -> str:
    """Return the message of a condition, else its reason, else `otherwise`."""
    return str(cond.get("message") or cond.get("reason") or otherwise)


def count(value: Any, otherwise: int = 0) -> int:
    """Return a replica count; controllers omit a zero."""
    return value if isinstance(value, int) else otherwise
