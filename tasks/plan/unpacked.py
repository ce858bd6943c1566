"""Read what was downloaded as untrusted input: the objects of the archive, and the files of lines beside it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.links import Links, from_json
from kubeferry.tasks.core.formats.untrusted import validated
from kubeferry.tasks.core.jsondoc.encoding import parse
from kubeferry.tasks.core.jsondoc.printable import one_line
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.ports.archive import gzip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.plan.state import Archived, Source

T = TypeVar("T")


def stored_links(source: Source) -> dict[Ref, tuple[Links, str]]:
    """Return what tied each object to its old cluster, and why it was not ready; nothing for others' archives.

    Raises:
        DamagedError: a line is not of that shape, or an object comes twice.
    """
    found: dict[Ref, tuple[Links, str]] = {}

    def add(value: Any) -> None:
        ref = Ref(*_four(value)).shared()
        if ref in found:
            raise DamagedError("names an object that had a line before")
        why = value.get("notReady", "")
        if not isinstance(why, str):
            raise DamagedError("links: notReady must be a string")
        found[ref] = (from_json(value), why)

    for _ in lines(source, source.work / "links.jsonl.gz", "links", add):
        pass
    return found


def lines(source: Source, path: Path, what: str, read: Callable[[Any], T]) -> Iterator[T]:
    """Yield what `read` makes of each JSON line of a file that came with the archive; nothing where it has none.

    Raises:
        DamagedError: the file or a line is damaged; names the backup, the file and the line.
    """
    number = 0
    try:
        with gzip.reader(path) as file:
            for line in file.lines():
                number += 1
                yield read(parse(line))
    except FileNotFoundError:
        return
    except DamagedError as error:
        where = f"its {what} file, line {number}" if number else f"its {what} file"
        raise _damaged(source, f"{where}: {error}") from error


def _four(value: Any) -> list[str]:
    parts = value.get("ref") if isinstance(value, dict) else None
    if not isinstance(parts, list) or len(parts) != 4 or not all(isinstance(part, str) for part in parts):  # noqa: PLR2004 - a Ref's fields
        raise DamagedError("names no object")
    return parts


def archived_object(source: Source, each: Archived) -> Object:
    """Return an object of the archive.

    Raises:
        DamagedError: it is not a Kubernetes object, or not the one that its place says.
    """
    try:
        return validated(source.archive.raw(each.slot), each.member)
    except DamagedError as error:
        raise _damaged(source, f"{one_line(each.member.path)} {error}") from error


def _damaged(source: Source, text: str) -> DamagedError:
    """Return an error that names the backup."""
    error = DamagedError(f"backup {source.options.backup}: {text}")
    error.backup = source.options.backup
    return error


@contextmanager
def of_backup(source: Source) -> Iterator[None]:
    """Name the backup, too, in an error that names one of its objects."""
    try:
        yield
    except DamagedError as error:
        if error.backup:
            raise
        raise type(error)(f"backup {source.options.backup}: {error}") from error
