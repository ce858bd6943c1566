"""What a person approves is shown in full or counted, with no content of a Secret; later differences are named."""

from datetime import UTC, datetime

import pytest

from kubeferry.tasks.core.formats.links import Owner
from kubeferry.tasks.core.formats.records import LeftOut, Problem, Rewrite
from kubeferry.tasks.core.graph.order import Edge, Strength, order
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import Existing, RestoreOptions
from kubeferry.tasks.core.plan import approval
from kubeferry.tasks.core.plan.approval import FLAGS, Asking, page, plan_command, rows
from kubeferry.tasks.core.plan.document import document
from kubeferry.tasks.core.plan.existing import Decision
from kubeferry.tasks.core.plan.forecast import Forecast, changes, met
from kubeferry.tasks.core.plan.parts import Part, Parts

SPACE = Ref("", "Namespace", "", "shop2")
SECRET = Ref("", "Secret", "shop2", "login")
WEB = Ref("apps", "Deployment", "shop2", "web")
OPTIONS = RestoreOptions(backup="b", map={"shop": "shop2"})
ASKING = Asking("r-1", OPTIONS, "a (https://a)", datetime(2026, 11, 23, 15, tzinfo=UTC), "kubeferry plan b --map x=y")


def parts(**changed):
    items = {
        ref: Part(ref, Ref(ref.group, ref.kind, ref.namespace and "shop", ref.name), "v1", "in namespace shop")
        for ref in (SPACE, SECRET, WEB)
    }
    items[WEB] = Part(WEB, Ref("apps", "Deployment", "shop", "web"), "v1", "x", (Owner("v1", "Secret", "login", "u"),))
    given = {
        "backup": "b",
        "store": "file:///s",
        "namespaces": {"shop": "shop2"},
        "items": items,
        "first": [SPACE],
        "definitions": [],
        "order": order([SECRET, WEB], [Edge(WEB, SECRET, Strength.REFERENCE, "spec.x")]),
        "left_out": [
            LeftOut(type="Pod", namespace="shop", name=name, why="left to its controller")
            for name in ("web-1", "web-2")
        ],
        "rewrites": [
            Rewrite(object="Secret shop/login", path="/data/url", old="hunter2", new="hunter3", why="renamed"),
            Rewrite(
                object="Deployment.apps shop/web", path="/spec/host", old="web.shop", new="web.shop2", why="renamed"
            ),
        ],
    }
    return document(Parts(**given | changed))


def seen(*decisions, rewrites=()):
    return Forecast(tuple(met(ref, uid, Decision(action, why)) for ref, uid, action, why in decisions), tuple(rewrites))


def test_a_page_shows_what_where_to_and_until_when():
    text = page(ASKING, parts(), seen())
    assert "# Restore r-1 waits for approval" in text
    assert "- namespaces: `shop` → `shop2`" in text
    assert "- to cluster `a (https://a)`" in text
    assert "- 3 objects in 2 levels: 3 created" in text
    assert "until 2026-11-23 15:00:00 UTC" in text
    assert "`kubeferry approve r-1 --refuse WHY`" in text
    assert "`kubeferry plan b --map x=y`" in text
    assert "| 1 | config | 1 | `1 Secret` |" in text
    assert "- 2 `Pod`: `left to its controller`" in text
    assert "it is rolled back" in text


def test_a_page_shows_what_stays_when_nothing_is_rolled_back():
    asking = Asking("r", RestoreOptions(backup="b", rollback=False), "a", ASKING.until, "x")
    assert "- if it fails, its changes stay" in page(asking, parts(), seen())


def test_what_a_secret_holds_is_hidden_and_the_rest_is_shown():
    text = page(ASKING, parts(), seen())
    assert "hunter" not in text
    assert "`Secret shop2/login` `/data/url`: `(not shown: in a Secret)`" in text
    assert "`Deployment.apps shop2/web` `/spec/host`: `web.shop` → `web.shop2` (`renamed`)" in text


def test_what_would_be_changed_comes_first_and_what_is_the_same_is_counted():
    forecast = seen(
        (SPACE, "1", "kept", "other labels"), (SECRET, "2", "unchanged", ""), (WEB, "3", "updated", "had other: spec.x")
    )
    text = page(ASKING, parts(), forecast)
    section = text.partition("## Already on the target")[2].partition("##")[0].strip().splitlines()
    assert section == [
        "- `Deployment.apps shop2/web`: updated (`had other: spec.x`)",
        "- `Namespace shop2`: kept (`other labels`)",
        "- 1 more, the same as in the backup: unchanged",
    ]
    assert "- 3 objects in 2 levels: 1 kept, 1 unchanged, 1 updated" in text


