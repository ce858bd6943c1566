"""Undo, resume and rollback in their odd cases: what was changed, what others hold, two at once, other clusters."""

import signal
import subprocess
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import yaml
from tests.support.bench import SECONDS, A, B, name
from tests.support.bundles import DENIED
from tests.support.cli import COMMAND
from tests.support.limits import LIMIT

from kubeferry.flows.restore import restore
from kubeferry.flows.undo import undo
from kubeferry.tasks.core.errors import BackupNotFoundError, KubeferryError, PermanentError, PreflightError, UsageError
from kubeferry.tasks.core.formats.target.lease import LEASES, Holder, lease
from kubeferry.tasks.core.kube.namespace_defaults import LEASE_NAME
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.models.options import RestoreOptions, UndoOptions
from kubeferry.tasks.core.plan.existing import content
from kubeferry.tasks.ports.cluster.leases import me
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.local import LocalStore
from kubeferry.tasks.ports.store.open import open_store

SOME = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: "1"}
---
apiVersion: v1
kind: Secret
metadata: {name: token}
immutable: true
stringData: {password: first}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: runner, labels: {app: web}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


@pytest.fixture(scope="module")
def saved(bench):
    ns = bench.namespace()
    bench.make(SOME, ns)
    return ns, bench.backup(ns).name


@pytest.fixture
def target(bench):
    """A namespace of B that has other content, and something of its own."""
    ns = bench.namespace("t", B)
    bench.make(SOME.replace('a: "1"', 'a: "2", own: stays').replace("first", "second"), ns, B)
    # With no field of anybody, the API server would track no manager of it: nothing could prove who wrote it.
    others = {"labels": {"app": None}, "annotations": {"own": "stays"}}
    bench.patch("ServiceAccount", ns, "runner", {"metadata": others}, B)
    bench.patch("Service", ns, "web", {"spec": {"sessionAffinity": "ClientIP"}}, B)
    return ns


def options(bench, saved, **more):
    return RestoreOptions(**{"backup": saved[1], "context": B, "wait_seconds": SECONDS, **bench.where, **more})


def undone(bench, named, **more):
    return bench.run_flow(undo(UndoOptions(**{"restore": named, "context": B, **bench.where, **more})))


def seen(bench, ns):
    return {
        (kind, each["metadata"]["name"]): content(each)
        for kind in ("ConfigMap", "Secret", "ServiceAccount", "Service")
        for each in bench.list(kind, ns, B)
    }


def stored(bench, named):
    return open_restore(open_store(bench.where["store"]), named)


@pytest.mark.parametrize("existing", ["update", "recreate"])
def test_undo_restores_what_was_changed(bench, saved, target, existing):
    before = seen(bench, target)
    asked = {"existing": existing, "existing_kinds": {"secrets": "recreate"}}
    result = bench.run_flow(restore(options(bench, saved, map={saved[0]: target}, **asked)))
    assert result.phase == "Completed"
    assert bench.get("ConfigMap", target, "settings", B)["data"]["a"] == "1"
    back = undone(bench, result.name)
    assert (back.taken_back.left, back.phase) == ([], "Completed")
    after = seen(bench, target)
    # A Service that is recreated asks for its old address; if that is taken, a note says so.
    for which in (before, after):
        which["Service", "web"]["spec"].pop("clusterIP"), which["Service", "web"]["spec"].pop("clusterIPs")
    assert after == before
    assert "Secret" in {each.what.split()[0] for each in back.taken_back.notes}


def test_what_has_another_uid_by_now_stays(bench, saved):
    ns = bench.name("t")
    result = bench.run_flow(restore(options(bench, saved, map={saved[0]: ns})))
    bench.delete("ConfigMap", ns, "settings", B)
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {mine: now}}", ns, B)
    back = undone(bench, result.name)
    assert back.phase == "Partial"
    left = {each.what: each.why for each in back.taken_back.left}
    assert left[f"ConfigMap {ns}/settings"] == "another object has that name now"
    assert left[f"Namespace {ns}"] == f"ConfigMap {ns}/settings is in it and is not of this restore"
    assert bench.get("ConfigMap", ns, "settings", B)["data"] == {"mine": "now"}
    assert bench.find("Secret", ns, "token", B) is None
    bench.delete("ConfigMap", ns, "settings", B)
    again = undone(bench, result.name)
    assert (again.phase, bench.find("Namespace", "", ns, B)) == ("Completed", None)


MADE_BY_OTHERS = """
{apiVersion: v1, kind: ConfigMap, metadata: {name: istio-ca-root-cert}, data: {root-cert.pem: mesh}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: openshift-service-ca.crt}, data: {service-ca.crt: cluster}}
"""
"""What istiod and OpenShift's service CA operator write into every namespace."""


