"""What is sealed opens with the right key only, whatever its size, and no key is ever quoted."""

import os
import subprocess
import sys

import pytest
from pyrage import passphrase, x25519

from kubeferry.tasks.core.errors import DamagedError, UsageError
from kubeferry.tasks.ports.archive import encryption
from kubeferry.tasks.ports.archive.encryption import Opener, Sealer, opener, recipients

DATA = b"marked-content" * 1000


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A folder of key files as `age-keygen` and `ssh-keygen` write them: age.txt, age.pub, ed, ed.pub and so on."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("age", "other"):
        identity = x25519.Identity.generate()
        folder.joinpath(f"{name}.txt").write_text(f"# created: now\n# public key: {identity.to_public()}\n{identity}\n")
        folder.joinpath(f"{name}.pub").write_text(f"{identity.to_public()}\n")
    for name, kind, phrase in (
        ("ed", "ed25519", ""),
        ("rsa", "rsa", ""),
        ("locked", "ed25519", "x" * 8),
        ("ec", "ecdsa", ""),
    ):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", phrase, "-f", folder / name], check=True)  # noqa: S607
    return folder


def key(path):
    return path.read_text().strip()


@pytest.mark.parametrize(("to", "by"), [("age.pub", "age.txt"), ("ed.pub", "ed"), ("rsa.pub", "rsa")])
@pytest.mark.parametrize("given", ["itself", "file"])
def test_what_is_sealed_is_opened_by_its_key_alone(keys, to, by, given):
    asked = key(keys / to) if given == "itself" else str(keys / to)
    sealed = Sealer(recipients([asked])).seal(DATA)
    assert sealed.startswith(b"age-encryption.org/v1\n")
    assert b"marked-content" not in sealed
    assert opener([str(keys / by)]).open(sealed, "it") == DATA
    with pytest.raises(UsageError, match=r"^it is encrypted to other recipients: no given secret key decrypts it$"):
        opener([str(keys / "other.txt")]).open(sealed, "it")
    with pytest.raises(UsageError, match=r"^it is encrypted: name the file of a secret key .* --identity$"):
        Opener().open(sealed, "it")


def test_each_of_many_recipients_opens_it(keys):
    asked = [key(keys / "age.pub"), str(keys / "ed.pub"), str(keys / "age.pub")]
    sealer = Sealer(recipients(asked))
    assert sealer.recipients == (key(keys / "age.pub"), key(keys / "ed.pub").rpartition(" ")[0])
    sealed = sealer.seal(DATA)
    for by in (["age.txt"], ["ed"], ["other.txt", "rsa", "ed"]):
        assert opener([str(keys / each) for each in by]).open(sealed, "it") == DATA


def test_the_same_content_never_gives_the_same_bytes(keys):
    sealer = Sealer([key(keys / "age.pub")])
    assert sealer.seal(DATA) != sealer.seal(DATA)


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 300_000])
def test_files_come_back_whole_at_every_edge_of_age_s_chunks(keys, tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "plain").write_bytes(content)
    Sealer(recipients([str(keys / "age.pub")])).seal_file(tmp_path / "plain", tmp_path / "sealed")
    opener([str(keys / "age.txt")]).open_file(tmp_path / "sealed", tmp_path / "back", "it")
    assert (tmp_path / "back").read_bytes() == content


def test_a_file_that_was_cut_or_changed_anywhere_is_damaged(keys):
    sealed = Sealer(recipients([str(keys / "age.pub")])).seal(os.urandom(70_000))
    by = opener([str(keys / "age.txt")])
    spoilt = [sealed[:size] for size in (*range(0, 400, 7), 65_000, 65_800, len(sealed) - 1)]
    spoilt += [
        sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in (*range(0, 400, 7), 66_000, len(sealed) - 1)
    ]
    spoilt += [sealed + b"x", b"not age at all"]
    for each in spoilt:
        with pytest.raises(
            (DamagedError, UsageError), match=r"^it (cannot be decrypted: |is encrypted to other recipients)"
        ) as caught:
            by.open(each, "it")
        assert "\n" not in str(caught.value)


class Full:
    """A disk that takes so many bytes."""

    def __init__(self, room):
        self.room = room

    def write(self, data):
        self.room -= len(data)
        if self.room < 0:
            raise OSError(28, "No space left on device")
        return len(data)

    def flush(self):
        pass


