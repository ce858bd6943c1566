"""The real Helm, for the tests of charts."""

import pytest
from tests.support.charts import helm_runner


@pytest.fixture(scope="module")
def helm(sandbox_env):
    """Run Helm on the second cluster."""
    return helm_runner(sandbox_env, 300)
