"""`kubeferry delete` without a cluster: what it refuses, and how a group is shown."""

from datetime import UTC, datetime, timedelta

import pytest
import typer

from kubeferry.flows.console import delete_table
from kubeferry.flows.options.common import Format
from kubeferry.tasks.core.formats.records import LeftOut, Phase, Problem
from kubeferry.tasks.core.models.options import DeleteOptions
from kubeferry.tasks.core.models.results import DeleteResult, Needed, ObjectToDelete

STARTED = datetime(2026, 1, 2, tzinfo=UTC)
NAMED = [("Secret", name) for name in "abcde"] + [("ConfigMap", "z")]
RESULT = DeleteResult(
    name="r",
    phase=Phase.PARTIAL,
    started=STARTED,
    completed=STARTED + timedelta(seconds=2),
    counts={"Secret": 5, "ConfigMap": 1, "Deployment.apps": 1, "Pod": 2},
    cluster="kubeferry-b",
    namespaces=["shop"],
    bundle="r",
    digest="ab" * 32,
    levels=2,
    members=[
        ObjectToDelete(level=4, object="Deployment.apps shop/web", uid="u", finalizers=["foregroundDeletion"]),
        *(ObjectToDelete(level=4, object=f"Pod shop/{name}", uid=name, follows=True) for name in ("web-1", "web-2")),
        *(
            ObjectToDelete(
                level=1, object=f"{kind} shop/{name}", uid=name, finalizers=["example.com/f"] * (name == "a")
            )
            for kind, name in NAMED
        ),
    ],
    needed=[Needed(object="Secret shop/a", by="Deployment.apps shop/api", why="spec.x")],
    left_out=[LeftOut(type="Secret", namespace="shop", name="t", why="another object has that name now")],
    refused=[Problem(what="Secret kube-system/x", why="is listed, but is in another namespace than the bundle")],
    left=[Problem(what="Secret shop/a", why="it waits for example.com/f")],
    forced=[Problem(what="Secret shop/b", why="its finalizers were removed: example.com/f")],
    untied=[Problem(what="Secret shop/old", why="was linked to what goes")],
    warnings=[Problem(what="widgets.example.com", why="not looked at: forbidden")],
)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["delete"], "name a bundle, or labels with --selector"),
        (["delete", "r", "-l", "app=web", "-n", "shop"], "name a bundle, or labels with --selector"),
        (["delete", "-l", "app=web"], "--selector needs the namespaces"),
        (["delete", "-l", " ", "-n", "shop"], "name a bundle, or labels with --selector"),
        (["delete", "No Bundle", "-n", "shop"], "'No Bundle'"),
        (["delete", "r", "-n", "Shop"], "'Shop'"),
        (["delete", "r", "--expect", "abc", "--yes"], "--expect 'abc'"),
        (["delete", "r", "--wait-seconds", "0"], "--wait-seconds"),
        (["delete", "r", "-n", "shop"], "there is no terminal to ask at"),
    ],
)
def test_wrong_usage_is_one_line_that_names_it_and_exit_2(cli, arguments, named):
    code, out, err = cli(*arguments)
    assert named in err
    assert err.startswith("error: ")
    assert (code, out, err.count("\n")) == (2, "", 1)


def printed(capsys, result=RESULT, output=Format.TABLE):
    with pytest.raises(typer.Exit) as ended:
        delete_table.finish(result, DeleteOptions(bundle="r"), output)
    out, err = capsys.readouterr()
    assert err == ""
    return ended.value.exit_code, [" ".join(row.split()) for row in out.splitlines()]


def test_a_dry_run_shows_the_order_what_follows_who_needs_it_and_what_stays(capsys):
    code, rows = printed(capsys, RESULT.model_copy(update={"dry_run": True}))
    assert code == 3
    for row in (
        "1 Deployment.apps 1 shop/web",
        "2 ConfigMap 1 shop/z",
        "2 Secret 5 shop/a, shop/b, shop/c, 2 more",
        "Pod 2",
        "Secret shop/a example.com/f",
        "Secret shop/a Deployment.apps shop/api spec.x",
        "Secret shop/t another object has that name now",
        "Secret kube-system/x is listed, but is in another namespace than the bundle",
        "Secret shop/old was linked to what goes",
        "widgets.example.com not looked at: forbidden",
        "bundle r in shop on kubeferry-b: 9 objects in 2 levels",
        f"nothing was deleted: a dry run; --expect {'ab' * 32} deletes exactly this",
    ):
        assert row in rows
    assert not [row for row in rows if "foregroundDeletion" in row]


def test_a_deletion_shows_what_went_what_is_left_and_how_to_go_on(capsys):
    code, rows = printed(capsys)
    assert code == 3
    for row in (
        "TYPE DELETED",
        "Deployment.apps 1",
        "Secret shop/a it waits for example.com/f",
        "Secret shop/b its finalizers were removed: example.com/f",
        "delete bundle r: Partial, 9 objects in 2.0 s, kubeferry-b",
        "run the same command again to continue; --force-finalizers removes the finalizers of what is not deleted",
    ):
        assert row in rows
    whole = RESULT.model_copy(update={"left": [], "refused": [], "phase": Phase.COMPLETED})
    code, rows = printed(capsys, whole)
    assert (code, [row for row in rows if "to continue" in row]) == (0, [])


def test_names_from_a_cluster_are_shown_and_not_obeyed(capsys):
    odd = RESULT.model_copy(update={"refused": [Problem(what="Secret \x1b[2Jx", why="[red]is listed[/red]")]})
    _, rows = printed(capsys, odd)
    assert "Secret \\x1b[2Jx [red]is listed[/red]" in rows


def test_a_document_is_the_whole_result(capsys):
    import json

    with pytest.raises(typer.Exit):
        delete_table.finish(RESULT, DeleteOptions(bundle="r"), Format.JSON)
    document = json.loads(capsys.readouterr().out)
    assert (document["objects"], document["seconds"], len(document["members"])) == (9, 2.0, 9)
    assert DeleteResult.model_validate(document) == RESULT
