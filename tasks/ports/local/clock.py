"""The one place where the time is read, so that rules can be given any time."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time, in UTC and aware of it."""
    return datetime.now(UTC)
