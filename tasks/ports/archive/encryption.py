"""Encrypt to age recipients and decrypt with identities, bytes or whole files; the only importer of `pyrage`.

The format is age's (age-encryption.org/v1), so `age --decrypt` opens what is sealed here. Files go through in pieces:
memory does not grow with their size. Secret keys are read from files and kept in memory, never in a message or a
parameter. It refuses passphrases and plug-ins, which would ask a person in the middle of a flow.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyrage

from kubeferry.tasks.core.errors import DamagedError, PermanentError, UsageError
from kubeferry.tasks.core.formats.recipients import AGE, NATIVE, is_recipient, is_secret, normal, recipients_in

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST_KEY_FILE = 2**20
"""Bytes; a file of keys is some hundred lines at most, and a larger one was named by mistake."""

ASK = "name the file of a secret key that opens it with --identity"
"""What to do about something that is encrypted."""

_NATIVE_SECRET = "AGE-SECRET-KEY-"  # noqa: S105 - how such a line begins, not one
_SSH_SECRET = b"-----BEGIN"
_SEALED = (AGE.encode(), b"-----BEGIN AGE ENCRYPTED FILE-----")


class Sealer:
    """Encrypts to recipients; `recipients` are their public keys, in the order given."""

    def __init__(self, recipients: Iterable[str]) -> None:
        """Take public keys (age1…, ssh-ed25519 …, ssh-rsa …).

        Raises:
            UsageError: one is none, or there is none at all; it is not quoted.
        """
        self.recipients = tuple(dict.fromkeys(map(normal, recipients)))
        self._keys = [_recipient(each) for each in self.recipients]
        if not self._keys:
            raise UsageError("there is no recipient to encrypt to")

    def seal(self, data: bytes) -> bytes:
        """Return `data` encrypted."""
        sealed = io.BytesIO()
        self._seal(io.BytesIO(data), sealed)
        return sealed.getvalue()

    def seal_file(self, source: Path, target: Path) -> None:
        """Write the file `source` encrypted as `target`; raises OSError, the disk's."""
        with source.open("rb") as plain, target.open("wb") as sealed:
            self._seal(plain, sealed)

    def _seal(self, plain: IO[bytes], sealed: IO[bytes]) -> None:
        out = _Written(sealed)
        try:
            pyrage.encrypt_io(plain, out, self._keys)
        except pyrage.EncryptError as error:
            out.check()
            raise PermanentError(f"cannot encrypt: {error}") from error
        out.check()


class Opener:
    """Decrypts with identities; one without any refuses, and says what is needed."""

    def __init__(self, identities: Iterable[Any] = ()) -> None:
        """Take pyrage's identities; `opener` reads them from files."""
        self._keys = list(identities)

    def __bool__(self) -> bool:
        """Return whether there are identities to try."""
        return bool(self._keys)

    def __repr__(self) -> str:
        """Return how many there are; the text of an identity is the secret key."""
        return f"Opener({len(self._keys)} identities)"

    def open(self, sealed: bytes, what: str) -> bytes:
        """Return what was encrypted; `what` names it in messages. Raises as `open_file` does."""
        plain = io.BytesIO()
        self._open(io.BytesIO(sealed), plain, what)
        return plain.getvalue()

    def open_file(self, source: Path, target: Path, what: str) -> None:
        """Write the encrypted file `source` decrypted as `target`, which is of use only when this returns.

        Raises:
            UsageError: there are no identities, or none of them opens it.
            DamagedError: it was changed or cut short since it was encrypted, or is no such file.
            OSError: the disk's.
        """
        with source.open("rb") as sealed, target.open("wb") as plain:
            self._open(sealed, plain, what)

    def _open(self, sealed: IO[bytes], plain: IO[bytes], what: str) -> None:
        if not self._keys:
            raise UsageError(f"{what} is encrypted: {ASK}")
        out = _Written(plain)
        try:
            pyrage.decrypt_io(sealed, out, self._keys)
        except (pyrage.DecryptError, OSError) as error:
            out.check()
            if isinstance(error, OSError) and error.errno is not None:  # of reading; the library's own have no number
                raise
            if "No matching keys" in str(error):  # age's wording; there is no type for it
                raise UsageError(f"{what} is encrypted to others: none of the secret keys given opens it") from None
            why = str(error).partition("\n")[0]  # after which it advises to upgrade
            raise DamagedError(f"{what} cannot be decrypted: {why}") from error
        out.check()


class _Written:
    """Remembers that a write failed: the library drops the error of its very last one."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self._error = error
            raise

    def flush(self) -> None:
        self._file.flush()

    def check(self) -> None:
        if self._error:
            raise self._error


def recipients(asked: Iterable[str]) -> tuple[str, ...]:
    """Return the public keys that were asked for, each once; what is no key is the path of a file of them.

    Raises:
        UsageError: a file that cannot be read, a line of one or a key that is none.
    """
    found: list[str] = []
    for each in asked:
        if is_secret(each):
            raise UsageError("--encrypt-to takes public keys and files of them, not a secret key")
        found += [normal(each)] if is_recipient(each) else _recipients(each)
    return Sealer(found).recipients if found else ()


def _recipients(path: str) -> list[str]:
    try:
        return recipients_in(_read(path, "recipients").decode(), f"recipients file {path}")
    except UnicodeDecodeError:
        raise UsageError(f"recipients file {path} is no text") from None


def opener(paths: Iterable[str]) -> Opener:
    """Return what decrypts with the secret keys in files: age's identity files and unencrypted OpenSSH keys.

    Raises:
        UsageError: a file cannot be read or holds no such key; no message quotes from it.
    """
    return Opener([key for path in paths for key in _identities(path)])


def _identities(path: str) -> list[Any]:
    data = _read(path, "identity")
    if data.startswith(_SEALED):
        raise UsageError(f"identity file {path} is itself encrypted: decrypt it first, passphrases are not asked for")
    try:
        if data.lstrip().startswith(_SSH_SECRET):
            return [pyrage.ssh.Identity.from_buffer(data)]
        lines = [line.strip() for line in data.decode().splitlines()]
        keys = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except (pyrage.IdentityError, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, pyrage.IdentityError) else "it is no text"
        raise UsageError(f"identity file {path} holds no secret key that can be used: {why}") from None
    if not keys:
        raise UsageError(f"identity file {path} holds no line that begins with {_NATIVE_SECRET}")
    return keys


def _read(path: str, what: str) -> bytes:
    if is_secret(path):
        raise UsageError("a secret key itself must not be given: --identity takes the path of its file")
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(LARGEST_KEY_FILE + 1)
    except (OSError, RuntimeError, ValueError) as error:  # no such home; a path with a NUL
        raise UsageError(f"{what} file {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > LARGEST_KEY_FILE:
        raise UsageError(f"{what} file {path} is larger than any file of keys")
    return data


def _recipient(text: str) -> Any:
    kind: Any = pyrage.x25519.Recipient if text.startswith(NATIVE) else pyrage.ssh.Recipient
    try:
        return kind.from_str(text)
    except pyrage.RecipientError:
        raise UsageError(f"{text[:80]!r} is no recipient that can be encrypted to") from None
