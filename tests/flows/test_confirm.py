"""A person is asked before something is removed, on a terminal, and agrees to exactly what was shown."""

import io
import json
import sys

import pytest

import kubeferry.flows.console.run


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def started(monkeypatch):
    """What a flow would have been started for: its `where`, which is what a prune is asked for."""
    found = []

    def run(_start, at, **_):
        found.append(at)
        raise KeyboardInterrupt

    monkeypatch.setattr(kubeferry.flows.console.run, "run", run)
    return found


@pytest.fixture
def full(shelf):
    for name in ("a", "b"):
        shelf.add(name)
    return shelf


def answer(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", Terminal(text))


def test_what_would_be_deleted_is_shown_beside_the_result_and_a_no_removes_nothing(cli, full, started, monkeypatch):
    answer(monkeypatch, "n\n")
    code, out, err = cli("prune", "--keep-last", "1", "--store", full.url)
    assert (code, out, started) == (1, "", [])
    assert ["a", "Completed", "2026-01-02", "03:04", "remove"] in [row.split()[:5] for row in err.splitlines()]
    assert "Remove 1?" in err
    assert err.endswith("nothing was removed\n")


def test_a_yes_is_for_what_was_shown(cli, full, started, monkeypatch):
    answer(monkeypatch, "y\n")
    assert cli("prune", "--keep-last", "1", "--store", full.url)[0] == 130
    shown = json.loads(cli("prune", "--keep-last", "1", "--dry-run", "-o", "json", "--store", full.url)[1])
    assert [each.expect for each in started] == [shown["digest"]]


def test_a_digest_that_was_given_stays(cli, full, started, monkeypatch):
    answer(monkeypatch, "y\n")
    cli("prune", "--keep-last", "1", "--expect", "ab" * 32, "--store", full.url)
    assert [each.expect for each in started] == ["ab" * 32]


def test_with_yes_nothing_is_asked_or_looked_at(cli, full, started):
    full.path("backups/a/velero-backup.json").write_text("{")
    code, out, err = cli("prune", "--keep-last", "1", "--yes", "--store", full.url)
    assert (code, out, err) == (130, "", "interrupted\n")
    assert [each.expect for each in started] == [""]


def test_the_end_of_the_input_is_an_interrupt(cli, full, started, monkeypatch):
    answer(monkeypatch, "")
    code, out, err = cli("prune", "--keep-last", "1", "--store", full.url)
    assert (code, out, started) == (130, "", [])
    assert err.endswith("interrupted\n")


def test_where_nothing_would_be_deleted_nothing_is_asked(cli, full, started, monkeypatch):
    answer(monkeypatch, "")
    code, out, _ = cli("prune", "--keep-last", "2", "--store", full.url)
    assert (code, started) == (0, [])
    assert "0 would be removed (0 bytes), 2 stay" in out
