"""The sandbox's S3 server keeps objects and their metadata, also where files have no extended attributes."""

import boto3
import pytest
from botocore.config import Config

from kubeferry.deployments.sandbox import build, processes, s3

pytestmark = pytest.mark.cluster


@pytest.fixture(params=[True, False], ids=["attributes", "no attributes"])
def server(request, tmp_path, monkeypatch):
    if not request.param:
        monkeypatch.setattr(s3, "keeps_attributes", lambda _: False)
    one = s3.S3(tmp_path)
    part = one.component(build.binaries())
    assert any("--sidecar" in argument for argument in part.program.argv) != request.param
    processes.ensure(part.program, part.port, part.healthy)
    yield one
    processes.stop(part.program.record)


def test_an_object_comes_back_as_it_was_put(server):
    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=s3.REGION,
        aws_access_key_id=server.credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=server.credentials["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    key = "backups/a/b.tar.gz"
    client.put_object(Bucket=s3.BUCKET, Key=key, Body=b"content", ContentType="application/gzip", Metadata={"a": "b"})
    got = client.get_object(Bucket=s3.BUCKET, Key=key)
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"content", "application/gzip", {"a": "b"})
    assert [one["Key"] for one in client.list_objects_v2(Bucket=s3.BUCKET)["Contents"]] == [key]
    client.close()


def test_whether_attributes_are_kept_is_found_out(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(s3.os, "setxattr", refuse)
    assert not s3.keeps_attributes(tmp_path)
    monkeypatch.setattr(s3.os, "setxattr", lambda *_: None)
    assert s3.keeps_attributes(tmp_path)
