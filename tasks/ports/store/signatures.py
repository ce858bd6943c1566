"""Signatures in OpenSSH's format (PROTOCOL.sshsig), as `ssh-keygen -Y sign` and `-Y verify` write and read them.

A signature has a namespace, which here is the key of the signed file in the store, with `@kubeferry.io`: one that was
made for a file proves nothing about another. Keys are ed25519, ECDSA or RSA; passphrases and security keys are refused,
since they would prompt in the middle of a flow.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
    load_ssh_public_key,
)

from kubeferry.tasks.core.errors import SignatureError, UsageError
from kubeferry.tasks.ports.local.files import read_key_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Hash = Callable[[], hashes.HashAlgorithm]

MAGIC, VERSION = b"SSHSIG", 1
HASHES = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
"""Of the message: those that PROTOCOL.sshsig allows."""

BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
LINE = 70
LARGEST = 2**14
"""Bytes of a signature: one by an RSA key of 16,384 bits has some 6,000."""
WEAK = 2048
"""RSA keys of fewer bits are refused, as by OpenSSH for signatures."""

_CURVES: dict[bytes, Hash] = {
    b"nistp256": hashes.SHA256,
    b"nistp384": hashes.SHA384,
    b"nistp521": hashes.SHA512,
}
_RSA: dict[bytes, Hash] = {b"rsa-sha2-256": hashes.SHA256, b"rsa-sha2-512": hashes.SHA512}
"""The algorithms of RSA signatures; `ssh-rsa`, which is SHA-1, is none that PROTOCOL.sshsig allows."""


def namespace(key: str) -> bytes:
    """Return the namespace of the signature of a file in a store."""
    return f"{key}@kubeferry.io".encode()


class SigningKey:
    """A private key that signs."""

    def __init__(self, path: str) -> None:
        """Read it from a file of OpenSSH's format.

        Raises:
            UsageError: the file cannot be read, or holds no such key; no message quotes from it.
        """
        data = _read(path, "signing key")
        try:
            self._key: Any = load_ssh_private_key(data, password=None)
        except TypeError:
            raise UsageError(f"signing key {path} has a passphrase, which is not supported: name one without") from None
        except (ValueError, UnsupportedAlgorithm):
            raise UsageError(f"signing key {path} holds no private key in OpenSSH's format (see ssh-keygen)") from None
        if not isinstance(self._key, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise UsageError(f"signing key {path} is of a type that is not supported: use ed25519")
        public = self._key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self.public = _blob(public.decode())
        """The public key, as in the second column of its `.pub` file."""

    def __repr__(self) -> str:
        """Return its fingerprint only."""
        return f"SigningKey({fingerprint(self.public)})"

    def sign(self, data: bytes, key: str) -> bytes:
        """Return the signature of what is stored under `key`, armored."""
        made = self._raw(_to_sign(data, namespace(key), b"sha512"))
        fields = [self.public, namespace(key), b"", b"sha512", made]
        packed = MAGIC + struct.pack(">I", VERSION) + b"".join(map(_string, fields))
        text = base64.b64encode(packed).decode()
        lines = [text[at : at + LINE] for at in range(0, len(text), LINE)]
        return "\n".join([BEGIN, *lines, END, ""]).encode()

    def _raw(self, data: bytes) -> bytes:
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return _string(b"ssh-ed25519") + _string(self._key.sign(data))
        if isinstance(self._key, rsa.RSAPrivateKey):
            return _string(b"rsa-sha2-512") + _string(self._key.sign(data, padding.PKCS1v15(), hashes.SHA512()))
        kind, curve = list(_strings(self.public, 2))
        pair = utils.decode_dss_signature(self._key.sign(data, ec.ECDSA(_CURVES[curve]())))
        return _string(kind) + _string(b"".join(_string(_mpint(each)) for each in pair))


class TrustedKeys:
    """The public keys of a file; a signature has to be of one of them."""

    def __init__(self, path: str) -> None:
        """Read them from a file in the form of a `.pub` file, of authorized_keys, or of allowed_signers.

        Raises:
            UsageError: the file cannot be read, holds no key, or a line that is no key; options are not supported.
        """
        self._path = path
        try:
            lines = [line.strip() for line in _read(path, "file of trusted keys").decode().splitlines()]
        except UnicodeDecodeError:
            raise UsageError(f"file of trusted keys {path} is no text") from None
        self._keys = dict(self._parsed(each) for each in lines if each and not each.startswith("#"))
        if not self._keys:
            raise UsageError(f"file of trusted keys {path} holds no key")

    def _parsed(self, line: str) -> tuple[bytes, Any]:
        words = line.split()
        at = next((n for n, word in enumerate(words[:2]) if word.startswith(("ssh-", "ecdsa-sha2-"))), len(words))
        text = " ".join(words[at : at + 2])
        try:
            key = load_ssh_public_key(text.encode())
        except (ValueError, UnsupportedAlgorithm):
            raise UsageError(
                f"file of trusted keys {self._path} holds a line that is no public key of SSH, or one with options,"
                " which are not supported"
            ) from None
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < WEAK:
            raise UsageError(f"file of trusted keys {self._path} holds an RSA key of fewer than {WEAK} bits")
        return _blob(text), key

    def holds(self, key: SigningKey) -> bool:
        """Return whether a signing key is one of them."""
        return key.public in self._keys

    def check(self, signature: bytes, data: bytes, key: str) -> None:
        """Check that what is stored under `key` is signed by one of the keys.

        Raises:
            SignatureError: it is not; the message is the cause alone.
        """
        try:
            signer, space, _, name, made = _fields(signature)
            how, raw = list(_strings(made, 2))
        except (ValueError, struct.error) as error:
            raise SignatureError("its signature cannot be read") from error
        if signer not in self._keys:
            raise SignatureError(f"it is signed by another key, {fingerprint(signer)}")
        if space != namespace(key) or name not in HASHES:
            raise SignatureError("its signature was made for something else")
        try:
            _verify(self._keys[signer], how, raw, _to_sign(data, space, name))
        except (InvalidSignature, ValueError, KeyError, struct.error) as error:
            raise SignatureError("its signature does not match it") from error


def fingerprint(blob: bytes) -> str:
    """Return the fingerprint of a public key, as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _verify(key: Any, how: bytes, raw: bytes, data: bytes) -> None:
    """Raise unless `raw` is the key's signature of `data` by the algorithm `how`."""
    if isinstance(key, ed25519.Ed25519PublicKey) and how == b"ssh-ed25519":
        key.verify(raw, data)
    elif isinstance(key, rsa.RSAPublicKey):
        key.verify(raw, data, padding.PKCS1v15(), _RSA[how]())
    elif isinstance(key, ec.EllipticCurvePublicKey) and how.startswith(b"ecdsa-sha2-"):
        r, s = (int.from_bytes(each) for each in _strings(raw, 2))
        key.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(_CURVES[how.removeprefix(b"ecdsa-sha2-")]()))
    else:
        raise InvalidSignature


