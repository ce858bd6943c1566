"""Whoever may write to the bucket, with trusted keys given: nothing unsigned, forged or of another key is taken.

The keys come from the environment, as they do for a worker: what a flow run asks for does not matter then.
"""

import gzip
import hashlib
import json
import shutil

import pytest
from tests.ports.store.test_signatures import keygen
from tests.support.bench import A, B
from tests.support.objects import config_map

from kubeferry.flows.migrate import migrate
from kubeferry.flows.populate import populate
from kubeferry.flows.prune import prune
from kubeferry.flows.restore import restore
from kubeferry.flows.undo import undo
from kubeferry.tasks.core.errors import SignatureError, UsageError
from kubeferry.tasks.core.models.options import RestoreOptions, UndoOptions
from kubeferry.tasks.core.models.options_maintenance import PruneOptions
from kubeferry.tasks.core.models.options_migration import MigrateOptions, PopulateOptions

NOT_SIGNED, ANOTHER, FORGED = "is not signed", "signed by another key, SHA256:", "made for something else"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two keys, `ours` and `theirs`."""
    made = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        keygen("-q", "-t", "ed25519", "-N", "", "-f", made / name)
    return made


@pytest.fixture
def signing(folder, monkeypatch):
    """Return a function that signs with one of the keys from now on."""

    def use(name):
        monkeypatch.delenv("KUBEFERRY_SIGN_WITH", raising=False)
        if name:
            monkeypatch.setenv("KUBEFERRY_SIGN_WITH", str(folder / name))

    use("ours")
    return use


@pytest.fixture
def verifying(folder, signing, monkeypatch):
    """From now on, only what is signed by our key is taken."""

    def use():
        signing("ours")
        monkeypatch.setenv("KUBEFERRY_VERIFY_WITH", str(folder / "ours.pub"))

    return use


@pytest.fixture(scope="module")
def ns(bench):
    made = bench.namespace("signed")
    bench.make(config_map("settings", {"a": "b"}), made)
    return made


def files(bench, *under):
    return bench.folder.joinpath(*under)


def edit(path, old, new):
    """Change a stored file as somebody would who may write to the store."""
    data = path.read_bytes()
    assert old.encode() in data
    path.write_bytes(data.replace(old.encode(), new.encode()))


def refused(bench, saved, ns, why):
    """A restore is refused in one line, and nothing is written: not even a namespace, or the record of it."""
    copy = bench.name("copy")
    with pytest.raises(SignatureError, match=why) as caught:
        bench.restore(saved, map={ns: copy}, name=copy)
    assert "\n" not in str(caught.value)
    assert bench.find("Namespace", "", copy, B) is None
    assert not files(bench, "restores", copy).exists()


def verified_by_ssh_keygen(store, key, folder):
    """As the README says how."""
    (folder / "signers").write_text(f"me {(folder / 'ours.pub').read_text()}")
    content = (store / key).read_bytes()
    signature = (store / key).parent / "kubeferry-signatures" / f"{hashlib.sha256(content).hexdigest()}.sig"
    asked = ("-Y", "verify", "-f", folder / "signers", "-I", "me", "-n", f"{key}@kubeferry.io", "-s", signature)
    keygen(*asked, input=content)


def test_a_backup_that_is_signed_by_a_trusted_key_is_restored_and_undone(bench, ns, verifying, folder):
    verifying()
    saved, copy = bench.backup(ns), bench.name("copy")
    verified_by_ssh_keygen(bench.folder, f"backups/{saved.name}/velero-backup.json", folder)
    result = bench.restore(saved, map={ns: copy})
    assert bench.get("ConfigMap", copy, "settings", B)["data"] == {"a": "b"}
    ended = bench.run_flow(undo(UndoOptions(restore=result.name, context=B, **bench.where)))
    assert (ended.phase, bench.find("Namespace", "", copy, B)) == ("Completed", None)


def test_a_backup_without_signature_or_with_that_of_another_key_is_refused(bench, ns, signing, verifying):
    signing("")
    plain = bench.backup(ns)
    signing("theirs")
    theirs = bench.backup(ns)
    verifying()
    refused(bench, plain, ns, NOT_SIGNED)
    refused(bench, theirs, ns, ANOTHER)


def test_a_manifest_that_fits_forged_objects_is_refused(bench, ns, verifying):
    """All digests are right, up to the Backup object; only the signature is not."""
    verifying()
    saved = bench.backup(ns)
    at = files(bench, "backups", saved.name)
    manifest, backup = at / "kubeferry-manifest.json.gz", at / "velero-backup.json"
    before = hashlib.sha256(manifest.read_bytes()).hexdigest()
    changed = json.loads(gzip.decompress(manifest.read_bytes())) | {"problems": []}
    manifest.write_bytes(gzip.compress(json.dumps(changed).encode()))
    edit(backup, before, hashlib.sha256(manifest.read_bytes()).hexdigest())
    refused(bench, saved, ns, NOT_SIGNED)


def test_the_signature_of_another_file_proves_nothing(bench, ns, verifying):
    """Another backup, whole and signed, under this one's name; and its signature for what stands here."""
    verifying()
    saved, other = bench.backup(ns), bench.backup(ns)
    at = files(bench, "backups", saved.name)
    edit(at / "velero-backup.json", '"phase":"Completed"', '"phase": "Completed"')
    digest = hashlib.sha256((at / "velero-backup.json").read_bytes()).hexdigest()
    (of_other,) = files(bench, "backups", other.name, "kubeferry-signatures").iterdir()
    shutil.copy(of_other, at / "kubeferry-signatures" / f"{digest}.sig")
    refused(bench, saved, ns, FORGED)


