"""The bucket store on the sandbox's real S3 server: what it refuses, and what it survives behind a bad network."""

import random
import time

import boto3
import pytest

from kubeferry.tasks.core.errors import DamagedError, StoreError, StoreUnavailableError
from kubeferry.tasks.ports.local import processes, progress
from kubeferry.tasks.ports.store import s3_client
from kubeferry.tasks.ports.store.open import open_store

pytestmark = pytest.mark.cluster
BIG = random.Random(1).randbytes(17 * 1024 * 1024)  # noqa: S311 - only bulk, the same each time


@pytest.fixture
def plain(bucket_url):
    store = open_store(bucket_url)
    yield store
    store.delete([entry.key for entry in store.list()])


@pytest.fixture
def impatient(monkeypatch):
    """Two attempts and not four: the waits between them are seconds."""
    monkeypatch.setitem(s3_client.SETTINGS, "retries", {"mode": "standard", "total_max_attempts": 2})


@pytest.fixture
def behind(faulty_bucket, impatient):  # noqa: ARG001 - it is about what comes after
    """A store behind the proxy, and the proxy's Faults."""
    url, faults = faulty_bucket
    store = open_store(url)
    yield store, faults
    vars(faults).update(vars(type(faults)()))
    store.delete([entry.key for entry in store.list()])


@pytest.fixture
def big(tmp_path):
    path = tmp_path / "big"
    path.write_bytes(BIG)
    return path


@pytest.mark.parametrize(
    ("variable", "value", "cause"),
    [
        ("AWS_SECRET_ACCESS_KEY", "SECRET-wrong", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "SECRET-unknown", "(InvalidAccessKeyId|XAdminUserNotFound)"),
    ],
)
def test_wrong_credentials_are_reported_with_where_they_came_from(plain, monkeypatch, variable, value, cause):
    monkeypatch.setenv(variable, value)
    store = open_store(plain.url)
    for doing in (store.check_writable, lambda: list(store.list()), lambda: store.get("x"), lambda: store.exists("x")):
        with pytest.raises(StoreError, match=rf"{cause}.*AWS chain's 'env'") as caught:
            doing()
        assert "SECRET-" not in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.fixture
