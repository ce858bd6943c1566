"""Recipients of an encrypted backup, as users write them: age recipients, SSH public keys, files of these.

Only public keys are accepted. A secret key in their place is refused, and no message quotes what was typed or what a
file contains, since that may be a secret key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

AGE = "age-encryption.org/v1"
"""The version of the file format (C2SP age.md), with which each file begins."""

NATIVE = "age1"
SSH = ("ssh-ed25519", "ssh-rsa")
"""The types of SSH keys that age supports."""

SECRET_KEY = "AGE-SECRET-KEY-(PQ-)?1[AC-HJ-NP-Z02-9]{8}|age-secret-key-(pq-)?1[ac-hj-np-z02-9]{8}|PRIVATE KEY-----"  # noqa: S105
"""A regular expression (Python's and JSON Schema's) for what only secret keys contain: age identities, which are
Bech32 and so all in one case, and PEM."""


def is_secret(text: str) -> bool:
    """Return whether a text is, or holds, a secret key."""
    return re.search(SECRET_KEY, text) is not None


def is_recipient(text: str) -> bool:
    """Return whether a text is a recipient and not the path of a file."""
    return text.startswith(NATIVE) or text.partition(" ")[0] in SSH


def rejoined(words: Iterable[str]) -> list[str]:
    """Join the SSH keys that a list in an environment variable splits at their blank."""
    found: list[str] = []
    for word in words:
        if found and found[-1] in SSH:
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


def normal(recipient: str) -> str:
    """Return a recipient without the comment that follows an SSH key."""
    words = recipient.split()
    return " ".join(words[:2] if words and words[0] in SSH else words)


def recipients_in(text: str, where: str) -> list[str]:
    """Return the recipients in a file, one per line; empty lines and comments (`#`) are ignored.

    Raises:
        UsageError: a line is not a recipient, the file holds a secret key, or no recipient.
    """
    if is_secret(text):
        raise UsageError(f"{where} holds a secret key: recipients are public keys (age1…, ssh-ed25519 …)")
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if not is_recipient(line.strip()):
            raise UsageError(f"{where}: line {number} is not a recipient (age1…, ssh-ed25519 …, ssh-rsa …)")
        found.append(normal(line))
    if not found:
        raise UsageError(f"{where} contains no recipient")
    return found
