"""A folder of an export: whole or not at all, and nobody else's files are ever touched."""

import json
import os

import pytest

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.ports.local.out_folder import RECORD, check, drafted


def export(out, files, *, force=False):
    with drafted(out, force=force) as draft:
        for path, text in files.items():
            draft.write(path, text.encode())


def content(out):
    found = (path for path in out.rglob("*") if path.is_file() and path.name != RECORD)
    return {path.relative_to(out).as_posix(): path.read_text() for path in found}


def test_a_new_folder_has_all_of_it_and_its_record(tmp_path):
    out = tmp_path / "new" / "shop"
    export(out, {"a/b.yaml": "1", "c.yaml": "2"})
    assert content(out) == {"a/b.yaml": "1", "c.yaml": "2"}
    assert sorted(json.loads((out / RECORD).read_text())["files"]) == ["a/b.yaml", "c.yaml"]
    assert [each.name for each in out.parent.iterdir()] == ["shop"], "nothing is left beside it"


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "shop").mkdir()
    export(tmp_path / "shop", {"a": "1"})
    assert content(tmp_path / "shop") == {"a": "1"}


def test_an_error_midway_leaves_nothing(tmp_path):
    out = tmp_path / "shop"
    with pytest.raises(TypeError):
        export(out, {"a": "1", 7: "2"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_with_files_of_somebody_else_is_refused(tmp_path, force):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="but no export" if force else "is not empty"):
        export(tmp_path, {"a": "1"}, force=force)
    assert content(tmp_path) == {"mine.txt": "mine"}


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is not a folder"):
        check(tmp_path / "file", force=True)


def test_force_replaces_what_an_export_wrote_and_nothing_else(tmp_path):
    out = tmp_path / "shop"
    export(out, {"a/b.yaml": "1", "a/old/c.yaml": "2", "keep.yaml": "3"})
    (out / "a" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        export(out, {"a/b.yaml": "new"})
    export(out, {"a/b.yaml": "new", "keep.yaml": "3", "d/e.yaml": "4"}, force=True)
    assert content(out) == {"a/b.yaml": "new", "keep.yaml": "3", "d/e.yaml": "4", "a/mine.txt": "mine"}
    assert not (out / "a" / "old").exists(), "a folder that is empty now goes"


@pytest.mark.parametrize("path", ["a/b.yaml", "gone.yaml"])
def test_an_edited_file_is_not_replaced_nor_deleted(tmp_path, path):
    out = tmp_path / "shop"
    export(out, {"a/b.yaml": "1", "gone.yaml": "2"})
    (out / path).write_text("edited")
    before = content(out)
    with pytest.raises(UsageError, match=f"{path} was edited"):
        export(out, {"a/b.yaml": "new"}, force=True)
    assert content(out) == before


def test_a_file_of_somebody_else_in_the_way_is_not_replaced(tmp_path):
    out = tmp_path / "shop"
    export(out, {"a.yaml": "1"})
    (out / "b.yaml").write_text("mine")
    with pytest.raises(UsageError, match=r"b.yaml is not of an export"):
        export(out, {"a.yaml": "2", "b.yaml": "new"}, force=True)
    assert content(out) == {"a.yaml": "1", "b.yaml": "mine"}


def test_a_link_is_not_followed_out_of_the_folder(tmp_path):
    out, other = tmp_path / "shop", tmp_path / "other"
    export(out, {"a/b.yaml": "1"})
    other.mkdir()
    (out / "a" / "b.yaml").unlink()
    (out / "a").rmdir()
    (out / "a").symlink_to(other)
    with pytest.raises(UsageError, match="is a link"):
        export(out, {"a/b.yaml": "new"}, force=True)
    assert list(other.iterdir()) == []


@pytest.mark.parametrize(
    "record",
    [
        "",
        "[]",
        '{"format": "x", "files": {}}',
        '{"format": "kubeferry.io/export/v1"}',
        '{"format": "kubeferry.io/export/v1", "files": {"../a": "1"}}',
        '{"format": "kubeferry.io/export/v1", "files": {"/etc/passwd": "1"}}',
        '{"format": "kubeferry.io/export/v1", "files": {"a": 1}}',
    ],
)
def test_a_record_of_another_shape_is_no_order(tmp_path, record):
    """Anybody may have written it: it names no file outside, and what it does not prove is not deleted."""
    out = tmp_path / "shop"
    out.mkdir()
    (tmp_path / "a").write_text("outside")
    (out / RECORD).write_text(record)
    with pytest.raises(UsageError, match="export"):
        export(out, {"b": "1"}, force=True)
    assert (tmp_path / "a").read_text() == "outside"


def test_a_private_file_is_readable_by_its_owner_only(tmp_path):
    out = tmp_path / "shop"
    with drafted(out, force=False) as draft:
        draft.write("secret.yaml", b"1", private=True)
        draft.write("plain.yaml", b"1")
    assert (out / "secret.yaml").stat().st_mode & 0o777 == 0o600
    mask = os.umask(0)
    os.umask(mask)
    assert (out / "plain.yaml").stat().st_mode & 0o777 == 0o666 & ~mask


def test_two_objects_of_one_path_are_an_error(tmp_path):
    with drafted(tmp_path / "x", force=False) as draft:
        draft.write("a", b"1")
        with pytest.raises(UsageError, match="both be written to a"):
            draft.write("a", b"2")
