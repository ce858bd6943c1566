"""Results and their artifacts: what a person reads, and never an object's content."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from kubeferry.tasks.core.formats.records import ActionTaken, LeftOut, Phase, Problem, Rewrite
from kubeferry.tasks.core.models.results import EXIT_CODES, BackupResult, DeleteResult, Needed, RestoreResult
from kubeferry.tasks.core.ops.report import MOST, rows, stopped, summary

STARTED = datetime(2026, 11, 23, 15, tzinfo=UTC)
COMMON = {
    "name": "shop-1",
    "phase": Phase.PARTIAL,
    "store": "file:///store",
    "started": STARTED,
    "completed": STARTED + timedelta(seconds=2.5),
    "counts": {"Secret": 2, "Deployment.apps": 1},
    "left_out": [
        LeftOut(type="Pod", namespace="shop", name="web-1", why="left to its controller"),
        LeftOut(type="Pod", namespace="shop", name="web-2", why="left to its controller"),
        LeftOut(type="Event", namespace="shop", name="e", why="never carried"),
    ],
    "problems": [Problem(what="things.g.io in shop", why="forbidden")],
}
BACKUP = BackupResult(
    **COMMON, cluster="a", namespaces=["shop"], revision="7", not_at_revision={"things.g.io": "own store"}, bytes=99
)
RESTORE = RestoreResult(
    **COMMON,
    backup="shop-0",
    cluster="b",
    namespaces={"shop": "copy", "bank": "bank"},
    actions={"created": 3, "unchanged": 1},
    notable=[
        ActionTaken(
            type="ConfigMap", namespace="copy", name="c", action="skipped", why="exists with other content: data.a"
        )
    ],
    rewrites=[
        Rewrite(object="RoleBinding shop/r", path="/subjects/0/namespace", old="shop", new="copy", why="renamed")
    ],
    not_ready=[Problem(what="Deployment.apps copy/web", why="0 of 1 ready")],
)
DELETE = DeleteResult(
    **(COMMON | {"store": "", "problems": []}),
    cluster="b",
    namespaces=["shop", "bank"],
    selector="app=web",
    digest="0" * 64,
    levels=2,
    needed=[Needed(object="Secret shop/s", by="Deployment.apps shop/web", why="spec")],
    left=[Problem(what="ConfigMap shop/c", why="it waits for example.com/hold")],
    refused=[Problem(what="Secret kube-system/x", why="is listed")],
    forced=[Problem(what="ConfigMap shop/d", why="its finalizers were removed: example.com/hold")],
    untied=[Problem(what="Secret shop/old", why="was linked to what goes")],
)


def test_counts_and_time():
    assert (BACKUP.objects, BACKUP.seconds) == (3, 2.5)


def test_a_row_a_type_and_a_row_a_reason():
    assert rows(BACKUP) == [
        {"type": "Deployment.apps", "saved": 1, "left out": "", "why": ""},
        {"type": "Secret", "saved": 2, "left out": "", "why": ""},
        {"type": "Event", "saved": "", "left out": 1, "why": "never carried"},
        {"type": "Pod", "saved": "", "left out": 2, "why": "left to its controller"},
    ]
    assert {key for row in rows(RESTORE) for key in row} == {"type", "restored", "left out", "why"}


@pytest.mark.parametrize(
    "line",
    [
        "# Backup shop-1: Partial",
        "- namespaces: shop",
        "- cluster: a",
        "- one point in time: revision 7",
        "- not at that revision: things.g.io (own store)",
        "- 3 objects in 2.5 s",
        "- store: `file:///store`",
        "- **things.g.io in shop**: forbidden",
        "- Pod shop/web-1: left to its controller",
    ],
)
def test_a_backups_page(line):
    assert line in summary(BACKUP).splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "- from backup: shop-0",
        "- namespaces: shop → copy, bank",
        "- 3 created, 1 unchanged",
        "- **Deployment.apps copy/web**: 0 of 1 ready",
        "- ConfigMap copy/c: skipped exists with other content: data.a",
        "- RoleBinding shop/r `/subjects/0/namespace`: `shop` → `copy` (renamed)",
    ],
)
def test_a_restores_page(line):
    assert line in summary(RESTORE).splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "# Delete shop-1: Partial",
        "- all with labels `app=web` in shop, bank",
        "- cluster: b",
        "- Secret shop/s: by Deployment.apps shop/web, spec",
        "- **ConfigMap shop/c**: it waits for example.com/hold",
        "- **Secret kube-system/x**: is listed",
        "- **ConfigMap shop/d**: its finalizers were removed: example.com/hold",
        "- **Secret shop/old**: was linked to what goes",
    ],
)
def test_a_deletions_page(line):
    assert line in summary(DELETE).splitlines()


def test_a_dry_run_says_so_and_a_deletion_has_no_store():
    page = summary(DELETE.model_copy(update={"dry_run": True, "bundle": "r", "selector": ""}))
    assert "- a dry run: nothing was deleted" in page
    assert "- bundle r in shop, bank" in page
    assert "store" not in page
    assert {key for row in rows(DELETE) for key in row} == {"type", "deleted", "left out", "why"}


def test_a_page_stays_readable_and_says_how_much_it_leaves_out():
    many = [LeftOut(type="Pod", namespace="shop", name=f"p{number}", why="gone") for number in range(MOST + 7)]
    page = summary(BACKUP.model_copy(update={"left_out": many}))
    assert page.count(": gone") == MOST
    assert "- … and 7 more" in page


def test_sections_without_lines_are_not_there():
    quiet = BACKUP.model_copy(update={"left_out": [], "problems": []})
    assert "##" not in summary(quiet)


def test_results_have_no_place_for_an_objects_content():
    """Whatever else is given to a result is refused or dropped: it can hold names and reasons only."""
    for kind, result in ((BackupResult, BACKUP), (RestoreResult, RESTORE), (DeleteResult, DELETE)):
        stuffed = kind.model_validate(
            {**result.model_dump(), "data": "marked-value", "stringData": {"a": "marked-value"}}
        )
        assert "marked-value" not in stuffed.model_dump_json() + summary(stuffed) + str(rows(stuffed))
    with pytest.raises(ValidationError):
        LeftOut.model_validate({"type": "Secret", "name": "s", "why": "x", "data": "marked-value"})


def test_a_result_is_read_back_from_what_is_printed():
    assert BackupResult.model_validate_json(BACKUP.model_dump_json()) == BACKUP
    assert RestoreResult.model_validate_json(RESTORE.model_dump_json()) == RESTORE
    assert DeleteResult.model_validate_json(DELETE.model_dump_json()) == DELETE


def test_exit_codes_are_the_designs():
    assert {str(phase): code for phase, code in EXIT_CODES.items()} == {"Completed": 0, "Partial": 3, "Failed": 1}


@pytest.mark.parametrize(
    "line",
    [
        "# Restore first-r: Stopped",
        "- from backup: first",
        "- namespaces: shop → copy",
        "- until then: 3 created, 1 updated; these changes stay",
        "- to continue: `kubeferry restore --resume first-r`, or a run of *restore* whose Resume is `first-r`",
        "- to undo it: `kubeferry undo first-r`",
    ],
)
def test_a_page_of_a_restore_that_was_stopped(line):
    page = stopped("first-r", "first", {"shop": "copy"}, {"updated": 1, "created": 3})
    assert line in page.splitlines()
