"""An encrypted backup: nothing of its objects is readable, a key restores it, and it is proved without one."""

import base64
import json
import subprocess
import zlib
from dataclasses import replace

import pytest
from pyrage import x25519
from tests.support.bench import A, B

import kubeferry.flows.restore
from kubeferry.flows.undo import undo
from kubeferry.tasks.core.errors import DamagedError, KubeferryError, UsageError
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.models.options import UndoOptions
from kubeferry.tasks.ports.archive.encryption import opener
from kubeferry.tasks.ports.records.backups import _whole, backups, open_backup, prove
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.open import open_store

MARK = "marked-secret-value"
NAMED = "marked-object-name"
SHOP = f"""
{{apiVersion: v1, kind: Secret, metadata: {{name: {NAMED}}}, stringData: {{password: {MARK}}}}}
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: settings}}, data: {{a: {MARK}}}}}
---
{{apiVersion: v1, kind: Service, metadata: {{name: web}}, spec: {{ports: [{{port: 80}}]}}}}
"""


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A folder of keys: age.txt and age.pub, ssh and ssh.pub, and other.txt of somebody else."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("age", "other"):
        identity = x25519.Identity.generate()
        (folder / f"{name}.txt").write_text(f"{identity}\n")
        (folder / f"{name}.pub").write_text(f"{identity.to_public()}\n")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "ssh"], check=True)  # noqa: S607
    return folder


@pytest.fixture(scope="module")
def shop(bench):
    ns = bench.namespace("sealed")
    bench.make(SHOP, ns)
    (service,) = [each for each in bench.list("Service", ns) if each["metadata"]["name"] == "web"]
    address = service["spec"]["clusterIP"]
    bench.make(f'{{apiVersion: v1, kind: ConfigMap, metadata: {{name: uses}}, data: {{ip: "{address}"}}}}', ns)
    return ns


@pytest.fixture(scope="module")
def saved(bench, keys, shop):
    return bench.backup(shop, encrypt_to=[str(keys / "age.pub"), (keys / "ssh.pub").read_text()])


@pytest.fixture
def store(bench):
    return open_store(bench.where["store"])


def readable(store, prefix):
    """Return what anybody can read below a folder of a store, unpacked, and the keys of what only a key opens."""
    texts, sealed = {}, []
    for entry in store.list(prefix):
        data = store.get(entry.key)
        if data.startswith(b"age-encryption.org/v1\n"):
            sealed.append(entry.key)
        texts[entry.key] = zlib.decompress(data, wbits=31) if entry.key.endswith(".gz") else data
    return texts, sealed


def test_nothing_of_an_object_can_be_read(store, saved):
    """Neither values nor names nor digests; what can be read without a key is what it says."""
    marks = [MARK.encode(), base64.b64encode(MARK.encode()), NAMED.encode(), base64.b64encode(NAMED.encode())]
    texts, sealed = readable(store, f"backups/{saved.name}")
    assert [key for key, text in texts.items() for mark in marks if mark in text] == []
    ours = (
        "kubeferry-bindings.jsonl.gz",
        "kubeferry-contents.json.gz",
        "kubeferry-links.jsonl.gz",
        f"{saved.name}.tar.gz",
    )
    assert sorted(sealed) == sorted(f"backups/{saved.name}/{each}.age" for each in ours)
    open_ones = ("kubeferry-manifest.json.gz", "velero-backup.json")
    assert sorted(texts.keys() - set(sealed)) == [f"backups/{saved.name}/{each}" for each in open_ones]
    manifest = json.loads(texts[f"backups/{saved.name}/kubeferry-manifest.json.gz"])
    assert (manifest["objects"], manifest["left_out"]) == ({}, [])
    assert manifest["counts"]["Secret"] == 1
    assert set(manifest["files"]) == set(sealed)


def test_the_result_says_to_whom_and_holds_what_was_done(keys, saved):
    age, ssh = (keys / "age.pub").read_text().strip(), (keys / "ssh.pub").read_text().rpartition(" ")[0]
    assert saved.encrypted_to == [age, ssh]
    assert saved.phase is Phase.COMPLETED
    assert (saved.counts["Secret"], saved.counts["ConfigMap"]) == (1, 2)
    assert "kube-root-ca.crt" in {each.name for each in saved.left_out}


def test_velero_passes_over_it_and_kubeferry_lists_it_as_it_is(store, saved):
    backup = json.loads(store.get(f"backups/{saved.name}/velero-backup.json"))
    assert (backup["status"]["phase"], backup["metadata"]["annotations"]["kubeferry.io/encryption"]) == (
        "Finalizing",
        "age-encryption.org/v1",
    )
    (listed,) = [each for each in backups(store) if each.name == saved.name]
    assert (listed.phase, listed.encrypted, listed.items) == ("Completed", True, saved.objects)


