"""What an S3 server can do, as its answers have shown it: servers of different age lack different things.

Each lack has a substitute, so it stops no backup and no restore. It is reported once in a process, in one line, and is
remembered for all who open the same store in it.
"""

from __future__ import annotations

import threading
from enum import StrEnum

from kubeferry.tasks.ports.local import progress


class Lack(StrEnum):
    """What a server lacks, with what is done instead: the sentence about it."""

    SHA256 = "the server does not check SHA-256 of what it gets: it is given an MD5 instead"
    """Checksums other than MD5 came in February 2022 ("Checking object integrity", Amazon S3)."""
    READS = (
        "the server gives no checksums of what is read (x-amz-checksum-mode): only Kubeferry's own SHA-256 is compared"
    )
    """Backblaze B2, at least until 2025: diced/zipline#746."""
    NEW = "the server has no conditional writes (If-None-Match): lock objects below metadata/ keep two writers apart"
    """They came in August 2024 ("Conditional writes", Amazon S3); older servers ignore the header, or answer 501."""
    MATCH = "the server has no conditional writes (If-Match): lock objects below metadata/ keep two writers apart"
    """They came in November 2024."""


class Abilities:
    """What is known of one server; safe for use by many threads."""

    def __init__(self, url: str) -> None:
        """Suppose that it can do everything."""
        self._url = url
        self._lacks: set[Lack] = set()
        self.probing = threading.Lock()
        """Held while conditional writes are tried."""
        self.probed = False
        """Whether conditional writes have been tried."""

    def __contains__(self, lack: Lack) -> bool:
        """Return whether the server lacks it."""
        return lack in self._lacks

    def note(self, lack: Lack) -> None:
        """Remember that the server lacks something, and report it the first time."""
        if lack not in self._lacks:
            self._lacks.add(lack)
            progress.note(f"store {self._url}: {lack}")

    @property
    def lacks(self) -> tuple[Lack, ...]:
        """Return what it lacks, as far as that was tried."""
        return tuple(each for each in Lack if each in self._lacks)


_known: dict[str, Abilities] = {}
_lock = threading.Lock()


def abilities(url: str) -> Abilities:
    """Return what is known of the server of a store; `url` as it is shown."""
    with _lock:
        return _known.setdefault(url, Abilities(url))