def test_a_namespace_that_holds_only_what_controllers_make_in_each_one_is_deleted(bench, saved):
    ns = bench.name("t")
    result = bench.run_flow(restore(options(bench, saved, map={saved[0]: ns})))
    bench.make(MADE_BY_OTHERS, ns, B)
    back = undone(bench, result.name)
    assert (back.phase, back.taken_back.left, bench.find("Namespace", "", ns, B)) == ("Completed", [], None)


def test_a_definition_that_others_use_stays(bench):
    ns = bench.namespace()
    group = bench.crd(ns)
    bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: one}}, spec: {{}}}}", ns)
    saved = ns, bench.backup(ns).name
    result = bench.run_flow(restore(options(bench, saved)))
    bench.forget("CustomResourceDefinition", f"widgets.{group}")
    other = bench.namespace("t", B)
    bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: two}}, spec: {{}}}}", other, B)
    back = undone(bench, result.name)
    left = {each.what: each.why for each in back.taken_back.left}
    crd = f"CustomResourceDefinition.apiextensions.k8s.io widgets.{group}"
    assert left == {crd: "gives rights, or decides what the cluster accepts: say --privileged to revert it"}
    back = undone(bench, result.name, privileged=True)
    left = {each.what: each.why for each in back.taken_back.left}
    assert left == {crd: f"Widget.{group} {other}/two is of its kind"}
    assert bench.find(f"Widget.{group}", other, "two", B)
    assert bench.find("Namespace", "", ns, B) is None


def test_what_waits_for_a_finalizer_is_reported_and_forced_only_when_asked(bench, saved):
    ns = bench.name("t")
    result = bench.run_flow(restore(options(bench, saved, map={saved[0]: ns})))
    bench.patch("ConfigMap", ns, "settings", {"metadata": {"finalizers": ["example.com/held"]}}, B)
    back = undone(bench, result.name, wait_seconds=2)
    left = {each.what: each.why for each in back.taken_back.left}
    assert "example.com/held" in left[f"ConfigMap {ns}/settings"]
    assert bench.find("ConfigMap", ns, "settings", B)
    back = undone(bench, result.name, force_finalizers=True, wait_seconds=5)
    notes = {each.what: each.why for each in back.taken_back.notes}
    assert notes == {f"ConfigMap {ns}/settings": "its finalizers were removed: example.com/held"}
    bench.until(lambda: bench.find("Namespace", "", ns, B) is None)


def deny(bench, ns, what):
    bench.make(DENIED.format(name=ns, ns=ns, group="''", verb="CREATE", what=what), context=B)
    kind = {"services": "Service", "secrets": "Secret"}[what]
    probe = next(each for each in yaml.safe_load_all(SOME) if each["kind"] == kind)
    probe["metadata"] = {"name": "probe", "namespace": ns}

    def refused():
        try:
            bench.clusters[B].create(bench.kind(kind, context=B), ns, probe, dry_run=True)
        except PermanentError as error:
            return "no more" in str(error)
        return False

    bench.until(refused)


def allow(bench, ns, what):
    for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"):
        bench.delete(kind, "", ns, B)
    probe = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "probe", "namespace": ns}}
    probe = probe if what == "secrets" else {**probe, "kind": "Service", "spec": {"ports": [{"port": 1}]}}

    def taken():
        try:
            return bench.clusters[B].create(bench.kind(probe["kind"], context=B), ns, probe, dry_run=True)
        except PermanentError:
            return False

    bench.until(taken)


def test_what_is_left_by_no_rollback_is_resumed(bench, saved):
    ns = bench.namespace("t", B)
    deny(bench, ns, "services")
    named = name()
    with pytest.raises(KubeferryError, match="no more") as failed:
        bench.run_flow(restore(options(bench, saved, map={saved[0]: ns}, rollback=False, name=named)))
    assert (failed.value.result.phase, failed.value.result.taken_back) == ("Failed", None)
    assert bench.find("ConfigMap", ns, "settings", B)
    kept = bench.get("Secret", ns, "token", B)["metadata"]["uid"]
    assert stored(bench, named).state.end == "Failed"
    allow(bench, ns, "services")
    result = bench.run_flow(restore(RestoreOptions(resume=named, context=B, **bench.where)))
    assert (result.phase, result.name) == ("Completed", named)
    assert bench.find("Service", ns, "web", B)
    assert bench.get("Secret", ns, "token", B)["metadata"]["uid"] == kept  # only what was missing
    with pytest.raises(UsageError, match=f"restore {named} is Completed: nothing is missing"):
        bench.run_flow(restore(RestoreOptions(resume=named, context=B, **bench.where)))


