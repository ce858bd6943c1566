"""What the worker's account may make: the Jobs of the shipped work pool, and nothing else. By the real API server."""

import json

import pytest
import yaml
from tests.support.bench import A
from tests.support.jobs import DECLARED, base, jobs, pod_of, rendered_job, var
from tests.support.shipped import MANIFESTS

# Admission policies are for all who use a cluster.
pytestmark = pytest.mark.exclusive

POLICY = "ValidatingAdmissionPolicy 'kubeferry-worker"


@pytest.mark.parametrize("named", DECLARED)
def test_a_run_of_each_deployment_is_admitted(cast, worker, named):
    answer = worker("POST", jobs(cast), rendered_job(named, cast.namespace))
    assert answer.status == 201, answer.message


def test_an_admitted_job_runs_its_pod_and_the_worker_deletes_it(bench, cast, worker):
    made = worker("POST", jobs(cast, query=""), rendered_job("restore/on-demand", cast.namespace))
    assert made.status == 201
    name = json.loads(made.text)["metadata"]["name"]
    pod = bench.until(lambda: pod_of(bench, cast, name))
    assert pod["spec"]["serviceAccountName"] == "kubeferry-restore"
    assert worker("DELETE", jobs(cast, name, "propagationPolicy=Background"), {}).status == 200


