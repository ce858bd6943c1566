"""The parameters of an s3:// URL: refused at once where they are wrong, and in the requests where they are right."""

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from tests.support.http_server import running

from kubeferry.tasks.core.errors import StoreError, UsageError
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.ports.store.s3_bucket import PART

KEY = "arn:aws:kms:eu-central-1:123456789012:key/0f0e"
SSE = "x-amz-server-side-encryption"


@pytest.fixture
def aws(monkeypatch, tmp_path):
    """Credentials, and an AWS configuration without a line: the path of its file."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SK")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return tmp_path / "config"


class Bare(BaseHTTPRequestHandler):
    """An S3 server as far as one request: it remembers Host, path and headers, and gives the answers of its test."""

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.headers["Host"], self.path, dict(self.headers.items())))
        status, headers, body = self.server.reply
        self.send_response(status)
        for name, value in {**headers, "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815 - http.server looks for these names

    def log_message(self, *_):
        """Keep the tests' output clean."""


EMPTY = b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"


@pytest.fixture
def bare(aws):  # noqa: ARG001 - it sets the environment
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bare)
    server.seen, server.reply = [], (200, {}, EMPTY)
    with running(server):
        yield server


@pytest.fixture
def elsewhere(monkeypatch, bare):
    """A name of another machine; what goes there arrives at the bare server."""
    real = socket.getaddrinfo

    def found(host, port, *more, **named):
        return real("127.0.0.1" if "elsewhere" in str(host) else host, port, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", found)
    return f"http://elsewhere:{bare.server_address[1]}"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("sse=SECRET", "sse is one of: AES256, aws:kms, aws:kms:dsse"),
        ("sse=", "sse is one of"),
        ("sse=aws:kms&sse=AES256", "sse more than once|'sse' more than once"),
        ("kms_key=SECRET", "kms_key goes with sse=aws:kms"),
        ("sse=AES256&kms_key=SECRET", "kms_key goes with sse=aws:kms"),
        ("sse=aws:kms&kms_key=SECRET%20x", "no id, ARN or alias"),
        ("sse=aws:kms&kms_key=", "no id, ARN or alias"),
        ("style=SECRET", "style is one of: path, virtual"),
        ("allow_http=SECRET", "allow_http is one of: yes"),
        ("endpoint=", "no http:// or https:// URL"),
        ("endpoint=http://", "no http:// or https:// URL"),
        ("endpoint=http://x:SECRET", "no http:// or https:// URL"),
        ("region=", "the s3:// store's region is none"),
        ("region=SECRET%20x", "the s3:// store's region is none"),
        ("Style=path", "the parameter 'Style': only endpoint, region, kms_key, sse, style"),
    ],
)
def test_a_bad_value_is_refused_at_once_in_one_line_that_does_not_repeat_it(query, message):
    with pytest.raises(UsageError, match=message) as caught:
        open_store(f"s3://bucket/x?{query}")
    assert "SECRET" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_url_is_shown_with_all_its_parameters():
    url = f"s3://bucket/a?endpoint=https://s3.example.com&kms_key={KEY}&region=eu-x&sse=aws:kms&style=virtual"
    assert open_store(url).url == url
    assert open_store(open_store(url).url).url == url


# --- encryption


@pytest.fixture
def encrypting(faulty_bucket):
    """A store on the sandbox's server, which ignores encryption, behind one that says it does not; its Faults."""
    url, faults = faulty_bucket
    faults.add = {SSE: "aws:kms"}
    store = open_store(f"{url}&sse=aws:kms&kms_key={KEY}")
    yield store, faults
    store.delete([entry.key for entry in store.list()])


@pytest.mark.cluster
def test_every_request_that_creates_something_names_the_encryption_and_the_key(encrypting, tmp_path):
    store, faults = encrypting
    (tmp_path / "big").write_bytes(bytes(PART + 1))
    (tmp_path / "small").write_bytes(b"small")
    store.put("a", b"a")
    store.put_file("small", tmp_path / "small")
    store.put_file("big", tmp_path / "big")
    assert store.put_new("new", b"new")
    store.check_writable()
    creating = [
        h for method, path, h in faults.asked if (method == "PUT" and "partNumber" not in path) or "?uploads" in path
    ]
    assert len(creating) == 8, "a, small, big, the three of the probe of conditional writes, new, and the probe"
    for headers in creating:
        assert (headers[SSE], headers[f"{SSE}-aws-kms-key-id"]) == ("aws:kms", KEY)
    others = [h for method, path, h in faults.asked if method == "GET" or "partNumber" in path or method == "DELETE"]
    assert others
    assert not [headers for headers in others if SSE in headers], "S3 refuses it there"


