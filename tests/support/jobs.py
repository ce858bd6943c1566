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
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

from kubeferry.tasks.core.models.options_deploy import DeployOptions
from kubeferry.tasks.core.models.pools import PoolType
from kubeferry.tasks.core.ops.declarations import fitted, flow_of, title
from kubeferry.tasks.ports.prefect.server import environment

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"
DECLARED = {title(each): each for each in yaml.safe_load((DEPLOYMENTS / "prefect.yaml").read_text())["deployments"]}


def worker_settings():
    """Return Prefect's settings in the worker's pod, which it hands on: the ConfigMap's, and `kubeferry worker`'s."""
    base = yaml.safe_load((DEPLOYMENTS / "kubernetes" / "base" / "kustomization.yaml").read_text())
    literals = dict(each.split("=", 1) for each in base["configMapGenerator"][0]["literals"])
    with mock.patch.dict(os.environ, literals, clear=True):
        os.environ.update(environment(literals["PREFECT_API_URL"]))
        os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "INFO"
        return Settings()


def rendered_job(named, namespace="kubeferry", **variables):
    """Return the Job of a run of a declared deployment: `backup/nightly`."""
    template = yaml.safe_load((DEPLOYMENTS / "pools" / "kubernetes.yaml").read_text())
    asked = DeployOptions(type=PoolType.KUBERNETES)
    values = fitted(DECLARED[named], asked, ())["work_pool"]["job_variables"] | {"namespace": namespace} | variables
    flow = Flow(id=uuid.uuid4(), name=flow_of(DECLARED[named]))
    deployment = DeploymentResponse(id=uuid.uuid4(), name=named.partition("/")[2], flow_id=flow.id)
    run = FlowRun(id=uuid.uuid4(), name="clever-cat", flow_id=flow.id, deployment_id=deployment.id)
    pool = WorkPool(
        id=uuid.uuid4(),
        name="kubeferry-kubernetes",
        type="kubernetes",
        base_job_template=template,
        default_queue_id=uuid.uuid4(),
    )

    async def render():
        made = await KubernetesWorkerJobConfiguration.from_template_and_values(template, values, client=object())
        made.prepare_for_flow_run(run, deployment, flow, pool, "KubernetesWorker 1", worker_id=uuid.uuid4())
        return made.job_manifest

    with mock.patch("prefect.workers.base.get_current_settings", return_value=worker_settings()):
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
