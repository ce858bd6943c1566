"""Encrypt to age recipients and decrypt with identities, bytes or whole files; the only importer of `pyrage`.

The format is age-encryption.org/v1, so `age --decrypt` decrypts what is encrypted here. Files are streamed: memory does
not grow with their size. Secret keys are read from files and kept in memory only, never in a message or a parameter.
Passphrases and age plug-ins are refused: they would prompt in the middle of a flow.
"""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any

import pyrage

from kubeferry.tasks.core.errors import DamagedError, PermanentError, UsageError
from kubeferry.tasks.core.formats.recipients import AGE, NATIVE, is_recipient, is_secret, normal, recipients_in
from kubeferry.tasks.ports.local.files import read_key_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ASK = "name the file of a secret key that opens it with --identity"
"""Advice for a message about an encrypted backup."""

_NATIVE_SECRET = "AGE-SECRET-KEY-"  # noqa: S105 - a prefix, not a key
_SSH_SECRET = b"-----BEGIN"
_SEALED = (AGE.encode(), b"-----BEGIN AGE ENCRYPTED FILE-----")


class Sealer:
    """Encrypts to recipients; `recipients` are their public keys, in the order given."""

    def __init__(self, recipients: Iterable[str]) -> None:
        """Take public keys (age1…, ssh-ed25519 …, ssh-rsa …).

        Raises:
            UsageError: a key is invalid, or no key is given; no message quotes a secret key.
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

    def armored(self, data: bytes) -> str:
        """Return a few bytes encrypted, as an age file in ASCII."""
        try:
            return str(pyrage.encrypt(data, self._keys, armored=True), "ascii")
        except pyrage.EncryptError as error:
            raise PermanentError(f"cannot encrypt: {error}") from error

    def seal_file(self, source: Path, target: Path) -> None:
        """Encrypt the file `source` to `target`; raises OSError for errors of the disk."""
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
    """Decrypts with identities; without identities it refuses, and says which option is needed."""

    def __init__(self, identities: Iterable[Any] = ()) -> None:
        """Take pyrage's identities; `opener` reads them from files."""
        self._keys = list(identities)

    def __bool__(self) -> bool:
        """Return whether there are identities to try."""
        return bool(self._keys)

    def __repr__(self) -> str:
        """Return their number only: the text of an identity is the secret key."""
        return f"Opener({len(self._keys)} identities)"

    def recipients(self) -> list[str]:
        """Return the public keys of those identities that tell them: age's own; an SSH key here does not."""
        return [str(each.to_public()) for each in self._keys if isinstance(each, pyrage.x25519.Identity)]

    def open(self, sealed: bytes, what: str) -> bytes:
        """Return the decrypted data; `what` names it in messages. Raises as `open_file` does."""
        plain = io.BytesIO()
        self._open(io.BytesIO(sealed), plain, what)
        return plain.getvalue()

    def open_file(self, source: Path, target: Path, what: str) -> None:
        """Decrypt the file `source` to `target`, which is valid only when this returns.

        Raises:
            UsageError: there are no identities, or no identity decrypts it.
            DamagedError: it was changed or truncated since it was encrypted, or is not an age file.
            OSError: an error of the disk.
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
            if isinstance(error, OSError) and error.errno is not None:  # from reading: pyrage's own have no errno
                raise
            if "No matching keys" in str(error):  # age's wording; there is no type for it
                raise UsageError(f"{what} is encrypted to other recipients: no given secret key decrypts it") from None
            why = str(error).partition("\n")[0]  # the lines after it advise to upgrade
            raise DamagedError(f"{what} cannot be decrypted: {why}") from error
        out.check()


class _Written:
    """Remembers that a write failed: the library drops the error of its last write."""

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
    """Return the requested public keys without duplicates; an entry that is not a key is the path of a file of keys.

    Raises:
        UsageError: a file cannot be read, or a line or key is not a valid public key.
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
    """Return an Opener with the secret keys in files: age identity files and unencrypted OpenSSH keys.

    Raises:
        UsageError: a file cannot be read or contains no such key; no message quotes from it.
    """
    return Opener([key for path in paths for key in _identities(path)])


def _identities(path: str) -> list[Any]:
    data = _read(path, "identity")
    if data.startswith(_SEALED):
        raise UsageError(f"identity file {path} is itself encrypted: decrypt it first, passphrases are not supported")
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
    return read_key_file(path, f"{what} file", "--identity takes the path of its file")


def _recipient(text: str) -> Any:
    kind: Any = pyrage.x25519.Recipient if text.startswith(NATIVE) else pyrage.ssh.Recipient
    try:
        return kind.from_str(text)
    except pyrage.RecipientError:
        raise UsageError(f"{text[:80]!r} is no recipient that can be encrypted to") from None
