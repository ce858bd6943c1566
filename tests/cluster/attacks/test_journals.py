"""Whoever may write to the bucket forges the journal of a restore: an undo does only what the live objects prove."""

import json

import pytest
from tests.cluster.transaction.test_undo_guards import MANAGER, TOKEN, Journalled
from tests.support.bench import A, B, rested
from tests.support.objects import an, config_map, documents, secret

from kubeferry.flows.restore import restore
from kubeferry.flows.undo import undo
from kubeferry.tasks.core.errors import PermanentError, UsageError
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import RestoreOptions, UndoOptions
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.restore.back.undo import look

RBAC = "rbac.authorization.k8s.io"


@pytest.fixture(scope="module")
def plain(bench_without_flows):
    """The clusters without Prefect, beside `bench`."""
    return bench_without_flows


@pytest.fixture
def ns(plain):
    return plain.namespace("forged", B)


@pytest.fixture
def forged(plain, ns):
    made = Journalled(plain, ns)
    yield made
    made.journal.close()


def said(forged, ref, uid, level=1):
    """Have the journal say that the restore created an object."""
    forged.journal.will_create(level, [ref])
    forged.journal.did(level, "created", ref, uid)


def test_a_secret_of_a_namespace_that_the_restore_never_touched_stays(plain, forged):
    other = plain.namespace("victim", B)
    (made,) = plain.make(secret("token", {"a": "b"}), other, B)
    said(forged, Ref("", "Secret", other, "token"), made["metadata"]["uid"])
    _, left = forged.undo()
    assert left == {"token": "the journal names it, but the restore did not write to its namespace"}
    assert plain.get("Secret", other, "token", B)["metadata"]["uid"] == made["metadata"]["uid"]


def test_a_namespace_of_others_stays_with_all_that_is_in_it(plain, forged):
    other = plain.namespace("victim", B)
    uid = plain.get("Namespace", "", other, B)["metadata"]["uid"]
    said(forged, Ref("", "Namespace", "", other), uid, level=-1)
    result, _ = forged.undo(force=True, privileged=True)
    assert "did not write to its namespace" in result.taken_back.left[0].why
    assert plain.find("Namespace", "", other, B)["metadata"].get("deletionTimestamp") is None


@pytest.mark.parametrize("force", [False, True])
def test_an_object_of_its_namespace_that_it_did_not_write_stays(plain, forged, ns, force):
    (made,) = plain.make(config_map("theirs", {"a": "b"}), ns, B)
    said(forged, forged.ref("theirs"), made["metadata"]["uid"])
    _, left = forged.undo(force=force)
    assert left == {"theirs": "the journal names it, but it does not show that this restore wrote it"}
    assert forged.live("theirs")


@pytest.mark.parametrize("force", [False, True])
def test_content_that_the_store_holds_is_not_written_into_an_object_of_others(plain, forged, ns, force):
    plain.make(config_map("settings", {"a": "theirs"}), ns, B)
    live = forged.live("settings")
    forged.journal.keep(1, "update", forged.ref("settings"), live | {"data": {"a": "forged"}})
    _, left = forged.undo(force=force)
    assert left == {"settings": "the journal names it, but it does not show that this restore wrote it"}
    assert forged.live("settings")["data"] == {"a": "theirs"}


@pytest.mark.parametrize(
    "options", [{}, {"privileged": True}, {"force": True}], ids=["undo", "--privileged", "--force"]
)
def test_no_binding_to_an_administrator_is_created(plain, forged, ns, options):
    """It takes both words of the operator, who sees it in the dry run."""
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
    subject = {"kind": "User", "name": "mallory", "apiGroup": RBAC}
    binding = json.loads(an(f"{RBAC}/v1", "ClusterRoleBinding", ns, roleRef=role, subjects=[subject]))
    binding["metadata"]["uid"] = "0"
    forged.journal.keep(1, "recreate", Ref(RBAC, "ClusterRoleBinding", "", ns), binding)
    result, _ = forged.undo(**options)
    assert result.phase == "Partial"
    assert plain.find("ClusterRoleBinding", "", ns, B) is None


def test_the_content_of_one_object_does_not_come_back_as_another(forged):
    forged.make("mine", "now")
    live = forged.live("mine")
    other = live | {"metadata": live["metadata"] | {"name": "other"}}
    forged.journal.keep(1, "update", forged.ref("mine"), other)
    _, left = forged.undo()
    assert left == {"mine": "what was kept of it was changed in the store"}


