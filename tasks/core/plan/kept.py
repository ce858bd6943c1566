"""What an API server did not keep of an object that was created: the answer to the create, compared with what was sent.

A field that was sent and is not there was pruned: its kind does not have it, or a feature gate is off. A value that is
another one was changed by admission. What a server adds is no loss (defaults, a LimitRange, an injected container), and
neither is another spelling of the same value: a quantity, a duration, a time, base64, a zero value that is left out,
another order of a list. No value is ever part of a result.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.losses import LossCode
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.kube.schemas.openapi import is_newer_default
from kubeferry.tasks.core.kube.strings import pointer
from kubeferry.tasks.core.plan.quota import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object, Place

Lost = tuple[str, LossCode]
"""JSON pointer of a field, and what became of it."""

SERVERS = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
"""Fields of metadata that the server writes itself, whatever is sent."""

IDENTITY = ("name", "key", "ip", "type", "mountPath", "containerPort", "port", "uid", "topologyKey", "path")
"""Fields by which an item of a list is known in another one, the most telling first (the merge keys of Kubernetes)."""


def not_kept(sent: Object, stored: Object, *, status: bool = False) -> list[Lost]:
    """Return the fields of `sent` that `stored` does not have as they were sent, sorted.

    Args:
        sent: the object that was sent to be created.
        stored: the answer of the API server.
        status: whether `status` was sent as data: its kind has no status subresource.
    """
    if _is_covered(sent, stored, status=status):
        return []
    found = _Comparison(secret=_holds_bytes(sent), built_in=is_built_in(group_of(sent["apiVersion"])))
    return sorted(set(found.of(_expected(sent, status=status), stored, ())))


def is_as_sent(sent: Object, stored: Object, *, status: bool = False) -> bool:
    """Return whether `stored` is what was sent, with nothing lost, changed or added; arguments as in `not_kept`.

    What the server writes itself does not count: that metadata, and a status that is not data.
    """
    return (
        sent.keys() | {"status"} == stored.keys() | {"status"}
        and (not status or "status" not in stored or "status" in sent)
        and _is_covered(sent, stored, status=status)
        and stored["metadata"].keys() <= SERVERS | sent["metadata"].keys()
    )


def _is_covered(sent: Object, stored: Object, *, status: bool) -> bool:
    """Return whether `stored` has all of `sent` as it is: the cheap look, which is all that most objects need."""
    return all(
        (key == "status" and not status)
        or (key in stored and (stored[key] == value or (key == "metadata" and _has_metadata(value, stored[key]))))
        for key, value in sent.items()
    )


def _has_metadata(sent: Object, stored: Object) -> bool:
    return all(key in SERVERS or (key in stored and stored[key] == value) for key, value in sent.items())


def _expected(sent: Object, *, status: bool) -> Object:
    """Return what of an object the server is expected to keep; a Secret's `stringData` becomes `data`."""
    meta = {key: value for key, value in sent["metadata"].items() if key not in SERVERS}
    found = {key: value for key, value in sent.items() if key != "status" or status} | {"metadata": meta}
    if _holds_bytes(sent) and isinstance(texts := found.pop("stringData", None), dict):
        written = {
            key: base64.b64encode(value.encode()).decode() for key, value in texts.items() if isinstance(value, str)
        }
        found["data"] = (found.get("data") or {}) | written
    return found


def _holds_bytes(obj: Object) -> bool:
    return (obj.get("apiVersion"), obj.get("kind")) in (("v1", "Secret"), ("v1", "ConfigMap"))


