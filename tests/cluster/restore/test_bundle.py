"""The bundle of a restore: what it lists, what is garbage collected with it, and that it is in no backup."""

import tarfile

import pytest
from tests.support.bench import A, B, did, touch
from tests.support.bundles import ALWAYS, SOME, bundle, bundles, deny_deployments, listed, names
from tests.support.objects import MINE

from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.formats.target import bundle as bundle_format
from kubeferry.tasks.core.formats.target.bundle import made_for
from kubeferry.tasks.core.kube.objects import Ref

COLLECTED = 120
"""Seconds that the garbage collector may take: it looks for new kinds twice a minute, and pauses meanwhile."""


@pytest.fixture(scope="module")
def saved(bench):
    ns = bench.namespace()
    bench.make(SOME, ns)
    bench.ready("Deployment", ns, "web")
    return ns, bench.backup(ns).name


# --- what it lists


def test_a_complete_restore_lists_all_that_it_created_level_by_level(bench, saved):
    ns, backup = saved
    name = bench.restore(backup).name
    found = bundle(bench, ns, name)
    assert (found["status"]["phase"], found["status"]["members"]) == ("Completed", 4)
    assert listed(found) == {1: ["ConfigMap settings", "Secret token", "Service web"], 2: ["Deployment web"]}
    assert found["spec"]["backup"] == backup
    live = {each.ref: each.uid for each in bundle_format.members_of(found)[0]}
    assert live == {ref: bench.get(ref.kind, ns, ref.name, B)["metadata"]["uid"] for ref in live}
    for ref in live:  # what no list can give: each of them says itself to whom it belongs
        assert made_for(bench.get(ref.kind, ns, ref.name, B)) == {found["metadata"]["uid"]}


def test_the_phase_is_reported_while_a_restore_is_under_way_and_when_it_is_resumed(bench, saved):
    old, backup = saved
    bench.restore(backup)  # bundles are served from here on
    ns = bench.namespace("t", B)
    deny_deployments(bench, ns)
    before = bench.get("Namespace", "", ns, B)["metadata"]["resourceVersion"]
    for again in ({"map": {old: ns}, "name": f"{ns}-r"}, {"resume": f"{ns}-r"}):
        with pytest.raises(KubeferryError, match="no more"):
            bench.restore("" if "resume" in again else backup, rollback=False, **again)
    events = bench.history("Bundle.kubeferry.io", ns, before, f"{ns}-r", B)
    statuses = [
        (event, live["status"]["phase"], live["status"]["members"]) for event, live in events if "status" in live
    ]
    assert statuses == [
        ("ADDED", "Restoring", 0),
        *(("MODIFIED", phase, 3) for phase in ("Failed", "Restoring", "Failed")),
    ]


def test_a_failed_restore_that_is_not_rolled_back_lists_what_it_leaves(bench, saved):
    old, backup = saved
    ns = bench.namespace("t", B)
    deny_deployments(bench, ns)
    with pytest.raises(KubeferryError, match="no more"):
        bench.restore(backup, map={old: ns}, name=f"{ns}-r", rollback=False)
    found = bundle(bench, ns, f"{ns}-r")
    assert (found["status"]["phase"], found["status"]["members"]) == ("Failed", 3)
    assert listed(found) == {1: ["ConfigMap settings", "Secret token", "Service web"]}


def test_what_was_there_is_in_no_bundle(bench, saved):
    old, backup = saved
    ns = bench.namespace("t", B)
    bench.make(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, labels: {app: web}}, data: {a: '1'}}", ns, B
    )
    bench.make("{apiVersion: v1, kind: Secret, metadata: {name: token}, stringData: {password: second}}", ns, B)
    result = bench.restore(backup, map={old: ns}, existing="update")
    assert (did(result, "ConfigMap", "settings"), did(result, "Secret", "token")[:7]) == ("unchanged", "updated")
    assert listed(bundle(bench, ns, result.name)) == {1: ["Service web"], 2: ["Deployment web"]}


def test_a_restore_that_creates_nothing_leaves_no_bundle(bench, saved):
    ns, backup = saved
    result = bench.restore(backup, context=A)
    assert set(result.actions) <= {"unchanged", "merged", "kept"}
    assert bundles(bench, ns, A) == []