def test_it_is_proved_without_a_key_file_by_file(store, bench, keys, shop):
    """What is missing, cut or changed is found by who cannot read it."""
    result = bench.backup(shop, encrypt_to=[str(keys / "other.pub")])
    proof = prove(store.url, result.name)
    assert (proof.files, proof.objects, proof.proved, proof.closed) == (4, 0, True, True)
    for entry in list(store.list(f"backups/{result.name}")):
        if entry.key.endswith("velero-backup.json"):
            continue  # at the beginning of the chain
        whole = store.get(entry.key)
        for spoilt in (whole[:-1], whole[:50] + bytes([whole[50] ^ 1]) + whole[51:], None):
            store.delete([entry.key]) if spoilt is None else store.put(entry.key, spoilt)
            with pytest.raises(DamagedError, match=f"^backup {result.name}: "):
                prove(store.url, result.name)
        store.put(entry.key, whole)
    assert prove(store.url, result.name).proved


@pytest.mark.parametrize("key", ["age.txt", "ssh"])
def test_any_of_its_keys_proves_each_object(store, keys, saved, key):
    proof = prove(store.url, saved.name, deep=True, identities=[str(keys / key)])
    assert (proof.objects, proof.proved, proof.closed) == (saved.objects, True, False)


@pytest.mark.parametrize("key", ["age.txt", "ssh"])
def test_any_of_its_keys_restores_it_with_new_addresses(bench, keys, saved, shop, key):
    copy = bench.name("opened")
    result = bench.restore(saved, map={shop: copy}, identities=[str(keys / "other.txt"), str(keys / key)])
    assert (result.phase, result.problems) == (Phase.COMPLETED, [])
    password = bench.get("Secret", copy, NAMED, B)["data"]["password"]
    assert base64.b64decode(password).decode() == MARK
    assert (
        bench.get("ConfigMap", copy, "uses", B)["data"]["ip"]
        == bench.get("Service", copy, "web", B)["spec"]["clusterIP"]
    )


@pytest.mark.parametrize(
    ("identities", "message"), [([], "name the file of a secret key"), (["other.txt"], "no given secret key")]
)
def test_without_its_key_nothing_is_written_and_one_line_says_why(bench, store, keys, saved, shop, identities, message):
    copy, by = bench.name("closed"), [str(keys / each) for each in identities]
    with pytest.raises(UsageError) as caught:
        bench.restore(saved, map={shop: copy}, identities=by)
    assert str(caught.value).startswith(f"backup {saved.name} is encrypted")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert bench.find("Namespace", "", copy, B) is None
    with pytest.raises(UsageError, match=f"^backup {saved.name} is encrypted"):
        prove(store.url, saved.name, deep=True, identities=by)


def test_a_recipient_that_is_none_is_reported_before_anything_is_read(bench, shop):
    with pytest.raises(UsageError, match="'age1nobody' is no recipient"):
        bench.backup(shop, encrypt_to=["age1nobody"])


def test_another_backups_files_are_found_by_who_has_the_key(bench, store, keys, shop, saved):
    """Even where somebody has made every readable digest fit again."""
    other = bench.backup(shop, encrypt_to=[str(keys / "age.pub")])
    mine, theirs = (open_backup(store, each.name) for each in (saved, other))
    assert mine.manifest.files.keys() != theirs.manifest.files.keys()
    files = {mine.keys.contents: theirs.manifest.files[theirs.keys.contents]}
    was = store.get(mine.keys.contents)
    store.put(mine.keys.contents, store.get(theirs.keys.contents))
    try:
        forged = mine.manifest.model_copy(update={"files": mine.manifest.files | files})
        with pytest.raises(DamagedError, match="is that of another backup"):
            _whole(replace(mine, manifest=forged, opener=opener([str(keys / "age.txt")])), forged)
    finally:
        store.put(mine.keys.contents, was)


# --- what a restore keeps


@pytest.fixture
def replaced(bench, keys, saved, shop):
    """A restore that has replaced a Secret of the target with the backup's: namespace, its result, the value before."""
    copy = bench.namespace("replaced", B)
    bench.make(
        f"{{apiVersion: v1, kind: Secret, metadata: {{name: {NAMED}}}, stringData: {{password: before-{MARK}}}}}",
        copy,
        B,
    )
    return copy, bench.restore(saved, map={shop: copy}, existing="update", identities=[str(keys / "age.txt")])


def value(bench, namespace):
    return base64.b64decode(bench.get("Secret", namespace, NAMED, B)["data"]["password"]).decode()


