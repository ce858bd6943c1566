"""The cause in one line, from the Warning events of an object that does not become ready and of what it owns.

Many events tell the same trouble at different distances: `BackOff` says that something failed, `FailedMount` says what.
So the most telling one counts, by a table, and of equals the latest. What happened long ago is not the cause of now. It
refuses nothing: an event of an odd shape tells less.
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
"""Older events are about something else: controllers repeat a Warning at least every few minutes (kubelet: 5)."""

LONGEST = 400
"""Characters of a message; a line has to stay one."""

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
    (re.compile(r"error looking up service account (?P<what>\S+): "), "there is no service account {what}"),
    (
        re.compile(
            r"(?P<what>(?:secret|configmap|persistentvolumeclaim|storageclass[\w.]*|priorityclass[\w.]*|"
            r'PriorityClass[^"]{0,20}|RuntimeClass)s? ?[\w.]* "[^"]+" not found)',
            re.IGNORECASE,
        ),
        "{what}",
    ),
)
"""What a message holds → how it is told; the first that matches. These beat all reasons."""

TELLING: Mapping[str, int] = {
    # The object, or a pod of it, cannot be made at all.
    **dict.fromkeys(
        ("FailedCreate", "ReplicaSetCreateError", "FailedCreatePodSandBox", "FailedPrepareDynamicResources"), 5
    ),
    # It is there, and something that it needs is not.
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
    # It runs, and does not work.
    **dict.fromkeys(
        ("BackoffLimitExceeded", "DeadlineExceeded", "Evicted", "Failed", "OOMKilling", "PodFailurePolicy"), 3
    ),
    # Something is wrong, which another event may name.
    **dict.fromkeys(("Unhealthy", "ProbeWarning", "FailedGetScale", "FailedGetResourceMetric"), 2),
    **dict.fromkeys(("BackOff", "FailedSync", "FailedPreStopHook", "FailedPostStartHook"), 1),
}
"""Reason of an event → how near to the cause it is; others count 2."""

_OTHERS = 2
_BY_PATTERN = 6


def cause(events: Iterable[Object], now: datetime) -> str | None:
    """Return the cause in one line: `Pod web-1: FailedMount: … (12 times)`; None where no event tells one.

    `events` are core/v1 Events of an object and of what it owns, of all types; `now` is aware.
    """
    recent = [each for each in events if each.get("type") == "Warning" and now - _last(each, now) <= RECENT]
    if not recent:
        return None
    best = max(recent, key=lambda each: (_telling(each), _last(each, now), _message(each), str(each.get("reason"))))
    about = mapping(best.get("involvedObject"))
    times = _count(best)
    repeated = f" ({times} times)" if times > 1 else ""
    return f"{about.get('kind') or 'object'} {about.get('name') or '?'}: {_told(best)}{repeated}"


def _telling(event: Object) -> int:
    if any(pattern.search(_message(event)) for pattern, _ in PATTERNS):
        return _BY_PATTERN
    return TELLING.get(str(event.get("reason")), _OTHERS)


def _told(event: Object) -> str:
    message, reason = _message(event), str(event.get("reason") or "")
    for pattern, told in PATTERNS:
        found = pattern.search(message)
        if found:
            return _short(told.format(**found.groupdict()).rstrip(": "))
    return _short(": ".join(part for part in (reason, message) if part) or "a warning without words")


def _message(event: Object) -> str:
    return " ".join(str(event.get("message") or event.get("note") or "").split())


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _count(event: Object) -> int:
    told = [event.get("count"), mapping(event.get("series")).get("count")]
    return max((each for each in told if isinstance(each, int)), default=1)


def _last(event: Object, now: datetime) -> datetime:
    """Return when an event was last seen; `now` where it does not tell, as an API server sets none of these itself."""
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
