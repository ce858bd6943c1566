"""The sandbox's bucket, plain and through a proxy that breaks things."""

import os
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.store_faults import faulty


@pytest.fixture
def bucket_url(sandbox_env):  # noqa: ARG001 - it sets the environment
    """A place of its own in the sandbox's bucket."""
    parts = urlsplit(os.environ["KUBEFERRY_STORE"])
    return parts._replace(path=f"{parts.path.rstrip('/')}/test-{uuid.uuid4().hex[:8]}").geturl()


@pytest.fixture
def faulty_bucket(bucket_url):
    """The URL of such a place through a proxy, and the proxy's Faults."""
    parts = urlsplit(bucket_url)
    upstream = urlsplit(parse_qs(parts.query)["endpoint"][0])
    with faulty(upstream.hostname, upstream.port) as (endpoint, faults):
        yield parts._replace(query=f"endpoint={endpoint}&region=us-east-1").geturl(), faults
