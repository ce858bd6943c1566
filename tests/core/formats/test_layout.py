"""Keys: one place that builds them, and hostile names are refused."""

from datetime import UTC, datetime

import pytest

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.layout import BackupKeys, backup_name, check_name, file_stem

NOW = datetime(2026, 11, 23, 15, 49, 15, tzinfo=UTC)


def test_the_layout_is_veloros():
    keys = BackupKeys("shop-1")
    assert keys.metadata == "backups/shop-1/velero-backup.json"
    assert keys.tarball == "backups/shop-1/shop-1.tar.gz"
    assert keys.velero("logs") == "backups/shop-1/shop-1-logs.gz"
    assert keys.velero("resource-list.json") == "backups/shop-1/shop-1-resource-list.json.gz"
    assert keys.manifest.startswith(keys.folder)
    assert keys.links.startswith(keys.folder)


@pytest.mark.parametrize("name", ["a", "shop-20261123", "a.b", "0", "n" * 253])
def test_a_dns_subdomain_is_a_name(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a..b",
        "-a",
        "a-",
        "a.",
        "A",
        "a/b",
        "a\\b",
        "../a",
        "a b",
        "a\n",
        "a\x00",
        "café",
        "n" * 254,
        "n" * 10_000,
    ],
)
def test_anything_else_is_not(name):
    with pytest.raises(UsageError) as caught:
        check_name(name)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_a_backup_is_named_by_its_namespace_and_time_unless_asked_otherwise():
    assert backup_name("mine", ["shop"], NOW) == "mine"
    assert backup_name("", ["shop"], NOW) == "shop-20261123-154915"
    assert backup_name("", ["shop", "bank"], NOW) == "2-namespaces-20261123-154915"
    with pytest.raises(UsageError):
        backup_name("../x", ["shop"], NOW)


def test_a_made_name_is_a_name_however_long_the_namespace_is():
    assert check_name(backup_name("", ["n" * 63], NOW))


def test_a_name_that_is_too_long_for_file_names_is_refused_before_anything_is_done():
    with pytest.raises(UsageError, match="at most 200, since files"):
        backup_name("b" * 201, ["shop"], NOW)
    assert backup_name("b" * 200, ["shop"], NOW) == "b" * 200


def test_the_name_of_a_restore_of_a_backup_with_a_long_name_fits_too():
    made = backup_name("", [f"{'b' * 250}-restore"], NOW)
    assert len(made) <= 200
    assert made.endswith("-20261123-154915")
    assert check_name(made) == made


def test_long_names_that_begin_alike_have_different_files():
    ours, theirs = (f"{'x' * 240}.{end}" for end in ("one", "two"))
    assert file_stem(ours) != file_stem(theirs)
    assert max(len(file_stem(each)) for each in (ours, theirs)) <= 200
    assert file_stem("deployments.apps") == "deployments.apps"