def _to_sign(data: bytes, space: bytes, name: bytes) -> bytes:
    return MAGIC + b"".join(map(_string, (space, b"", name, HASHES[name](data).digest())))


def _fields(signature: bytes) -> list[bytes]:
    """Return public key, namespace, the reserved field, hash and signature. Raises ValueError or struct.error."""
    text = signature.decode().strip()
    if not (text.startswith(BEGIN) and text.endswith(END)):
        raise ValueError
    packed = base64.b64decode("".join(text[len(BEGIN) : -len(END)].split()), validate=True)
    if packed[: len(MAGIC)] != MAGIC or struct.unpack_from(">I", packed, len(MAGIC)) != (VERSION,):
        raise ValueError
    return list(_strings(packed[len(MAGIC) + 4 :], 5))


def _strings(packed: bytes, count: int) -> Iterator[bytes]:
    """Yield the first strings (RFC 4251, section 5) of a value.

    Raises:
        ValueError: it is shorter.
    """
    at = 0
    for _ in range(count):
        (size,) = struct.unpack_from(">I", packed, at)
        if size > len(packed) - at - 4:
            raise ValueError
        yield packed[at + 4 : at + 4 + size]
        at += 4 + size


def _string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def _mpint(value: int) -> bytes:
    """Return a positive integer as RFC 4251 has it: without needless zeros, the highest bit is the sign."""
    return value.to_bytes(value.bit_length() // 8 + 1)


def _blob(public: str) -> bytes:
    try:
        return base64.b64decode(public.split()[1], validate=True)
    except binascii.Error as error:
        raise ValueError from error


def _read(path: str, what: str) -> bytes:
    return read_key_file(path, what, "name the path of its file")