class _Comparison:
    """A comparison of one object; `secret`: it has base64 in its values."""

    def __init__(self, *, secret: bool, built_in: bool) -> None:
        self.secret, self.built_in = secret, built_in

    def of(self, sent: Any, stored: Any, at: Place) -> Iterator[Lost]:
        """Yield what is lost below a place; both sides have a value there."""
        if sent is None or stored == sent:
            return
        if isinstance(sent, dict) and isinstance(stored, dict):
            yield from self._map(sent, stored, at)
        elif isinstance(sent, list) and isinstance(stored, list):
            yield from self._list(sent, stored, at)
        elif not self._same(sent, stored):
            yield pointer(at), LossCode.CHANGED_BY_TARGET

    def _map(self, sent: Object, stored: Object, at: Place) -> Iterator[Lost]:
        for key, value in sent.items():
            if key in stored:
                yield from self.of(value, stored[key], (*at, key))
            elif not _may_be_left_out(value):
                place = pointer((*at, key))
                if not (self.built_in and is_newer_default(place, value)):
                    yield place, LossCode.PRUNED

    def _list(self, sent: list[Any], stored: list[Any], at: Place) -> Iterator[Lost]:
        """Compare item by item: each with the one that is it, wherever it stands; items may have been added."""
        left = list(stored)
        for index, value in enumerate(sent):
            here = (*at, index)
            found = self._counterpart(value, left, index if len(sent) == len(stored) else None, stored)
            if found is None:
                yield pointer(here), LossCode.CHANGED_BY_TARGET
                continue
            left = [each for each in left if each is not found[0]]
            yield from self.of(value, found[0], here)

    def _counterpart(self, value: Any, left: list[Any], index: int | None, stored: list[Any]) -> tuple[Any] | None:
        """Return the item that `value` became, in a tuple; None if it is gone."""
        if (equal := next((each for each in left if each == value), None)) is not None:
            return (equal,)
        for key in IDENTITY if isinstance(value, dict) else ():
            same = [each for each in left if isinstance(each, dict) and key in value and each.get(key) == value[key]]
            if len(same) == 1:
                return (same[0],)
        more = next((each for each in left if next(self.of(value, each, ()), None) is None), None)
        if more is not None:
            return (more,)
        # As many as before, and nothing tells which is which: it stands where it stood.
        stays = index is not None and any(each is stored[index] for each in left)
        return (stored[index],) if index is not None and stays else None

    def _same(self, sent: Any, stored: Any) -> bool:
        """Return whether two values that differ say the same."""
        if isinstance(sent, bool) or isinstance(stored, bool):
            return False
        if self.secret and isinstance(sent, str) and isinstance(stored, str):
            return _bytes(sent) is not None and _bytes(sent) == _bytes(stored)
        return any(
            one is not None and one == other
            for read in (_amount, _duration, _time)
            for one, other in [(read(sent), read(stored))]
        )


def _may_be_left_out(value: Any) -> bool:
    """Return whether that a value is not there says the same: Go's `omitempty` leaves out what is zero.

    A custom resource keeps zeros; preflight has looked whether its definition has the field.
    """
    if isinstance(value, dict):
        return all(_may_be_left_out(each) for each in value.values())
    return value is None or value in (0, "", False, [])


def _amount(value: Any) -> Decimal | None:
    if not isinstance(value, str | int | float):
        return None
    try:
        return quantity(str(value))
    except DamagedError:
        return None


_DURATION = re.compile(r"([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+")
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}


def _duration(value: Any) -> Decimal | None:
    """Return the seconds of a duration as Go writes it (`1h30m`, metav1.Duration)."""
    if not isinstance(value, str) or len(value) > LONGEST or not (found := _DURATION.fullmatch(value)):
        return None
    seconds = sum((Decimal(number) * _UNITS[unit] for number, unit in _PART.findall(value)), Decimal(0))
    return -seconds if found[1] == "-" else seconds


LONGEST = 60
"""Characters of a duration or a time."""


def _time(value: Any) -> datetime | None:
    """Return a moment in whole seconds, as metav1.Time keeps it (RFC 3339)."""
    if not isinstance(value, str) or len(value) > LONGEST or "T" not in value:
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(re.sub(r"\s", "", text), validate=True)
    except (binascii.Error, ValueError):
        return None
