"""A folder that an export writes: all of it appears at once, and only files that an export wrote are ever replaced.

The file RECORD lists the files with their digests. A file that is not listed belongs to somebody else, and one with
other content was edited: neither is touched.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.ports.local.files import TEMPORARY, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = ".kubeferry-export"
"""The list of the files of an export. `kubectl apply --recursive` does not read a file of this name."""

FORMAT = "kubeferry.io/export/v1"
SHOWN = 5
"""Most files that an error names."""


class Draft:
    """The files of an export while they are written, in a folder beside the final one."""

    def __init__(self, folder: Path) -> None:
        """Begin in an empty folder."""
        self.folder, self.digests = folder, dict[str, str]()
        self.bytes = 0

    def write(self, path: str, data: bytes, *, private: bool = False) -> None:
        """Write one file; `private` is for what only its owner may read.

        Raises:
            UsageError: two objects have the same path.
        """
        if path in self.digests:
            raise UsageError(f"two objects would both be written to {path}")
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o600 if private else 0o666
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
        self.digests[path] = hashlib.sha256(data).hexdigest()
        self.bytes += len(data)


def check(out: Path, *, force: bool) -> None:
    """Refuse a folder that must not be written to, before anything is read.

    Raises:
        UsageError: it is no folder, it is not empty, or with `force` it has no export or edited files.
    """
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise UsageError(f"{out} is not a folder")
    if next(out.iterdir(), None) is None:
        return
    if not force:
        raise UsageError(
            f"folder {out} is not empty: choose another, or --force replaces the files of an earlier export"
        )
    recorded(out)


@contextmanager
def drafted(out: Path, *, force: bool) -> Iterator[Draft]:
    """Yield the draft of an export; it becomes the folder `out` when the block ends without an error.

    Raises:
        UsageError: as `check`; or a file of somebody else, or an edited one, is in the way. Nothing is changed then.
        OSError: an error of the disk.
    """
    check(out, force=force)
    out.parent.mkdir(parents=True, exist_ok=True)
    place = out.parent / f"{TEMPORARY}{uuid.uuid4().hex}"
    place.mkdir()
    try:
        draft = Draft(place)
        yield draft
        _record(draft)
        if out.is_dir() and next(out.iterdir(), None) is not None:
            _replace(draft, out)
        else:
            _publish(place, out)
        sync_folder(out.parent)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def recorded(out: Path) -> dict[str, str]:
    """Return the files of the export in a folder, with their digests.

    Raises:
        UsageError: there is no export in it, or its record cannot be read.
    """
    try:
        found = orjson.loads((out / RECORD).read_bytes())
    except FileNotFoundError:
        raise UsageError(f"folder {out} has files, but no export: choose another") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{out / RECORD} cannot be read: {error}") from error
    files = found.get("files") if isinstance(found, dict) and found.get("format") == FORMAT else None
    if not isinstance(files, dict) or not all(_inside(each) and isinstance(files[each], str) for each in files):
        raise UsageError(f"{out / RECORD} is not the record of an export")
    return files


def _inside(path: str) -> bool:
    """Return whether a path, which anybody may have written, stays inside its folder."""
    parts = Path(path).parts
    return bool(parts) and not Path(path).is_absolute() and ".." not in parts


def _record(draft: Draft) -> None:
    text = orjson.dumps({"format": FORMAT, "files": draft.digests}, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    (draft.folder / RECORD).write_bytes(text + b"\n")


def _publish(place: Path, out: Path) -> None:
    try:
        place.rename(out)
    except OSError as error:  # somebody was faster
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise UsageError(f"folder {out} is not empty any more") from None
        raise


def _replace(draft: Draft, out: Path) -> None:
    before = recorded(out)
    _refuse_changed(out, before, draft)
    for path in draft.digests:
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (draft.folder / path).replace(out / path)
    for path in before.keys() - draft.digests.keys():
        (out / path).unlink(missing_ok=True)
        _prune(out, (out / path).parent)
    (draft.folder / RECORD).replace(out / RECORD)


def _refuse_changed(out: Path, before: dict[str, str], draft: Draft) -> None:
    """Raise UsageError if a file that is to be replaced or deleted is not as an export wrote it."""
    edited = [path for path in before if _there(out, path) and _digest(out / path) != before[path]]
    others = [path for path in draft.digests if path not in before and _there(out, path)]
    linked = [path for path in {*before, *draft.digests} if _through_link(out, path)]
    for found, why in ((linked, "is a link"), (others, "is not of an export"), (edited, "was edited")):
        if found:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            raise UsageError(
                f"in folder {out}, {', '.join(sorted(found)[:SHOWN])}{more} {why}: move it away, or delete it"
            )


def _there(out: Path, path: str) -> bool:
    return os.path.lexists(out / path)


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:  # a folder, or not readable: it is not what was written
        return ""


def _through_link(out: Path, path: str) -> bool:
    place = out
    for part in Path(path).parts:
        place /= part
        if place.is_symlink():
            return True
    return False


def _prune(out: Path, folder: Path) -> None:
    """Delete a folder that an export made and that is empty now, and those above it."""
    while folder != out:
        try:
            folder.rmdir()
        except OSError:  # not empty
            return
        folder = folder.parent
