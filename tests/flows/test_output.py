"""What commands print: results on stdout for people and programs, progress on stderr."""

import io
import json
import sys
from threading import Thread

import pytest
import yaml
from rich.console import Console
from rich.progress import Progress

from kubeferry.flows.console import output, terminal
from kubeferry.flows.console.results import MOST, document, finish
from kubeferry.flows.options.common import Format
from kubeferry.flows.options.parsing import options, pairs
from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.records import ActionTaken, LeftOut, Phase, Problem, Rewrite
from kubeferry.tasks.core.jsondoc.printable import one_line, plain
from kubeferry.tasks.core.models.options import BackupOptions, RestoreOptions
from kubeferry.tasks.core.models.results import BackupResult, RestoreResult
from kubeferry.tasks.ports.local import progress

ROWS = [{"name": "first", "objects": 7, "why": None, "in": ["a", "b"]}, {"name": "zwölf", "objects": 12, "in": []}]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def backup_result(moment):
    return BackupResult(
        name="first",
        phase=Phase.PARTIAL,
        store="file:///store",
        started=moment,
        completed=moment,
        counts={"ConfigMap": 2, "Deployment.apps": 1},
        left_out=[LeftOut(type="Pod", namespace="shop", name=f"web-{n}", why="left to web") for n in range(4)],
        problems=[Problem(what="widgets", why="forbidden")],
        cluster="kubeferry-a",
        namespaces=["shop"],
        revision="7",
        bytes=100,
    )


@pytest.fixture
def restore_result(moment):
    return RestoreResult(
        name="second",
        phase=Phase.PARTIAL,
        store="file:///store",
        started=moment,
        completed=moment,
        counts={"ConfigMap": MOST + 2},
        backup="first",
        cluster="kubeferry-b",
        namespaces={"shop": "shop2"},
        actions={"created": MOST, "skipped": 2},
        notable=[ActionTaken(type="ConfigMap", namespace="shop2", name="web", action="skipped", why="there already")],
        rewrites=[Rewrite(object=f"ConfigMap c{n}", path="p", old="o", new="n", why="w") for n in range(MOST + 5)],
        not_ready=[Problem(what="Deployment.apps shop2/web", why="0 of 2 pods are ready")],
    )


@pytest.mark.parametrize(("form", "load"), [(Format.JSON, json.loads), (Format.YAML, yaml.safe_load)])
def test_rows_and_objects_are_one_document(capsys, form, load):
    output.print_rows(ROWS, form, columns=["name"])
    assert load(capsys.readouterr().out) == ROWS
    output.print_object(ROWS[1], form)
    assert load(capsys.readouterr().out) == ROWS[1]


def test_a_table_has_the_columns_asked_for_and_no_none(capsys):
    output.print_rows(ROWS, Format.TABLE, columns=["name", "in", "why", "objects"])
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert table == [["NAME", "IN", "WHY", "OBJECTS"], ["first", "a,", "b", "7"], ["zwölf", "12"]]


def test_no_rows_are_an_empty_table(capsys):
    output.print_rows([], Format.TABLE)
    assert capsys.readouterr().out.strip() == ""


def test_on_a_terminal_of_80_columns_nothing_is_lost_and_nothing_is_wider(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "80")
    words = [f"word{n}" for n in range(40)]
    output.table(["NAME", "WHY"], [["first", " ".join(words)]])
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= 80 + len("\x1b[1m\x1b[0m") * 4  # the header's colours
    assert [word for line in lines for word in line.split() if word.startswith("word")] == words


def test_in_a_pipe_a_row_is_one_line_without_colour(capsys):
    output.table(["NAME", "WHY"], [["first", "long " * 100]], title="Title")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert [line.split()[0] for line in out.splitlines() if line] == ["Title", "NAME", "first"]


@pytest.mark.parametrize("text", ["\x1b[31mred", "bell\x07", "back\rward", "\u202eevil"])
def test_control_characters_are_shown(text):
    for shown in (plain(text), one_line(f"{text}\nnext")):
        assert shown.isprintable()
        assert "\\" in shown


# --- results


