"""The Jobs that the shipped work pool makes, rendered by prefect-kubernetes itself, as its worker does."""

import asyncio
import os
import uuid
from pathlib import Path
from unittest import mock

import yaml
from prefect.client.schemas.objects import Flow, FlowRun, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import Settings
from prefect_kubernetes.settings import KubernetesSettings
from prefect_kubernetes.worker import KubernetesWorker, KubernetesWorkerJobConfiguration

from kubeferry.tasks.core.models.options_deploy import DeployOptions
from kubeferry.tasks.core.models.pools import PoolType
from kubeferry.tasks.core.ops.declarations import fitted, flow_of, pools, title
from kubeferry.tasks.ports.prefect.server import environment

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"
DECLARED = {title(each): each for each in yaml.safe_load((DEPLOYMENTS / "prefect.yaml").read_text())["deployments"]}


PASSWORD = "kubeferry:of-the-server"


def worker_settings():
    """Return the settings of a worker's pod: Prefect's, which it hands on, and those of prefect-kubernetes.

    They are the ConfigMap's, those of `kubeferry worker`, and the variables of its container.
    """
    base = yaml.safe_load((DEPLOYMENTS / "kubernetes" / "base" / "kustomization.yaml").read_text())
    literals = dict(each.split("=", 1) for each in base["configMapGenerator"][0]["literals"])
    worker = yaml.safe_load((DEPLOYMENTS / "kubernetes" / "overlays" / "jobs" / "worker-restore.yaml").read_text())
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    literals |= {each["name"]: each.get("value", PASSWORD) for each in container["env"]}
    with mock.patch.dict(os.environ, literals, clear=True):
        os.environ.update(environment(literals["PREFECT_API_URL"]))
        os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "INFO"
        return Settings(), KubernetesSettings().worker


def rendered_job(named, namespace="kubeferry", **variables):
    """Return the Job of a run of a declared deployment, `backup/nightly`, whose starter gives these job variables."""
    asked = DeployOptions(type=PoolType.KUBERNETES)
    where = fitted(DECLARED[named], asked, ())["work_pool"]
    template = pools(yaml.safe_load((DEPLOYMENTS / "pools" / "kubernetes.yaml").read_text()), asked)[where["name"]]
    values = where["job_variables"] | {"namespace": namespace} | variables
    settings, kubernetes = worker_settings()
    flow = Flow(id=uuid.uuid4(), name=flow_of(DECLARED[named]))
    deployment = DeploymentResponse(id=uuid.uuid4(), name=named.partition("/")[2], flow_id=flow.id)
    run = FlowRun(id=uuid.uuid4(), name="clever-cat", flow_id=flow.id, deployment_id=deployment.id)
    pool = WorkPool(
        id=uuid.uuid4(),
        name=where["name"],
        type="kubernetes",
        base_job_template=template,
        default_queue_id=uuid.uuid4(),
    )

    async def render():
        made = await KubernetesWorkerJobConfiguration.from_template_and_values(template, values, client=object())
        made.prepare_for_flow_run(run, deployment, flow, pool, "KubernetesWorker 1", worker_id=uuid.uuid4())
        secret = kubernetes.api_auth_string_secret_name, kubernetes.api_auth_string_secret_key
        await KubernetesWorker._replace_env_variable_with_secret(None, "PREFECT_API_AUTH_STRING", made, *secret)
        return made.job_manifest

    with mock.patch("prefect.workers.base.get_current_settings", return_value=settings):
        return asyncio.run(render())


def var(name, value):
    return {"name": name, "value": value}


def jobs(cast, name="", query="dryRun=All"):
    return f"/apis/batch/v1/namespaces/{cast.namespace}/jobs{name and f'/{name}'}?{query}"


def base(cast):
    job = rendered_job("restore/on-demand", cast.namespace)
    pod = job["spec"]["template"]["spec"]
    return job, pod, pod["containers"][0]


def pod_of(bench, cast, job):
    pods = bench.list("Pod", cast.namespace)
    return next((each for each in pods if each["metadata"]["labels"].get("batch.kubernetes.io/job-name") == job), None)
