"""An encrypted backup shows nobody without a key which objects it holds, nor a digest by which to guess a Secret."""

from datetime import UTC, datetime

import pytest

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.losses import Loss
from kubeferry.tasks.core.formats.manifest import Manifest, Selected, Source, digest, divided, joined, parse_contents
from kubeferry.tasks.core.formats.outside import Outside
from kubeferry.tasks.core.formats.records import LeftOut, Phase, Problem

MARK = "marked-name"
DIGEST = "ab" * 32
MANIFEST = Manifest(
    name="shop-1",
    kubeferry="0.1.0",
    created=datetime(2026, 11, 23, tzinfo=UTC),
    source=Source(uid="u", version="v1.36.1", context="a", host="https://127.0.0.1"),
    revision="7",
    not_at_revision={},
    namespaces=["shop"],
    phase=Phase.COMPLETED,
    counts={"Secret": 1},
    objects={f"resources/secrets/namespaces/shop/{MARK}.json": DIGEST},
    files={"backups/shop-1/shop-1.tar.gz.age": digest(b"")},
    left_out=[LeftOut(type="Pod", namespace="shop", name=MARK, why="left to its controller")],
    losses=[Loss(object=f"Role kube-system/{MARK}", code="not-carried", why="is not carried")],
    outside=[Outside(type="Role", namespace="kube-system", name=MARK, code="named", why=f"{MARK} names it")],
    selection=Selected(asked=f"names {MARK}", warnings=[Problem(what=MARK, why="nothing has such a name")]),
)


def test_the_readable_part_names_no_object_no_digest_of_one_and_no_selection():
    readable, _ = divided(MANIFEST, ["age1public"])
    text = readable.model_dump_json()
    assert MARK not in text
    assert DIGEST not in text
    assert (readable.objects, readable.left_out) == ({}, [])
    assert readable.selection == Selected(asked="hidden, since it is encrypted")
    assert readable.encryption.recipients == ["age1public"]


def test_the_readable_part_still_proves_each_file():
    readable, _ = divided(MANIFEST, ["age1public"])
    assert (readable.files, readable.counts, readable.name, readable.phase) == (
        MANIFEST.files,
        {"Secret": 1},
        "shop-1",
        Phase.COMPLETED,
    )


def test_a_backup_of_everything_is_distinguished_from_a_selection():
    """Prune keeps a backup of everything for its own sake."""
    readable, _ = divided(MANIFEST.model_copy(update={"selection": None}), ["age1public"])
    assert readable.selection is None


def test_with_a_key_all_is_as_it_was():
    readable, hidden = divided(MANIFEST, ["age1public"])
    whole = joined(readable, parse_contents(hidden.model_dump(mode="json"), "shop-1"))
    assert whole.model_copy(update={"encryption": None}) == MANIFEST.model_copy(update={"encryption": None})
    assert whole.encryption == readable.encryption


def test_the_contents_of_another_backup_are_refused():
    _, hidden = divided(MANIFEST, ["age1public"])
    with pytest.raises(DamagedError, match="backup shop-2: its list of contents is that of another backup"):
        parse_contents(hidden.model_dump(mode="json"), "shop-2")
    for damaged in (None, {}, hidden.model_dump(mode="json") | {"format": "kubeferry.io/v2"}):
        with pytest.raises(DamagedError):
            parse_contents(damaged, "shop-1")
