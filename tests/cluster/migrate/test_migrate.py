"""Many namespaces from one cluster to the other in one migration, on the sandbox."""

import json

import pytest
from tests.support.bench import SECONDS, A, B
from tests.support.prefect_api import Api

from kubeferry.flows.migrate import migrate
from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.migration import SHARED
from kubeferry.tasks.core.models.options_migration import MigrateOptions

WEB = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data: {{peer: "http://web.{peer}.svc:80/", own: web.{own}.svc.cluster.local}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}
---
apiVersion: v1
kind: Secret
metadata: {{name: token}}
stringData: {{word: of-{own}}}
"""


@pytest.fixture
def namespaces(bench):
    """Five namespaces, each of which names a Service of the next."""
    names = [bench.namespace("m") for _ in range(5)]
    for own, peer in zip(names, [*names[1:], names[0]], strict=True):
        bench.make(WEB.format(own=own, peer=peer), own)
    return names


def move(bench, *namespaces, **options):
    where = {"from_context": A, "to_context": B, "wait_seconds": SECONDS, **bench.where}
    return bench.run_flow(migrate(MigrateOptions(namespaces=list(namespaces), **where | options)))


def artifacts(url, name):
    """Return the table of a migration and its progress bar, as Prefect shows them last."""
    asked = {"sort": "CREATED_DESC", "limit": 1}
    keys = (f"migrate-{name}", f"migrate-{name}-progress")
    return [Api(url).ask("/artifacts/filter", asked | {"artifacts": {"key": {"any_": [key]}}})[0] for key in keys]


def task_runs(url, namespaces):
    """Return the names of the task runs in the flow runs of these namespaces."""
    named = {"flow_runs": {"name": {"any_": [f"migrate {name}" for name in namespaces]}}}
    runs = {each["id"] for each in Api(url).ask("/flow_runs/filter", named)}
    assert len(runs) == len(namespaces)
    inside = {"flow_runs": {"id": {"any_": sorted(runs)}}}
    return [each["name"] for each in Api(url).ask("/task_runs/filter", inside)]


def statuses(result):
    return {end.namespace: end.phase.value for end in result.namespaces}


def test_renames_many_to_many_follow_into_every_other_namespace(bench, namespaces, prefect_server):
    one, two, three, *rest = namespaces
    new = bench.name("n")
    # Two swap their names, one gets a new one, the others stay.
    result = move(bench, *namespaces, map={one: two, two: one, three: new})
    table, bar = artifacts(prefect_server, result.name)
    assert [(row["namespace"], row["status"]) for row in json.loads(table["data"])] == [
        (end.title, "Completed") for end in result.namespaces
    ]
    assert bar["data"] == 100
    assert result.phase.value == "Completed"
    assert statuses(result) == dict.fromkeys(namespaces, "Completed")
    peers = {name: bench.get("ConfigMap", name, "settings", B)["data"]["peer"] for name in (one, two, new, *rest)}
    assert peers == {
        two: f"http://web.{one}.svc:80/",
        one: f"http://web.{new}.svc:80/",
        new: f"http://web.{rest[0]}.svc:80/",
        rest[0]: f"http://web.{rest[1]}.svc:80/",
        rest[1]: f"http://web.{two}.svc:80/",
    }
    assert task_runs(prefect_server, namespaces) == [], "each takes longer than the work of a small namespace"


def test_each_namespace_names_its_claims_that_come_back_empty(bench):
    ns, other, copy = bench.namespace("m"), bench.namespace("m"), bench.name("m")
    spec = "{accessModes: [ReadWriteOnce], storageClassName: standard, resources: {requests: {storage: 3Gi}}}"
    bench.make(f"{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: data}}, spec: {spec}}}", ns)
    bench.ready("PersistentVolumeClaim", ns, "data")
    result = move(bench, ns, other, map={ns: copy})
    assert result.phase.value == "Completed"
    said = {end.namespace: [(each.object, each.code) for each in end.losses] for end in result.namespaces}
    assert said == {
        SHARED: [],
        ns: [(f"PersistentVolumeClaim {copy}/data", "comes-back-empty")],
        other: [],
    }
    ((why,),) = ([each.why for each in end.losses] for end in result.namespaces if end.losses)
    assert why == "comes back empty (3Gi): contents of volumes are not in a backup"


def test_one_that_fails_or_is_not_there_stops_no_other(bench, namespaces):
    one, two, *_ = namespaces
    bench.namespace_named(two, B)
    bench.make("{apiVersion: v1, kind: Secret, metadata: {name: token}, stringData: {word: other}}", two, B)
    result = move(bench, *namespaces, "m-nowhere", into_existing=True, on_failure="rollback")
    assert result.phase.value == "Partial"
    assert statuses(result) == dict.fromkeys(namespaces, "Completed") | {two: "Failed", "m-nowhere": "Failed"}
    why = {end.namespace: end.error for end in result.namespaces}
    assert f"Secret {two}/token exists with other content" in why[two]
    assert "namespace m-nowhere does not exist on cluster kubeferry-a" in why["m-nowhere"]
    assert bench.find("ConfigMap", two, "settings", B) is None
    # What was wrong is mended: only what is missing is done.
    bench.delete("Secret", two, "token", B)
    uid = bench.get("Secret", one, "token", B)["metadata"]["uid"]
    again = move(bench, resume=result.name)
    assert statuses(again) == dict.fromkeys(namespaces, "Completed") | {"m-nowhere": "Failed"}
    assert bench.get("Secret", two, "token", B)
    assert bench.get("Secret", one, "token", B)["metadata"]["uid"] == uid
    assert again.backup == result.backup


def test_what_is_cluster_wide_comes_once_before_all(bench, namespaces):
    one, two, *_ = namespaces
    group = bench.crd(one)
    role = f"{one}-role"
    bench.make(
        f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {role}}}
rules: [{{apiGroups: [""], resources: [pods], verbs: [get]}}]
""",
    )
    bench.forget("ClusterRole", role)
    bench.forget("CustomResourceDefinition", f"widgets.{group}")
    for ns in (one, two):
        bench.make(
            f"""
apiVersion: {group}/v1
kind: Widget
metadata: {{name: w}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reads}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}
subjects: [{{kind: ServiceAccount, name: default, namespace: {ns}}}]
""",
            ns,
        )
    result = move(bench, one, two)
    assert statuses(result) == {SHARED: "Completed", one: "Completed", two: "Completed"}
    assert result.namespaces[0].counts == {
        "ClusterRole.rbac.authorization.k8s.io": 1,
        "CustomResourceDefinition.apiextensions.k8s.io": 1,
    }
    for ns in (one, two):
        assert bench.get(f"Widget.{group}", ns, "w", B)


def test_nothing_to_migrate_is_refused(bench, namespaces):
    with pytest.raises(UsageError, match="namespace m-nowhere does not exist"):
        move(bench, "m-nowhere")
    with pytest.raises(UsageError, match="would both become"):
        move(bench, *namespaces, map={namespaces[0]: namespaces[1]})
    with pytest.raises(UsageError, match="--map names m-nowhere"):
        move(bench, *namespaces, map={"m-nowhere": "n-nowhere"})