CONTAINER = {
    "args": [["prefect", "worker", "start"], ["python", "-c", "1"], [], ["prefect", "flow-run", "execute", "--watch"]],
    "command": [["sh"]],
    "env": [[var("PREFECT_API_URL", "http://elsewhere.example.com/api")], [var("PYTHONPATH", "/tmp")]],  # noqa: S108
    "envFrom": [
        [],
        [{"secretRef": {"name": "kubeferry-s3"}}],
        [{"secretRef": {"name": "other"}}],
        [{"configMapRef": {"name": "other"}}],
        [{"prefix": "PREFECT_", "configMapRef": {"name": "kubeferry"}}],
    ],
    "image": ["example.com/other:1", "registry.example.com/kubeferry:0.0.9"],
    "lifecycle": [{"postStart": {"exec": {"command": ["sh"]}}}],
    "livenessProbe": [{"exec": {"command": ["sh"]}}],
    "ports": [[{"containerPort": 80}]],
    "readinessProbe": [{"exec": {"command": ["sh"]}}],
    "resizePolicy": [[{"resourceName": "cpu", "restartPolicy": "NotRequired"}]],
    "securityContext": [
        {"privileged": True},
        {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": False, "capabilities": {"drop": ["ALL"]}},
        {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
        },
    ],
    "startupProbe": [{"exec": {"command": ["sh"]}}],
    "stdin": [True],
    "stdinOnce": [True],
    "terminationMessagePath": ["/var/run/secrets/kubernetes.io/serviceaccount/token"],
    "terminationMessagePolicy": ["FallbackToLogsOnError"],
    "tty": [True],
    "volumeMounts": [
        [{"name": "work", "mountPath": "/opt/kubeferry"}],
        [{"name": "work", "mountPath": "/tmp", "subPathExpr": "$(HOME)"}],  # noqa: S108
    ],
    "workingDir": ["/tmp"],  # noqa: S108
}
NAMES = {"name", "imagePullPolicy", "resources"}
"""Fields of a container that may differ: they change nothing of what runs."""

SIDECAR = {"name": "more", "image": "registry.example.com/kubeferry:0.1.0"}
POD = {
    "activeDeadlineSeconds": [1],
    "affinity": [{"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}],
    "automountServiceAccountToken": [False],
    "containers": [[SIDECAR]],
    "dnsConfig": [{"nameservers": ["192.0.2.1"]}],
    "dnsPolicy": ["Default"],
    "enableServiceLinks": [False],
    "hostAliases": [[{"ip": "192.0.2.1", "hostnames": ["prefect-server.prefect.svc"]}]],
    "hostIPC": [True],
    "hostNetwork": [True],
    "hostPID": [True],
    "hostUsers": [False],
    "hostname": ["other"],
    "imagePullSecrets": [[{"name": "other"}]],
    "initContainers": [[SIDECAR]],
    "nodeName": ["control-plane"],
    "nodeSelector": [{"node-role.kubernetes.io/control-plane": ""}],
    "os": [{"name": "linux"}],
    "priorityClassName": ["system-node-critical"],
    "readinessGates": [[{"conditionType": "example.com/x"}]],
    "restartPolicy": ["OnFailure"],
    "runtimeClassName": ["other"],
    "schedulerName": ["other"],
    "securityContext": [{"runAsUser": 0}, {"runAsNonRoot": False, "runAsUser": 0}],
    "serviceAccount": ["default"],
    "serviceAccountName": ["kubeferry-backup", "kubeferry-worker", "default"],
    "setHostnameAsFQDN": [True],
    "shareProcessNamespace": [True],
    "subdomain": ["other"],
    "tolerations": [[{"operator": "Exists"}]],
    "topologySpreadConstraints": [
        [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}]
    ],
    "volumes": [
        [{"name": "work", "hostPath": {"path": "/"}}],
        [{"name": "work", "secret": {"secretName": "other"}}],
        [{"name": "work", "emptyDir": {"sizeLimit": "8Gi"}}, {"name": "more", "hostPath": {"path": "/etc"}}],
        [{"name": "work", "projected": {"sources": [{"serviceAccountToken": {"path": "token", "audience": "x"}}]}}],
    ],
}
JOB = {
    "activeDeadlineSeconds": [1],
    "backoffLimit": [6],
    "completionMode": [],
    "completions": [2],
    "managedBy": ["example.com/other"],
    "parallelism": [2],
    "podFailurePolicy": [{"rules": [{"action": "Ignore", "onPodConditions": [{"type": "X", "status": "True"}]}]}],
}


def cases(table):
    return [pytest.param(field, value, id=f"{field}-{at}") for field in table for at, value in enumerate(table[field])]


def refused(cast, send, job):
    """Return the message with which a policy refuses a Job; it fails where anything else does, or nothing."""
    answer = send("POST", jobs(cast), job)
    assert answer.status == 422, answer.text
    assert POLICY in answer.message
    return answer.message


@pytest.mark.parametrize(("field", "value"), cases(CONTAINER))
def test_a_container_with_another_field_is_refused(cast, worker, field, value):
    job, _, container = base(cast)
    container[field] = value
    message = refused(cast, worker, job)
    assert field in message


@pytest.mark.parametrize(("field", "value"), cases(POD))
def test_a_pod_with_another_field_is_refused(cast, worker, field, value):
    job, pod, _ = base(cast)
    pod[field] = [*pod[field], *value] if field == "containers" else value
    if field == "serviceAccount":
        del pod["serviceAccountName"]
    assert field in refused(cast, worker, job)


@pytest.mark.parametrize(("field", "value"), cases(JOB))
def test_a_job_with_another_field_is_refused(cast, worker, field, value):
    job, _, _ = base(cast)
    job["spec"][field] = value
    assert field in refused(cast, worker, job)


UNTRIED = {
    "containers": "tried with a second one",
    "ephemeralContainers": "no pod template may have them, says the API server",
    "overhead": "only with a runtime class",
    "preemptionPolicy": "only with a priority class",
    "priority": "an admission plug-in of the API server owns it",
    "resourceClaims": "needs a feature that may be off",
    "resources": "needs a feature that may be off",
    "schedulingGates": "of a pod alone",
    "terminationGracePeriodSeconds": "changes nothing of what runs",
    "hostnameOverride": "needs a feature that may be off",
    "schedulingGroup": "needs a feature that may be off",
    "workloadRef": "needs a feature that may be off",
}


def test_every_field_that_the_api_server_knows_is_tried(bench):
    """The policy lists what is allowed, so a field that is new is refused too; here a test of it would be missing."""
    schemas = bench.clusters[A].schemas("batch/v1")["components"]["schemas"]
    pod = set(schemas["io.k8s.api.core.v1.PodSpec"]["properties"])
    container = set(schemas["io.k8s.api.core.v1.Container"]["properties"])
    assert pod - set(POD) <= set(UNTRIED)
    assert container - set(CONTAINER) <= NAMES | {"restartPolicy", "restartPolicyRules", "volumeDevices"}


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ([var("PREFECT_LOGGING_SETTINGS_PATH", "/tmp/x")], "PREFECT_LOGGING_SETTINGS_PATH"),  # noqa: S108
        ([var("LD_PRELOAD", "/tmp/x")], "LD_PRELOAD"),  # noqa: S108
        ([var("KUBEFERRY_STORE", "s3://other")], "KUBEFERRY_STORE"),
        ([var("PREFECT_API_URL", "http://prefect-server.prefect.svc:4200/api/x")], "PREFECT_API_URL"),
        ([{"name": "PREFECT_API_URL", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}], "PREFECT_API_URL"),
        ([{"name": "PREFECT__FLOW_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}], "PREFECT__FLOW_ID"),
        ([{"name": "PREFECT_API_KEY", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}], "PREFECT_API_KEY"),
        ([var("PREFECT_API_AUTH_STRING", "kubeferry:plain")], "PREFECT_API_AUTH_STRING"),
        (
            [{"name": "PREFECT_API_AUTH_STRING", "valueFrom": {"secretKeyRef": {"name": "other", "key": "password"}}}],
            "PREFECT_API_AUTH_STRING",
        ),
    ],
)
def test_a_variable_that_is_not_in_the_annotation_is_refused_by_name(cast, worker, env, named):
    job, _, container = base(cast)
    container["env"] += env
    assert f"of the namespace: {named}" in refused(cast, worker, job)


def annotate(bench, cast, key, value):
    """Set a parameter of the policies."""
    bench.patch("Namespace", "", cast.namespace, {"metadata": {"annotations": {f"kubeferry.io/{key}": value}}})


def test_a_variable_that_an_operator_adds_is_admitted(bench, cast, worker):
    was = bench.get("Namespace", "", cast.namespace)["metadata"]["annotations"]["kubeferry.io/job-environment"]
    annotate(bench, cast, "job-environment", f"{was.strip()}\nPREFECT_LOGGING_LEVEL=DEBUG")
    job, _, container = base(cast)
    container["env"] += [var("PREFECT_LOGGING_LEVEL", "DEBUG")]
    bench.until(lambda: worker("POST", jobs(cast), job).status == 201)


def test_the_image_of_the_annotation_is_the_one_that_jobs_may_use(bench, cast, worker):
    job, _, container = base(cast)
    old, container["image"] = container["image"], "registry.example.com/kubeferry:0.2.0"
    assert "image" in refused(cast, worker, job)
    annotate(bench, cast, "job-image", container["image"])
    bench.until(lambda: worker("POST", jobs(cast), job).status == 201)
    annotate(bench, cast, "job-image", old)
    bench.until(lambda: worker("POST", jobs(cast), job).status == 422)


def test_the_account_follows_from_the_flow(cast, worker):
    job = rendered_job("backup/nightly", cast.namespace)
    job["spec"]["template"]["spec"]["serviceAccountName"] = "kubeferry-restore"
    assert "a run of backup has to use kubeferry-backup" in refused(cast, worker, job)
    for flow in ("undo", "", None):
        job, _, _ = base(cast)
        job["metadata"]["labels"] |= {"prefect.io/flow-name": flow}
        if flow is None:
            del job["metadata"]["labels"]["prefect.io/flow-name"]
        assert "no flow of Kubeferry" in refused(cast, worker, job)


@pytest.mark.parametrize(
    "meta", [{"labels": {"sidecar.istio.io/inject": "true"}}, {"annotations": {"example.com/inject": "true"}}]
)
def test_no_label_or_annotation_asks_a_webhook_to_inject_something(cast, worker, meta):
    job, _, _ = base(cast)
    for key, value in meta.items():
        job["spec"]["template"]["metadata"][key] = job["spec"]["template"]["metadata"].get(key, {}) | value
    assert "not a " in refused(cast, worker, job)


@pytest.mark.usefixtures("worker")
def test_others_are_not_held_to_it(cast):
    job, _, container = base(cast)
    container["image"] = "example.com/other"
    with cast.requests(cast.admin()) as admin:
        assert admin("POST", jobs(cast), job).status == 201


@pytest.mark.parametrize("key", ["job-image", "job-environment"])
def test_without_a_parameter_nothing_is_admitted(bench, cast, worker, key):
    """It comes last: it takes the annotations away."""
    annotate(bench, cast, key, None)
    job, _, _ = base(cast)
    bench.until(lambda: worker("POST", jobs(cast), job).status == 422)


def test_the_shipped_parameters_are_those_of_pool_and_config_map():
    """The image that the pool's Jobs have by default, and lines of the ConfigMap."""
    text = (MANIFESTS / "overlays" / "jobs" / "kustomization.yaml").read_text()
    patches = [yaml.safe_load(each["patch"]) for each in yaml.safe_load(text)["patches"]]
    (notes,) = [each["metadata"]["annotations"] for each in patches if each["kind"] == "Namespace"]
    base_of = yaml.safe_load((MANIFESTS / "base" / "kustomization.yaml").read_text())
    (image,) = base_of["images"]
    assert notes["kubeferry.io/job-image"] == f"{image['newName']}:{image['newTag']}"
    assert set(notes["kubeferry.io/job-environment"].split()) <= set(base_of["configMapGenerator"][0]["literals"])
