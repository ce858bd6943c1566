"""The steps of a backup and a restore one by one, without Prefect, and the cluster that they restore into."""

import pytest
from tests.support.bench import B


@pytest.fixture(scope="module")
def bench(steps):
    return steps.bench


@pytest.fixture
def cluster(bench):
    return bench.clusters[B]