def test_previous_contents_are_encrypted_to_the_key_of_the_operator(bench, store, keys, replaced):
    copy, result = replaced
    assert value(bench, copy) == MARK
    texts, sealed = readable(store, f"restores/{result.name}")
    assert [key.rpartition("/")[2] for key in sealed] != []
    assert all(key.endswith(".jsonl.gz.age") for key in sealed)
    mark = base64.b64encode(f"before-{MARK}".encode())
    assert [key for key, text in texts.items() if mark in text or MARK.encode() in text] == []
    found = open_restore(store, result.name)
    (former,) = [each for ref, each in found.state.formers.items() if ref.kind == "Secret"]
    body = found.former(former, opener([str(keys / "age.txt")]))
    assert base64.b64decode(body["data"]["password"]).decode() == f"before-{MARK}"


def test_undo_wants_a_key_and_touches_nothing_without(bench, keys, replaced):
    copy, result = replaced

    def undone(*by):
        asked = UndoOptions(restore=result.name, context=B, identities=[str(keys / each) for each in by], **bench.where)
        return bench.run_flow(undo(asked))

    for by in ([], ["other.txt"], ["ssh"]):  # the last one opens the backup
        with pytest.raises(UsageError, match=f"what restore {result.name} has replaced is encrypted"):
            undone(*by)
    assert value(bench, copy) == MARK
    assert bench.find("ConfigMap", copy, "settings", B)
    assert undone("age.txt").phase is Phase.COMPLETED
    assert value(bench, copy) == f"before-{MARK}"
    assert bench.find("ConfigMap", copy, "settings", B) is None


def test_a_restore_is_resumed_by_a_key_from_another_place(bench, keys, saved, shop, tmp_path, monkeypatch):
    """As on another machine, where the paths that the first run was given mean nothing."""
    copy, path, name = bench.name("resumed"), tmp_path / "key.txt", bench.name("run")
    path.write_text((keys / "age.txt").read_text())

    async def cut_off(*_):
        raise KubeferryError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(kubeferry.flows.restore, "verify_restored", cut_off)
        with pytest.raises(KubeferryError, match=r"^cut off$"):
            bench.restore(saved, map={shop: copy}, identities=[str(path)], name=name, rollback=False)
    with pytest.raises(UsageError, match="is encrypted: name the file of a secret key"):
        bench.restore("", resume=name)  # what the first run was given is the operator's, and in no store
    result = bench.restore("", resume=name, identities=[str(keys / "ssh")])
    assert result.phase is Phase.COMPLETED
    assert value(bench, copy) == MARK


# --- on the command line


def test_variables_name_recipients_and_keys(kubeferry, bench, keys, shop):
    where = ("--store", bench.where["store"])
    to = f"{(keys / 'other.pub').read_text().strip()} {(keys / 'ssh.pub').read_text().rpartition(' ')[0]}"
    code, out, err = kubeferry("backup", shop, "--context", A, "-o", "json", *where, KUBEFERRY_ENCRYPT_TO=to)
    assert code == 0, err
    result = json.loads(out)
    assert " ".join(result["encrypted_to"]) == to
    by = f"{keys / 'age.txt'}:{keys / 'ssh'}"
    for command in (["verify", result["name"], "--deep"], ["plan", result["name"]], ["show", result["name"]]):
        code, out, err = kubeferry(*command, *where, "-o", "json", KUBEFERRY_IDENTITY=by)
        assert (code, err) == (0, "")
        json.loads(out)
    assert NAMED in out
    code, out, err = kubeferry("show", result["name"], *where, "-o", "json")
    assert (code, err, NAMED in out) == (0, "", False)
    assert {"objects", "left_out"} & json.loads(out).keys() == set()


def test_a_secret_key_that_is_typed_is_never_quoted_or_kept(kubeferry, keys, bench, saved):
    secret = (keys / "age.txt").read_text().strip()
    where = ("--store", bench.where["store"])
    for words in (
        ["restore", saved.name, "--identity", secret],
        ["backup", "x", "--encrypt-to", secret],
        ["plan", saved.name, "--identity", secret],
        ["show", saved.name, "--identity", secret],
        ["verify", saved.name, "--identity", secret],
    ):
        code, out, err = kubeferry(*words, *where, "--debug")
        assert code == 2
        assert "secret key itself must not be given" in err.splitlines()[-1]
        assert secret[15:40] not in out + err


def test_a_backup_that_fails_leaves_nothing_readable_either(bench, keys, shop, tmp_path, monkeypatch):
    """The last write is refused: what lies in the store by then is encrypted too."""
    from kubeferry.tasks.backup import upload

    store = open_store((tmp_path / "store").as_uri())

    def refuse(*_):
        raise KubeferryError("the disk is full")

    monkeypatch.setattr(upload, "_finish", refuse)
    with pytest.raises(KubeferryError, match="the disk is full"):
        bench.backup(shop, encrypt_to=[str(keys / "age.pub")], store=store.url)
    texts, sealed = readable(store, "backups")
    assert len(sealed) == 4
    assert not any(MARK.encode() in text or NAMED.encode() in text for text in texts.values())
