"""Runs that somebody starts with Prefect's own command or API, by a real server and worker: whose store they use."""

import json
import subprocess
import sys
import uuid

import pytest
from tests.support.bench import A
from tests.support.desk import DONE, Desk, environment
from tests.support.limits import LIMIT, until

from kubeferry.tasks.ports.records.backups import backups
from kubeferry.tasks.ports.store.open import open_store

pytestmark = pytest.mark.exclusive  # its deployments and workers have the names that others would use


@pytest.fixture
def desk(bench, prefect_server, home, tmp_path):
    """Deployments with a store of their own, and a worker whose variables name another one."""
    where = {"KUBEFERRY_HOME": str(home), "KUBECONFIG": bench.where["kubeconfig"]}
    given = {"KUBEFERRY_STORE": (tmp_path / "of-worker").as_uri(), "KUBEFERRY_CONTEXT": A}
    env = environment(PREFECT_API_URL=prefect_server, **where, **given)
    made = Desk(env, f"pool-{uuid.uuid4().hex[:6]}", (tmp_path / "of-deployment").as_uri())
    yield made
    made.clear()


def started(desk, deployment, **options):
    """Start a run with `prefect deployment run -p NAME=VALUE …`; return its id."""
    given = [word for name, value in options.items() for word in ("-p", f"{name}={json.dumps(value)}")]
    argv = [sys.executable, "-m", "prefect", "deployment", "run", deployment, *given]
    done = subprocess.run(argv, env=desk.env, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.returncode == 0, done.stderr + done.stdout
    newest = {"deployments": {"name": {"any_": ["on-demand"]}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 1}
    return desk.api.ask("/flow_runs/filter", newest)[0]["id"]


def saved(url):
    return {each.name for each in backups(open_store(url))}


def test_a_run_with_two_parameters_has_all_others_of_its_deployment_and_what_is_missing_of_its_worker(bench, desk):
    ns, new, one, two, three = (bench.namespace("elsewhere"), *(bench.name(each) for each in ("new", "a", "b", "c")))
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: '1'}}", ns)
    first = bench.backup(ns, store=desk.store)
    desk.deploy(ns)
    backing_up = desk.api.deployment("backup/on-demand")

    def posted(**options):
        return desk.api.start(backing_up["id"], **options)["id"]

    runs = [started(desk, "restore/on-demand", backup=first.name, map={ns: new}), posted(namespaces=[ns], name=one)]
    # A deployment without a store of its own.
    path = f"/deployments/{backing_up['id']}"
    desk.api.ask(path, {"parameters": {}}, "PATCH")
    runs.append(posted(namespaces=[ns], name=two))
    # A deployment as an earlier version registered it: one parameter, which holds all options.
    model = {**backing_up["parameter_openapi_schema"], "title": "BackupOptions"}
    definitions = model.pop("definitions") | {"BackupOptions": model}
    properties = {"options": {"$ref": "#/definitions/BackupOptions", "position": 0, "title": "options"}}
    former = {"title": "Parameters", "type": "object", "properties": properties, "required": ["options"]}
    desk.api.ask(path, {"parameters": {}, "parameter_openapi_schema": former | {"definitions": definitions}}, "PATCH")
    runs.append(posted(options={"namespaces": [ns], "name": three, "store": desk.store}))

    desk.worker()
    until(lambda: all(state["type"] in DONE for state in desk.states(runs)))
    assert [(state["type"], state["message"]) for state in desk.states(runs)] == [("COMPLETED", None)] * 4
    assert saved(desk.store) == {first.name, one, three}
    assert saved(desk.env["KUBEFERRY_STORE"]) == {two}
    assert bench.get("ConfigMap", new, "settings")["data"] == {"a": "1"}
    names = [desk.api.run(each)["name"] for each in runs]
    assert names == [f"restore {first.name} ({ns} → {new})", *(f"backup {each}" for each in (one, two, three))]
    warned = [any("repeat kubeferry deploy" in line for line in desk.api.logs({"id": each})) for each in runs]
    assert warned == [False, False, False, True]
    # Registered again, it has the new form.
    desk.deploy(ns)
    assert desk.api.deployment("backup/on-demand")["parameter_openapi_schema"] == backing_up["parameter_openapi_schema"]
