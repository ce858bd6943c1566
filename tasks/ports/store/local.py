"""A store in a local folder: private, atomic and flushed to disk; safe with concurrent writers.

Nothing outside the folder is read or written: keys are checked, and symbolic links below the folder are refused,
because its writers are not trusted to point elsewhere.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import shutil
import stat
import time
import uuid
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from kubeferry.tasks.core.errors import DamagedError, KeyMissingError, StoreError, UsageError
from kubeferry.tasks.core.formats.layout import check_folder, check_key, flaw
from kubeferry.tasks.core.jsondoc.limits import MAX_READ
from kubeferry.tasks.ports.local import files, progress
from kubeferry.tasks.ports.store.base import Entry, Names, Store, go_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

STALE = 86400
"""Seconds after which an unfinished file is taken for that of a killed writer."""

NO_LOCKS = frozenset({errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP})
"""Errors of a file system that has no locks on folders."""

TRIES = 5
"""Attempts of a write whose folder another process removes as empty."""


class LocalStore(Store):
    """The files below `root`, which is created at the first write."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self.url = self.root.as_uri()

    def put(self, key: str, data: bytes) -> None:
        """Save `data` under `key`; see `Store.put`."""
        with self._written(key) as file:
            file.write(data)

    def put_file(self, key: str, path: Path, check: Callable[[], None] = go_on) -> None:
        """Save the file at `path` under `key`; see `Store.put_file`."""
        with self._written(key) as file, path.open("rb") as source:
            shutil.copyfileobj(_Checked(source, check), file, files.CHUNK)

    def put_new(self, key: str, data: bytes) -> bool:
        """Save `data` if `key` does not exist; see `Store.put_new`."""
        try:
            with self._written(key, publish=os.link) as file:
                file.write(data)
        except FileExistsError:
            return False
        return True

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        """Save `new` if the content is `old`; see `Store.swap`."""
        try:
            return self._touched(key, old) if old == new else self._replaced(key, old, new)
        except KeyMissingError:
            return False

    def _touched(self, key: str, old: bytes) -> bool:
        with self._disk_errors(key), self._opened(key) as file:
            if file.read() != old:
                return False
            os.utime(file.fileno())  # of the file that was read, even if another one has its name by now
            return os.fstat(file.fileno()).st_nlink > 0

    def _replaced(self, key: str, old: bytes, new: bytes) -> bool:
        path = self._path(check_key(key))
        aside = path.parent / f"{files.TEMPORARY}{uuid.uuid4().hex}"
        with self._disk_errors(key), _one_at_a_time(path.parent):
            # Without this look, a late caller would take the file of the winner away for a moment, in which a third
            # one finds the key free.
            if self.get(key) != old:
                return False
            try:
                path.rename(aside)  # only one caller can
            except FileNotFoundError:
                return False
            try:
                if aside.read_bytes() == old:
                    return self.put_new(key, new)
                with suppress(FileExistsError):  # another caller's, which was not to be replaced
                    os.link(aside, path)
                return False
            finally:
                aside.unlink()

    def get(self, key: str, most: int = MAX_READ) -> bytes:
        """Return the content of `key`; see `Store.get`."""
        with self._disk_errors(key), self._opened(key) as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise DamagedError(f"store {self.url}: {key} is larger than {most} bytes, the limit of such files")
        return data

    def get_file(self, key: str, path: Path) -> None:
        """Download `key` to the file `path`; see `Store.get_file`."""
        with self._disk_errors(f"{key}, saved as {path}"), self._opened(key) as source, files.written(path) as file:
            shutil.copyfileobj(source, file, files.CHUNK)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield every file below the folder `prefix`; see `Store.list`."""
        folder = check_folder(prefix)
        with self._disk_errors(folder):
            yield from self._walk(self._path(folder), folder)

    def folders(self, prefix: str = "") -> Names:
        """Return the direct subfolders of `prefix` that contain a file; see `Store.folders`."""
        folder = check_folder(prefix)
        with self._disk_errors(folder):
            return sorted(
                entry.name
                for entry in _scan(self._path(folder))
                if entry.is_dir(follow_symlinks=False) and any(self._walk(Path(entry.path), f"{folder}{entry.name}/"))
            )

    def delete(self, keys: Iterable[str]) -> None:
        """Delete the files under `keys` and the folders that become empty; see `Store.delete`."""
        for key in keys:
            path = self._path(check_key(key))
            with self._disk_errors(key):
                with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                    path.unlink()
                self._prune(path.parent)

    def exists(self, key: str) -> bool:
        """Return whether `key` is a file; see `Store.exists`."""
        with self._disk_errors(key):
            return self._path(check_key(key)).is_file()

    def clock(self) -> datetime | None:
        """Return the time that a new file gets; None where there is no folder yet, or nothing may be written."""
        probe = self.root / f"{files.TEMPORARY}{uuid.uuid4().hex}"
        with self._disk_errors(""):
            try:
                probe.touch(mode=0o600, exist_ok=False)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS):
                    return None
                raise
            try:
                return datetime.fromtimestamp(probe.stat().st_mtime, UTC)
            finally:
                probe.unlink()

    def check_writable(self) -> None:
        """Write, read back and delete a probe; see `Store.check_writable`. Delete files left by killed writers, too."""
        super().check_writable()
        oldest = time.time() - STALE
        with self._disk_errors(""):
            for folder, _, names in os.walk(self.root):
                for path in (Path(folder, name) for name in names if name.startswith(files.TEMPORARY)):
                    with suppress(FileNotFoundError):  # its writer has just finished
                        if path.lstat().st_mtime < oldest:
                            path.unlink()

    def _path(self, key: str) -> Path:
        """Return the path of the checked `key`; refuse one that leads through a symbolic link."""
        path = self.root / key
        below = itertools.takewhile(lambda folder: folder != self.root, (path, *path.parents))
        if any(step.is_symlink() for step in below):
            raise StoreError(f"store {self.url}: {key} leads through a symbolic link, which is refused")
        if files.TEMPORARY in key:
            raise UsageError(f"the key {key!r} is refused: {files.TEMPORARY} begins the names of unfinished files")
        return path

    @contextmanager
    def _disk_errors(self, what: str) -> Iterator[None]:
        """Turn errors of the disk into a StoreError of one line; FileExistsError passes, for `put_new`."""
        try:
            yield
        except FileExistsError:
            raise
        except OSError as error:
            cause = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
            raise StoreError(f"store {self.url}: {what}: {cause}") from error

    @contextmanager
    def _written(self, key: str, publish: Callable[[Path, Path], object] = os.replace) -> Iterator[BinaryIO]:
        path = self._path(check_key(key))
        with self._disk_errors(key), ExitStack() as stack:
            yield self._begun(path, publish, stack)

    def _begun(self, path: Path, publish: Callable[[Path, Path], object], stack: ExitStack) -> BinaryIO:
        for _ in range(TRIES):
            with suppress(FileNotFoundError):  # another process has just removed the folder as empty
                files.make_folder(path.parent)
                return stack.enter_context(files.written(path, publish))
        raise StoreError(f"store {self.url}: {path.parent} vanishes as soon as it is made")

    @contextmanager
    def _opened(self, key: str) -> Iterator[BinaryIO]:
        try:
            # Opening a pipe would block forever, and a symbolic link would lead elsewhere.
            handle = os.open(self._path(check_key(key)), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            raise KeyMissingError(f"store {self.url} holds no {key}") from None
        plain = stat.S_ISREG(os.fstat(handle).st_mode)
        if not plain:
            os.close(handle)
            raise KeyMissingError(f"store {self.url} holds no file {key}: it is not a regular file")
        with os.fdopen(handle, "rb") as file:
            yield file

    def _walk(self, path: Path, folder: str) -> Iterator[Entry]:
        for entry in _scan(path):
            key = folder + entry.name
            if entry.name.startswith(files.TEMPORARY):
                continue
            if why := flaw(key) or _oddity(entry):
                progress.note(f"store {self.url}: ignored {key!r}: {why}")
            elif entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path), f"{key}/")
            else:
                with suppress(FileNotFoundError):  # removed since
                    status = entry.stat(follow_symlinks=False)
                    yield Entry(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def _prune(self, folder: Path) -> None:
        while folder != self.root:
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass  # another process was faster; its parent may be empty now
            except OSError:
                return  # not empty
            folder = folder.parent


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold other callers back while one swaps a file of a folder; the kernel ends it with the process."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield  # nothing to swap
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            # NFS locks only what is open for writing (Linux: flock(2)); there, renaming alone has to keep them apart.
            if error.errno not in NO_LOCKS:
                raise
        yield
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A file that is read only while `check` allows it, its end too."""

    file: BinaryIO
    check: Callable[[], None]

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes. Raises what `check` raises."""
        self.check()
        return self.file.read(size)


def _scan(path: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as found:
            return [*found]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _oddity(entry: os.DirEntry[str]) -> str:
    plain = entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
    return "" if plain else "it is a symbolic link or not a regular file"
