"""What is reported at the end: what stays, what can be done about it, and what of it is wrong, line by line."""

from datetime import UTC, datetime

import pytest

from kubeferry.tasks.core.formats.migration import SHARED, End
from kubeferry.tasks.core.formats.records import Phase, Problem
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.models.options import Existing
from kubeferry.tasks.core.models.results import MigrateResult, PopulateResult, RestoreResult, RollbackResult
from kubeferry.tasks.core.ops.report import aftermath
from kubeferry.tasks.core.plan.existing import advice, verbs

NOW = datetime(2026, 1, 2, tzinfo=UTC)
COMMON = {"name": "r", "phase": Phase.FAILED, "store": "s", "started": NOW, "completed": NOW, "counts": {}}


def restore(actions, taken_back=None):
    return RestoreResult(
        **COMMON, backup="b", cluster="c", namespaces={}, actions=actions, error="why", taken_back=taken_back
    )


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        (restore({}), []),
        (restore({"created": 0}), []),
        (restore({"created": 2}), ["its changes stay: kubeferry restore --resume r, or kubeferry undo r"]),
        (restore({"created": 2}, RollbackResult(deleted=2, restored=1)), ["rolled back: 2 deleted, 1 restored"]),
        (
            restore(
                {"created": 2},
                RollbackResult(
                    deleted=1,
                    left=[Problem(what="Secret shop/s", why="it waits for a/b")],
                    notes=[Problem(what="Service shop/w", why="has another address")],
                ),
            ),
            [
                "rolled back: 1 deleted, 0 restored",
                "not rolled back: Secret shop/s: it waits for a/b",
                "Service shop/w has another address",
                "try again with: kubeferry undo r",
            ],
        ),
    ],
)
def test_after_a_restore_that_failed_the_output_says_what_stays_and_what_can_be_done(result, lines):
    assert aftermath(result) == lines


def end(namespace="shop", phase=Phase.COMPLETED, **more):
    return End(**({"namespace": namespace, "into": namespace, "phase": phase} | more))


PROBLEMS = [Problem(what=f"o{number}", why="w") for number in range(5)]


@pytest.mark.parametrize(
    ("ended", "why"),
    [
        (end(), ""),
        (end(error="no such namespace", problems=PROBLEMS), "no such namespace"),
        (end(problems=PROBLEMS[:2]), "o0: w; o1: w"),
        (end(problems=PROBLEMS[:3]), "o0: w; o1: w; o2: w"),
        (end(problems=PROBLEMS), "o0: w; o1: w; o2: w; and 2 more"),
    ],
)
def test_what_is_wrong_with_a_namespace_is_one_line(ended, why):
    assert ended.why == why


def test_a_namespace_is_shown_by_both_its_names_where_it_has_two():
    assert end().title == "shop"
    assert end(into="copy").title == "shop → copy"
    assert end(SHARED).title == "(cluster-wide)"


@pytest.mark.parametrize(("phase", "done"), [(Phase.COMPLETED, True), (Phase.PARTIAL, True), (Phase.FAILED, False)])
def test_only_what_failed_is_done_again(phase, done):
    assert end(phase=phase).done is done


ENDS = [end("a"), end("b", Phase.FAILED), end("c"), end(SHARED, Phase.PARTIAL)]


def test_phases_are_counted_without_what_is_cluster_wide_and_in_their_order():
    whole = MigrateResult(**COMMON, backup="b", from_cluster="x", to_cluster="y", namespaces=ENDS)
    assert list(whole.phases.items()) == [("Completed", 2), ("Failed", 1)]
    made = PopulateResult(**COMMON, backup="b", template="t", cluster="c", namespaces=ENDS[1:3])
    assert list(made.phases.items()) == [("Completed", 1), ("Failed", 1)]


def test_advice_about_a_claim_warns_of_its_volume():
    claims = ResourceType("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", namespaced=True)
    jobs = ResourceType("batch", "v1", "Job", "jobs", namespaced=True)
    assert advice(claims) == (
        "--existing recreate, or for this kind --existing persistentvolumeclaims=recreate, re-creates it,"
        " and deletes its volume unless that is retained; =skip keeps it"
    )
    assert advice(jobs) == (
        "--existing recreate, or for this kind --existing jobs.batch=recreate, re-creates it; =skip keeps it"
    )


BASE = ("create", "get", "list", "watch")


@pytest.mark.parametrize(
    ("ref", "existing", "needed"),
    [
        (Ref("", "Secret", "shop", "s"), "fail", BASE),
        (Ref("", "Secret", "shop", "s"), "skip", BASE),
        (Ref("", "Secret", "shop", "s"), "update", (*BASE, "patch")),
        (Ref("", "Secret", "shop", "s"), "recreate", (*BASE, "delete")),
        (Ref("", "ServiceAccount", "shop", "a"), "fail", (*BASE, "patch")),
        (Ref("", "ServiceAccount", "shop", "a"), "recreate", (*BASE, "patch")),
        (Ref("example.com", "ServiceAccount", "shop", "a"), "fail", BASE),
        (Ref("", "PersistentVolume", "", "v"), "recreate", BASE),
    ],
)
def test_no_more_rights_are_asked_for_than_what_may_be_done_takes(ref, existing, needed):
    assert verbs(ref, Existing(existing)) == needed