def test_what_was_undone_cannot_be_resumed(bench, saved):
    ns = bench.name("t")
    result = bench.run_flow(restore(options(bench, saved, map={saved[0]: ns})))
    undone(bench, result.name)
    with pytest.raises(UsageError, match="was rolled back or undone"):
        bench.run_flow(restore(RestoreOptions(resume=result.name, context=B, **bench.where)))


def test_a_name_is_given_once(bench, saved):
    ns, named = bench.name("t"), name()
    bench.run_flow(restore(options(bench, saved, map={saved[0]: ns}, name=named)))
    with pytest.raises(UsageError, match=f"restore {named} exists already in file:"):
        bench.run_flow(restore(options(bench, saved, map={saved[0]: ns}, name=named)))


def test_restores_that_begin_in_the_same_second_get_names_of_their_own(bench, saved, monkeypatch):
    backup, now = bench.backup(saved[0]).name, clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    monkeypatch.setattr(LocalStore, "exists", lambda *_: False)  # each has looked before the others began
    targets = [bench.name("t") for _ in range(3)]
    made = [bench.restore(backup, map={saved[0]: ns}).name for ns in targets]
    assert made == [made[0], f"{made[0]}-2", f"{made[0]}-3"]
    for each, ns in zip(made, targets, strict=True):
        assert list(open_restore(open_store(bench.where["store"]), each).header.namespaces.values()) == [ns]
        assert bench.get("Bundle.kubeferry.io", ns, each, B)["status"]["phase"] == "Completed"


def test_no_restore_of_that_name(bench):
    with pytest.raises(BackupNotFoundError, match="no restore nothing in file:"):
        undone(bench, "nothing")
    with pytest.raises(BackupNotFoundError, match="no restore nothing in file:"):
        bench.run_flow(restore(RestoreOptions(resume="nothing", context=B, **bench.where)))


def test_another_cluster_is_not_touched(bench, saved):
    ns = bench.name("t")
    result = bench.run_flow(restore(options(bench, saved, map={saved[0]: ns})))
    with pytest.raises(UsageError, match=r"was made on cluster kubeferry-b .* and this is kubeferry-a"):
        undone(bench, result.name, context=A)
    assert bench.find("ConfigMap", ns, "settings", B)
    with pytest.raises(UsageError, match=r"name the right one with --context"):
        undone(bench, result.name, context="")  # the current one, whatever the header in the store says
    assert undone(bench, result.name, context=B).phase == "Completed"


# --- two at once


def held(bench, ns, holder, age=-50):
    """Make the lease of another process, which is good for 110 s: as long as one may be ahead of the time."""
    found = lease(ns, holder, clock.now() - timedelta(seconds=age))
    bench.clusters[B].create(LEASES, ns, found)


def test_a_second_restore_is_refused_with_the_name_of_the_first(bench, saved):
    ns = bench.namespace("t", B)
    held(bench, ns, Holder("the-first", "another-host", 17, "x:1"))
    with pytest.raises(PreflightError, match=r"being worked on by restore the-first \(process 17 on another-host\)"):
        bench.run_flow(restore(options(bench, saved, map={saved[0]: ns})))
    assert bench.find("ConfigMap", ns, "settings", B) is None


def test_the_lease_of_a_dead_holder_expires(bench, saved):
    ns = bench.namespace("t", B)
    held(bench, ns, Holder("the-first", "another-host", 17, "x:1"), age=61)
    assert bench.run_flow(restore(options(bench, saved, map={saved[0]: ns}))).phase == "Completed"
    assert bench.clusters[B].find(LEASES, ns, LEASE_NAME) is None  # let go in the end


def test_a_process_of_this_machine_that_died_holds_nothing(bench, saved):
    ns, own = bench.namespace("t", B), me("the-first")
    held(bench, ns, replace(own, started=f"{own.started}0"))
    assert bench.run_flow(restore(options(bench, saved, map={saved[0]: ns}))).phase == "Completed"


def test_undo_waits_for_nobody_who_is_at_work(bench, saved):
    ns = bench.name("t")
    result = bench.run_flow(restore(options(bench, saved, map={saved[0]: ns})))
    held(bench, ns, Holder("another", "another-host", 17, "x:1"))
    with pytest.raises(PermanentError, match="being worked on by restore another"):
        undone(bench, result.name)
    assert bench.find("ConfigMap", ns, "settings", B)


