"""A path inside a tarball is one of the layout, or refused in one short line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.layout import Member, check_folder_path, check_version, parse_member


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
        "resources/secrets/namespaces/shop/...json",
        "resources/secrets/cluster/..json",
        "resources/secrets/namespaces/Shop/db.json",
        "resources/secrets/namespaces/a b/db.json",
        "resources/secrets/namespaces/-shop/db.json",
        "resources/secrets/namespaces/" + "n" * 64 + "/db.json",
        "resources/Secrets/namespaces/shop/db.json",
        "resources/secrets?x/namespaces/shop/db.json",
        "resources/" + "r" * 400 + "/cluster/db.json",
    ],
)
def test_a_path_outside_the_layout_is_refused_in_one_short_line(path):
    with pytest.raises(DamagedError) as caught:
        parse_member(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\%"), min_size=1, max_size=60
).filter(lambda part: part not in (".", ".."))
LABELS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
TYPES = st.from_regex(r"[a-z]{1,20}(\.[a-z0-9]{1,9}){0,3}", fullmatch=True)


@given(TYPES, LABELS | st.just(""), NAMES)
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


@pytest.mark.parametrize("path", [".", "./", "resources", "resources/", "./resources/secrets", "metadata/"])
def test_folders_of_the_layout_are_passed_over(path):
    check_folder_path(path)


@pytest.mark.parametrize("path", ["", "/", "..", "./..", "/resources", "resources/../..", "a//b", "a\x1b[2J", "a\\b"])
def test_folders_that_lead_elsewhere_are_refused(path):
    with pytest.raises(DamagedError, match="not allowed in an archive"):
        check_folder_path(path)


@pytest.mark.parametrize("version", [b"1", b"1\n", b"1.1.0\n", b"1.2"])
def test_velero_format_1_is_read(version):
    check_version(version)


@pytest.mark.parametrize(
    "version", [b"", b"2", b"2.0.0\n", b"0.9", b"10", b"v1", b"\xff\x00", b"1" * 10_000, b"\x1b[2J"]
)
def test_another_format_is_refused_with_ours(version):
    with pytest.raises(DamagedError, match="this Kubeferry reads 1") as caught:
        check_version(version)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()
