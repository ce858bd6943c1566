"""A version that the target lacks is no reason to refuse where another one that it serves has the same fields."""

import pytest
from tests.cluster.versions.conftest import fields
from tests.support.bench import A, B

from kubeferry.flows.undo import undo
from kubeferry.tasks.core.errors import PreflightError
from kubeferry.tasks.core.models.options import RestoreOptions, UndoOptions
from kubeferry.tasks.diff import compare

pytestmark = pytest.mark.exclusive
SOAK = pytest.mark.soak(minutes=0.5)

BOTH = fields("color", "size")
WEBHOOK = {
    "strategy": "Webhook",
    "webhook": {
        "conversionReviewVersions": ["v1"],
        "clientConfig": {"url": "https://127.0.0.1:1/convert", "caBundle": ""},
    },
}
UNSERVED = "the cluster does not serve the version that was saved"
ADVICE = (
    "install a release on the target that serves v1beta1, or make the backup when v1 is the storage version of its "
    "cluster"
)


@pytest.fixture
def ns(bench):
    return bench.namespace("boxes")


def changed(ns, *, saved="v1beta1", written="v1", group):
    return (
        f"Box.{group} {ns}/red",
        "version-changed",
        f"was saved in {group}/{saved} and is restored in {group}/{written}: {UNSERVED}",
    )


def told(result):
    return [(each.object, each.code, each.why) for each in result.losses]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        # The source has both, and stores the one that the target has no more.
        ({"v1": [BOTH], "v1beta1": [BOTH, "stored"]}, {"v1": [BOTH, "stored"]}),
        # The target has both, and does not serve the old one any more.
        pytest.param(
            {"v1beta1": [BOTH, "stored"]}, {"v1": [BOTH, "stored"], "v1beta1": [BOTH, "unserved"]}, marks=SOAK
        ),
        # No definition has both; the new version has every field of the old one.
        pytest.param({"v1beta1": [BOTH, "stored"]}, {"v1": [fields("color", "size", "more"), "stored"]}, marks=SOAK),
    ],
)
def test_an_object_is_written_in_a_version_that_is_served(bench, kind, ns, source, target):
    kind.define(A, **source)
    kind.define(B, **target)
    owner = kind.create(ns, "v1beta1", "red", {"color": "red", "size": 7})
    reference = {"apiVersion": owner["apiVersion"], "kind": "Box", "name": "red", "uid": owner["metadata"]["uid"]}
    kind.create(ns, "v1beta1", "child", {"color": "red"}, ownerReferences=[reference])
    named = {"metadata": {"name": "applied", "namespace": ns}, "spec": {"color": "red"}}
    applied = {"apiVersion": owner["apiVersion"], "kind": "Box"} | named
    bench.clusters[A].apply(kind.type("v1beta1"), ns, applied, manager="someone")
    saved = bench.backup(ns)
    done = bench.restore(saved)
    assert done.phase == "Completed"
    entries = kind.get(ns, "v1", "applied", B)["metadata"]["managedFields"]
    assert ("someone", "Apply", f"{kind.group}/v1") in [
        (each["manager"], each["operation"], each["apiVersion"]) for each in entries
    ]
    assert changed(ns, group=kind.group) in told(done)
    live = kind.get(ns, "v1", "red", B)
    assert live["spec"] == {"color": "red", "size": 7}
    (tie,) = [each for each in kind.get(ns, "v1", "child", B)["metadata"]["ownerReferences"] if each["name"] == "red"]
    assert (tie["apiVersion"], tie["uid"]) == (f"{kind.group}/v1", live["metadata"]["uid"])
    asked = RestoreOptions(backup=saved.name, context=B, **bench.where)
    report = compare.compared(asked)
    others = [each.name for each in report.objects if each.name != f"boxes.{kind.group}"]
    assert (others, report.problems) == ([], []), "only the definition is another one"
    assert bench.run_flow(undo(UndoOptions(restore=done.name, context=B, **bench.where))).phase == "Completed"


@pytest.mark.parametrize(
    ("source", "target", "conversion", "why"),
    [
        (
            {"v1": [BOTH], "v1beta1": [BOTH, "stored"]},
            {"v1": [BOTH, "stored"]},
            WEBHOOK,
            f"it serves v1, and only a webhook converts v1beta1: {ADVICE}",
        ),
        (
            {"v1beta1": [BOTH, "stored"]},
            {"v1": [fields("colour", "size"), "stored"]},
            None,
            "it serves v1, and no definition says that it has the fields of v1beta1: bring the definitions in line",
        ),
    ],
)
def test_what_nobody_can_convert_is_refused_with_what_to_do(bench, kind, ns, source, target, conversion, why):
    kind.define(A, **source)
    kind.define(B, **target)
    kind.create(ns, "v1beta1", "red", {"color": "red", "size": 7})
    if conversion:
        kind.define(A, conversion=conversion, **source)
    saved = bench.backup(ns, include=["boxes", "customresourcedefinitions"])
    with pytest.raises(PreflightError) as refused:
        bench.restore(saved)
    assert refused.value.problems == [f"Box in {kind.group}/v1beta1 (1 objects): {why}"]
    assert bench.find("Namespace", "", ns, B) is None


def test_an_object_that_is_there_is_updated_and_given_back_in_the_version_it_is_written_in(bench, kind, ns):
    """What only that version has must neither be lost by the update nor by the undo."""
    for context in (A, B):
        kind.define(context, v1=[fields("color")], v1beta1=[BOTH, "stored"])
    kind.create(ns, "v1beta1", "red", {"color": "red", "size": 7})
    saved = bench.backup(ns)
    bench.namespace_named(ns, B)
    kind.create(ns, "v1beta1", "red", {"color": "blue", "size": 1}, B)
    done = bench.restore(saved, existing="update")
    assert kind.get(ns, "v1beta1", "red", B)["spec"] == {"color": "red", "size": 7}
    bench.run_flow(undo(UndoOptions(restore=done.name, context=B, **bench.where)))
    assert kind.get(ns, "v1beta1", "red", B)["spec"] == {"color": "blue", "size": 1}