def test_a_backup_is_printed_with_what_it_left_out_and_the_next_command(capsys, monkeypatch, backup_result):
    monkeypatch.setenv("KUBEFERRY_CONTEXT", "east")
    monkeypatch.delenv("KUBEFERRY_STORE", raising=False)
    asked = BackupOptions(namespaces=["shop"], context="east", store="file:///a store")
    with pytest.raises(Exception, match="3") as ended:
        finish(backup_result, asked, Format.TABLE)
    assert ended.value.exit_code == 3
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert ["Deployment.apps", "1"] in rows
    assert ["Pod", "4", "left", "to", "web"] in rows
    assert ["Excluded"] in rows
    assert ["widgets", "forbidden"] in rows
    assert "backup first: Partial, 3 objects in 0.0 s, file:///store" in out
    # The context comes from the environment, so it would be there for the next command too; the store would not.
    assert out.endswith("kubeferry restore first --map shop=shop2 --store 'file:///a store'\n")


def test_a_restore_is_printed_with_actions_rewrites_and_what_is_not_ready(capsys, restore_result):
    with pytest.raises(Exception, match="3"):
        finish(restore_result, RestoreOptions(backup="first"), Format.TABLE)
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert ["skipped", "2"] in rows
    assert ["ConfigMap", "shop2/web", "skipped", "there", "already"] in rows
    assert ["ConfigMap", "c0", "p", "o", "→", "n", "(w)"] in rows
    assert "… and 5 more: see -o json" in out
    assert "0 of 2 pods are ready" in out
    assert f"restore second: Partial, {MOST + 2} objects" in out


def test_json_of_a_result_is_all_of_it_with_totals(capsys, restore_result):
    with pytest.raises(Exception, match="3"):
        finish(restore_result, RestoreOptions(backup="first"), Format.JSON)
    data = json.loads(capsys.readouterr().out)
    assert data == document(restore_result)
    assert (data["name"], data["phase"], data["objects"], len(data["rewrites"])) == ("second", "Partial", 22, MOST + 5)


# --- options


def test_pairs():
    assert pairs(["a=b", "c=d", "a=b"]) == {"a": "b", "c": "d"}


@pytest.mark.parametrize(
    ("model", "values", "named"),
    [
        (BackupOptions, {"namespaces": ["ok", "Not"]}, "NAMESPACE 'Not'"),
        (RestoreOptions, {"backup": "b", "wait_seconds": 90000}, "--wait-seconds '90000'"),
        (RestoreOptions, {"backup": "b", "map": {"a": "B"}}, "--map 'B'"),
    ],
)
def test_refused_options_are_named_as_they_were_typed(model, values, named):
    with pytest.raises(UsageError, match=named) as refused:
        options(model, **values)
    assert "\n" not in str(refused.value)


# --- progress


def test_a_file_gets_the_notes_only(capsys):
    with terminal.showing_progress():
        progress.step("fetch shop", 1, 2)
        progress.note("waiting for \x1b[1mit")
    assert capsys.readouterr() == ("", "waiting for \\x1b[1mit\n")


def test_nothing_is_printed_after_the_block(capsys):
    with terminal.showing_progress():
        pass
    progress.note("too late")
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def bars():
    screen = Terminal()
    return Progress(console=Console(file=screen, width=80)), screen


def test_a_terminal_shows_the_steps_that_moved_last(bars):
    shown, _ = bars
    listener = terminal.Bars(shown)
    for n in range(terminal.BARS + 4):
        listener.step(f"fetch n{n}", 1, 10)
    listener.step("fetch n4", 5, 10)
    listener.step("fetch n99", 0, None)
    names = [task.description for task in shown.tasks]
    assert sorted(names) == sorted([*(f"fetch n{n}" for n in (4, 6, 7, 8, 9)), "fetch n99"])
    assert {task.description: task.completed for task in shown.tasks}["fetch n4"] == 5


def test_the_bar_of_a_finished_step_is_removed(bars):
    shown, _ = bars
    listener = terminal.Bars(shown)
    listener.step("fetch shop", 1, 2)
    listener.step("fetch shop", 2, 2)
    listener.step("upload at once", 1, 1)
    assert shown.tasks == []


def test_many_threads_may_report(bars):
    shown, screen = bars
    listener = terminal.Bars(shown)
    threads = [Thread(target=lambda n=n: [listener.step(f"s{n}", k, 50) for k in range(51)]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listener.note("[bold]done[/bold]")
    assert shown.tasks == []
    assert "[bold]done[/bold]" in screen.getvalue()
