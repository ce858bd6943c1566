"""Tests in this folder run on the sandbox, through proxies that break things."""

import botocore.retries.standard
import pytest

import kubeferry.tasks.ports.cluster.client
import kubeferry.tasks.ports.cluster.transport
import kubeferry.tasks.step

pytest.register_assert_rewrite("tests.faults.rig")

from tests.faults.rig import Rig, shop_in  # noqa: E402 - its asserts are rewritten


@pytest.fixture(scope="module")
def rigged(bench, sandbox_env, tmp_path_factory):
    """The module's bench, reached through proxies."""
    with Rig(bench, sandbox_env, tmp_path_factory.mktemp("rig")) as made:
        yield made


@pytest.fixture
def rig(rigged, quick):  # noqa: ARG001 - no waiting
    """The same with no rules."""
    rigged.quiet()
    yield rigged
    rigged.quiet()


@pytest.fixture(scope="module")
def shop(bench):
    """A namespace with all that has an order, an owner or an address, and what it should be like elsewhere."""
    return shop_in(bench)


@pytest.fixture(scope="module")
def kiosk(bench):
    """A Shop without pods and volumes, which come and go at once."""
    return shop_in(bench, pods=False)


@pytest.fixture
def quick(monkeypatch):
    """Pauses between two tries are none, and lists have many pages."""
    retry = kubeferry.tasks.ports.cluster.transport.RETRY.new(backoff_factor=0, backoff_jitter=0, retry_after_max=0)
    monkeypatch.setattr(kubeferry.tasks.ports.cluster.transport, "RETRY", retry)
    monkeypatch.setattr(kubeferry.tasks.step, "BACKOFF", 0.0)
    monkeypatch.setattr(kubeferry.tasks.ports.cluster.client, "PAGE", 3)
    monkeypatch.setattr(botocore.retries.standard.ExponentialBackoff, "delay_amount", lambda *_: 0)
