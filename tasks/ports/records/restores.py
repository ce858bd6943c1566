"""Open the records of restores in a store: header, journal, and the previous contents of changed objects.

A store is not trusted, as for backups: names, fields and the sequence of segments are validated. Reading is safe while
a restore runs, since segments are written atomically.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.errors import BackupNotFoundError, DamagedError, KeyMissingError, UsageError
from kubeferry.tasks.core.formats.journal import Entry, Header, State, fold, parse_entries, parse_header
from kubeferry.tasks.core.formats.layout import RESTORES, SEALED, RestoreKeys, check_name
from kubeferry.tasks.ports.archive import gzip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.formats.journal import Previous
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.ports.archive.encryption import Opener
    from kubeferry.tasks.ports.store.base import Store

_UNREADABLE: tuple[type[Exception], ...] = (
    *gzip.DAMAGED,
    orjson.JSONDecodeError,
    IndexError,
    KeyError,
    TypeError,
)
_SEGMENT = re.compile(r"([0-9]{8})\.jsonl")


@dataclass(frozen=True, slots=True)
class StoredRestore:
    """A restore in a store, as it was read."""

    header: Header
    state: State
    segments: int
    """Number of segments in its journal."""
    store: Store

    @property
    def keys(self) -> RestoreKeys:
        """Return the keys of its files."""
        return RestoreKeys(self.header.name)

    def former(self, where: Previous, opener: Opener, *, allow_plain: bool = True) -> Object:
        """Return the content of an object before the restore changed it; `opener` decrypts it if necessary.

        Raises:
            DamagedError: the file is missing, or does not contain the object; or it is not encrypted though there are
                keys, and `allow_plain` is False.
            UsageError: it is encrypted, and no identity decrypts it.
        """
        name = self.header.name
        try:
            packed = self.store.get(self.keys.former(where.file))
        except KeyMissingError:
            raise DamagedError(f"restore {name}: {where.file} of previous contents is missing") from None
        if opener and not allow_plain and not where.file.endswith(SEALED):
            raise DamagedError("what was kept of it is not encrypted, although keys are given: say --allow-plain")
        if where.file.endswith(SEALED):
            packed = opener.open(packed, f"what restore {name} has replaced")
        try:
            lines = gzip.decompress(packed).splitlines()
            found: Object = orjson.loads(lines[where.line])
            if found["metadata"]["uid"] != where.uid:
                raise DamagedError(f"restore {name}: {where.file} line {where.line} holds another object")
        except _UNREADABLE as error:
            raise DamagedError(f"restore {name}: {where.file} of previous contents is damaged") from error
        return found


def open_restore(store: Store, name: str) -> StoredRestore:
    """Return restore `name`.

    Raises:
        BackupNotFoundError: no restore of this name ever began to write.
        DamagedError: its header or journal is damaged, has a gap, or is of another format.
    """
    keys = RestoreKeys(check_name(name))
    try:
        header = parse_header(_json(store.get(keys.header), name), name)
    except KeyMissingError:
        raise BackupNotFoundError(f"no restore {name} in {store.url}: it never began to write") from None
    entries, segments = _entries(store, keys)
    return StoredRestore(header, fold(entries), segments, store)


def restores(store: Store) -> Iterator[StoredRestore | DamagedError]:
    """Yield every restore of a store; one that cannot be read yields its error."""
    for name in store.folders(f"{RESTORES}/"):
        try:
            yield open_restore(store, name)
        except BackupNotFoundError:
            continue  # a restore of Velero, which is only logs
        except UsageError as error:
            yield DamagedError(f"the store contains an invalid restore: {error}")
        except DamagedError as error:
            yield error


def _entries(store: Store, keys: RestoreKeys) -> tuple[list[Entry], int]:
    numbers = sorted(int(found[1]) for each in store.list(keys.journal) if (found := _number(each.key)))
    if numbers != list(range(1, len(numbers) + 1)):
        missing = next(n for n in range(1, len(numbers) + 1) if n not in numbers)
        raise DamagedError(f"restore {keys.name}: segment {missing} of its journal is missing")
    entries = []
    for number in numbers:
        key = keys.segment(number)
        entries += parse_entries(store.get(key), keys.name, key.rpartition("/")[2])
    return entries, len(numbers)


def _number(key: str) -> re.Match[str] | None:
    return _SEGMENT.fullmatch(key.rpartition("/")[2])


def _json(raw: bytes, name: str) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise DamagedError(f"restore {name}: its header is not JSON") from error
