"""What is refused and what is not ready: rolled back, left out of a restore that goes on, or left as it is."""

import json
import time

import pytest
import yaml
from tests.support.bench import PATIENCE, A, B
from tests.support.controllers import causes_come_first
from tests.support.objects import an, bare_pod, claim, config_map, documents, service, workload

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.losses import LossCode

pytestmark = pytest.mark.exclusive

ADMISSION = "admissionregistration.k8s.io/v1"
SAYS = "the rule of the house"


@pytest.fixture(scope="module")
def rule(bench):
    """A policy of the second cluster: it refuses ConfigMaps and Jobs with a label, but only when they are written.

    No dry run finds that out.
    """
    name = bench.name("rule")
    kinds = [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]},
        {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]},
    ]
    refused = f"has(object.metadata.labels) && '{name}' in object.metadata.labels && request.dryRun != true"
    spec = {
        "matchConstraints": {"resourceRules": kinds},
        "validations": [{"expression": f"!({refused})", "message": SAYS, "reason": "Invalid"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    bench.make(
        documents(
            an(ADMISSION, "ValidatingAdmissionPolicy", name, spec=spec),
            an(ADMISSION, "ValidatingAdmissionPolicyBinding", name, spec=binding),
        ),
        context=B,
    )

    def works():
        try:
            bench.clusters[B].create(
                bench.kind("ConfigMap"), "default", yaml.safe_load(config_map(bench.name(), labels={name: ""}))
            )
        except PermanentError:
            return True
        return False

    bench.until(works)
    return name


@pytest.fixture(scope="module")
def shop(bench, rule):
    """A backup of a namespace with two objects that will be refused, two that need one of them, and others."""
    ns = bench.namespace()
    reads = {"containers": [{"name": "web", "image": "web", "envFrom": [{"configMapRef": {"name": "settings"}}]}]}
    job = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "job", "image": "job"}]}}}
    bench.make(
        documents(
            config_map("settings", {"greeting": "hello"}, labels={rule: ""}),
            workload("Deployment", "needs", pod=reads),
            an(
                "autoscaling/v2",
                "HorizontalPodAutoscaler",
                "needs",
                spec={
                    "maxReplicas": 2,
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "needs"},
                },
            ),
            config_map("other", {"a": "b"}),
            workload("Deployment", "web"),
            service(),
            claim(),
            an("batch/v1", "Job", "import", meta={"labels": {rule: ""}}, spec=job),
        ),
        ns,
    )
    bench.ready("Deployment", ns, "web")
    bench.ready("Deployment", ns, "needs")
    return bench.backup(ns, keep_completed_jobs=True)


def lost(result):
    return {each.object: each.code for each in result.losses if each.code in {"refused", "needs-refused"}}


def test_what_is_refused_while_it_is_written_is_left_out_with_what_needs_it_and_the_rest_is_there(
    bench, shop, kubeferry
):
    ns, into = shop.namespaces[0], bench.name()
    code, out, err = kubeferry(
        "restore", shop.name, "--map", f"{ns}={into}", "--context", B, "--store", bench.where["store"],
        "--kubeconfig", bench.where["kubeconfig"], "--on-failure", "continue", "-o", "json",
    )  # fmt: skip
    assert code == 3, err
    found = json.loads(out)
    losses = {each["object"]: each for each in found["losses"]}
    assert losses[f"ConfigMap {into}/settings"]["code"] == LossCode.REFUSED
    assert SAYS in losses[f"ConfigMap {into}/settings"]["why"]
    assert losses[f"Job.batch {into}/import"]["code"] == LossCode.REFUSED
    needs = losses[f"Deployment.apps {into}/needs"]
    assert (needs["code"], f"ConfigMap {into}/settings" in needs["why"]) == (LossCode.NEEDS_REFUSED, True)
    assert found["phase"] == "Partial"
    for kind, name in (
        ("ConfigMap", "other"),
        ("Deployment", "web"),
        ("Service", "web"),
        ("PersistentVolumeClaim", "data"),
    ):
        assert bench.find(kind, into, name, B), name
    bench.ready("Deployment", into, "web", B)
    for kind, name in (("ConfigMap", "settings"), ("Deployment", "needs"), ("Job", "import")):
        assert bench.find(kind, into, name, B) is None, name


def test_what_only_names_it_comes_all_the_same(bench, shop):
    ns, into = shop.namespaces[0], bench.name()
    result = bench.restore(shop, map={ns: into}, on_failure="continue")
    assert f"HorizontalPodAutoscaler.autoscaling {into}/needs" not in lost(result)
    assert bench.find("HorizontalPodAutoscaler", into, "needs", B)


def test_by_default_it_is_rolled_back(bench, shop):
    ns, into = shop.namespaces[0], bench.name()
    with pytest.raises(PermanentError, match=SAYS) as caught:
        bench.restore(shop, map={ns: into})
    assert caught.value.result.taken_back.left == []
    assert bench.find("Namespace", "", into, B) is None


def test_or_it_stays_as_it_is(bench, shop):
    ns, into = shop.namespaces[0], bench.name()
    with pytest.raises(PermanentError, match=SAYS) as caught:
        bench.restore(shop, map={ns: into}, on_failure="stop")
    assert caught.value.result.taken_back is None
    assert bench.find("ConfigMap", into, "other", B)


