"""`--owned keep` where something is in its way: Jobs at work, what is there already, quotas, classes of the past."""

import shutil
import subprocess

import pytest
import yaml
from tests.cluster.restore.test_order import tie
from tests.cluster.restore.test_owned_keep import SERVICE, WORKLOADS, pods, revisions, roll, settled, without_uid
from tests.support.bench import A, B, did
from tests.support.cli import COMMAND
from tests.support.limits import LIMIT

CRON = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 29 2 *"
  concurrencyPolicy: Forbid
  SUSPEND
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: Never, nodeSelector: {nobody: has}, containers: [{name: job, image: job}]}
"""


def run_now(bench, ns, name):
    """Start a Job of the CronJob, as its schedule would; its pod finds no node, so that it stays at work."""
    cron = bench.get("CronJob", ns, "nightly")
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, **cron["spec"]["jobTemplate"]}
    job["metadata"] = {"name": name, "ownerReferences": [tie(cron, controller=True, blockOwnerDeletion=True)]}
    bench.make(yaml.safe_dump(job), ns)


@pytest.mark.parametrize("suspended", [False, True])
def test_jobs_at_work_come_back_and_their_cron_job_knows_of_them(bench, suspended):
    ns = bench.namespace()
    bench.make(CRON.replace("SUSPEND", f"suspend: {str(suspended).lower()}"), ns)
    for name in ("nightly-1", "nightly-2"):
        run_now(bench, ns, name)
    bench.until(lambda: len(bench.list("Pod", ns)) == 2)
    result = bench.restore(bench.backup(ns), owned="keep")
    cron = bench.get("CronJob", ns, "nightly", B)
    assert cron["spec"].get("suspend", False) is suspended
    jobs = {name: bench.get("Job", ns, name, B) for name in ("nightly-1", "nightly-2")}
    assert [each["metadata"]["ownerReferences"] for each in jobs.values()] == [
        [tie(cron, controller=True, blockOwnerDeletion=True)]
    ] * 2
    active = {each["uid"] for each in bench.get("CronJob", ns, "nightly", B)["status"]["active"]}
    assert active == {each["metadata"]["uid"] for each in jobs.values()}
    bench.collected(context=B)
    assert [each["metadata"]["name"] for each in bench.list("Job", ns, B)] == ["nightly-1", "nightly-2"]
    assert result.problems == []


def test_what_a_custom_resource_owns_comes_after_it_and_is_its_own(bench):
    ns = bench.namespace()
    group = bench.crd(ns)
    bench.forget("CustomResourceDefinition", f"widgets.{group}")
    (boss,) = bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: boss}}}}", ns)
    owned = {"Secret": "v1", "ConfigMap": "v1", "Service": "v1", "Widget": f"{group}/v1", "Deployment": "apps/v1"}
    for kind, version in owned.items():
        meta = {"name": "owned", "ownerReferences": [tie(boss, controller=True, blockOwnerDeletion=True)]}
        obj = {"apiVersion": version, "kind": kind, "metadata": meta}
        if kind == "Service":
            obj["spec"] = {"ports": [{"port": 80}]}
        if kind == "Deployment":
            obj["spec"] = yaml.safe_load(WORKLOADS.substitute(name="owned", ns=ns, ip="none"))["spec"]
        bench.make(yaml.safe_dump(obj), ns)
    settled(bench, "Deployment", ns, "owned")
    result = bench.restore(bench.backup(ns), owned="keep")
    new = bench.get(f"Widget.{group}", ns, "boss", B)
    bench.collected(context=B)
    for kind in owned:
        found = bench.get(f"Widget.{group}" if kind == "Widget" else kind, ns, "owned", B)
        assert found["metadata"]["ownerReferences"] == [tie(new, controller=True, blockOwnerDeletion=True)], kind
    deployment = bench.get("Deployment", ns, "owned", B)
    (kept,) = revisions(bench, "Deployment", ns, "owned", B).values()
    assert kept[3] == deployment["metadata"]["uid"]
    assert result.problems == []


def deployment(bench, ns, context=A, **changes):
    """Make the Deployment of these tests, with three revisions."""
    (made,) = bench.make(SERVICE, ns, context)
    text = yaml.safe_load(WORKLOADS.substitute(name="web", ns=ns, ip=made["spec"]["clusterIP"]))
    text["spec"]["template"]["spec"] |= changes
    bench.make(yaml.safe_dump(text), ns, context)
    settled(bench, "Deployment", ns, "web", context)
    for image in ("app:2", "app:3"):
        roll(bench, "Deployment", ns, "web", image, context)


@pytest.fixture(scope="module")
def web(bench):
    ns = bench.namespace()
    deployment(bench, ns)
    return ns, bench.backup(ns)


def test_what_the_controller_made_first_is_no_conflict(bench, web):
    """Restored without previous revisions, and then with them: the newest is there, and counted as the first."""
    ns, saved = web
    copy = bench.name()
    bench.restore(saved, map={ns: copy})
    settled(bench, "Deployment", copy, "web", B)
    ((newest, (number, *_)),) = revisions(bench, "Deployment", copy, "web", B).items()
    assert number == "1"
    again = bench.restore(saved, map={ns: copy}, owned="keep")
    settled(bench, "Deployment", copy, "web", B)
    found = revisions(bench, "Deployment", copy, "web", B)
    wanted = revisions(bench, "Deployment", ns, "web")
    if newest in wanted:
        assert "created by its controller" in did(again, "ReplicaSet.apps", newest)
    bench.until(lambda: sum(each[2] for each in revisions(bench, "Deployment", copy, "web", B).values()) == 2)
    assert {each[1] for each in found.values()} == {"app:1", "app:2", "app:3"}
    assert {each[3] for each in found.values()} == {bench.get("Deployment", copy, "web", B)["metadata"]["uid"]}
    assert again.problems == []


def test_pods_are_counted_once_against_a_quota(bench, web):
    ns, saved = web
    copy = bench.namespace(context=B)
    hard = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: tight}, spec: {hard: {pods: '2'}}}"
    bench.make(hard, copy, B)
    bench.ready("ResourceQuota", copy, "tight", B)
    result = bench.restore(saved, map={ns: copy}, owned="keep")
    settled(bench, "Deployment", copy, "web", B)
    assert len(pods(bench, copy, "web", B)) == 2
    assert result.problems == []


def test_classes_of_previous_revisions_need_not_be_there(bench):
    ns = bench.namespace()
    bench.make(f"{{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {{name: {ns}}}, value: 5}}")
    deployment(bench, ns, priorityClassName=ns)
    spec = {"spec": {"template": {"spec": {"priorityClassName": None}}}}
    bench.patch("Deployment", ns, "web", spec)
    bench.until(
        lambda: (
            bench.get("Deployment", ns, "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "4"
        )
    )
    settled(bench, "Deployment", ns, "web")
    saved = bench.backup(ns, only=True)
    result = bench.restore(saved, owned="keep", only=True, exclude=["priorityclasses"])
    settled(bench, "Deployment", ns, "web", B)
    assert without_uid(revisions(bench, "Deployment", ns, "web", B)) == without_uid(
        revisions(bench, "Deployment", ns, "web")
    )
    assert result.problems == []


def test_what_holds_its_controllers_uid_is_left_to_it_and_reported(bench):
    ns = bench.namespace()
    deployment(bench, ns)
    uid = bench.get("Deployment", ns, "web")["metadata"]["uid"]
    own = {"name": "main", "env": [{"name": "OWNER", "value": uid}]}
    spec = {"spec": {"template": {"spec": {"containers": [own]}}}}
    bench.patch("Deployment", ns, "web", spec, content_type="application/strategic-merge-patch+json")
    roll(bench, "Deployment", ns, "web", "app:4")
    there = revisions(bench, "Deployment", ns, "web")
    result = bench.restore(bench.backup(ns), owned="keep")
    settled(bench, "Deployment", ns, "web", B)
    new = bench.get("Deployment", ns, "web", B)
    (container,) = new["spec"]["template"]["spec"]["containers"]
    assert {"name": "OWNER", "value": new["metadata"]["uid"]} in container["env"]
    holding = {name for name, each in there.items() if int(each[0]) > 3}
    left = {each.name: each.why for each in result.left_out if each.type == "ReplicaSet.apps"}
    assert left == dict.fromkeys(holding, "left to its controller, Deployment web, whose uid or address it holds")
    found = revisions(bench, "Deployment", ns, "web", B)
    assert {name: found[name][1] for name in there.keys() - holding} == {
        name: each[1] for name, each in there.items() if name not in holding
    }
    assert [each for each in found.values() if each[2]] == [(*found[_newest(found)][:2], 2, new["metadata"]["uid"])]
    assert result.problems == []


def _newest(found):
    return max(found, key=lambda name: int(found[name][0]))


def test_a_deployment_that_is_recreated_has_its_previous_revisions_again(bench, web):
    ns, saved = web
    copy = bench.name()
    bench.restore(saved, map={ns: copy}, owned="keep")
    settled(bench, "Deployment", copy, "web", B)
    bench.patch("Deployment", copy, "web", {"spec": {"minReadySeconds": 1}}, B)
    result = bench.restore(saved, map={ns: copy}, owned="keep", existing="recreate")
    settled(bench, "Deployment", copy, "web", B)
    bench.collected(context=B)
    uid = bench.get("Deployment", copy, "web", B)["metadata"]["uid"]
    found = bench.until(lambda: _all_of(bench, copy, uid))
    assert {each[1] for each in found.values()} == {"app:1", "app:2", "app:3"}
    assert sum(each[2] for each in found.values()) == 2
    assert result.problems == []


def _all_of(bench, ns, uid):
    found = revisions(bench, "Deployment", ns, "web", B)
    return found if {each[3] for each in found.values()} == {uid} and len(found) >= 3 else None


def test_the_script_keeps_them_too(bench, web, tmp_path):
    ns, saved = web
    copy, path = bench.name(), tmp_path / "restore.sh"
    argv = [COMMAND, "plan", saved.name, "--store", bench.where["store"], "--map", f"{ns}={copy}", "--owned", "keep"]
    subprocess.run([*argv, "--kubectl", "--file", path], check=True, timeout=LIMIT)
    done = subprocess.run([shutil.which("bash"), path, B], capture_output=True, text=True, check=False, timeout=LIMIT)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    settled(bench, "Deployment", copy, "web", B)
    found = revisions(bench, "Deployment", copy, "web", B)
    assert without_uid(found) == without_uid(revisions(bench, "Deployment", ns, "web"))
    assert {each[3] for each in found.values()} == {bench.get("Deployment", copy, "web", B)["metadata"]["uid"]}


def test_verify_proves_the_order_and_the_plan_shows_it(bench, web):
    _, saved = web
    argv = [COMMAND, "plan", saved.name, "--store", bench.where["store"], "--owned", "keep"]
    text = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=LIMIT).stdout
    assert text.index("ReplicaSet web-") < text.index("  Deployment web")
    assert "it adopts existing objects" in " ".join(text.split())
