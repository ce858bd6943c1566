"""Whoever holds the worker's account makes nothing but a new Job: RBAC refuses the rest, and so do the policies."""

import copy
import json

import pytest
import yaml
from tests.support.jobs import base, jobs, pod_of, rendered_job

# Admission policies are for all who use a cluster.
pytestmark = pytest.mark.exclusive

POLICY = "ValidatingAdmissionPolicy 'kubeferry-worker"
WIDE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: wide}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: kubeferry-worker}]
"""
"""All rights in the namespace: what RBAC refuses otherwise, the policies have to."""


@pytest.fixture
def wide(bench, cast, worker):
    """The worker with all rights in its namespace."""
    binding = yaml.safe_load(WIDE)
    binding["subjects"][0]["namespace"] = cast.namespace
    bench.make(yaml.safe_dump(binding), cast.namespace)
    bench.until(lambda: cast.allowed("kubeferry-worker", "create", "pods", namespace=cast.namespace))
    yield worker
    bench.delete("RoleBinding", cast.namespace, "wide")
    bench.until(lambda: not cast.allowed("kubeferry-worker", "create", "pods", namespace=cast.namespace))


@pytest.fixture
def running(bench, cast, worker):
    """A Job of the worker, and its pod."""
    made = worker("POST", jobs(cast, query=""), rendered_job("restore/on-demand", cast.namespace))
    name = json.loads(made.text)["metadata"]["name"]
    yield name, bench.until(lambda: pod_of(bench, cast, name))["metadata"]["name"]
    worker("DELETE", jobs(cast, name, "propagationPolicy=Background"), {})


def others(cast):
    """Return a request for each other way to a pod: method, path, body."""
    job, pod, _ = base(cast)
    core, apps = f"/api/v1/namespaces/{cast.namespace}", f"/apis/apps/v1/namespaces/{cast.namespace}"
    for drop in ("parallelism", "completions"):
        del pod[drop]
    meta = {"metadata": {"labels": {"a": "b"}}, "spec": pod}
    always = copy.deepcopy(meta)
    always["spec"]["restartPolicy"] = "Always"
    template = {"selector": {"matchLabels": {"a": "b"}}, "template": always}
    cron = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job["spec"]}}
    one = {"metadata": {"name": "one"}}
    return {
        "pods": ("POST", f"{core}/pods", meta | {"metadata": {"generateName": "x-"}}),
        "podtemplates": ("POST", f"{core}/podtemplates", one | {"template": meta}),
        "replicationcontrollers": (
            "POST", f"{core}/replicationcontrollers", one | {"spec": {"selector": {"a": "b"}, "template": always}},
        ),
        "deployments": ("POST", f"{apps}/deployments", one | {"spec": template}),
        "daemonsets": ("POST", f"{apps}/daemonsets", one | {"spec": template}),
        "replicasets": ("POST", f"{apps}/replicasets", one | {"spec": template}),
        "statefulsets": ("POST", f"{apps}/statefulsets", one | {"spec": template | {"serviceName": "x"}}),
        "cronjobs": ("POST", f"/apis/batch/v1/namespaces/{cast.namespace}/cronjobs", one | {"spec": cron}),
        "configmaps": ("POST", f"{core}/configmaps", one | {"data": {}}),
        "secrets": ("POST", f"{core}/secrets", one | {"data": {}}),
        "token": (
            "POST", f"{core}/serviceaccounts/kubeferry-restore/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}},
        ),
    }  # fmt: skip


@pytest.mark.parametrize("what", ["pods", "deployments", "cronjobs", "token", "secrets"])
def test_rbac_lets_the_worker_make_nothing_but_jobs(cast, worker, what):
    method, path, body = others(cast)[what]
    assert worker(method, path, body).status == 403


PATCH = {"Content-Type": "application/merge-patch+json"}


def changes(cast, job, pod):
    """Return a request for each change of a Job and a pod that are there."""
    core, batch = f"/api/v1/namespaces/{cast.namespace}", f"/apis/batch/v1/namespaces/{cast.namespace}"
    image = {"spec": {"containers": [{"name": "prefect-job", "image": "example.com/other"}]}}
    tame = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    debug = {"name": "debug", "image": "example.com/other", "securityContext": tame}
    debug = {"spec": {"ephemeralContainers": [debug]}}
    strategic = {"Content-Type": "application/strategic-merge-patch+json"}
    return [
        ("PATCH", f"{batch}/jobs/{job}/status", {"status": {"failed": 1}}, PATCH),
        ("PATCH", f"{core}/pods/{pod}", image, strategic),
        ("PATCH", f"{core}/pods/{pod}/ephemeralcontainers", debug, strategic),
        ("POST", f"{core}/pods/{pod}/exec?command=sh&stdout=true", {}, {}),
        ("GET", f"{core}/pods/{pod}/attach", None, {}),
        ("GET", f"{core}/pods/{pod}/portforward", None, {}),
    ]


def test_rbac_lets_the_worker_change_no_job_and_no_pod(cast, worker, running):
    more = [
        ("PATCH", f"/apis/batch/v1/namespaces/{cast.namespace}/jobs/{running[0]}", {"spec": {"suspend": True}}, PATCH)
    ]
    for method, path, body, headers in [*changes(cast, *running), *more]:
        assert worker(method, path, body, **headers).status == 403, path


def test_with_more_rights_the_policies_refuse_the_same(cast, wide, running):
    """RBAC is not all that stands between the worker's account and a pod of kubeferry-restore."""
    for what, (method, path, body) in others(cast).items():
        answer = wide(method, f"{path}?dryRun=All", body)
        assert (answer.status, POLICY in answer.message) == (422, True), (what, answer)
    for method, path, body, headers in changes(cast, *running):
        answer = wide(method, path, body, **headers)
        assert (answer.status, POLICY in answer.message) == (422, True), (path, answer)
    labels = {"metadata": {"labels": {"prefect.io/flow-name": "backup"}}}
    answer = wide("PATCH", jobs(cast, running[0]), labels, **PATCH)
    assert (answer.status, "kubeferry-backup" in answer.message) == (422, True)