def test_when_it_is_accepted_a_resume_brings_what_was_left_out(bench, shop, rule):
    ns, into, named = shop.namespaces[0], bench.name(), bench.name()
    bench.restore(shop, map={ns: into}, on_failure="continue", name=named)
    kind = bench.kind("ValidatingAdmissionPolicyBinding", context=B)
    bound = bench.get("ValidatingAdmissionPolicyBinding", "", rule, B)
    bench.clusters[B].delete(kind, "", rule, uid=bound["metadata"]["uid"])
    try:
        made = yaml.safe_load(config_map("probe", labels={rule: ""}))

        def accepted():
            try:
                return bench.clusters[B].create(bench.kind("ConfigMap"), into, made)
            except PermanentError:
                return None

        bench.until(accepted)
        result = bench.restore("", resume=named)
        assert (result.phase, lost(result)) == ("Completed", {})
        bench.ready("Deployment", into, "needs", B)
    finally:
        bench.make(
            yaml.safe_dump({key: bound[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": rule}}),
            context=B,
        )


def test_what_preflight_finds_is_left_out_too(bench):
    ns, into = bench.namespace(), bench.name()
    bench.make(documents(config_map("a"), config_map("b")), ns)
    saved = bench.backup(ns)
    bench.namespace_named(into, B)
    bench.make(config_map("a", {"other": "content"}), into, context=B)
    result = bench.restore(saved, map={ns: into}, on_failure="continue")
    assert (result.phase, lost(result)) == ("Partial", {f"ConfigMap {into}/a": "refused"})
    assert bench.find("ConfigMap", into, "b", B)


# --- not ready in time

SLOW = {"nodeSelector": {"pool": "gold-of-nobody"}}


@pytest.fixture(scope="module")
def slow(bench):
    """Case 19-slow-start: on the source the workload was ready; on the target no node takes it yet."""
    ns = bench.namespace()
    bench.make(
        documents(
            workload("Deployment", pod={"nodeSelector": {"topology.kubernetes.io/region": A}}),
            config_map("settings", {"greeting": "hello"}),
            claim(),
            service(),
        ),
        ns,
    )
    bench.ready("Deployment", ns, "web")
    (pod,) = bench.list("Pod", ns)
    bench.make(config_map("addresses", {"web": pod["status"]["podIP"]}), ns)
    return bench.backup(ns)


def test_19_slow_start_what_was_restored_stays_and_the_cause_is_named(bench, slow, monkeypatch):
    ns, into = slow.namespaces[0], bench.name()
    causes_come_first(bench, monkeypatch)
    result = bench.restore(slow, map={ns: into}, wait_seconds=3)
    assert result.phase == "Partial"
    (found,) = [each for each in result.not_ready if each.what.startswith("Deployment")]
    assert found.why.startswith("not ready within 3 s: ")
    assert "node" in found.why
    for kind, name in (("Deployment", "web"), ("ConfigMap", "settings"), ("PersistentVolumeClaim", "data")):
        assert bench.find(kind, into, name, B), name


def test_what_needs_a_value_of_it_is_left_out_and_says_so(bench, slow):
    ns, into = slow.namespaces[0], bench.name()
    result = bench.restore(slow, map={ns: into}, wait_seconds=3)
    assert lost(result) == {f"ConfigMap {into}/addresses": "refused"}
    assert bench.find("ConfigMap", into, "addresses", B) is None


def test_with_rollback_on_failure_nothing_stays(bench, slow):
    ns, into = slow.namespaces[0], bench.name()
    with pytest.raises(PermanentError, match="not ready within 3 s"):
        bench.restore(slow, map={ns: into}, wait_seconds=3, rollback_on_failure=True)
    assert bench.find("Namespace", "", into, B) is None


def test_20_skip_waits_for_broken_what_is_skipped_is_not_waited_for(bench):
    ns = bench.namespace()
    bench.make(documents(workload("Deployment"), config_map("settings", {"greeting": "hello"})), ns)
    bench.ready("Deployment", ns, "web")
    saved = bench.backup(ns)
    bench.namespace_named(ns, B)
    bench.make(workload("Deployment", pod=SLOW), ns, B)
    began = time.monotonic()
    result = bench.restore(saved, existing="skip", wait_seconds=PATIENCE)
    assert time.monotonic() - began < PATIENCE
    assert bench.find("ConfigMap", ns, "settings", B)
    (skipped,) = [each for each in result.notable if each.action == "skipped"]
    assert (skipped.type, skipped.name) == ("Deployment.apps", "web")
    assert result.not_ready == []


def test_a_failed_pod_is_named_and_the_others_are_waited_for(bench):
    """One that fails at once does not end the wait for one that gets ready later."""
    ns = bench.namespace()
    pod = yaml.safe_load(bare_pod())
    pod["spec"]["nodeSelector"] = {"topology.kubernetes.io/region": A}
    bench.make(documents(yaml.safe_dump(pod), workload("Deployment")), ns)
    bench.ready("Pod", ns, "bare")
    bench.ready("Deployment", ns, "web")
    result = bench.restore(bench.backup(ns))
    assert [(each.what, each.why.split(":")[0]) for each in result.not_ready] == [(f"Pod {ns}/bare", "failed")]
    assert result.phase == "Partial"
    bench.ready("Deployment", ns, "web", B)
