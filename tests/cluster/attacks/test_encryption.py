"""Whoever may write to the bucket takes the encryption off, or chooses who can read: with keys given, that is seen."""

import gzip
import json
import os

import pyrage
import pytest
from tests.support.bench import B
from tests.support.objects import documents, secret

from kubeferry.flows.populate import populate
from kubeferry.flows.restore import restore
from kubeferry.flows.undo import undo
from kubeferry.tasks.core.errors import PermanentError, UsageError
from kubeferry.tasks.core.models.options import RestoreOptions, UndoOptions
from kubeferry.tasks.core.models.options_migration import PopulateOptions
from kubeferry.tasks.ports.archive.encryption import opener

TARGETS = "marked-secret-of-the-target"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Files of two age identities, `mine` and `theirs`, and their recipients."""
    folder, found = tmp_path_factory.mktemp("keys"), {}
    for name in ("mine", "theirs"):
        identity = pyrage.x25519.Identity.generate()
        path = folder / name
        path.write_text(f"{identity}\n")
        found[name] = (str(path), str(identity.to_public()))
    return found


@pytest.fixture(scope="module")
def ns(bench):
    made = bench.namespace("sealed")
    bench.make(documents(secret("token", {"a": "marked-secret-of-the-source"})), made)
    return made


@pytest.fixture
def target(bench):
    """A namespace whose Secret a restore replaces."""
    made = bench.namespace("target", B)
    bench.make(secret("token", {"a": TARGETS}), made, B)
    return made


def formers(bench, result):
    """Return the files of previous contents of a restore."""
    return list((bench.folder / "restores" / result.name / "kubeferry-former").iterdir())


def test_a_plain_backup_in_place_of_an_encrypted_one_is_refused(bench, ns, keys):
    identity, recipient = keys["mine"]
    saved = bench.backup(ns, encrypt_to=[recipient])
    for path in (bench.folder / "backups" / saved.name).iterdir():
        path.unlink()
    bench.backup(ns, name=saved.name)
    copy = bench.name("copy")
    for given in ({"identities": [identity]}, {"encrypt_to": [recipient]}):
        with pytest.raises(UsageError, match="is not encrypted, although keys are given"):
            bench.restore(saved, map={ns: copy}, **given)
    assert bench.find("Namespace", "", copy, B) is None
    asked = PopulateOptions(
        backup=saved.name, into=[{"name": copy}], context=B, identities=[identity], name=copy, **bench.where
    )
    result = bench.run_flow(populate(asked))
    assert "is not encrypted" in result.namespaces[0].error
    assert bench.restore(saved, map={ns: copy}, identities=[identity], allow_plain=True).phase == "Completed"


def test_what_a_restore_replaces_is_encrypted_for_whom_the_operator_says(bench, ns, keys, target):
    _, recipient = keys["mine"]
    saved = bench.backup(ns)
    options = {"existing": "update", "encrypt_to": [recipient], "allow_plain": True}
    result = bench.restore(saved, map={ns: target}, **options)
    kept = formers(bench, result)
    assert kept
    for path in kept:
        sealed = path.read_bytes()
        assert TARGETS.encode() not in (gzip.decompress(sealed) if sealed[:2] == b"\x1f\x8b" else sealed)
        assert b"token" in gzip.decompress(opener([keys["mine"][0]]).open(sealed, "it"))


def test_a_backup_does_not_choose_who_can_read_the_targets_secrets(bench, ns, keys, target):
    """It is encrypted to its forger as well: what is kept of the target is for the operator's key alone."""
    (identity, mine), (_, theirs) = keys["mine"], keys["theirs"]
    saved = bench.backup(ns, encrypt_to=[mine, theirs])
    result = bench.restore(saved, map={ns: target}, existing="update", identities=[identity])
    (path,) = formers(bench, result)
    assert opener([identity]).open(path.read_bytes(), "it")
    with pytest.raises(UsageError, match="no given secret key"):
        opener([keys["theirs"][0]]).open(path.read_bytes(), "it")


def test_a_restore_that_fails_needs_no_key_to_give_back_what_it_replaced(bench, ns, keys, target, monkeypatch):
    _, recipient = keys["mine"]
    saved = bench.backup(ns)

    async def fails(*_):
        raise PermanentError("no more")

    monkeypatch.setattr("kubeferry.flows.restore.wait", fails)
    asked = RestoreOptions(
        backup=saved.name,
        context=B,
        map={ns: target},
        existing="update",
        encrypt_to=[recipient],
        allow_plain=True,
        **bench.where,
    )
    with pytest.raises(PermanentError, match="no more") as error:
        bench.run_flow(restore(asked))
    assert error.value.result.taken_back.left == []
    assert bench.get("Secret", target, "token", B)["data"]["a"] == "bWFya2VkLXNlY3JldC1vZi10aGUtdGFyZ2V0"


def test_former_content_in_the_clear_is_not_given_back_by_an_undo_with_a_key(bench, ns, keys, target):
    identity, mine = keys["mine"]
    saved = bench.backup(ns, encrypt_to=[mine])
    result = bench.restore(saved, map={ns: target}, existing="update", identities=[identity])
    (path,) = formers(bench, result)
    plain = gzip.decompress(opener([identity]).open(path.read_bytes(), "it")).replace(
        b"bWFya2VkLXNlY3JldC1vZi10aGUtdGFyZ2V0", b"Zm9yZ2Vk"
    )
    unsealed = path.with_suffix("")
    unsealed.write_bytes(gzip.compress(plain))
    for segment in (bench.folder / "restores" / result.name).rglob("*.jsonl"):
        segment.write_text(segment.read_text().replace(path.name, unsealed.name))
    asked = {"restore": result.name, "context": B, "identities": [identity], **bench.where}
    back = bench.run_flow(undo(UndoOptions(**asked)))
    (left,) = [each for each in back.taken_back.left if "Secret" in each.what]
    assert "is not encrypted, although keys are given" in left.why
    assert "Zm9yZ2Vk" not in json.dumps(bench.get("Secret", target, "token", B))
    assert os.path.exists(unsealed)  # noqa: PTH110 - the name that the journal has now


def test_nothing_is_exported_of_a_plain_backup_in_place_of_an_encrypted_one(bench, ns, keys, kubeferry, tmp_path):
    identity, _ = keys["mine"]
    saved, to = bench.backup(ns), ("--store", bench.where["store"], "--identity", identity)
    out = tmp_path / "out"
    for words in (("plan",), ("diff", "--against", saved.name), ("export", "--as", "yaml", "--out", out)):
        code, _, err = kubeferry(words[0], saved.name, *words[1:], *to)
        assert (code, "is not encrypted, although keys are given" in err) == (2, True), err
        assert kubeferry(words[0], saved.name, *words[1:], *to, "--allow-plain")[0] == 0
    assert kubeferry("verify", saved.name, *to)[0] == 0
    where = ("--context", "kubeferry-a", "--kubeconfig", bench.where["kubeconfig"])
    now = ("export", "--from-cluster", ns, "--as", "yaml", "--out", tmp_path / "now", *where)
    assert kubeferry(*now, "--identity", identity)[0] == 0
