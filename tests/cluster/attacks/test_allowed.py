"""A run that names another store or another cluster than its worker's operator allows: refused in one line, at once."""

import os
import uuid

import pytest
from tests.support.bench import A, B
from tests.support.desk import Desk, environment
from tests.support.limits import until

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.store.open import open_store

pytestmark = pytest.mark.exclusive  # its deployments and workers have the names that others would use

ALLOWED = "s3://backups/prod?endpoint=http://127.0.0.1:9&region=eu-central-1"
LIKE_IT = [
    ALLOWED,
    "s3://backups/prod/?region=eu-central-1&endpoint=http://127.0.0.1:9",
    "s3://backups/prod/shop/a?endpoint=http%3A%2F%2F127.0.0.1%3A9&region=eu-central-1",
]
OTHERS = [
    "s3://backups-evil/prod?endpoint=http://127.0.0.1:9&region=eu-central-1",
    "s3://backups/prod-evil?endpoint=http://127.0.0.1:9&region=eu-central-1",
    "s3://backups?endpoint=http://127.0.0.1:9&region=eu-central-1",
    "s3://backups/production?endpoint=http://127.0.0.1:9&region=eu-central-1",
    "s3://backups/prod/../other?endpoint=http://127.0.0.1:9&region=eu-central-1",
    "s3://backups/prod/%2e%2e/other?endpoint=http://127.0.0.1:9&region=eu-central-1",
    "s3://backups/prod%2F..%2Fother?endpoint=http://127.0.0.1:9&region=eu-central-1",
    "s3://backups/prod",
    "s3://backups/prod?region=eu-central-1",
    "s3://backups/prod?endpoint=http://evil.example&region=eu-central-1",
    "s3://backups/prod?endpoint=http://127.0.0.1:9&endpoint=http://evil.example&region=eu-central-1",
    "s3://backups/prod%3Fendpoint=http://127.0.0.1:9&region=eu-central-1",
    "file:///backups/prod",
    "",
    None,
]


@pytest.mark.parametrize("url", LIKE_IT)
def test_the_bucket_that_is_allowed_and_its_folders_are_opened(monkeypatch, url):
    monkeypatch.setenv("KUBEFERRY_ALLOWED_STORES", f"file:///nowhere, {ALLOWED}")
    open_store(url)


@pytest.mark.parametrize("url", OTHERS)
def test_another_place_is_refused_in_one_line(monkeypatch, url):
    monkeypatch.setenv("KUBEFERRY_ALLOWED_STORES", ALLOWED)
    with pytest.raises(UsageError) as caught:
        open_store(url)
    assert "\n" not in str(caught.value)


def test_a_folder_is_compared_as_it_is_on_the_disk(monkeypatch, tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "in-evil"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    (tmp_path / "own").symlink_to(inside)
    monkeypatch.setenv("KUBEFERRY_ALLOWED_STORES", (tmp_path / "own").as_uri())
    for url in (
        inside.as_uri(),
        f"{inside.as_uri()}/a",
        f"file://{tmp_path}/in-evil/../in",
        f"file://{tmp_path}/own/a",
    ):
        open_store(url)
    for url in (outside.as_uri(), f"file://{inside}/../in-evil", f"file://{inside}/%2e%2e/in-evil", tmp_path.as_uri(),
                f"file://{inside}/link", f"file://{inside}/link/a"):  # fmt: skip
        with pytest.raises(UsageError, match="KUBEFERRY_ALLOWED_STORES"):
            open_store(url)


def test_without_the_variable_all_are_opened_and_with_an_empty_one_none(monkeypatch, tmp_path):
    monkeypatch.delenv("KUBEFERRY_ALLOWED_STORES", raising=False)
    open_store(tmp_path.as_uri())
    monkeypatch.setenv("KUBEFERRY_ALLOWED_STORES", "")
    with pytest.raises(UsageError):
        open_store(tmp_path.as_uri())


def test_a_cluster_is_allowed_by_the_name_of_its_context(bench, monkeypatch):
    own = bench.where["kubeconfig"]
    monkeypatch.setenv("KUBECONFIG", own)
    monkeypatch.setenv("KUBEFERRY_ALLOWED_CONTEXTS", A)
    assert {connect(A).name, connect(A, own).name, connect().name} == {A}
    with pytest.raises(UsageError, match="KUBEFERRY_ALLOWED_CONTEXTS"):
        connect(B)
    monkeypatch.setenv("KUBEFERRY_ALLOWED_CONTEXTS", B)
    with pytest.raises(UsageError, match="KUBEFERRY_ALLOWED_CONTEXTS"):
        connect()  # the current context


def test_a_kubeconfig_of_the_runs_own_is_not_read(bench, monkeypatch, tmp_path):
    """There a context of the allowed name may be any cluster, and its credentials may be a program."""
    ran = tmp_path / "ran"
    exec_ = f"{{apiVersion: client.authentication.k8s.io/v1, command: touch, args: ['{ran}'], interactiveMode: Never}}"
    evil = tmp_path / "evil.yaml"
    evil.write_text(
        "{apiVersion: v1, kind: Config, clusters: [{name: c, cluster: {server: 'http://evil.example'}}], "
        f"users: [{{name: u, user: {{exec: {exec_}}}}}], current-context: {A}, "
        f"contexts: [{{name: {A}, context: {{cluster: c, user: u}}}}]}}"
    )
    monkeypatch.setenv("KUBECONFIG", bench.where["kubeconfig"])
    monkeypatch.setenv("KUBEFERRY_ALLOWED_CONTEXTS", A)
    for path in (str(evil), f"{bench.where['kubeconfig']}{os.pathsep}{evil}"):
        with pytest.raises(UsageError, match="not this worker's own"):
            connect(A, path)
    assert not ran.exists()


@pytest.fixture
def desk(bench, prefect_server, sandbox_env, home, tmp_path):  # noqa: ARG001 - it sets the environment
    allowed = {"KUBEFERRY_ALLOWED_STORES": bench.where["store"], "KUBEFERRY_ALLOWED_CONTEXTS": A}
    more = {"KUBEFERRY_HOME": str(home), "KUBECONFIG": bench.where["kubeconfig"]}
    env = environment(PREFECT_API_URL=prefect_server, **allowed, **more)
    made = Desk(env, f"limited-{uuid.uuid4().hex[:6]}", bench.where["store"])
    made.deploy()
    yield made
    made.clear()


def test_a_run_of_a_worker_uses_what_is_allowed_and_nothing_else(bench, desk, tmp_path):
    """The parameters are those that somebody gives in the UI."""
    ns = bench.namespace("limited")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}", ns)
    other = tmp_path / "other"
    backup = desk.api.deployment("backup/on-demand")["id"]
    good = desk.api.start(backup, namespaces=[ns], name=f"good-{ns}")
    bad = [
        desk.api.start(backup, namespaces=[ns], name=f"store-{ns}", store=other.as_uri()),
        desk.api.start(backup, namespaces=[ns], name=f"context-{ns}", context=B),
    ]
    desk.worker()

    def ended(run):
        return (found := desk.api.run(run["id"]))["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED") and found

    assert until(lambda: ended(good))["state"]["type"] == "COMPLETED"
    for run, variable in zip(bad, ("KUBEFERRY_ALLOWED_STORES", "KUBEFERRY_ALLOWED_CONTEXTS"), strict=True):
        state = until(lambda run=run: ended(run))["state"]
        assert (state["type"], variable in state["message"]) == ("FAILED", True), state
    assert not other.exists()
    assert desk.saved() == [f"good-{ns}"]
