"""The steps of a backup and a restore one by one, without Prefect, and the cluster that they restore into."""

import pytest
from tests.support.bench import B
from tests.support.steps import Steps


@pytest.fixture(scope="module")
def steps(sandbox_env, tmp_path_factory):
    made = Steps(sandbox_env, tmp_path_factory.mktemp("steps"))
    yield made
    made.bench.clear()


@pytest.fixture(scope="module")
def bench(steps):
    return steps.bench


@pytest.fixture
def cluster(bench):
    return bench.clusters[B]
