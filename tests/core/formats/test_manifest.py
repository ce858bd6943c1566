"""A manifest is read as untrusted input: each wrong shape is a DamagedError that quotes no content."""

import copy
import json
from datetime import UTC, datetime

import pytest

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.layout import FORMAT
from kubeferry.tasks.core.formats.manifest import Manifest, Source, digest, parse_manifest
from kubeferry.tasks.core.formats.records import LeftOut, Phase, Problem

MARK = "marked-content"
MANIFEST = Manifest(
    name="shop-1",
    kubeferry="0.1.0",
    created=datetime(2026, 11, 23, tzinfo=UTC),
    source=Source(uid="u", version="v1.36.1", context="a", host="https://127.0.0.1"),
    revision="7",
    not_at_revision={"things.g.io": "own store"},
    namespaces=["shop"],
    phase=Phase.PARTIAL,
    counts={"Secret": 1},
    objects={"resources/secrets/namespaces/shop/db.json": "0" * 64},
    files={"backups/shop-1/shop-1.tar.gz": digest(b"")},
    left_out=[LeftOut(type="Pod", namespace="shop", name="web-1", why="left to its controller")],
    problems=[Problem(what="events", why="forbidden")],
)


def decoded():
    return json.loads(MANIFEST.model_dump_json())


def test_what_is_written_is_read_back():
    assert parse_manifest(decoded(), "shop-1") == MANIFEST


def test_a_digest_is_sha256_and_size():
    """The SHA-256 of nothing is known (FIPS 180-4 examples)."""
    assert digest(b"").sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest(b"abc").size == 3


@pytest.mark.parametrize(
    "data", [None, [], "x", 7, {}, {"format": None}, {"format": "kubeferry.io/v2"}, {"format": [1] * 999}]
)
def test_another_format_is_refused_with_ours(data):
    with pytest.raises(DamagedError, match=FORMAT) as caught:
        parse_manifest(data, "shop-1")
    assert len(str(caught.value)) < 300


def broken(*path, value):
    data = copy.deepcopy(decoded())
    at = data
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return data


@pytest.mark.parametrize(
    "data",
    [
        broken("name", value=None),
        broken("created", value=MARK),
        broken("source", value=MARK),
        broken("source", "extra", value=MARK),
        broken("source", "uid", value=[MARK]),
        broken("revision", value={MARK: 1}),
        broken("namespaces", value=MARK),
        broken("namespaces", value=[{"a": MARK}]),
        broken("phase", value=MARK),
        broken("counts", value={"Secret": MARK}),
        broken("counts", value=[MARK]),
        broken("objects", value=[MARK]),
        broken("objects", value={"a": {"b": MARK}}),
        broken("files", value={"a": MARK}),
        broken("files", value={"a": {"sha256": MARK, "size": 1}}),
        broken("files", value={"a": {"sha256": "0" * 64, "size": -1}}),
        broken("files", value={"a": {"sha256": "A" * 64, "size": 1}}),
        broken("left_out", value=[MARK]),
        broken("left_out", value=[{"type": "Pod"}]),
        broken("problems", value={"what": MARK}),
        broken("unknown", value=MARK),
        {"format": FORMAT},
    ],
)
def test_each_wrong_shape_is_damaged_and_quotes_nothing(data):
    with pytest.raises(DamagedError, match="backup shop-1: its manifest is damaged at") as caught:
        parse_manifest(data, "shop-1")
    assert MARK not in str(caught.value)
    assert caught.value.__cause__ is None, "pydantic's own error quotes the input"


def test_hostile_keys_make_neither_long_nor_many_lines():
    with pytest.raises(DamagedError) as caught:
        parse_manifest(broken("files", value={"k\n" * 5000: 1}), "shop-1")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_another_backups_manifest_is_refused():
    with pytest.raises(DamagedError, match="that of backup 'shop-1'"):
        parse_manifest(decoded(), "shop-2")


ENCRYPTED = {"format": "age-encryption.org/v1", "recipients": ["age1public"]}
FILE = {"sha256": "0" * 64, "size": 1}


@pytest.mark.parametrize(
    ("files", "encryption"),
    [
        ([], None),
        (["backups/shop-1/kubeferry-links.jsonl.gz"], None),
        (["backups/shop-1/shop-1.tar.gz", "backups/shop-2/shop-2.tar.gz"], None),
        (["backups/shop-1/shop-1.tar.gz", "elsewhere.gz"], None),
        (["backups/shop-1/shop-1.tar.gz", "backups/shop-1/"], None),
        (["backups/shop-1/shop-1.tar.gz", "backups/shop-1/deep/x.gz"], None),
        (["backups/shop-1/shop-1.tar.gz", "backups/shop-1/.."], None),
        (["backups/shop-1/shop-1.tar.gz", "backups/shop-1/a\\b"], None),
        (["backups/shop-1/shop-1.tar.gz"], ENCRYPTED),
        (["backups/shop-1/shop-1.tar.gz.age"], ENCRYPTED),
        (["backups/shop-1/kubeferry-contents.json.gz.age"], ENCRYPTED),
    ],
)
def test_a_manifest_that_names_files_of_others_or_not_its_own_is_refused(files, encryption):
    data = decoded() | {"files": dict.fromkeys(files, FILE), "encryption": encryption}
    with pytest.raises(DamagedError, match="backup shop-1: its manifest does not name the files of this backup"):
        parse_manifest(data, "shop-1")


@pytest.mark.parametrize(
    ("files", "encryption"),
    [
        (["backups/shop-1/shop-1.tar.gz"], None),
        (["backups/shop-1/shop-1.tar.gz", "backups/shop-1/kubeferry-links.jsonl.gz", "backups/shop-1/any.gz"], None),
        (["backups/shop-1/shop-1.tar.gz.age", "backups/shop-1/kubeferry-contents.json.gz.age"], ENCRYPTED),
    ],
)
def test_a_manifest_that_names_all_that_it_has_to_is_read(files, encryption):
    data = decoded() | {"files": dict.fromkeys(files, FILE), "encryption": encryption}
    assert set(parse_manifest(data, "shop-1").files) == set(files)
