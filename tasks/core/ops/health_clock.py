"""Judge the clock of a server against this machine's, by the Date header of an answer (RFC 9110, 6.6.1)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from kubeferry.tasks.core.ops.health import Finding

if TYPE_CHECKING:
    from datetime import datetime

WARN = 30
"""Seconds. A lease that says who works in a namespace is good for 60 and renewed each 15 (lease.py): machines whose
clocks differ by more than the rest would take it for expired."""

REFUSED = 900
"""Seconds. S3 refuses requests whose time differs by more than 15 minutes ("RequestTimeTooSkewed")."""

TODO = "set the clock of this machine or of that server by NTP (timedatectl status)"


def clock(date: str, before: datetime, after: datetime) -> Finding:
    """Return the verdict on an answer of `date` to a question that was sent and answered between the two times here."""
    try:
        told = parsedate_to_datetime(date)
    except ValueError:
        return Finding.skipped("it tells no time (no Date header)")
    if told.tzinfo is None:  # RFC 9110 wants GMT; `-0000` is read as no zone
        told = told.replace(tzinfo=before.tzinfo)
    # The header has whole seconds: it may be up to one behind.
    ahead, behind = (told - after).total_seconds(), (before - told).total_seconds() - 1
    off = max(ahead, behind)
    if off < WARN:
        return Finding.ok("agrees with this machine's" if off < 1 else f"{off:.0f} s off this machine's")
    found = f"{off:.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    if off < REFUSED:
        return Finding.warning(found, TODO)
    return Finding.failed(f"{found}: too far for signed requests and tokens", TODO)
