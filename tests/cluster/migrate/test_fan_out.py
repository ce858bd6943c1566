"""A migration whose namespaces are restored by two workers, each flow run in a process of its own."""

import asyncio
import json
import os
import subprocess
import time
import uuid

import pytest
from tests.support.bench import A, B
from tests.support.cli import COMMAND
from tests.support.limits import LIMIT
from tests.support.work_pools import register

from kubeferry.flows.migrate import migrate
from kubeferry.tasks.core.errors import NotFoundError, UsageError
from kubeferry.tasks.core.models.options_migration import FanOut, MigrateOptions

pytestmark = pytest.mark.exclusive  # its deployments and workers have the names that others would use

CONTENT = "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: web}}, data: {{own: web.{ns}.svc}}}}"


def options(bench, names, **more):
    where = {"from_context": A, "to_context": B, "wait_seconds": 30, **bench.where}
    return MigrateOptions(namespaces=names, fan_out=FanOut.DEPLOYMENT, **where, **more)


@pytest.fixture
def deployment(run_flow):
    """A deployment of the flow of one namespace on a work pool of its own; its name, and that of the pool."""
    pool = f"fan-out-{uuid.uuid4().hex[:6]}"

    run_flow(register(pool))
    return f"migrate-namespace/{pool}", pool


@pytest.fixture
def workers(deployment, prefect_server, run_flow, tmp_path):
    """Two workers on that pool, one flow run each at a time, both at work; the files of their logs."""
    env = os.environ | {"PREFECT_API_URL": prefect_server, "PREFECT_HOME": os.environ["KUBEFERRY_HOME"]}
    env |= {"PREFECT_WORKER_QUERY_SECONDS": "1"}
    argv = [COMMAND, "worker", "--type", "process", "--pool", deployment[1], "--limit", "1"]
    logs = [tmp_path / f"worker-{number}.log" for number in (1, 2)]
    made = []
    try:
        for log in logs:
            with log.open("wb") as file:
                made.append(subprocess.Popen(argv, env=env, stdout=file, stderr=file))
        run_flow(_online(deployment[1], len(logs)))
        yield logs
    finally:
        for each in made:
            each.terminate()
        for each in made:
            each.wait(LIMIT)


async def _online(pool, count):
    from prefect import get_client

    limit = time.monotonic() + LIMIT
    async with get_client() as client:
        while len(await client.read_workers_for_work_pool(pool, limit=10, offset=0)) < count:
            assert time.monotonic() < limit, "the workers do not come"
            await asyncio.sleep(0.5)


def test_two_workers_restore_the_namespaces(bench, deployment, workers, prefect_server, kubeferry):
    names = [bench.namespace("fan") for _ in range(4)]
    for ns in names:
        bench.make(CONTENT.format(ns=ns), ns)
    bench.namespace_named(names[1], B)
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {own: other}}", names[1], B)
    new = bench.name("new")
    where = ["--from-context", A, "--to-context", B, "--store", bench.where["store"], "-o", "json"]
    how = ["--fan-out", "deployment", "--deployment", deployment[0], "--map", f"{names[0]}={new}", "--into-existing"]
    how += ["--on-failure", "rollback"]
    code, out, err = kubeferry("migrate", *names, *where, *how, PREFECT_API_URL=prefect_server)
    assert code == 3, err
    ends = {each["namespace"]: each for each in json.loads(out)["namespaces"]}
    assert {ns: end["phase"] for ns, end in ends.items()} == dict.fromkeys(names, "Completed") | {names[1]: "Failed"}
    assert "exists with other content" in ends[names[1]]["error"]
    assert bench.get("ConfigMap", new, "web", B)["data"]["own"] == f"web.{new}.svc"
    assert bench.get("ConfigMap", names[2], "web", B)
    for log in workers:
        assert "submitting flow run" in log.read_text(), f"{log.stem} did nothing"


def test_a_deployment_of_an_earlier_version_is_reported(bench, deployment, run_flow):
    """Its one parameter holds all options."""
    ns, (named, _) = bench.namespace("fan"), deployment

    async def as_it_was():
        from prefect import get_client
        from prefect.client.schemas.actions import DeploymentUpdate

        former = {"title": "Parameters", "type": "object", "properties": {"options": {"type": "object"}}}
        async with get_client() as client:
            found = await client.read_deployment_by_name(named)
            await client.update_deployment(found.id, DeploymentUpdate(parameter_openapi_schema=former))

    run_flow(as_it_was())
    with pytest.raises(UsageError, match=f"{named} is of an earlier version of Kubeferry: repeat kubeferry deploy"):
        run_flow(migrate(options(bench, [ns], deployment=named)))


def test_a_deployment_that_is_not_registered_is_reported(bench, run_flow):
    ns = bench.namespace("fan")
    with pytest.raises(
        NotFoundError, match="no deployment migrate-namespace/nowhere: register it with kubeferry deploy"
    ):
        run_flow(migrate(options(bench, [ns], deployment="migrate-namespace/nowhere")))
