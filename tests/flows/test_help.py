"""What `--help` prints: groups, examples as they are typed, lines that fit, and nothing that it must wait for."""

import os
import re
import subprocess
import sys

import pytest
from tests.support.imports import imported
from typer.main import get_command

from kubeferry.flows.cli import app
from kubeferry.flows.options.lazy import Commands

WORDS = ["", *get_command(app).commands, "sandbox up", "server start"]


def shown(cli, words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = cli(*words.split(), "--help")
    assert (code, err) == (0, "")
    return out


@pytest.mark.parametrize("words", WORDS)
def test_lines_fit_and_examples_are_as_they_are_typed(cli, words, monkeypatch):
    out = shown(cli, words, monkeypatch)
    head, _, examples = out.partition("\nExamples:\n")
    assert max(map(len, head.splitlines())) <= 80
    if words not in {"", "sandbox", "server"}:
        lines = [each for each in examples.partition("\n\n")[0].splitlines() if each]
        assert any(f"kubeferry {words.partition(' ')[0]}" in each for each in lines), "an example of the command"
        assert all(each.startswith("  ") for each in lines)
    assert not re.search(r"\[/?bold\]|╭", out), "no markup"


def test_commands_and_options_are_in_groups(cli, monkeypatch):
    top, backup = (shown(cli, words, monkeypatch) for words in ("", "backup"))
    titles = re.findall(r"^(\w[\w ]*):$", top, re.MULTILINE)
    assert titles == ["Move", "Look", "This machine", "On schedule", "Options", "Where and how"]
    for name, title in (("undo", "Move"), ("diff", "Look"), ("sandbox", "This machine"), ("worker", "On schedule")):
        assert re.search(rf"^  {name} ", top.partition(f"\n{title}:\n")[2].partition("\n\n")[0], re.MULTILINE), name
    titles = re.findall(r"^(\w[\w ]*):$", backup, re.MULTILINE)
    assert titles == ["Arguments", "Options", "What of it", "Where and how", "Examples"]
    assert re.search(r"^  NAMESPACE {2}Namespaces to back up\.$", backup, re.MULTILINE)
    assert re.search(r"^  -A, --all-namespaces {2,}All namespaces", backup, re.MULTILINE)


def test_headings_are_bold_on_a_terminal_only():
    for terminal in (True, False):
        code = f"import sys; sys.stdout.isatty = lambda: {terminal}; from kubeferry.flows.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, "list", "--help"], capture_output=True, text=True, check=True
        )
        assert ("\x1b[1mExamples:\x1b[0m" in done.stdout) is terminal


@pytest.mark.parametrize("arguments", [["--help"], ["backup", "--help"]])
def test_rich_is_not_imported(arguments):
    found, _ = imported({"rich"}, arguments, dict(os.environ))
    assert found == "[]"


def test_only_the_command_that_runs_is_built(monkeypatch):
    top = get_command(app)
    built = []
    monkeypatch.setattr("kubeferry.flows.options.lazy._build", lambda each: built.append(each.name))
    list(top.listed())
    assert built == []
    _ = top.commands["undo"], top.commands["undo"]
    assert built == ["undo"]


def test_the_commands_are_a_mapping_in_order():
    commands = get_command(app).commands
    assert isinstance(commands, Commands)
    assert list(commands)[:2] == ["backup", "restore"]
    assert len(commands) == len(list(commands)) == 20
    assert commands["list"] is commands["list"]
    assert "sail" not in commands
    commands["list"] = commands["show"]
    assert commands["list"] is commands["show"]
    del commands["list"]
    assert "list" not in commands
