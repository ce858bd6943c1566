"""What a bundle lists, in parts that etcd takes, and what on an object shows that it is a bundle's own."""

from datetime import UTC, datetime

import orjson
import pytest

from kubeferry.tasks.core.formats.journal import Header, Target, made_by
from kubeferry.tasks.core.formats.target import bundle
from kubeferry.tasks.core.formats.target.bundle import (
    API_VERSION,
    LETTERS,
    MEMBERS,
    Member,
    label,
    made_for,
    maker,
    members_of,
    owner,
    parts,
)
from kubeferry.tasks.core.kube.objects import Ref

MANY = [Member(number % 7 + 1, Ref("", "Secret", "shop", f"s{number:05}"), f"u{number:05}") for number in range(12_000)]
UID = "6a1f7a52-5b0e-4b6f-9a55-3f0d2a1c9e11"
ETCD = 1_572_864  # bytes that a request to it may have (etcd: --max-request-bytes)


def listed(status):
    return members_of({"status": status})


def test_members_are_listed_level_by_level_each_with_its_uid():
    some = [Member(2, Ref("apps", "Deployment", "shop", "web"), "u2"), Member(1, Ref("", "Secret", "shop", "s"), "u1")]
    assert parts("r", "Completed", some) == [
        (
            "r",
            {
                "phase": "Completed",
                "members": 2,
                "levels": [
                    {"level": 1, "objects": [{"object": "Secret shop/s", "uid": "u1"}]},
                    {"level": 2, "objects": [{"object": "Deployment.apps shop/web", "uid": "u2"}]},
                ],
            },
        )
    ]


def test_a_bundle_of_nothing_has_one_part():
    assert parts("r", "Restoring", []) == [("r", {"phase": "Restoring", "members": 0, "levels": []})]


def test_many_members_go_into_parts_and_are_all_read_back():
    made = parts("r", "Completed", reversed(MANY))
    assert [(name, status["members"]) for name, status in made] == [
        ("r", MEMBERS),
        ("r-part-2", MEMBERS),
        ("r-part-3", len(MANY) - 2 * MEMBERS),
    ]
    found = [member for _, status in made for member in listed(status)[0]]
    assert found == sorted(MANY)


def test_no_part_is_larger_than_etcd_takes_however_long_the_names():
    long = [
        Member(1, Ref("g" * 200 + ".example.com", "K" * 63, "n" * 63, f"{number:0253}"), UID)
        for number in range(MEMBERS)
    ]
    made = parts("r", "Completed", long)
    assert len(made) > 1
    assert max(len(orjson.dumps(status)) for _, status in made) < ETCD
    assert sum(status["members"] for _, status in made) == len(long)
    assert LETTERS < ETCD


@pytest.mark.parametrize("name", ["r", "a" * 63, "a" * 62 + ".b", "a" * 62 + "--b", "a" * 200])
def test_the_label_of_a_bundle_is_one_that_kubernetes_takes(name):
    value = label(name)
    assert name.startswith(value)
    assert 0 < len(value) <= 63
    assert value[-1].isalnum()


@pytest.mark.parametrize("text", ["", "Secret", "Secret ", " shop/s", "nothing"])
def test_what_names_no_object_is_reported_and_the_rest_is_read(text):
    status = {"levels": [{"level": 1, "objects": [{"object": text, "uid": "u"}, {"object": "Secret a/b", "uid": "u"}]}]}
    assert listed(status) == ([Member(1, Ref("", "Secret", "a", "b"), "u")], [text])


def test_a_bundle_without_status_lists_nothing():
    assert members_of({"metadata": {}}) == ([], [])


def live(*managers):
    return {"metadata": {"managedFields": [{"manager": each} for each in managers]}}


HEADER = Header(
    name="r",
    token="0123456789ab",
    backup="b",
    target=Target(context="c", host="h"),
    namespaces={},
    started=datetime(2026, 1, 2, tzinfo=UTC),
    options={},
)


@pytest.mark.parametrize(
    ("managers", "ours", "bundled"),
    [
        ([], False, set()),
        (["kubectl"], False, set()),
        ([HEADER.manager], True, set()),
        ([maker(HEADER.manager, UID)], True, {UID}),
        (["kubectl", maker(HEADER.manager, UID)], True, {UID}),
        ([maker("kubeferry-ba9876543210", UID)], False, {UID}),
        ([f"{HEADER.manager}0"], False, set()),
        ([f"someone@{UID}"], False, set()),
    ],
)
def test_the_field_manager_names_the_restore_and_the_bundle(managers, ours, bundled):
    assert made_by(live(*managers), HEADER.manager) is ours
    assert made_for(live(*managers)) == bundled


def test_a_field_manager_is_as_short_as_the_api_server_wants():
    assert len(maker(HEADER.manager, UID)) <= 128


def test_the_definition_takes_what_is_listed():
    (version,) = bundle.definition()["spec"]["versions"]
    levels = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["levels"]["items"]
    (_, status), *_ = parts("r", "Completed", MANY[:1])
    assert set(status["levels"][0]) == set(levels["properties"]) == set(levels["required"])
    assert set(status["levels"][0]["objects"][0]) == {"object", "uid"}
    assert owner("r", UID) == {"apiVersion": API_VERSION, "kind": "Bundle", "name": "r", "uid": UID}
