"""An S3 server with versions and Object Lock: the sandbox's own program on a folder of its own, with two buckets."""

import secrets
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
from tests.support.limits import LIMIT

from kubeferry.deployments.sandbox import build
from kubeferry.deployments.sandbox.s3 import keeps_attributes
from kubeferry.tasks.ports.local import processes

REGION = "us-east-1"


@dataclass(frozen=True)
class Versioned:
    """The server; its buckets are `kept`, which is versioned, and `locked`, which has Object Lock too."""

    endpoint: str
    client: object

    def store(self, bucket, prefix="", more=""):
        """Return the URL of a store."""
        return f"s3://{bucket}/{prefix}?endpoint={self.endpoint}&region={REGION}{more}"

    def versions(self, bucket, prefix=""):
        """Return the keys of all versions, and those of all delete markers."""
        found = self.client.list_object_versions(Bucket=bucket, Prefix=prefix)
        keys, markers = (sorted(each["Key"] for each in found.get(kind, [])) for kind in ("Versions", "DeleteMarkers"))
        return keys, markers


@contextmanager
def versioned(folder, monkeypatch):
    """Yield the server; its credentials are in the environment."""
    for each in ("data", "versions", "attributes"):
        (folder / each).mkdir(parents=True)
    keys = {"ROOT_ACCESS_KEY": "VERSIONED", "ROOT_SECRET_KEY": secrets.token_hex(20)}
    port = processes.free_port()
    argv = [
        str(build.Recipe().place() / "versitygw"),
        f"--port=127.0.0.1:{port}",
        f"--region={REGION}",
        "--quiet",
        "posix",
    ]
    argv += [f"--versioning-dir={folder / 'versions'}"]
    argv += [] if keeps_attributes(folder / "data") else [f"--sidecar={folder / 'attributes'}"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*argv, str(folder / "data")], env=keys, stdout=log, stderr=log)
    for ours, theirs in {"AWS_ACCESS_KEY_ID": "ROOT_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY": "ROOT_SECRET_KEY"}.items():
        monkeypatch.setenv(ours, keys[theirs])
    # Not the library's default session, which keeps the first credentials that it saw.
    session = boto3.Session(keys["ROOT_ACCESS_KEY"], keys["ROOT_SECRET_KEY"], region_name=REGION)
    client = session.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
    try:
        _ready(server, client)
        client.create_bucket(Bucket="kept")
        client.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
        yield Versioned(f"http://127.0.0.1:{port}", client)
    finally:
        client.close()
        server.terminate()
        server.wait(LIMIT)


def _ready(server, client):
    end = time.monotonic() + LIMIT
    while True:
        try:
            client.list_buckets()
        except Exception:
            if server.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return
