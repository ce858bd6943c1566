"""A Secret encrypted as the tool SOPS does it: values alone, with AES-256-GCM, under a data key for age recipients.

Names, types and labels stay readable, and a changed value is one changed line. `sops --decrypt` and the SOPS plug-ins
of Argo CD, Flux and Helm read it. Source: getsops/sops, README (Encryption protocol), aes/cipher.go and sops.go. The
MAC covers the encrypted values only (`mac_only_encrypted`, SOPS 3.9).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from kubeferry.tasks.core.jsondoc.edit import Object

FIELDS = ("data", "stringData")
REGEX = "^(data|stringData)$"
VERSION = "3.9.0"
"""The oldest SOPS that reads the format."""

ONLY_ENCRYPTED = hashlib.sha256(b"sops").digest()
"""What a MAC over the encrypted values alone begins with (MACOnlyEncryptedInitialization in sops.go)."""

NONCE = 32
"""Bytes of a nonce: SOPS uses longer ones than GCM's usual 12."""

TAG = 16


@dataclass(frozen=True, slots=True)
class Recipient:
    """An age recipient, and the data key encrypted for it: an armored age file."""

    key: str
    sealed: str


def encrypted(
    obj: Object, data_key: bytes, recipients: Sequence[Recipient], now: datetime, nonce: Callable[[int], bytes]
) -> Object:
    """Return a Secret with encrypted values and the metadata of SOPS.

    Args:
        obj: the Secret; its content is not changed.
        data_key: 32 random bytes of this file alone.
        recipients: who can decrypt the data key.
        now: the time, with a zone; SOPS authenticates it.
        nonce: returns so many random bytes.
    """
    cipher, mac = AESGCM(data_key), hashlib.sha512(ONLY_ENCRYPTED)
    sealed = dict(obj)
    for field in (each for each in obj if each in FIELDS):
        values = {}
        for key, value in obj[field].items():
            mac.update(str(value).encode())
            values[key] = _sealed(cipher, str(value), f"{field}:{key}:", nonce)
        sealed[field] = values
    modified = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    sealed["sops"] = {
        "age": [{"recipient": each.key, "enc": each.sealed} for each in recipients],
        "encrypted_regex": REGEX,
        "lastmodified": modified,
        "mac": _sealed(cipher, mac.hexdigest().upper(), modified, nonce),
        "mac_only_encrypted": True,
        "version": VERSION,
    }
    return sealed


def _sealed(cipher: AESGCM, text: str, about: str, nonce: Callable[[int], bytes]) -> str:
    if not text:
        return ""  # as SOPS does: an empty value has nothing to hide
    number = nonce(NONCE)
    both = cipher.encrypt(number, text.encode(), about.encode())
    parts = {"data": both[:-TAG], "iv": number, "tag": both[-TAG:]}
    shown = ",".join(f"{name}:{base64.b64encode(part).decode()}" for name, part in parts.items())
    return f"ENC[AES256_GCM,{shown},type:str]"
