"""The cause in one line, from the Warning events of an object that does not become ready and of what it owns.

Many events report the same problem at different distances: `BackOff` says that something failed, `FailedMount` says
what. So a table ranks them, and the latest of the highest rank counts. Old events are not the cause of a current
problem. Nothing is refused: an event of an unexpected shape only says less.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.kube.readiness.verdict import mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object

RECENT = timedelta(minutes=15)
"""Older events concern another problem: controllers repeat a Warning every few minutes (kubelet: 5)."""

LONGEST = 400
"""Characters of a message, which has to fit on a line."""

PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"exceeded quota: (?P<what>.+)"), "quota exceeded: {what}"),
    (
        re.compile(r'admission webhook "(?P<by>[^"]+)" denied the request:? ?(?P<what>.*)'),
        "denied by webhook {by}: {what}",
    ),
    (re.compile(r'failed calling webhook "(?P<by>[^"]+)": (?P<what>.+)'), "webhook {by} cannot be called: {what}"),
    (
        re.compile(r"ValidatingAdmissionPolicy '(?P<by>[^']+)'.* denied request: (?P<what>.+)"),
        "denied by policy {by}: {what}",
    ),
    (re.compile(r'violates PodSecurity "(?P<by>[^"]+)": (?P<what>.+)'), "refused by pod security {by}: {what}"),
    (re.compile(r"(?P<what>(?:minimum|maximum) \w[\w.-]* usage per .+)"), "refused by a limit range: {what}"),
    (re.compile(r"error looking up service account (?P<what>\S+): "), "service account {what} not found"),
    (
        re.compile(
            r"(?P<what>(?:secret|configmap|persistentvolumeclaim|storageclass[\w.]*|priorityclass[\w.]*|"
            r'PriorityClass[^"]{0,20}|RuntimeClass)s? ?[\w.]* "[^"]+" not found)',
            re.IGNORECASE,
        ),
        "{what}",
    ),
)
"""Pattern of a message → how it is shown; the first match counts. A match outranks all reasons."""

TELLING: Mapping[str, int] = {
    # The object, or a pod of it, cannot be created.
    **dict.fromkeys(
        ("FailedCreate", "ReplicaSetCreateError", "FailedCreatePodSandBox", "FailedPrepareDynamicResources"), 5
    ),
    # It exists, and something that it needs does not.
    **dict.fromkeys(
        (
            "FailedAttachVolume",
            "FailedBinding",
            "FailedMapVolume",
            "FailedMount",
            "FailedScheduling",
            "FailedToRetrieveImagePullSecret",
            "InspectFailed",
            "InvalidImageName",
            "ProvisioningFailed",
            "SyncLoadBalancerFailed",
        ),
        4,
    ),
    # It runs and fails.
    **dict.fromkeys(
        ("BackoffLimitExceeded", "DeadlineExceeded", "Evicted", "Failed", "OOMKilling", "PodFailurePolicy"), 3
    ),
    # A symptom, whose cause another event may name.
    **dict.fromkeys(("Unhealthy", "ProbeWarning", "FailedGetScale", "FailedGetResourceMetric"), 2),
    **dict.fromkeys(("BackOff", "FailedSync", "FailedPreStopHook", "FailedPostStartHook"), 1),
}
"""Reason of an event → its rank, by how close it is to the cause; others have rank 2."""

_OTHERS = 2
_BY_PATTERN = 6


def cause(events: Iterable[Object], now: datetime) -> str | None:
    """Return the cause in one line: `Pod web-1: FailedMount: … (12 times)`; None if no event gives one.

    `events` are core/v1 Events of an object and of what it owns, of all types; `now` is aware.
    """
    recent = [each for each in events if each.get("type") == "Warning" and now - _last(each, now) <= RECENT]
    if not recent:
        return None
    best = max(recent, key=lambda each: (_weight(each), _last(each, now), _message(each), str(each.get("reason"))))
    about = mapping(best.get("involvedObject"))
    times = _count(best)
    repeated = f" ({times} times)" if times > 1 else ""
    return f"{_line(about.get('kind')) or 'object'} {_line(about.get('name')) or '?'}: {_text(best)}{repeated}"


def _weight(event: Object) -> int:
    if any(pattern.search(_message(event)) for pattern, _ in PATTERNS):
        return _BY_PATTERN
    return TELLING.get(str(event.get("reason")), _OTHERS)


def _text(event: Object) -> str:
    message, reason = _message(event), _line(event.get("reason"))
    for pattern, form in PATTERNS:
        found = pattern.search(message)
        if found:
            return _short(form.format(**found.groupdict()).rstrip(": "))
    return _short(": ".join(part for part in (reason, message) if part) or "a warning without a message")


def _message(event: Object) -> str:
    return _line(event.get("message")) or _line(event.get("note"))


def _line(value: object) -> str:
    # Whoever may create Events may put line ends into any of their texts.
    return " ".join(str(value or "").split())


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _count(event: Object) -> int:
    counts = [event.get("count"), mapping(event.get("series")).get("count")]
    return max((each for each in counts if isinstance(each, int)), default=1)


def _last(event: Object, now: datetime) -> datetime:
    """Return when an event was last seen; `now` if it does not say, as the API server sets none of these fields."""
    series = mapping(event.get("series"))
    fields = [
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
    ]
    return max((time for each in fields if (time := _time(each))), default=now)


def _time(value: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