def test_what_another_restore_created_stays_though_its_token_is_no_secret(bench):
    """Every object shows the token; the bundle that it names has the name of one restore."""
    ns = bench.namespace("shop")
    bench.make(config_map("settings", {"a": "1"}), ns)
    saved = bench.backup(ns)
    copy = bench.name("copy")
    asked = RestoreOptions(backup=saved.name, context=B, map={ns: copy}, **bench.where)
    good = bench.run_flow(restore(asked))
    folder, other = bench.folder / "restores", bench.name("forged")
    header = json.loads((folder / good.name / "kubeferry-restore.json").read_text())
    (folder / other / "kubeferry-journal").mkdir(parents=True)
    (folder / other / "kubeferry-restore.json").write_text(json.dumps(header | {"name": other}))
    (journal,) = {path.parent for path in (folder / good.name).rglob("*.jsonl")}
    target = folder / other / journal.relative_to(folder / good.name)
    target.mkdir(parents=True, exist_ok=True)
    for path in journal.glob("*.jsonl"):
        (target / path.name).write_bytes(path.read_bytes())
    found = look(UndoOptions(restore=other, context=B, **bench.where))
    assert f"ConfigMap {copy}/settings" not in found.to_delete
    why = {each.what: each.why for each in found.taken_back.left}
    assert why[f"ConfigMap {copy}/settings"] == f"the journal names it, but it is of bundle {good.name}"


def test_the_cluster_that_the_header_names_is_not_followed(plain, forged):
    with pytest.raises(UsageError, match="name the right one with --context"):
        look(UndoOptions(restore=forged.name, context=A, **plain.where))


# --- later edits, and what is shown before


def edited(plain, ns, name):
    kind = plain.kind("ConfigMap", context=B)
    plain.clusters[B].patch(kind, ns, name, {"data": {"b": "by hand"}}, manager="kubectl-edit")


def test_what_somebody_changed_since_is_left_unless_forced(plain, forged, ns):
    forged.make("settings", "before", "someone")
    forged.changed("settings")
    edited(plain, ns, "settings")
    _, left = forged.undo()
    assert left == {"settings": "was changed since, by kubectl-edit: say --force to revert it all the same"}
    assert forged.live("settings")["data"] == {"a": "restored", "b": "by hand"}
    assert forged.undo(force=True)[1] == {}
    assert forged.live("settings")["data"] == {"a": "before"}


@pytest.mark.parametrize("privileged", [False, True])
def test_what_stays_is_not_taken_with_its_bundle_or_its_namespace(bench, privileged):
    """A bundle may own it, and the garbage collector takes what is owned."""
    ns = bench.namespace("shop")
    role = an(f"{RBAC}/v1", "Role", "reader", rules=[])
    bench.make(documents(config_map("settings", {"a": "1"}), config_map("other", {"a": "1"}), role), ns)
    saved, copy = bench.backup(ns), bench.name("copy")
    asked = RestoreOptions(backup=saved.name, context=B, map={ns: copy}, **bench.where)
    made = bench.run_flow(restore(asked))
    now = max(each.get("time", "") for each in bench.get("ConfigMap", copy, "settings", B)["metadata"]["managedFields"])
    bench.until(lambda: clock.now().strftime("%Y-%m-%dT%H:%M:%SZ") > now)  # as its times have no parts of seconds
    edited(bench, copy, "settings")

    def undone(**more):
        back = bench.run_flow(undo(UndoOptions(restore=made.name, context=B, **bench.where, **more)))
        return {each.what.split()[0]: each.why for each in back.taken_back.left}

    left = undone(privileged=privileged)
    assert left["ConfigMap"].startswith("was changed since, by kubectl-edit")
    assert left["Bundle.kubeferry.io"].startswith("stays with ")
    assert left["Namespace"].startswith("stays with ")
    assert ("Role.rbac.authorization.k8s.io" in left) is not privileged
    assert bench.find("ConfigMap", copy, "other", B) is None
    settled = rested(bench, B, copy)
    assert Ref("", "ConfigMap", copy, "settings") in settled
    assert undone(privileged=True, force=True) == {}
    assert bench.find("Namespace", "", copy, B) is None


def test_what_a_controller_of_kubernetes_changed_since_is_no_edit_of_somebody(plain, forged, ns):
    forged.make("settings", "before", "someone")
    forged.changed("settings")
    kind = plain.kind("ConfigMap", context=B)
    plain.clusters[B].patch(kind, ns, "settings", {"data": {"b": "x"}}, manager="kube-controller-manager")
    _, left = forged.undo()
    assert left == {}
    assert forged.live("settings")["data"] == {"a": "before"}


def test_a_dry_run_shows_what_would_be_done_and_does_nothing(plain, forged, ns):
    forged.created("mine")
    plain.make(config_map("theirs", {"a": "b"}), ns, B)
    said(forged, forged.ref("theirs"), forged.live("theirs")["metadata"]["uid"])
    forged.make("settings", "before", "someone")
    forged.changed("settings")
    result, left = forged.undo(dry_run=True)
    assert (result.dry_run, result.to_delete, result.to_restore) == (
        True,
        [f"ConfigMap {ns}/mine"],
        [f"ConfigMap {ns}/settings"],
    )
    assert list(left) == ["theirs"]
    assert forged.live("mine")
    assert forged.live("settings")["data"]["a"] == "restored"
    with pytest.raises(PermanentError, match="has changed since it was shown"):
        forged.undo(expect="0" * 64)
    _, left = forged.undo(expect=result.digest)
    assert list(left) == ["theirs"]
    assert forged.live("mine") is None


def test_the_marks_of_these_tests_are_those_of_a_restore():
    assert f"kubeferry-{TOKEN}" == MANAGER