def test_of_two_at_the_same_moment_one_is_refused(bench, saved, monkeypatch):
    """Both pass preflight before either holds a lease: the second finds out when it asks for its own."""
    ns = bench.namespace("t", B)
    monkeypatch.setattr("kubeferry.tasks.preflight.checks.conflicts.busy", lambda *_: "")
    held(bench, ns, Holder("the-first", "another-host", 17, "x:1"))
    with pytest.raises(PermanentError, match="being worked on by restore the-first") as failed:
        bench.run_flow(restore(options(bench, saved, map={saved[0]: ns})))
    assert failed.value.result.taken_back.left == []
    assert bench.find("ConfigMap", ns, "settings", B) is None
    assert bench.find("Namespace", "", ns, B)


def test_a_lease_is_renewed_while_it_is_held(bench, monkeypatch):
    from kubeferry.tasks.ports.cluster.leases import Hold

    monkeypatch.setattr("kubeferry.tasks.ports.cluster.leases.RENEW", 0.1)
    ns = bench.namespace("t", B)
    hold = Hold(bench.clusters[B], "long")
    hold.take([ns])
    first = bench.clusters[B].get(LEASES, ns, LEASE_NAME)["spec"]["renewTime"]
    bench.until(lambda: bench.clusters[B].get(LEASES, ns, LEASE_NAME)["spec"]["renewTime"] != first)
    hold.check()
    taken = {"spec": {"holderIdentity": Holder("thief", "another-host", 1, "x").text()}}
    bench.clusters[B].patch(LEASES, ns, LEASE_NAME, taken)
    bench.until(lambda: lost(hold))
    hold.release()
    assert bench.clusters[B].find(LEASES, ns, LEASE_NAME)  # it is the other's


def lost(hold):
    try:
        hold.check()
    except PermanentError as error:
        return "taken over by restore thief" in str(error)
    return False


def test_a_restore_that_lost_its_lease_writes_no_more(bench, saved, monkeypatch):
    ns = bench.namespace("t", B)
    gone = threading.Event()

    def check(_hold):
        if gone.is_set():
            raise PermanentError("namespace x was taken over by restore thief")
        gone.set()

    monkeypatch.setattr("kubeferry.tasks.ports.cluster.leases.Hold.check", check)
    with pytest.raises(PermanentError, match="taken over by restore thief") as failed:
        bench.run_flow(restore(options(bench, saved, map={saved[0]: ns})))
    (left,) = failed.value.result.taken_back.left  # who lost it rolls nothing back either
    assert "undo it later" in left.why


def test_leases_and_bundles_are_not_backed_up(bench, saved):
    ns = bench.name("t")
    bench.run_flow(restore(options(bench, saved, map={saved[0]: ns})))
    held(bench, ns, Holder("another", "another-host", 17, "x:1"), age=100)
    again = bench.backup(ns, context=B)
    assert {each.type: each.why for each in again.left_out}["Lease.coordination.k8s.io"] == "a restore was running"
    assert "Bundle.kubeferry.io" not in again.counts
    copy = bench.name("t")
    result = bench.run_flow(restore(options(bench, (ns, again.name), map={ns: copy})))
    assert (result.phase, [each for each in result.notable if "owned" in each.why]) == ("Completed", [])


def test_without_a_bundle(bench, saved):
    ns = bench.name("t")
    bench.run_flow(restore(options(bench, saved, map={saved[0]: ns}, bundle="none")))
    assert (
        bench.clusters[B].list(ResourceType("kubeferry.io", "v1alpha1", "Bundle", "bundles", namespaced=True), ns) == []
    )
    assert "ownerReferences" not in bench.get("Secret", ns, "token", B)["metadata"]


def test_an_interrupt_ends_a_wait_at_once_and_the_message_says_how_to_go_on(bench, kubeferry):
    """Ctrl-C while pods that never get ready are waited for: no minutes of waiting, and nothing forgotten."""
    ns, named = bench.namespace(), name()
    bench.make(
        """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
""",
        ns,
    )
    bench.ready("Deployment", ns, "web")
    saved = bench.backup(ns).name
    target = bench.namespace("t", B)
    quota = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {count/replicasets.apps: 0}}}"
    bench.make(quota, target, B)
    where = ["--context", B, "--store", bench.where["store"], "--kubeconfig", bench.where["kubeconfig"]]
    argv = [COMMAND, "restore", saved, "--map", f"{ns}={target}", "--name", named, "--wait-seconds", "600", *where]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        bench.until(lambda: bench.find("Deployment", target, "web", B))
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=LIMIT)
    assert child.returncode == 130
    assert f"kubeferry restore --resume {named}, or kubeferry undo {named}" in err
    assert stored(bench, named).state.end == "Stopped"
    assert bench.clusters[B].find(LEASES, target, LEASE_NAME) is None
    code, out, _ = kubeferry("undo", named, "--yes", "-o", "json", *where)
    assert (code, yaml.safe_load(out)["phase"]) == (0, "Completed")
    assert bench.find("Deployment", target, "web", B) is None
