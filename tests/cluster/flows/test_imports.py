"""What the processes of commands import that ask a cluster: start-up is most of what a small backup takes.

Commands that ask nothing, or a store only: tests/flows/test_cli.py, test_plan.py, tests/docs/test_completion.py.
"""

import os

import pytest
from tests.support.bench import A, B
from tests.support.imports import NEVER, PREFECT, imported


@pytest.fixture(scope="module")
def shop(bench):
    name = bench.namespace("imports")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}", name)
    return name


@pytest.fixture
def run(kubeferry, bench, served, monkeypatch):  # noqa: ARG001 - they set the environment
    def run(*arguments, heavy):
        where = {"KUBECONFIG": bench.where["kubeconfig"], "KUBEFERRY_STORE": bench.where["store"]}
        return imported(heavy, arguments, os.environ | where)[0]

    return run


def test_a_backup_and_a_restore_import_of_prefect_what_runs_a_flow(run, bench, shop):
    restores = {"kubeferry.tasks.restore.apply", "kubeferry.tasks.plan.build"}
    assert run("backup", shop, "--name", shop, "--context", A, heavy={*NEVER, *restores}) == "[]"
    to = bench.name()
    assert run("restore", shop, "--map", f"{shop}={to}", "--name", to, "--context", B, heavy={*NEVER}) == "[]"
    # Who is asked before something is removed sees it without Prefect, which is imported when its server is known.
    looks = [
        ["undo", to, "--dry-run", "--context", B],
        ["delete", to, "--dry-run", "--context", B],
        ["prune", "--dry-run"],
    ]
    for command in (["diff", shop, "--context", A], ["doctor", "--context", A], *looks):
        assert run(*command, heavy={*NEVER, *PREFECT, "httpx", "rich.markdown"}) == "[]", command