def no_credentials(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


@pytest.mark.usefixtures("no_credentials")
def test_missing_credentials_are_reported_with_the_chain(bucket_url):
    with pytest.raises(StoreError, match=r"no usable AWS credentials.*looked through.*env.*shared-credentials-file"):
        open_store(bucket_url).check_writable()


@pytest.mark.usefixtures("no_credentials")
def test_a_missing_profile_is_named(bucket_url, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StoreError, match="nobody"):
        open_store(bucket_url).check_writable()


def test_a_missing_bucket_is_named(plain):
    store = open_store(plain.url.replace("s3://", "s3://none-"))
    for doing in (
        store.check_writable, lambda: store.get("x"), lambda: store.exists("x"), lambda: list(store.list()),
        store.folders, lambda: store.delete(["x"]), lambda: store.put_new("x", b""),
    ):  # fmt: skip
        with pytest.raises(StoreError, match=r"s3://none-.*no such bucket"):
            doing()


@pytest.mark.usefixtures("impatient", "sandbox_env")
def test_a_refused_endpoint_is_transient_and_named_in_time():
    port = processes.free_port()
    started = time.monotonic()
    with pytest.raises(StoreUnavailableError, match=f"out of reach.*127.0.0.1:{port}"):
        open_store(f"s3://bucket/x?endpoint=http://127.0.0.1:{port}").check_writable()
    assert time.monotonic() - started < 60


def test_a_busy_server_is_transient(behind):
    store, faults = behind
    faults.deny = {("GET", "/x"): 503}
    with pytest.raises(StoreUnavailableError, match="503"):
        store.get("x")
    assert len([method for method, _ in faults.seen if method == "GET"]) == 2


@pytest.mark.parametrize(("fault", "header"), [("refuse", "x-amz-checksum-sha256"), ("hide", "x-amz-checksum-sha256")])
def test_a_server_without_sha256_gets_md5_instead(behind, big, tmp_path, fault, header):
    store, faults = behind
    setattr(faults, fault, header)
    store.put_file("big", big)
    store.put("small", b"small")
    sent = [headers for method, headers in faults.seen if method == "PUT"]
    assert header in sent[0]
    assert "content-md5" in sent[-1]
    assert header not in sent[-1]
    store.get_file("big", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == BIG
    assert store.get("small") == b"small"


def test_what_is_sent_has_its_sha256(behind, big):
    store, faults = behind
    store.put("small", b"small")
    store.put_file("big", big)
    sent = [headers for method, headers in faults.seen if method == "PUT"]
    assert len(sent) == 1 + 3
    assert all("x-amz-checksum-sha256" in headers and "x-amz-trailer" not in headers for headers in sent)


def test_a_download_that_breaks_off_starts_again(behind, big, tmp_path):
    store, faults = behind
    store.put_file("big", big)
    faults.cut = 2
    store.get_file("big", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == BIG
    faults.cut = 99
    with pytest.raises(StoreUnavailableError, match="big"):
        store.get_file("big", tmp_path / "never")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "big"]


@pytest.mark.parametrize("size", [5, len(BIG)])
def test_a_damaged_download_is_found(behind, tmp_path, size):
    store, faults = behind
    (tmp_path / "source").write_bytes(BIG[:size])
    store.put_file("x", tmp_path / "source")
    faults.flip = 1
    assert store.get("x") == BIG[:size]
    faults.flip = 99
    with pytest.raises(DamagedError, match="x does not match"):
        store.get_file("x", tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_an_upload_that_fails_leaves_no_parts(behind, big, bucket_url):
    store, faults = behind
    faults.deny = {("PUT", "partNumber=3"): 403}
    with pytest.raises(StoreError, match="403"):
        store.put_file("big", big)
    assert list(store.list()) == []
    client = boto3.client("s3", endpoint_url=bucket_url.partition("endpoint=")[2].partition("&")[0])
    bucket = bucket_url.partition("//")[2].partition("/")[0]
    assert "test-" in store.url
    prefix = store.url.partition("?")[0].partition(f"//{bucket}/")[2]
    uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    assert [upload for upload in uploads if upload["Key"].startswith(prefix)] == []
    client.close()


def test_a_swap_whose_answer_is_lost_is_still_ours(behind):
    store, faults = behind
    store.put("a", b"old")
    faults.lose = 1
    assert store.swap("a", b"old", b"new")
    assert store.get("a") == b"new"


def test_a_conditional_write_whose_answer_is_lost_is_still_ours(behind):
    store, faults = behind
    assert store.put_new("first", b"")
    faults.lose = 1
    assert store.put_new("lease", b"mine")
    assert not store.put_new("lease", b"other")
    assert store.get("lease") == b"mine"


def test_keys_of_others_that_are_no_paths_are_left_out_and_reported(plain, bucket_url):
    lines = []

    class Notes:
        note = lines.append

    bucket = bucket_url.partition("//")[2].partition("/")[0]
    prefix = plain.url.partition("?")[0].partition(f"//{bucket}/")[2]
    plain.put("a/b", b"")
    client = boto3.client("s3", endpoint_url=bucket_url.partition("endpoint=")[2].partition("&")[0])
    client.put_object(Bucket=bucket, Key=f"{prefix}/a/back\\slash", Body=b"x")
    client.put_object(Bucket=bucket, Key=f"{prefix}/marked/", Body=b"")
    with progress.listening(Notes()):
        assert [entry.key for entry in plain.list()] == ["a/b"]
    assert len(lines) == 1
    assert "slash" in lines[0]
    client.delete_object(Bucket=bucket, Key=f"{prefix}/a/back\\slash")
    client.delete_object(Bucket=bucket, Key=f"{prefix}/marked/")
    client.close()
