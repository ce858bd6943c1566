"""The tests are tested: faults are planted in the code, and the tests that are there for them fail."""

import pytest
from tests.planted.faults import load
from tests.planted.planting import Copy

FAULTS = load()


@pytest.fixture(scope="module")
def copy(sandbox, prefect_server):
    """A copy of the tree, whose tests find this run's sandbox and Prefect server."""
    home = sandbox.home.parents[1]
    with pytest.MonkeyPatch.context() as patch, Copy() as made:
        patch.setenv("KUBEFERRY_TEST_SANDBOX", str(home))
        patch.setenv("KUBEFERRY_TEST_PREFECT", prefect_server)
        yield made


@pytest.mark.soak(minutes=0.5)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_caught(copy, fault):
    assert copy.catches(fault, fault.caught_by), fault.why