def test_a_row_is_an_object_in_the_order_of_writing():
    table = rows(parts(), seen((WEB, "3", "updated", "had other: spec.x")))
    assert [(row["level"], row["object"], row["will be"], row["why"]) for row in table] == [
        (0, "Namespace shop2", "created", "in namespace shop"),
        (1, "Secret shop2/login", "created", "in namespace shop"),
        (2, "Deployment.apps shop2/web", "updated", "had other: spec.x"),
    ]
    assert [(row["looked up"], row["rewritten"]) for row in table] == [(0, 0), (0, 1), (0, 1)]


def test_a_large_restore_is_cut_and_says_so(monkeypatch):
    monkeypatch.setattr(approval, "MOST", 1)
    monkeypatch.setattr(approval, "ROWS", 2)
    text = page(ASKING, parts(warnings=[Problem(what="--include x", why="nothing")] * 3), seen())
    assert "| … | and 1 more | | |" in text
    assert text.count("- … and 1 more") == 1  # rewrites
    assert text.count("- … and 2 more") == 1  # warnings
    assert len(rows(parts(), seen())) == 2


# --- what is different later


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([(WEB, "1", "updated", "a")], [(WEB, "1", "updated", "a")], []),
        ([(WEB, "1", "skipped", "a")], [(WEB, "2", "skipped", "a")], []),  # it is not touched, whichever it is
        ([], [(WEB, "1", "unchanged", "")], ["was to be created, and would now be unchanged"]),
        ([(WEB, "1", "updated", "a")], [], ["was to be updated (a), and would now be created"]),
        (
            [(WEB, "1", "updated", "a")],
            [(WEB, "1", "updated", "a, b")],
            ["was to be updated (a), and would now be updated (a, b)"],
        ),
        (
            [(WEB, "1", "recreated", "a")],
            [(WEB, "2", "recreated", "a")],
            ["would be recreated, but it is another object now"],
        ),
    ],
)
def test_what_would_be_done_otherwise_is_reported(before, after, expected):
    assert list(changes(seen(*before), seen(*after))) == [f"Deployment.apps shop2/web {each}" for each in expected]


def test_a_value_that_is_rewritten_since_is_shown_by_its_path():
    port = Rewrite(object="Service shop/web", path="/spec/ports/0/nodePort", old="30000", new="", why="it is taken")
    assert list(changes(seen(rewrites=[port]), seen(rewrites=[port]))) == []
    (change,) = changes(seen(), seen(rewrites=[port]))
    assert change == "Service shop/web /spec/ports/0/nodePort would be rewritten too (it is taken)"


# --- the command


def test_the_command_that_shows_the_plan_is_of_the_same_options():
    asked = RestoreOptions(
        backup="b",
        map={"shop": "shop2"},
        selector="app in (a, b)",
        include=["secrets"],
        only=True,
        absent={"uid": "drop"},
        existing=Existing.UPDATE,  # nothing to a plan
        identities=["/keys/mine"],
        modify={"replicas": {"*": 1}},
    )
    assert plan_command(asked, "file:///s") == (
        "kubeferry plan b --map shop=shop2 --modify FILE --absent uid=drop --selector 'app in (a, b)' "
        "--include secrets --only --identity /keys/mine --store file:///s"
    )


def test_every_flag_of_that_command_is_one_of_kubeferry_plan():
    from typer.main import get_command

    from kubeferry.flows.cli import app

    taken = {name for option in get_command(app).commands["plan"].params for name in option.opts}
    assert set(FLAGS.values()) <= taken
    # What is not an option of a plan has no effect on it.
    others = {"context", "kubeconfig", "store", "backup", "name", "resume", "rollback", "bundle", "existing"}
    others |= {
        "existing_kinds",
        "allow_pruned",
        "approve",
        "approve_seconds",
        "wait",
        "wait_seconds",
        "from_bundle",
        "encrypt_to",
        "on_failure",
        "rollback_on_failure",
    }
    assert set(RestoreOptions.model_fields) - others == FLAGS.keys()


def test_a_restore_that_is_resumed_is_not_approved_again():
    with pytest.raises(ValueError, match="a resumed one has already started"):
        RestoreOptions(resume="r", approve=True)
