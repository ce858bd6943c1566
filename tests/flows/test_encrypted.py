"""What the command line shows of an encrypted backup: all that can be known without a key, the rest with one."""

import json

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from pyrage import x25519

from kubeferry.tasks.core.formats.manifest import Manifest, digest
from kubeferry.tasks.core.models.options import BackupOptions, RestoreOptions, UndoOptions
from kubeferry.tasks.ports.archive import gzip

WEB = "resources/configmaps/namespaces/shop/web.json"


@pytest.fixture
def key(tmp_path):
    """The path of a secret key's file; its public key is in it as a comment, as age-keygen writes it."""
    path, identity = tmp_path / "key.txt", x25519.Identity.generate()
    path.write_text(f"# public key: {identity.to_public()}\n{identity}\n")
    return path


@pytest.fixture
def recipient(key):
    return key.read_text().splitlines()[0].rpartition(" ")[2]


@pytest.fixture
def sealed(shelf, recipient):
    return shelf.add_encrypted(recipient)


def answer(printed):
    code, out, err = printed
    assert (code, err) == (0, "")
    return out


def test_a_list_shows_which_are_encrypted(cli, shelf, sealed):  # noqa: ARG001 - it is in the store
    shelf.add("plain")
    rows = json.loads(answer(cli("list", "--store", shelf.url, "-o", "json")))
    assert [(row["name"], row["encrypted"], row["phase"], row["objects"]) for row in rows] == [
        ("plain", False, "Completed", 1),
        ("sealed", True, "Completed", 1),
    ]
    assert "ENCRYPTED" in answer(cli("list", "--store", shelf.url))


def test_a_list_without_one_has_no_column_for_it(cli, shelf):
    shelf.add("plain")
    assert "ENCRYPTED" not in answer(cli("list", "--store", shelf.url))


def test_show_prints_to_whom_and_what_it_gives_up(cli, shelf, sealed, recipient, key):  # noqa: ARG001 - as above
    shown = answer(cli("show", "sealed", "--store", shelf.url))
    assert "Encrypted, Velero cannot read it" in shown
    assert recipient in shown
    assert "left to web" not in shown
    assert "left to web" in answer(cli("show", "sealed", "--store", shelf.url, "--identity", str(key)))
    document = json.loads(answer(cli("show", "sealed", "--store", shelf.url, "-o", "json")))
    assert document["encryption"] == {"format": "age-encryption.org/v1", "recipients": [recipient]}
    assert {"objects", "left_out"} & document.keys() == set()
    document = json.loads(answer(cli("show", "sealed", "--store", shelf.url, "-o", "json", "--identity", str(key))))
    assert list(document["objects"]) == [WEB]


def test_verify_needs_no_key_but_says_what_it_did_not_see(cli, shelf, sealed, key):  # noqa: ARG001 - as above
    out = answer(cli("verify", "sealed", "--store", shelf.url))
    assert "2 files" in out
    assert "as the manifest says" in out
    assert "order of a restore: not looked at without --identity" in out
    shown = json.loads(answer(cli("verify", "sealed", "--store", shelf.url, "-o", "json")))
    assert (shown["proved"], shown["closed"], shown["levels"]) == (True, True, None)
    out = answer(cli("verify", "sealed", "--deep", "--store", shelf.url, "--identity", str(key)))
    assert "1 objects one by one" in out
    assert "order of a restore: holds" in out


def test_a_manifest_that_does_not_name_the_contents_is_damaged(cli, shelf, sealed):
    """Else who can write to the store could take them away."""
    manifest = Manifest.model_validate_json(gzip.decompress(shelf.store.get(sealed.manifest)))
    files = {name: each for name, each in manifest.files.items() if name != sealed.contents}
    packed = gzip.compress(manifest.model_copy(update={"files": files}).model_dump_json().encode())
    shelf.store.put(sealed.manifest, packed)
    backup = json.loads(shelf.store.get(sealed.metadata))
    backup["metadata"]["annotations"]["kubeferry.io/manifest-sha256"] = digest(packed).sha256
    shelf.store.put(sealed.metadata, json.dumps(backup).encode())
    code, _, err = cli("verify", "sealed", "--store", shelf.url)
    assert (code, "its manifest does not name the files of this backup" in err) == (1, True)


@pytest.mark.parametrize("command", [["plan"], ["verify", "--deep"]])
def test_what_needs_a_key_says_so_in_one_line(cli, shelf, sealed, command, tmp_path):  # noqa: ARG001 - as above
    code, out, err = cli(*command, "sealed", "--store", shelf.url)
    assert (code, out) == (2, "")
    assert err.startswith("error: backup sealed is encrypted")
    assert err.endswith("--identity\n")
    code, out, err = cli(*command, "sealed", "--store", shelf.url, "--identity", str(tmp_path / "missing"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"identity file {tmp_path / 'missing'}: No such file or directory" in err


def test_an_identity_for_a_backup_that_is_not_encrypted_asks_for_the_users_word(cli, shelf, key):
    """Whoever may write to the store may have put it there in place of an encrypted one."""
    shelf.add("plain")
    asked = ("plan", "plain", "--store", shelf.url, "--identity", str(key))
    code, _, err = cli(*asked)
    assert (code, "say --allow-plain" in err) == (2, True)
    answer(cli(*asked, "--allow-plain"))


SECRET = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (BackupOptions, {"encrypt_to": [SECRET]}),
        (RestoreOptions, {"backup": "x", "identities": ["-----BEGIN OPENSSH PRIVATE KEY-----\nx"]}),
        (RestoreOptions, {"backup": "x", "identities": ["key.txt", SECRET.lower()]}),
        (UndoOptions, {"restore": "x", "identities": [SECRET]}),
    ],
)
def test_a_secret_key_never_becomes_a_parameter_of_a_run(model, values):
    """Neither through Python, whose error is logged, nor through Prefect's API, which checks the schema first."""
    with pytest.raises(ValidationError) as refused:
        model(**values)
    assert "GFPYYSJZ" not in str(refused.value).upper()
    assert "BEGIN" not in str(refused.value)
    assert list(Draft202012Validator(model.model_json_schema()).iter_errors(values))


@pytest.mark.parametrize("model", [RestoreOptions, BackupOptions])
def test_what_is_no_secret_key_is_taken(model):
    name = "identities" if model is RestoreOptions else "encrypt_to"
    values = {name: ["/keys/age.txt", "age1xyz", "ssh-ed25519 AAAA x@y"]} | (
        {"backup": "x"} if model is RestoreOptions else {}
    )
    assert model(**values)
    assert not list(Draft202012Validator(model.model_json_schema()).iter_errors(values))
