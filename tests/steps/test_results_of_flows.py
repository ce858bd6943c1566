"""Problems, warnings and what is not ready come out at the end of a flow, and as the exit code of its command."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest
import typer
from tests.support.steps import do

import kubeferry.flows.restore
import kubeferry.tasks.delete.execute
import kubeferry.tasks.report
import kubeferry.tasks.restore.outcome
from kubeferry.flows.console import delete_table, migrate_table, results
from kubeferry.flows.options.common import Format
from kubeferry.tasks.core.deletion.cascade import Cascade
from kubeferry.tasks.core.deletion.inventory import Inventory
from kubeferry.tasks.core.formats.records import ActionTaken, Phase, Problem
from kubeferry.tasks.core.formats.target.bundle import Member
from kubeferry.tasks.core.graph.closure import Missing
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import DeleteOptions, Place
from kubeferry.tasks.core.models.results import (
    BackupResult,
    DeleteResult,
    MigrateResult,
    PopulateResult,
    RestoreResult,
    RollbackResult,
    UndoResult,
)
from kubeferry.tasks.core.plugins.registry import Registry
from kubeferry.tasks.delete.remove import Removed
from kubeferry.tasks.maintain.prune import removed
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.restore.state import Restore

NOW = clock.now()
TOKEN, SETTINGS = Ref("", "Secret", "shop", "token"), Ref("", "ConfigMap", "shop", "settings")
ONE, TWO, THREE = (Problem(what=what, why="because") for what in ("one", "two", "three"))


# --- a restore


@pytest.fixture
def restoring():
    """A restore that is at its end: everything that its result says of it."""
    plan = SimpleNamespace(
        left_out=[],
        missing=[Missing(TOKEN, "its kind is excluded", (SETTINGS,), "spec.x")],
        warnings=[TWO],
        grants=[],
        occupied=[],
        rewrites=[],
        items={},
        losses=[],
        order=SimpleNamespace(levels=[[TOKEN]]),
    )
    plan.names = lambda: {"shop": "shop"}
    store = SimpleNamespace(url="file:///s")
    return Restore(
        source=SimpleNamespace(
            name="r", backup=SimpleNamespace(store=store, manifest=None), options=SimpleNamespace(backup="b")
        ),
        plan=plan,
        target=SimpleNamespace(cluster=lambda: SimpleNamespace(name="b")),
        lookups=SimpleNamespace(rewrites=[], values={"a chain": "10.0.0.1"}),
        transaction=SimpleNamespace(bundles={}, made=set()),
        outcome=SimpleNamespace(
            counts={"Secret": 1},
            actions={"created": 1},
            notable=[ActionTaken(type="Secret", name=name, action="updated") for name in "ba"],
            not_ready=[THREE],
            unready={},
            problems=[],
            losses=[],
            patched=set(),
            uids={},
        ),
        cancellation=None,
    )


def test_what_is_needed_and_missing_what_was_asked_for_in_vain_and_what_is_not_ready_is_in_the_result(restoring):
    found = do(kubeferry.tasks.restore.outcome.restored, restoring, [], NOW)
    assert found.phase is Phase.COMPLETED
    assert [each.what for each in found.warnings] == [str(TOKEN), "two"]
    assert found.warnings[0].why.startswith("its kind is excluded")
    assert (found.not_ready, [each.name for each in found.notable]) == ([THREE], ["a", "b"])
    partial = do(kubeferry.tasks.restore.outcome.restored, restoring, [ONE], NOW)
    assert (partial.phase, partial.problems) == (Phase.PARTIAL, [ONE])
    failed = do(
        kubeferry.tasks.restore.outcome.failed, restoring, ValueError("no more"), RollbackResult(deleted=1), NOW
    )
    assert (failed.phase, failed.error, failed.taken_back.deleted) == (Phase.FAILED, "no more", 1)


@pytest.mark.parametrize("where", ["followed again", "a step", "verify"])
def test_one_problem_of_any_step_makes_a_restore_partial_in_its_result_and_its_journal(restoring, monkeypatch, where):
    ended, listed = [], []

    def answers(name, found):
        async def answer(*_):
            return found

        monkeypatch.setattr(kubeferry.flows.restore, name, answer)

    async def set_bundle_status(*given):
        listed.append(given[-1])

    answers("follow_again", [ONE] if where == "followed again" else [])
    answers("verify_restored", [ONE] if where == "verify" else [])
    restoring.outcome.problems = [ONE] if where == "a step" else []
    restoring.transaction.journal = SimpleNamespace(end=lambda *words: ended.append(words))
    restoring.transaction.hold, restoring.transaction.bundles = None, {"shop": "u"}
    monkeypatch.setattr(kubeferry.flows.restore, "set_bundle_status", set_bundle_status)

    async def end(*given):
        kubeferry.tasks.restore.outcome._end(*given)

    monkeypatch.setattr(kubeferry.flows.restore, "end", end)
    found = asyncio.run(kubeferry.flows.restore._finish(restoring, NOW))
    assert (found.phase, found.problems) == (Phase.PARTIAL, [ONE])
    ((phase, why, losses),) = ended
    assert (phase, why, listed) == ("Partial", "1 problems", ["Partial"])
    said = [(each.object, each.code) for each in losses]
    assert said == [(str(TOKEN), "warning"), ("one", "problem"), ("three", "not-ready"), ("two", "warning")]


# --- a deletion


def deletion(*, unread=False, selector="", refused=(), **more):
    """Return the result of a deletion of a Secret, which went."""
    member = Member(1, TOKEN, "u")
    named = {"selector": selector} if selector else {"bundle": "r"}
    facts = Inventory(Registry(()))
    facts.objects[TOKEN] = SimpleNamespace(finalizers=())
    if unread:
        facts.unread["example.com", "Widget"] = "forbidden"
    group = Cascade([member], {}, [], refused=list(refused))
    deleting = SimpleNamespace(
        options=DeleteOptions(namespaces=["shop"], **named),
        group=group,
        removed=Removed(gone=[member], **more),
        facts=facts,
        namespaces=["shop"],
        target=lambda: SimpleNamespace(name="b"),
    )
    return kubeferry.tasks.delete.execute.result(deleting, NOW)


def test_a_deletion_is_whole_only_when_nothing_is_left_refused_or_unseen():
    assert deletion().phase is Phase.COMPLETED
    assert deletion(left=[ONE]).phase is Phase.PARTIAL
    assert deletion(refused=[("Secret other/x", "is listed")]).phase is Phase.PARTIAL
    # A bundle lists its own; of labels nobody knows whether something unseen has them.
    assert deletion(unread=True).phase is Phase.COMPLETED
    found = deletion(unread=True, selector="app=web")
    assert (found.phase, [each.what for each in found.warnings]) == (Phase.PARTIAL, ["Widget.example.com"])
    assert found.warnings[0].why == "not looked at: forbidden"


def test_what_lost_its_finalizers_and_what_is_left_is_reported():
    found = deletion(left=[ONE], forced=[TWO])
    assert (found.left, found.forced, found.counts) == ([ONE], [TWO], {"Secret": 1})


# --- exit codes

BASE = {"name": "x", "started": NOW, "completed": NOW + timedelta(seconds=1), "counts": {}, "store": "file:///s"}
SHAPES = {
    "backup": lambda phase: BackupResult(**BASE, phase=phase, cluster="a", namespaces=["s"], revision="1", bytes=1),
    "restore": lambda phase: RestoreResult(**BASE, phase=phase, backup="b", cluster="a", namespaces={}, actions={}),
    "undo": lambda phase: UndoResult(**BASE, phase=phase, backup="b", cluster="a", taken_back=RollbackResult()),
    "delete": lambda phase: DeleteResult(**BASE, phase=phase, cluster="a", namespaces=["s"], digest="d", levels=0),
    "migrate": lambda phase: MigrateResult(
        **BASE, phase=phase, backup="b", from_cluster="a", to_cluster="b", namespaces=[]
    ),
    "populate": lambda phase: PopulateResult(
        **BASE, phase=phase, backup="b", template="s", cluster="a", namespaces=[], earlier=[]
    ),
}
FINISH = {
    "delete": delete_table.finish,
    "migrate": migrate_table.finish,
    "populate": migrate_table.finish_populate,
}


@pytest.mark.parametrize("output", [Format.JSON, Format.TABLE])
@pytest.mark.parametrize(("phase", "code"), [(Phase.COMPLETED, 0), (Phase.PARTIAL, 3), (Phase.FAILED, 1)])
@pytest.mark.parametrize("command", SHAPES)
def test_each_command_exits_by_the_phase_of_its_result(capsys, command, phase, code, output):
    finish = FINISH.get(command, results.finish)
    asked = DeleteOptions(bundle="r") if command == "delete" else Place()
    with pytest.raises(typer.Exit) as ended:
        finish(SHAPES[command](phase), asked, output)
    assert ended.value.exit_code == code
    assert phase.value in capsys.readouterr().out


@pytest.mark.parametrize(("phase", "count"), [(Phase.COMPLETED, 0), (Phase.PARTIAL, 1), (Phase.FAILED, 0)])
def test_a_partial_run_is_an_event_since_its_state_is_completed(monkeypatch, phase, count):
    events = []
    monkeypatch.setattr(kubeferry.tasks.report, "emit_event", lambda name, _: events.append(name))
    kubeferry.tasks.report._announce(phase)
    assert events == ["kubeferry.run.partial"] * count


# --- a prune


def test_what_a_prune_could_not_read_is_still_a_problem_when_it_has_removed_the_rest(tmp_path):
    from kubeferry.tasks.core.models.options_maintenance import PruneOptions
    from kubeferry.tasks.core.models.results import PruneResult

    asked = PruneOptions(store=tmp_path.as_uri())
    seen = PruneResult(
        store=asked.store,
        started=NOW,
        completed=NOW,
        phase=Phase.PARTIAL,
        dry_run=True,
        digest="d",
        judged=[],
        left=[TWO],
        problems=[ONE],
    )
    done = removed(asked, seen)
    assert (done.phase, done.problems, done.left, done.dry_run) == (Phase.PARTIAL, [ONE], [TWO], False)