@pytest.mark.parametrize("size", [10, 70_000])
def test_a_disk_that_fills_up_at_any_write_is_reported(keys, size):
    """Also at the very last one, whose error the library drops."""
    import io

    sealer, by = Sealer(recipients([str(keys / "age.pub")])), opener([str(keys / "age.txt")])
    sealed = sealer.seal(os.urandom(size))
    for room in (0, size - 1):
        with pytest.raises(OSError, match="No space left"):
            sealer._seal(io.BytesIO(bytes(size)), Full(room))
        with pytest.raises(OSError, match="No space left"):
            by._open(io.BytesIO(sealed), Full(room), "it")


MEMORY = """
import os, resource, sys
from pathlib import Path
from kubeferry.tasks.ports.archive.encryption import Sealer, opener, recipients
folder, keys = Path(sys.argv[1]), Path(sys.argv[2])
sealer, by = Sealer(recipients([str(keys / "age.pub")])), opener([str(keys / "age.txt")])
def peak(size):
    with (folder / "plain").open("wb") as file:
        for _ in range(size):
            file.write(os.urandom(2**20))
    sealer.seal_file(folder / "plain", folder / "sealed")
    by.open_file(folder / "sealed", folder / "back", "it")
    assert (folder / "back").stat().st_size == size * 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
small = peak(4)
print(peak(64) - small)
"""


def test_memory_does_not_grow_with_a_file(keys, tmp_path):
    done = subprocess.run([sys.executable, "-c", MEMORY, tmp_path, keys], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8 * 1024, "KiB for 60 MiB more"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["age1nonsense"], "'age1nonsense' is no recipient"),
        (["ssh-ed25519 AAAA"], "'ssh-ed25519 AAAA' is no recipient"),
        (["{keys}/missing.pub"], "missing.pub: No such file or directory"),
        (["{keys}"], "Is a directory"),
        (["{keys}/ec.pub"], "line 1 is not a recipient"),
        (["{keys}/age.txt"], "holds a secret key"),
        (["{keys}/ed"], "holds a secret key"),
        (["{keys}/binary"], "is no text"),
        (["a\0b"], "null byte"),
    ],
)
def test_recipients_that_are_none(keys, asked, message):
    (keys / "binary").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(UsageError) as caught:
        recipients([each.format(keys=keys) for each in asked])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "AGE-SECRET" not in str(caught.value)


def test_nobody_asked_for_is_no_encryption_and_no_sealer():
    assert recipients([]) == ()
    with pytest.raises(UsageError, match="no recipient"):
        Sealer([])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing", None, "No such file or directory"),
        ("empty", b"# nothing\n", "holds no line that begins with AGE-SECRET-KEY-"),
        ("age.pub", None, "holds no secret key that can be used"),
        ("locked", None, "ssh key must be decrypted first"),
        ("ec", None, "unsupported key"),
        ("cut", b"AGE-SECRET-KEY-1GFPYYSJZ\n", "holds no secret key that can be used"),
        ("binary", b"\xff\xfe", "it is no text"),
        ("phrase", lambda: passphrase.encrypt(b"x", "y"), "is itself encrypted"),
        ("large", b"#" * (2**20 + 1), "is larger than any file of keys"),
    ],
)
def test_identity_files_that_cannot_be_used(keys, name, content, message):
    path = keys / name
    if content is not None:
        path.write_bytes(content() if callable(content) else content)
    with pytest.raises(UsageError) as caught:
        opener([str(path)])
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "GFPYYSJZ" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("function", [opener, recipients])
def test_a_secret_key_in_the_place_of_a_path_is_refused_unquoted(keys, function):
    secret = key(keys / "age.txt").splitlines()[-1]
    with pytest.raises(UsageError, match="secret key") as caught:
        function([secret])
    assert secret[:20] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_opener_never_shows_its_keys(keys):
    secret = key(keys / "age.txt").splitlines()[-1]
    by = opener([str(keys / "age.txt")])
    assert repr(by) == str(by) == "Opener(1 identities)"
    assert secret not in repr(by)
    assert by
    assert not Opener()


def test_the_home_of_a_user_is_found(keys, monkeypatch):
    monkeypatch.setenv("HOME", str(keys))
    assert opener(["~/age.txt"])
    assert encryption.recipients(["~/age.pub"]) == (key(keys / "age.pub"),)
