"""The password of the Prefect server in the shipped manifests: a place for it, no value, and no start without it."""

import pytest
import yaml
from tests.support.shipped import rendered

POOLS = {"process": ["kubeferry"], "jobs": ["kubeferry-kubernetes", "kubeferry-kubernetes-restore"]}


@pytest.fixture(scope="module", params=POOLS)
def overlay(request, sandbox_env, kubectl, tmp_path_factory):
    """An overlay's name, and its objects."""

    def run(*args, **more):
        return kubectl(sandbox_env, *args, **more)

    text = rendered(run, tmp_path_factory.mktemp("own"), resources=[f"overlays/{request.param}"])
    return request.param, list(yaml.safe_load_all(text))


def workers(objects):
    for each in objects:
        if each["kind"] == "Deployment":
            (container,) = each["spec"]["template"]["spec"]["containers"]
            yield container, {one["name"]: one for one in container["env"]}


def test_each_pool_has_a_worker(overlay):
    name, objects = overlay
    assert sorted(container["args"][-1] for container, _ in workers(objects)) == POOLS[name]


def test_a_worker_does_not_start_without_the_password(overlay):
    """The kubelet starts no container with a variable of a Secret or a key that is not there, unless it is optional."""
    for _, env in workers(overlay[1]):
        assert env["PREFECT_API_AUTH_STRING"] == {
            "name": "PREFECT_API_AUTH_STRING",
            "valueFrom": {"secretKeyRef": {"name": "kubeferry-prefect", "key": "password"}},
        }
    assert "Secret" not in {each["kind"] for each in overlay[1]}, "it is yours to make"


def test_the_worker_of_jobs_hands_on_the_name_of_the_secret_and_not_its_value(overlay):
    name, objects = overlay
    prefix = "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_AUTH_STRING_SECRET"
    for _, env in workers(objects):
        found = [env.get(f"{prefix}_{each}", {}).get("value") for each in ("NAME", "KEY")]
        assert found == (["kubeferry-prefect", "password"] if name == "jobs" else [None, None])


def test_runs_may_use_the_pods_own_cluster_and_no_store_until_one_is_named(overlay):
    (settings,) = [each["data"] for each in overlay[1] if each["kind"] == "ConfigMap"]
    assert settings["KUBEFERRY_ALLOWED_CONTEXTS"] == "in-cluster"
    assert settings["KUBEFERRY_ALLOWED_STORES"] == "s3://backups.example.com"
    for container, _ in workers(overlay[1]):
        assert {"configMapRef": {"name": "kubeferry"}} in container["envFrom"]
