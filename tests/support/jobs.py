"""The Jobs that the shipped work pool makes, rendered by prefect-kubernetes itself, as its worker does."""

import asyncio
import uuid
from pathlib import Path

import yaml
from prefect.client.schemas.objects import Flow, FlowRun, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

from kubeferry.tasks.core.models.options_deploy import DeployOptions
from kubeferry.tasks.core.models.pools import PoolType
from kubeferry.tasks.core.ops.declarations import fitted, flow_of, title

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"
DECLARED = {title(each): each for each in yaml.safe_load((DEPLOYMENTS / "prefect.yaml").read_text())["deployments"]}
SETTINGS = {PREFECT_API_URL: "http://prefect-server.prefect.svc:4200/api", PREFECT_HOME: "/var/lib/kubeferry/prefect"}
"""Those of the shipped ConfigMap that Prefect hands on to each run."""


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

    with temporary_settings(SETTINGS):
        return asyncio.run(render())
