"""The sample shop, for tests."""

from unittest import mock

from kubeferry.deployments.sample import remove


def remove_later(cluster, namespace):
    """Take a namespace away without waiting until it is gone: that takes a dozen seconds, and nobody needs its name."""
    with mock.patch.object(remove, "wait_until_gone"):
        remove.remove(cluster, namespace)
