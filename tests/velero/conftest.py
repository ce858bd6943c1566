"""Tests in this folder run the real Velero, on a sandbox of their own: its CRDs and its namespace are cluster-wide.

All of it is done once, and the tests look at it: the sample shop is saved by both tools into one bucket, and each tool
restores what the other saved.
"""

import pytest

pytest.register_assert_rewrite("tests.velero.story")

from tests.velero.story import Story, pointed_at  # noqa: E402 - its asserts are rewritten


@pytest.fixture(scope="module")
def story(sandboxes, run_flow, tmp_path_factory):
    """All that both tools did, from the beginning; the environment points at its sandbox until the last test."""
    sandbox = sandboxes("velero")
    try:
        with pointed_at(sandbox):
            made = Story(sandbox, run_flow, tmp_path_factory.mktemp("keys"))
            made.run_all()
            yield made
    finally:
        sandbox.down(purge=True)
