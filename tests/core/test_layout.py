"""Keys and member paths: one place that builds them, and hostile ones are refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import DamagedError, UsageError
from tasks.core.layout import BackupKeys, Member, backup_name, check_name, parse_member

NOW = datetime(2026, 11, 23, 15, 49, 15, tzinfo=UTC)


def test_the_layout_is_veloros():
    keys = BackupKeys("shop-1")
    assert keys.metadata == "backups/shop-1/velero-backup.json"
    assert keys.tarball == "backups/shop-1/shop-1.tar.gz"
    assert keys.velero("logs") == "backups/shop-1/shop-1-logs.gz"
    assert keys.velero("resource-list.json") == "backups/shop-1/shop-1-resource-list.json.gz"
    assert keys.manifest.startswith(keys.folder)
    assert keys.links.startswith(keys.folder)


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("resources/secrets/namespaces/shop/db.json", Member("secrets", "shop", "db")),
        ("./resources/secrets/namespaces/shop/db.json", Member("secrets", "shop", "db")),
        (
            "resources/clusterroles.rbac.authorization.k8s.io/cluster/system:x.json",
            Member("clusterroles.rbac.authorization.k8s.io", "", "system:x"),
        ),
        ("resources/things.g.io/namespaces/shop/a.json.json", Member("things.g.io", "shop", "a.json")),
        ("metadata/version", None),
        ("resources/deployments.apps/v1-preferredversion/namespaces/shop/web.json", None),
        ("resources/clusterroles.rbac.authorization.k8s.io/v1/cluster/x.json", None),
    ],
)
def test_a_path_of_the_layout_is_read(path, member):
    assert parse_member(path) == member


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "/",
        "/resources/secrets/namespaces/shop/db.json",
        "../resources/secrets/namespaces/shop/db.json",
        "resources/../secrets/namespaces/shop/db.json",
        "resources/secrets/namespaces/../db.json",
        "resources/secrets/namespaces/shop/..",
        "resources/secrets/namespaces//db.json",
        "resources/secrets/namespaces/shop/db.json/",
        "resources/secrets/namespaces/shop/a/db.json",
        "resources/secrets/namespaces/shop\\db/x.json",
        "resources/secrets/namespaces/shop/a\x00b.json",
        "resources/secrets/namespaces/shop/a\nb.json",
        "resources/secrets/namespaces/shop/a\x7fb.json",
        "resources/secrets/namespaces/shop/a\udcffb.json",
        "resources/secrets/namespaces/shop/" + "n" * 100_000 + ".json",
        "resources/secrets/namespaces/shop/db",
        "resources/secrets/namespaces/shop/.json",
        "resources/secrets/cluster/.json",
        "resources/secrets/db.json",
        "resources/secrets",
        "resources",
        "C:/x.json",
        "metadata/../../x",
    ],
)
def test_a_path_outside_the_layout_is_refused_in_one_short_line(path):
    with pytest.raises(DamagedError) as caught:
        parse_member(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


PARTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=60
).filter(lambda part: part not in (".", ".."))


@given(PARTS, PARTS | st.just(""), PARTS)
def test_what_is_written_is_read_back(resource, namespace, name):
    member = Member(resource, namespace, name)
    assert parse_member(member.path) == member


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["resources", "cluster", "namespaces", "..", "a", "b.json"])).map("/".join)
)
def test_no_path_leads_out_of_the_archive(path):
    try:
        member = parse_member(path)
    except DamagedError:
        return
    assert not {"", ".", ".."} & set(path.removeprefix("./").split("/"))
    assert member is None or member.path == path.removeprefix("./")


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