@pytest.mark.cluster
@pytest.mark.parametrize("size", [5, PART + 1])
def test_a_server_that_ignores_the_encryption_is_found_out_and_keeps_nothing(faulty_bucket, tmp_path, size):
    url, _ = faulty_bucket
    store = open_store(f"{url}&sse=aws:kms")
    (tmp_path / "file").write_bytes(bytes(size))
    with pytest.raises(StoreError, match="the server does not encrypt with sse=aws:kms"):
        store.put_file("file", tmp_path / "file")
    with pytest.raises(StoreError, match="the server does not encrypt with sse=aws:kms"):
        store.check_writable()
    assert list(store.list()) == []
    place, bucket = url.partition("endpoint=")[2].partition("&")[0], url.partition("//")[2].partition("/")[0]
    client = boto3.client("s3", endpoint_url=place)
    prefix = url.partition("?")[0].partition(f"//{bucket}/")[2]
    assert not [
        each for each in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) if prefix in each["Key"]
    ]
    client.close()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("KMS.DisabledException", "key/0f0e is disabled."),
        ("KMS.NotFoundException", "Invalid keyId 0f0e"),
        ("AccessDenied", "User: arn:aws:iam::1:user/x is not authorized to perform: kms:GenerateDataKey"),
    ],
)
def test_an_error_of_kms_is_told_in_plain_words(bare, code, said):
    bare.reply = (
        403 if code == "AccessDenied" else 400,
        {},
        f"<Error><Code>{code}</Code><Message>{said}</Message></Error>".encode(),
    )
    store = open_store(
        f"s3://bucket?endpoint=http://127.0.0.1:{bare.server_address[1]}&sse=aws:kms&kms_key=0f0e&region=x"
    )
    with pytest.raises(StoreError, match=r"the KMS key cannot be used \(writing needs kms:GenerateDataKey") as caught:
        store.put("a", b"")
    assert said in str(caught.value)
    assert "AWS chain" not in str(caught.value)


def test_a_refusal_that_does_not_name_the_key_says_that_it_may_be_the_key(bare):
    bare.reply = (403, {}, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
    where = f"s3://bucket?endpoint=http://127.0.0.1:{bare.server_address[1]}&region=x"
    with pytest.raises(StoreError, match=r"AccessDenied.*AWS chain's 'env'; or the KMS key cannot be used"):
        open_store(f"{where}&sse=aws:kms").put("a", b"")
    with pytest.raises(StoreError) as caught:
        open_store(f"{where}&sse=AES256").put("a", b"")
    assert "KMS" not in str(caught.value)


# --- addressing


@pytest.mark.parametrize(
    ("style", "host", "path"),
    [
        ("&style=virtual", "bucket.elsewhere", "/"),
        ("&style=path", "elsewhere", "/bucket"),
        ("", "elsewhere", "/bucket"),
    ],
)
def test_a_bucket_is_addressed_as_the_url_says(bare, elsewhere, style, host, path):
    store = open_store(f"s3://bucket/x?endpoint={elsewhere}&allow_http=yes&region=x{style}")
    assert list(store.list()) == []
    (asked,) = bare.seen
    assert asked[0].partition(":")[0] == host
    assert asked[1].partition("?")[0] == path


# --- plain http


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "[::1]", "localhost", "LOCALHOST"])
def test_plain_http_to_this_machine_is_allowed(host):
    open_store(f"s3://bucket?endpoint=http://{host}:9000")


@pytest.mark.parametrize(
    "host",
    [
        "minio",
        "10.0.0.1",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "0.0.0.0",  # noqa: S104 - not an address to listen on
        "127.1",
        "[fe80::1]",
        "x.localhost",
    ],
)
def test_plain_http_to_another_machine_is_refused_unless_it_is_allowed(host):
    with pytest.raises(UsageError, match=r"is plain http to another machine.*allow_http=yes"):
        open_store(f"s3://bucket?endpoint=http://{host}:9000")
    open_store(f"s3://bucket?endpoint=http://{host}:9000&allow_http=yes")
    open_store(f"s3://bucket?endpoint=https://{host}:9000")


@pytest.mark.parametrize("where", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "profile", "services"])
def test_an_endpoint_of_the_aws_configuration_is_no_way_around(bare, aws, elsewhere, monkeypatch, where):
    if where == "profile":
        aws.write_text(f"[default]\nendpoint_url = {elsewhere}\n")
    elif where == "services":
        aws.write_text(f"[default]\nservices = own\n[services own]\ns3 =\n  endpoint_url = {elsewhere}\n")
    else:
        monkeypatch.setenv(where, elsewhere)
    for doing in ("check_writable", "clock", "folders"):
        with pytest.raises(UsageError, match=r"endpoint http://\S*elsewhere is plain http") as caught:
            getattr(open_store("s3://bucket?region=x&style=path"), doing)()
        assert "\n" not in str(caught.value)
    assert bare.seen == [], "nothing was sent"
    assert open_store("s3://bucket?region=x&style=path&allow_http=yes").folders() == []
    assert len(bare.seen) == 1


def test_a_redirect_is_no_way_around(bare, elsewhere):
    """Neither the address in an answer is followed, nor does the library ask another region there in clear."""
    body = b"<Error><Code>PermanentRedirect</Code><Message>use it</Message><Endpoint>elsewhere</Endpoint></Error>"
    bare.reply = (301, {"Location": f"{elsewhere}/bucket", "x-amz-bucket-region": "eu-x"}, body)
    store = open_store(f"s3://bucket?endpoint=http://127.0.0.1:{bare.server_address[1]}&region=x")
    with pytest.raises((StoreError, UsageError)):
        store.folders()
    assert {host.partition(":")[0] for host, _, _ in bare.seen} == {"127.0.0.1"}