def interrupted(bench, saved, ns):
    """Return the name of a restore whose process was killed at its end, and its namespace."""
    copy = bench.name("copy")
    result = bench.restore(saved, map={ns: copy})
    last = max(files(bench, "restores", result.name, "kubeferry-journal").iterdir())
    last.unlink()
    return result.name, copy


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("kubeferry-restore.json", '"started":', '"started": '),
        ("kubeferry-journal/00000001.jsonl", '"event":"begin"', '"event": "begin"'),
    ],
)
def test_a_restore_whose_record_was_edited_is_neither_resumed_nor_undone(bench, ns, verifying, file, old, new):
    verifying()
    named, copy = interrupted(bench, bench.backup(ns), ns)
    edit(files(bench, "restores", named, *file.split("/")), old, new)
    before = bench.get("ConfigMap", copy, "settings", B)["metadata"]["resourceVersion"]
    with pytest.raises(SignatureError, match=NOT_SIGNED):
        bench.run_flow(restore(RestoreOptions(resume=named, context=B, **bench.where)))
    with pytest.raises(SignatureError, match=NOT_SIGNED):
        bench.run_flow(undo(UndoOptions(restore=named, context=B, **bench.where)))
    assert bench.get("ConfigMap", copy, "settings", B)["metadata"]["resourceVersion"] == before


def test_a_segment_added_to_a_journal_is_refused(bench, ns, verifying):
    verifying()
    result = bench.restore(bench.backup(ns), map={ns: bench.name("copy")})
    journal = files(bench, "restores", result.name, "kubeferry-journal")
    last = max(journal.iterdir())
    shutil.copy(last, journal / f"{int(last.stem) + 1:08}.jsonl")  # its content is signed, for another place
    with pytest.raises(SignatureError, match=FORGED):
        bench.run_flow(undo(UndoOptions(restore=result.name, context=B, **bench.where)))


def test_previous_content_that_was_replaced_is_not_written(bench, ns, verifying):
    verifying()
    target = bench.namespace("target", B)
    bench.make(config_map("settings", {"a": "theirs"}), target, B)
    result = bench.restore(bench.backup(ns), map={ns: target}, existing="update")
    (kept,) = files(bench, "restores", result.name, "kubeferry-former").iterdir()
    content = gzip.decompress(kept.read_bytes()).replace(b"theirs", b"forged")
    kept.write_bytes(gzip.compress(content))
    ended = bench.run_flow(undo(UndoOptions(restore=result.name, context=B, force=True, **bench.where)))
    assert [NOT_SIGNED in each.why for each in ended.taken_back.left] == [True]
    assert bench.get("ConfigMap", target, "settings", B)["data"] == {"a": "b"}


def test_a_migration_whose_record_was_edited_is_not_resumed(bench, ns, verifying):
    verifying()
    named, copy = bench.name("m"), bench.name("copy")
    where = {"from_context": A, "to_context": B, **bench.where}
    bench.run_flow(migrate(MigrateOptions(namespaces=[ns], name=named, map={ns: copy}, **where)))
    edit(files(bench, "restores", named, "kubeferry-migration.json"), '"namespaces":', '"namespaces": ')
    with pytest.raises(SignatureError, match=NOT_SIGNED):
        bench.run_flow(migrate(MigrateOptions(resume=named, **where)))


