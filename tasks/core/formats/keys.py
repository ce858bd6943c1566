r"""What may be a key of a store: a relative POSIX path such as `backups/shop/velero-backup.json`.

Keys come from users, and from stores that others may write to. Refused is what could leave the root of a store or of a
folder on disk, and what no line of text can show: `..`, an absolute path, an empty segment, `\`, control characters.
"""

from __future__ import annotations

import unicodedata

from kubeferry.tasks.core.errors import UsageError

LONGEST = 1024
"""Bytes of UTF-8: S3's limit ("Naming Amazon S3 objects")."""

UNSHOWN = {"Cc", "Cs"}
"""Unicode categories: control characters (NUL among them) and lone surrogates, which UTF-8 cannot carry."""


def flaw(key: str) -> str:
    """Say why no store may hold `key`; "" when it may."""
    if not 0 < len(key.encode(errors="surrogatepass")) <= LONGEST:
        return f"it is empty or longer than {LONGEST} bytes"
    if {"", ".", ".."} & set(key.split("/")):
        return "it has an empty, '.' or '..' segment"
    if "\\" in key:
        return "it has a backslash"
    if any(unicodedata.category(char) in UNSHOWN for char in key):
        return "it has a control character or is not Unicode"
    return ""


def check_key(key: str) -> str:
    """Return `key` if a store may hold it.

    Raises:
        UsageError: it may not; the message says why.
    """
    if why := flaw(key):
        raise UsageError(f"the key {key[:200]!r} is refused: {why}")
    return key


def check_folder(prefix: str) -> str:
    """Return the folder `prefix` with one `/` at its end, or "" for the root.

    Raises:
        UsageError: as `check_key` does.
    """
    return check_key(prefix.removesuffix("/")) + "/" if prefix else ""
