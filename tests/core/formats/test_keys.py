"""Where everything is in a store, to the letter, since other versions read it; and what no key may be."""

import pytest

from kubeferry.tasks.core.errors import DamagedError, UsageError
from kubeferry.tasks.core.formats.layout import (
    BackupKeys,
    Member,
    MigrationKeys,
    RestoreKeys,
    check_folder,
    check_key,
    flaw,
    former_file,
)


def test_the_keys_of_a_backup():
    keys = BackupKeys("b")
    assert keys.folder == "backups/b/"
    assert keys.metadata == "backups/b/velero-backup.json"
    assert keys.tarball == "backups/b/b.tar.gz"
    assert keys.manifest == "backups/b/kubeferry-manifest.json.gz"
    assert keys.links == "backups/b/kubeferry-links.jsonl.gz"
    assert keys.bindings == "backups/b/kubeferry-bindings.jsonl.gz"
    assert keys.reservation == "backups/b/kubeferry-writing.json"


def test_of_an_encrypted_backup_all_that_holds_content_has_another_key():
    keys = BackupKeys("b", sealed=True)
    assert keys.tarball == "backups/b/b.tar.gz.age"
    assert keys.links == "backups/b/kubeferry-links.jsonl.gz.age"
    assert keys.bindings == "backups/b/kubeferry-bindings.jsonl.gz.age"
    assert keys.contents == "backups/b/kubeferry-contents.json.gz.age"
    assert keys.metadata == "backups/b/velero-backup.json"
    assert keys.manifest == "backups/b/kubeferry-manifest.json.gz"


def test_the_keys_of_a_restore():
    keys = RestoreKeys("r")
    assert keys.folder == "restores/r/"
    assert keys.header == "restores/r/kubeferry-restore.json"
    assert keys.journal == "restores/r/kubeferry-journal/"
    assert keys.segment(7) == "restores/r/kubeferry-journal/00000007.jsonl"
    assert keys.former(former_file(7)) == "restores/r/kubeferry-former/00000007.jsonl.gz"
    assert keys.former(former_file(7, sealed=True)) == "restores/r/kubeferry-former/00000007.jsonl.gz.age"


@pytest.mark.parametrize(
    "file", ["", "7.jsonl.gz", "../00000007.jsonl.gz", "00000007.jsonl", "00000007.jsonl.gz.age.x"]
)
def test_a_file_that_no_journal_names_is_refused(file):
    with pytest.raises(DamagedError, match="restore r: its journal names the file"):
        RestoreKeys("r").former(file)


def test_the_keys_of_a_migration():
    keys = MigrationKeys("m")
    assert keys.folder == "restores/m/"
    assert keys.header == "restores/m/kubeferry-migration.json"
    assert keys.source == "restores/m/kubeferry-migration-source.json"
    assert keys.ends == "restores/m/kubeferry-migration-ends/"
    assert keys.end("shop") == "restores/m/kubeferry-migration-ends/shop.json"


def test_the_places_of_objects_are_veleros():
    assert Member("deployments.apps", "shop", "web").path == "resources/deployments.apps/namespaces/shop/web.json"
    assert Member("namespaces", "", "shop").path == "resources/namespaces/cluster/shop.json"


@pytest.mark.parametrize("key", ["a", "backups/b/c.json", "ü/λ", "a b", "k" * 1024, "é" * 512])
def test_a_key_that_a_store_may_hold(key):
    assert flaw(key) == ""
    assert check_key(key) == key


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "it is empty or longer than 1024 bytes"),
        ("k" * 1025, "it is empty or longer than 1024 bytes"),
        ("é" * 513, "it is empty or longer than 1024 bytes"),
        ("/a", "it has an empty, '.' or '..' segment"),
        ("a/", "it has an empty, '.' or '..' segment"),
        ("a//b", "it has an empty, '.' or '..' segment"),
        ("a/./b", "it has an empty, '.' or '..' segment"),
        ("a/../b", "it has an empty, '.' or '..' segment"),
        ("a\\b", "it has a backslash"),
        ("a\nb", "it has a control character or is not Unicode"),
        ("a\x00", "it has a control character or is not Unicode"),
        ("a\udcff", "it has a control character or is not Unicode"),
    ],
)
def test_a_key_that_leaves_the_store_or_cannot_be_shown_is_refused(key, why):
    assert flaw(key) == why
    with pytest.raises(UsageError, match="is refused: "):
        check_key(key)


def test_a_folder_ends_with_one_slash():
    assert [check_folder(each) for each in ("", "a", "a/", "a/b/")] == ["", "a/", "a/", "a/b/"]
    for wrong in ("/", "a//", "../a"):
        with pytest.raises(UsageError):
            check_folder(wrong)
