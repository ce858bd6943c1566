"""Signatures are OpenSSH's: ssh-keygen verifies ours, ours verify what it signs, and nothing else passes."""

import base64
import subprocess

import pytest

from kubeferry.tasks.core.errors import SignatureError, UsageError
from kubeferry.tasks.ports.store.signatures import SigningKey, TrustedKeys

KEY = "backups/shop/velero-backup.json"
KINDS = {"ed25519": (), "rsa": ("-b", "2048"), "ecdsa": ("-b", "256"), "ecdsa-521": ("-b", "521")}


def keygen(*args, **more):
    return subprocess.run(["ssh-keygen", *args], check=True, capture_output=True, **more)  # noqa: S607 - as users do


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Keys of each kind, made by ssh-keygen, and a file of their public keys."""
    made = tmp_path_factory.mktemp("keys")
    for name, more in KINDS.items():
        keygen("-q", "-t", name.partition("-")[0], *more, "-N", "", "-C", f"{name}@example.com", "-f", made / name)
    (made / "all").write_text("".join((made / f"{name}.pub").read_text() for name in KINDS))
    keygen("-q", "-t", "ed25519", "-N", "", "-f", made / "other")
    keygen("-q", "-t", "ed25519", "-N", "a passphrase", "-f", made / "locked")
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_ssh_keygen_verifies_what_we_sign(folder, tmp_path, kind):
    signature = tmp_path / "sig"
    signature.write_bytes(SigningKey(str(folder / kind)).sign(b"content", KEY))
    signers = tmp_path / "signers"
    signers.write_text(f"me {(folder / f'{kind}.pub').read_text()}")
    how = ("-Y", "verify", "-f", signers, "-I", "me", "-s", signature, "-n")
    keygen(*how, f"{KEY}@kubeferry.io", input=b"content")
    for space, content in (("backups/other@kubeferry.io", b"content"), (f"{KEY}@kubeferry.io", b"contents")):
        with pytest.raises(subprocess.CalledProcessError):
            keygen(*how, space, input=content)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hashed", ["sha256", "sha512"])
def test_we_verify_what_ssh_keygen_signs(folder, kind, hashed):
    made = keygen(
        "-Y", "sign", "-f", folder / kind, "-O", f"hashalg={hashed}", "-n", f"{KEY}@kubeferry.io", input=b"content"
    ).stdout
    trusted = TrustedKeys(str(folder / "all"))
    trusted.check(made, b"content", KEY)
    with pytest.raises(SignatureError, match="does not match"):
        trusted.check(made, b"contents", KEY)
    with pytest.raises(SignatureError, match="made for something else"):
        trusted.check(made, b"content", "backups/other/velero-backup.json")
    with pytest.raises(SignatureError, match="signed by another key, SHA256:"):
        TrustedKeys(str(folder / "other.pub")).check(made, b"content", KEY)


@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_of_a_signature_can_be_changed(folder, kind):
    lines = SigningKey(str(folder / kind)).sign(b"content", KEY).decode().splitlines()
    packed = base64.b64decode("".join(lines[1:-1]))
    trusted = TrustedKeys(str(folder / "all"))
    for at in range(0, len(packed), 5):
        changed = bytearray(packed)
        changed[at] ^= 1
        text = f"{lines[0]}\n{base64.b64encode(changed).decode()}\n{lines[-1]}\n"
        with pytest.raises(SignatureError):
            trusted.check(text.encode(), b"content", KEY)


@pytest.mark.parametrize(
    "signature",
    [b"", b"\xff", b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n", b"U1NIU0lH", b"0" * 5000],
)
def test_what_is_no_signature_is_refused(folder, signature):
    with pytest.raises(SignatureError, match="cannot be read"):
        TrustedKeys(str(folder / "all")).check(signature, b"content", KEY)


def test_a_signature_cut_anywhere_is_refused(folder):
    lines = SigningKey(str(folder / "rsa")).sign(b"content", KEY).decode().splitlines()
    packed = base64.b64decode("".join(lines[1:-1]))
    trusted = TrustedKeys(str(folder / "all"))
    for size in range(len(packed)):
        text = f"{lines[0]}\n{base64.b64encode(packed[:size]).decode()}\n{lines[-1]}\n"
        with pytest.raises(SignatureError):
            trusted.check(text.encode(), b"content", KEY)


def test_each_form_of_a_file_of_keys_is_read(folder, tmp_path):
    public = (folder / "ed25519.pub").read_text()
    signature = SigningKey(str(folder / "ed25519")).sign(b"content", KEY)
    for text in (public, f"# ours\n\n{public}", f"me@example.com {public}", " ".join(public.split()[:2])):
        (tmp_path / "keys").write_text(text)
        TrustedKeys(str(tmp_path / "keys")).check(signature, b"content", KEY)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no key"),
        ("ssh-ed25519", "no public key of SSH"),
        ("ssh-ed25519 AAAA", "no public key of SSH"),
        ("me cert-authority ssh-ed25519 {0}", "options"),
        ('me namespaces="file" ssh-ed25519 {0}', "options"),
        ("ssh-dss {0}", "no public key of SSH"),
        ("me", "no public key of SSH"),
    ],
)
def test_a_file_of_keys_that_is_not_understood_is_refused(folder, tmp_path, text, why):
    (tmp_path / "keys").write_text(text.format((folder / "ed25519.pub").read_text().split()[1]))
    with pytest.raises(UsageError, match=why):
        TrustedKeys(str(tmp_path / "keys"))


def test_an_rsa_key_that_is_too_short_is_not_trusted(tmp_path):
    keygen("-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", tmp_path / "short")
    with pytest.raises(UsageError, match="fewer than 2048 bits"):
        TrustedKeys(str(tmp_path / "short.pub"))


@pytest.mark.parametrize(
    ("name", "why"),
    [("ed25519.pub", "no private key"), ("locked", "has a passphrase"), ("all", "no private key"), ("none", "No such")],
)
def test_what_cannot_sign_is_refused(folder, name, why):
    with pytest.raises(UsageError, match=why):
        SigningKey(str(folder / name))


def test_a_key_itself_is_never_quoted(folder):
    text = (folder / "ed25519").read_text()
    for make in (SigningKey, TrustedKeys):
        with pytest.raises(UsageError) as caught:
            make(text)
        assert text.splitlines()[1] not in str(caught.value)
    assert text.splitlines()[1] not in repr(SigningKey(str(folder / "ed25519")))
