"""What a program reads of a run that failed or is partial: one document with its phase, and the exit code."""

import json
from datetime import UTC, datetime

import pytest

import kubeferry.flows.console.run
from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.records import Phase, Problem
from kubeferry.tasks.core.models.results import BackupResult, RestoreResult, RollbackResult

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BASE = {"name": "r", "store": "file:///s", "started": NOW, "completed": NOW, "counts": {"Secret": 1}}
LEFT = Problem(what="Secret shop/token", why="it waits for example.com/held")


def restored(phase, **more):
    where = {"backup": "b", "cluster": "b", "namespaces": {"shop": "shop"}, "actions": {"created": 1}}
    return RestoreResult(**BASE, phase=phase, **where, **more)


@pytest.fixture
def answers(monkeypatch):
    """Have a command's flow answer, or raise, what is given."""

    def answer(given):
        def run(*_, **__):
            if isinstance(given, Exception):
                raise given
            return given

        monkeypatch.setattr(kubeferry.flows.console.run, "run", run)

    return answer


@pytest.mark.parametrize("output", ["json", "table"])
def test_a_restore_that_failed_prints_what_became_of_it_and_exits_1(cli, answers, output):
    error = PermanentError("create Secret shop/token: no more")
    error.result = restored(Phase.FAILED, error=str(error), taken_back=RollbackResult(deleted=3, left=[LEFT]))
    answers(error)
    code, out, err = cli("restore", "b", "-o", output)
    assert (code, "create Secret shop/token: no more" in err) == (1, True)
    assert LEFT.why in out
    if output == "json":
        document = json.loads(out)
        assert (document["phase"], document["error"]) == ("Failed", str(error))
        assert (document["taken_back"]["deleted"], document["actions"]) == (3, {"created": 1})


def test_a_partial_restore_prints_its_problems_and_exits_3(cli, answers):
    warning = Problem(what="ConfigMap shop/settings", why="its kind is excluded, and Secret shop/token needs it")
    answers(restored(Phase.PARTIAL, problems=[LEFT], not_ready=[LEFT], warnings=[warning]))
    code, out, _ = cli("restore", "b", "-o", "json")
    document = json.loads(out)
    assert (code, document["phase"]) == (3, "Partial")
    for name, each in (("problems", LEFT), ("not_ready", LEFT), ("warnings", warning)):
        assert document[name] == [each.model_dump()]
    code, out, _ = cli("restore", "b")
    assert code == 3
    assert LEFT.why in out
    assert "its kind is excluded" in out


def test_a_partial_backup_exits_3_and_names_what_is_missing(cli, answers):
    where = {"cluster": "a", "namespaces": ["shop"], "revision": "7", "bytes": 1}
    answers(BackupResult(**BASE, phase=Phase.PARTIAL, problems=[Problem(what="widgets in shop", why="no")], **where))
    code, out, _ = cli("backup", "shop")
    assert (code, "widgets in shop" in out) == (3, True)