def test_a_large_bundle_has_parts(bench, saved, monkeypatch):
    old, backup = saved
    ns = bench.name()
    monkeypatch.setattr(bundle_format, "MEMBERS", 2)
    name = bench.restore(backup, map={old: ns}).name
    assert bundles(bench, ns) == [name, f"{name}-part-2"]
    assert listed(bundle(bench, ns, name)) == {1: ["ConfigMap settings", "Secret token"]}
    assert listed(bundle(bench, ns, f"{name}-part-2")) == {1: ["Service web"], 2: ["Deployment web"]}


# --- kubectl delete bundle


def test_kubectl_delete_bundle_removes_the_whole_group_and_nothing_else(
    bench, saved, kubectl, sandbox_env, monkeypatch
):
    old, backup = saved
    ns = bench.namespace("t", B)
    bench.make(MINE, ns, B)
    monkeypatch.setattr(bundle_format, "MEMBERS", 1)
    name = bench.restore(backup, map={old: ns}, existing="skip", bundle="own").name
    assert len(bundles(bench, ns)) == 2
    stays = {
        ref: seen for ref, seen in touch(bench, B, ns).items() if ref.name in ("mine", "settings", "token", "default")
    }
    assert len(stays) == 4
    kubectl(sandbox_env, "delete", "bundle", name, "-n", ns, context=B)
    left = sorted([*ALWAYS, "ConfigMap mine", "ConfigMap settings", "Secret token"])
    bench.until(lambda: (names(bench, ns), bundles(bench, ns)) == (left, []), COLLECTED)
    bench.collected(B)
    assert (names(bench, ns), {ref: touch(bench, B, ns)[ref] for ref in stays}) == (left, stays)


def test_what_was_there_before_is_not_linked_to_what_a_restore_creates(bench, kubectl, sandbox_env):
    """Else it would go with its new owner, by garbage collection, when the bundle is deleted."""
    ns = bench.namespace()
    group = bench.crd(ns)
    widget = f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: boss}}}}"
    (boss,) = bench.make(widget, ns)
    tie = f"{{apiVersion: {group}/v1, kind: Widget, name: boss, uid: {boss['metadata']['uid']}}}"
    child = (
        "{{apiVersion: v1, kind: Secret, metadata: {{name: {0}, ownerReferences: [{1}]}}, stringData: {{a: '{2}'}}}}"
    )
    bench.make(child.format("child", tie, 1), ns)
    bench.make(child.format("fresh", tie, 1), ns)
    saved = bench.backup(ns)
    target = bench.namespace("t", B)
    bench.forget("CustomResourceDefinition", f"widgets.{group}")
    bench.make("{apiVersion: v1, kind: Secret, metadata: {name: child}, stringData: {a: '2'}}", target, B)
    result = bench.restore(saved, map={ns: target}, existing="update", bundle="own")
    assert "not linked to Widget boss, which this restore created" in did(result, "Secret", "child")
    assert "ownerReferences" not in bench.get("Secret", target, "child", B)["metadata"]
    assert [each["kind"] for each in bench.get("Secret", target, "fresh", B)["metadata"]["ownerReferences"]] == [
        "Widget"
    ]
    kubectl(sandbox_env, "delete", "bundle", result.name, "-n", target, context=B)
    bench.until(lambda: bench.find("Secret", target, "fresh", B) is None, COLLECTED)
    assert bench.get("Secret", target, "child", B)["data"] == {"a": "MQ=="}


# --- backups of what was restored


def test_a_backup_of_a_restored_namespace_knows_no_bundle_and_restores_well_again(bench, saved):
    old, backup = saved
    ns = bench.name()
    first = bench.restore(backup, context=A, map={old: ns})
    again = bench.backup(ns)
    assert {each.why for each in again.left_out if each.type == "Bundle.kubeferry.io"} <= {
        "every restore creates its own bundle"
    }
    with tarfile.open(bench.folder / "backups" / again.name / f"{again.name}.tar.gz") as archive:
        for member in archive:
            content = archive.extractfile(member).read() if member.isfile() else b""
            assert b"kubeferry.io" not in content, member.name
            assert b"ownerReferences" not in content, member.name
            assert "bundles" not in member.name
    second = bench.restore(again.name, context=B, map={ns: bench.name()})
    assert (second.phase, second.problems, second.actions) == ("Completed", [], first.actions)
    target = second.namespaces[ns]
    assert listed(bundle(bench, target, second.name)) == listed(bundle(bench, ns, first.name, A))
    assert "ownerReferences" not in bench.get("Secret", target, "token", B)["metadata"]
    assert Ref.of(bundle(bench, target, second.name)) == Ref("kubeferry.io", "Bundle", target, second.name)
