"""In which order a restore takes its steps, what a resumed one leaves out, and what it does when a step fails."""

import asyncio
from types import SimpleNamespace

import pytest

import kubeferry.flows.restore
from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import BundleMode
from kubeferry.tasks.core.models.results import RestoreResult, RollbackResult
from kubeferry.tasks.ports.cluster.cancellation import Cancellation
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.restore.state import Restore

NOW = clock.now()
LEVELS = [[Ref("", "ConfigMap", "shop", "a")], [Ref("", "Secret", "shop", "b")]]
STEPS = [
    *("plan", "take_up", "preflight", "approve", "begin"),
    *("create_namespace", "hold", "dry_run", "apply_crds", "wait_until_served", "make_bundle"),
    *("resolve", "apply", "resolve_late", "wait", "relink", "unpause", "give_back"),
    *("follow_again", "look_again", "verify_restored", "set_bundle_status", "end"),
    *("rollback", "report_failure", "report_stopped"),
]


class Taken(list):
    """The steps that were taken, in order; `fail` names one that fails."""

    fail = ""
    answers = {"follow_again": [], "verify_restored": [], "rollback": RollbackResult(deleted=1)}


@pytest.fixture
def taken(monkeypatch):
    made = Taken()

    def stand_in(name):
        async def step(*_):
            await asyncio.sleep(0)
            made.append(name)
            if name == made.fail:
                raise PermanentError(f"{name} failed")
            return Taken.answers.get(name)

        monkeypatch.setattr(kubeferry.flows.restore, name, step)

    for name in STEPS:
        stand_in(name)
    fields = {"name": "r", "store": "s", "backup": "b", "cluster": "b", "namespaces": {}, "actions": {}, "counts": {}}

    def result(phase, **more):
        return RestoreResult(phase=phase, started=NOW, completed=NOW, **fields, **more)

    def failed(*given):
        *_, error, back, _started = given
        return result(Phase.FAILED, error=str(error), taken_back=back)

    monkeypatch.setattr(kubeferry.flows.restore, "restored", lambda *_: result(Phase.COMPLETED))
    monkeypatch.setattr(kubeferry.flows.restore, "failed", failed)
    monkeypatch.setattr(kubeferry.flows.restore, "late_turns", lambda _: ({1: LEVELS[0]}, {}))
    monkeypatch.setattr(kubeferry.flows.restore, "log", lambda _: None)
    return made


def restoring(**more):
    items = {ref: SimpleNamespace(bindings=["an address"] if ref.name == "b" else []) for of in LEVELS for ref in of}
    plan = SimpleNamespace(
        namespaces=["shop"], definitions=["widgets"], items=items, order=SimpleNamespace(levels=LEVELS), scheduled={}
    )
    options = {"approve": False, "bundle": BundleMode.LIST, "wait": True} | more.pop("options", {})
    plan.contents = SimpleNamespace(close=lambda: None)
    stopped = more.pop("stopped", False)
    asked = {
        "resumed": None,
        "pending": [],
        "unready": {},
        "paused": {},
        "values": {},
        "problems": [],
        "bundles": {"shop": "u"},
        "uids": {},
        "patched": set(),
    } | more
    return Restore(
        source=SimpleNamespace(options=SimpleNamespace(**options), close=lambda: None),
        plan=plan,
        target=None,
        lookups=SimpleNamespace(values=asked["values"]),
        transaction=SimpleNamespace(
            resumed=asked["resumed"], bundles=asked["bundles"], made=set(), close=lambda: stopped
        ),
        outcome=SimpleNamespace(
            **{name: asked[name] for name in ("pending", "unready", "paused", "problems", "uids", "patched")}
        ),
        cancellation=Cancellation(),
    )


def run_restore(made):
    return asyncio.run(kubeferry.flows.restore.carry_out(made, NOW))


FIRST = "create_namespace hold dry_run apply_crds wait_until_served make_bundle"
WRITES = f"{FIRST} apply resolve_late wait wait resolve apply wait"
ENDS = "verify_restored set_bundle_status end"


def test_nothing_is_written_before_it_was_looked_over_approved_and_journalled(taken):
    run_restore(restoring(options={"approve": True}))
    assert " ".join(taken) == f"plan preflight approve begin {WRITES} {ENDS}"


def test_a_resumed_restore_takes_up_its_journal_before_it_looks_and_is_not_approved_again(taken):
    run_restore(restoring(resumed=object(), options={"approve": True}))
    assert " ".join(taken) == f"plan take_up preflight {WRITES} {ENDS}"


@pytest.mark.parametrize(
    ("left", "steps"),
    [
        ({"pending": [LEVELS[0][0]]}, "relink"),
        ({"unready": {LEVELS[0][0]: "why"}}, "look_again"),
        ({"paused": {LEVELS[0][0]: "a pause"}}, "unpause"),
        ({"pending": [LEVELS[0][0]], "paused": {LEVELS[0][0]: "a pause"}}, "relink unpause"),
        ({"values": {"a chain": "a value"}}, "follow_again"),
        ({"patched": {LEVELS[0][0]}, "uids": {LEVELS[0][0]: "u"}}, "give_back"),
        (
            {"values": {"a chain": "a value"}, "patched": {LEVELS[0][0]}, "uids": {LEVELS[0][0]: "u"}},
            "follow_again give_back",
        ),
    ],
)
def test_what_is_left_over_is_done_before_the_end(taken, left, steps):
    run_restore(restoring(**left))
    assert " ".join(taken) == f"plan preflight begin {WRITES} {steps} {ENDS}"


def test_cron_jobs_that_run_jobs_of_the_backup_get_them_in_their_status_though_none_was_paused(taken):
    made = restoring()
    made.plan.scheduled = {LEVELS[0][0]: [LEVELS[1][0]]}
    run_restore(made)
    assert taken[-4:] == ["unpause", *ENDS.split()]


@pytest.mark.parametrize("fail", ["preflight", "begin", "apply", "wait", "verify_restored", "end"])
def test_a_step_that_fails_is_rolled_back_reported_and_raised_with_the_result(taken, fail):
    taken.fail = fail
    with pytest.raises(PermanentError, match=f"^{fail} failed$") as caught:
        run_restore(restoring())
    assert taken[-3:] == [fail, "rollback", "report_failure"]
    result = caught.value.result
    assert (result.phase, result.error, result.taken_back.deleted) == (Phase.FAILED, f"{fail} failed", 1)


def test_one_that_was_stopped_midway_says_how_to_go_on(taken):
    run_restore(restoring(stopped=True))
    assert taken[-1] == "report_stopped"
