"""The script that `kubeferry plan --kubectl` prints restores the sample shop as Kubeferry does, with kubectl alone."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.cli import COMMAND
from tests.support.kubectl import run_script
from tests.support.limits import LIMIT
from tests.support.sample import remove_later

from kubeferry.deployments.sample.addresses import filled, named
from kubeferry.deployments.sample.install import install
from kubeferry.deployments.sample.live import Live, read
from kubeferry.deployments.sample.objects import objects
from kubeferry.flows.backup import backup
from kubeferry.flows.demo import left_out
from kubeferry.flows.restore import restore
from kubeferry.tasks.core.compare.restored import findings
from kubeferry.tasks.core.kube.objects import Ref, owners_of
from kubeferry.tasks.core.kube.readiness.evaluate import verdict
from kubeferry.tasks.core.models.options import BackupOptions, RestoreOptions
from kubeferry.tasks.core.models.results import BackupResult, RestoreResult
from kubeferry.tasks.plan.offline import planned
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.local import clock


@dataclass
class Both:
    """One backup, restored by Kubeferry and by the script, into the same cluster."""

    saved: BackupResult
    result: RestoreResult
    before: Live
    ours: Live
    scripts: Live
    script: Path
    done: subprocess.CompletedProcess
    rewrites: list


@pytest.fixture(scope="module")
def tools(sandbox_env, tmp_path_factory):  # noqa: ARG001 - it sets the environment
    """A folder with kubectl, and base64, with which values are written into Secrets."""
    folder = tmp_path_factory.mktemp("tools")
    for name in ("kubectl", "base64"):
        (folder / name).symlink_to(shutil.which(name))
    return folder


@pytest.fixture(scope="module")
def both(sandbox_env, run_flow, tools, tmp_path_factory):
    where = {"kubeconfig": str(sandbox_env.kubeconfig), "store": sandbox_env.env()["KUBEFERRY_STORE"]}
    namespace = f"kubectl-{uuid4().hex[:6]}"
    ours, scripts = f"{namespace}-ours", f"{namespace}-script"
    a, b = (connect(name, where["kubeconfig"]) for name in ("kubeferry-a", "kubeferry-b"))
    path = tmp_path_factory.mktemp("script") / "restore.sh"
    try:
        install(a, namespace)
        saved = run_flow(backup(BackupOptions(context=a.name, namespaces=[namespace], **where)))
        asked = RestoreOptions(context=b.name, backup=saved.name, map={namespace: ours}, **where)
        result = run_flow(restore(asked))
        argv = [COMMAND, "plan", saved.name, "--map", f"{namespace}={scripts}", "--kubectl", "--file", path]
        subprocess.run(argv, check=True, timeout=LIMIT)
        with planned(RestoreOptions(backup=saved.name, map={namespace: scripts}, **where)) as made:
            rewrites = list(made.parts.rewrites)
        done = run_script(path, tools)
        yield Both(saved, result, read(a, namespace), read(b, ours), read(b, scripts), path, done, rewrites)
    finally:
        for cluster, name in ((b, ours), (b, scripts), (a, namespace)):
            remove_later(cluster, name)


def test_it_ends_well_and_all_is_ready(both):
    assert (both.done.returncode, both.done.stderr) == (0, ""), both.done.stdout
    assert ", 0 not ready; " in both.done.stdout
    judged = {ref: verdict(obj, clock.now(), both.scripts.context) for ref, obj in both.scripts.objects.items()}
    assert {str(ref): each.why for ref, each in judged.items() if each.state != "ready"} == {}


def test_no_field_differs_from_the_original_without_a_reason(both):
    names = {both.before.namespace: both.scripts.namespace}
    found = findings(both.before.objects, both.scripts.objects, names, left_out(both.saved, both.result), both.rewrites)
    held = {ref.name for ref in addressed(both.before)}  # a plan cannot know addresses: looked at below
    assert [f"{each.ref}: {each.text}" for each in found if each.why is None and each.ref.name not in held] == []
    assert len({each.ref for each in found}) > 60, "the comparison has seen the whole shop"


def test_addresses_are_those_of_the_new_namespace(both):
    """Of its Services and of its Pod, in settings and in an EndpointSlice made by hand."""
    for live in (both.ours, both.scripts):
        for ref, wanted in addressed(live).items():
            parts = [part for part in ("data", "endpoints") if part in wanted]
            assert {part: live.objects[ref][part] for part in parts} == {part: wanted[part] for part in parts}


def addressed(live):
    """Return the objects of the sample that hold addresses, with those of one namespace."""
    held = {Ref.of(obj): obj for obj in objects(live.namespace) if list(named(obj))}
    assert len(held) == 2
    return {ref: filled(obj, live.objects.__getitem__) for ref, obj in held.items()}


def test_it_is_the_namespace_that_kubeferry_restores(both):
    """The same objects, but for what each side's controllers make under names of their own."""
    made = {"Pod", "EndpointSlice", "PersistentVolume", "ReplicaSet", "ControllerRevision"}

    def names(live):
        return {
            (ref.type, ref.name.replace(live.namespace, "NS"))
            for ref in live.objects
            if (ref.kind not in made) and (ref.namespace or live.namespace in ref.name)
        }

    assert names(both.scripts) == names(both.ours)
    assert ("Role.rbac.authorization.k8s.io", "system:shop:reader") in names(both.scripts)


def test_owners_are_those_of_the_new_namespace(both):
    uids = {obj["metadata"]["uid"] for obj in both.scripts.objects.values()}
    owned = {ref.name: owners_of(obj) for ref, obj in both.scripts.objects.items() if owners_of(obj)}
    assert {"order-1001", "order-1001-receipt", "spring-prices", "spring-feed"} <= owned.keys()
    assert [name for name, owners in owned.items() if {owner["uid"] for owner in owners} - uids] == []


def test_contents_are_those_of_kubeferrys_own_restore(both):
    """Byte for byte, but for the name of the namespace in DNS names."""

    def contents(live):
        return {
            (ref.kind, ref.name): [
                json.dumps(obj.get(part)).replace(live.namespace, "NS")
                for part in ("data", "binaryData", "type", "immutable")
            ]
            for ref, obj in live.objects.items()
            if ref.kind in ("ConfigMap", "Secret") and ref.name not in {"kube-root-ca.crt", "api-token", "addresses"}
        }

    assert contents(both.scripts) == contents(both.ours)
    assert sum(len(each) for some in contents(both.scripts).values() for each in some) > 900_000
    assert sum(some[1] != "null" for some in contents(both.scripts).values()) == 1


def test_it_can_be_run_again_and_changes_nothing(both, tools, sandbox_env):
    again = run_script(both.script, tools)
    assert (again.returncode, again.stderr) == (0, ""), again.stdout
    assert "== 0 created, " in again.stdout
    after = read(connect("kubeferry-b", str(sandbox_env.kubeconfig)), both.scripts.namespace)
    assert {ref for ref in both.scripts.objects if ref.kind != "Pod"} <= after.objects.keys()
    assert [
        str(ref)
        for ref, obj in both.scripts.objects.items()
        if ref in after.objects and ref.kind != "Pod"
        if after.objects[ref]["metadata"]["uid"] != obj["metadata"]["uid"]
    ] == []


def test_a_cluster_that_is_not_there_is_an_error(both, tools):
    env = {"PATH": str(tools), "KUBECONFIG": os.environ["KUBECONFIG"], "HOME": str(tools)}
    argv = [shutil.which("bash"), str(both.script), "no-such-context"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.returncode == 1
    assert done.stderr.startswith("error: Namespace ")
    assert "no-such-context" in done.stderr
