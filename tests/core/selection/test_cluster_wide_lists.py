"""When many namespaces are read by lists of all of the cluster."""

import pytest

from kubeferry.tasks.core.selection.resource_types import list_cluster_wide


@pytest.mark.parametrize(
    ("asked", "there", "expected"),
    [
        (1, 5, False),  # few are read each on their own, however small the cluster
        (4, 4, False),
        (5, 5, True),
        (300, 310, True),
        (50, 200, True),
        (50, 201, False),  # most of what would be read is of others
        (300, None, False),  # who may not list namespaces may not list all of the cluster either
    ],
)
def test_at_once(asked, there, expected):
    assert list_cluster_wide(asked, there) is expected