def test_a_populate_takes_no_unsigned_template(bench, ns, signing, verifying):
    signing("theirs")
    saved, copy = bench.backup(ns), bench.name("copy")
    verifying()
    asked = PopulateOptions(backup=saved.name, into=[{"name": copy}], context=B, name=copy, **bench.where)
    with pytest.raises(SignatureError, match=ANOTHER):
        bench.run_flow(populate(asked))
    assert bench.find("Namespace", "", copy, B) is None


def test_a_prune_does_not_take_a_forged_backup_for_the_newest(bench, ns, signing, verifying, monkeypatch):
    """Otherwise whoever writes into the bucket has it remove all good ones, by `--keep-last 1`."""
    verifying()
    good = bench.backup(ns)
    signing("theirs")
    monkeypatch.delenv("KUBEFERRY_VERIFY_WITH")
    forged = bench.backup(ns)
    verifying()
    result = bench.run_flow(prune(PruneOptions(keep_last=1, store=bench.where["store"])))
    kept = {each.name for each in result.judged if each.keep}
    assert good.name in kept
    assert files(bench, "backups", good.name, "velero-backup.json").exists()
    assert files(bench, "backups", forged.name, "velero-backup.json").exists()
    assert [each.why for each in result.problems if forged.name in f"{each.what} {each.why}" and ANOTHER in each.why]
    assert result.phase == "Partial"


def test_who_asks_for_signatures_signs_what_he_writes(bench, ns, signing, verifying):
    """A restore could not be rolled back whose own journal is not taken."""
    verifying()
    saved, copy = bench.backup(ns), bench.name("copy")
    signing("")
    with pytest.raises(UsageError, match="give --sign-with too"):
        bench.restore(saved, map={ns: copy})
    with pytest.raises(UsageError, match="give --sign-with too"):
        bench.backup(ns)
    signing("theirs")
    with pytest.raises(UsageError, match="is not one of those of --verify-with"):
        bench.restore(saved, map={ns: copy})
    assert bench.find("Namespace", "", copy, B) is None


def test_the_options_of_a_command_do_not_take_the_word_of_the_environment_away(bench, ns, folder, kubeferry, signing):
    """A command that trusts another key is refused as well where the environment names keys."""
    where = ("--context", B, "--kubeconfig", bench.where["kubeconfig"], "--store", bench.where["store"])
    signing("theirs")
    saved, copy = bench.backup(ns), bench.name("copy")
    asked = ("restore", saved.name, "--map", f"{ns}={copy}", *where, "--sign-with", folder / "theirs")
    trust = ("--verify-with", folder / "theirs.pub")
    code, _, err = kubeferry(*asked, *trust, KUBEFERRY_VERIFY_WITH=str(folder / "ours.pub"), KUBEFERRY_SIGN_WITH="")
    assert (code, bench.find("Namespace", "", copy, B)) == (1, None), err
    assert ANOTHER in err
    code, _, err = kubeferry(*asked, "--verify-with", folder / "ours.pub", KUBEFERRY_SIGN_WITH="")
    assert (code, ANOTHER in err) == (1, True), err
    assert kubeferry(*asked, *trust, KUBEFERRY_SIGN_WITH="")[0] == 0
    code, out, err = kubeferry("list", "--store", bench.where["store"], "--verify-with", folder / "ours.pub")
    assert code == 3
    assert ANOTHER in out
    code, _, err = kubeferry("verify", saved.name, *where[-2:], "--verify-with", folder / "ours.pub")
    assert (code, len(err.splitlines()), ANOTHER in err) == (1, 1, True), err


def test_an_export_of_a_cluster_needs_no_key_for_its_own_temporary_store(bench, ns, folder, kubeferry, tmp_path):
    where = ("--context", A, "--kubeconfig", bench.where["kubeconfig"], "--store", bench.where["store"])
    asked = ("export", "--from-cluster", ns, "--as", "yaml", "--out", tmp_path / "out", *where)
    allowed = {"KUBEFERRY_ALLOWED_STORES": bench.where["store"], "KUBEFERRY_VERIFY_WITH": str(folder / "ours.pub")}
    code, _, err = kubeferry(*asked, **allowed, KUBEFERRY_SIGN_WITH="")
    assert code in (0, 3), err
    assert list((tmp_path / "out").rglob("*.yaml"))
