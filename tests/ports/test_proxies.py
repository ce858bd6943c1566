"""An HTTP proxy between this machine and the rest: HTTPS_PROXY and NO_PROXY, for the API server and for S3.

`proxy-url` of a kubeconfig is in cluster/test_credentials.py.
"""

import gc
import os
import shutil
import ssl
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.connect_proxy import Proxy
from tests.support.http_server import running
from tests.support.older_s3 import AGES, Age, older

from kubeferry.deployments.sandbox import credentials as pki
from kubeferry.tasks.core.errors import StoreUnavailableError, TransientError
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.cluster.connections import _proxy_of
from kubeferry.tasks.ports.cluster.kubeconfig import Server
from kubeferry.tasks.ports.local import processes
from kubeferry.tasks.ports.store import s3_client
from kubeferry.tasks.ports.store.open import open_store

pytestmark = pytest.mark.cluster
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
PASSWORD = "SECRET-of-the-proxy"


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def proxy(monkeypatch):
    """A proxy that the environment names; what it was asked for is in `seen`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.seen = []
    with running(server):
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}@127.0.0.1:{server.server_address[1]}")
        yield server


@pytest.fixture
def asked(sandbox_env, tmp_path):
    """Return a function that asks the API server for its version; it answers what host was asked."""
    path = shutil.copy(sandbox_env.kubeconfig, tmp_path)  # connections are kept by the path

    def ask():
        cluster = connect("kubeferry-a", path)
        assert cluster.version()
        host = urlsplit(cluster.host).netloc
        cluster.close()
        gc.collect()
        return host

    return ask


def hosts(proxy):
    return {host for host, _ in proxy.seen}


def test_the_api_server_is_reached_through_the_proxy_of_the_environment(asked, proxy):
    assert hosts(proxy) == set()
    assert {asked()} == hosts(proxy)
    assert all(basic for _, basic in proxy.seen)


@pytest.mark.parametrize(
    ("url", "entries", "direct"),
    [
        ("https://api.shop.example:6443", "shop.example", True),
        ("https://api.shop.example:6443", " other.example , .shop.example", True),
        ("https://API.shop.example", "api.Shop.example", True),
        ("https://api.shop.example:6443", "shop.example:6443", True),
        ("https://api.shop.example:6443", "shop.example:443", False),
        ("https://workshop.example", "shop.example", False),
        ("https://[fd00::1]:6443", "fd00::/8", True),
        ("https://10.1.2.3:6443", "10.1.2.4/16", True),
        ("https://10.1.2.3:6443", "10.2.0.0/16,10.1.2", False),
        ("https://api.shop.example", "", False),
        ("https://api.shop.example", "*", True),
    ],
)
def test_an_entry_of_no_proxy_is_a_host_a_domain_or_a_network(monkeypatch, url, entries, direct):
    """golang.org/x/net/http/httpproxy, Config.NoProxy: what kubectl and client-go use."""
    monkeypatch.setenv("ALL_PROXY", "http://proxy:1")
    monkeypatch.setenv("NO_PROXY", entries)
    assert _proxy_of(Server(url)) == ("" if direct else "http://proxy:1")


@pytest.mark.parametrize("excepted", ["127.0.0.1", "10.0.0.0/8,127.0.0.0/8", "*"])
def test_what_no_proxy_names_is_reached_directly(asked, proxy, monkeypatch, excepted):
    monkeypatch.setenv("NO_PROXY", excepted)
    assert asked()
    assert proxy.seen == []


def test_a_proxy_that_is_not_there_is_named_without_its_password(asked, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}@127.0.0.1:{processes.free_port()}")
    with pytest.raises(TransientError) as caught:
        asked()
    assert "is out of reach: its proxy (proxy-url, or HTTPS_PROXY without NO_PROXY for it): [Errno 111]" in str(
        caught.value
    )
    assert PASSWORD not in str(caught.value)


# --- S3


@pytest.fixture
def tls(tmp_path, monkeypatch):
    """What a server on 127.0.0.1 proves itself with, to clients in this process."""
    pki.issue(tmp_path, "server", pki.new_authority(tmp_path, "ca"), ["127.0.0.1"])
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.crt"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    return context


@pytest.fixture(params=[None, *AGES])
def private(bucket_url, tls, request):
    """The URL of a store at an https endpoint, of a new server and of older ones, and what the server was asked for."""
    parts = urlsplit(bucket_url)
    upstream = urlsplit(parse_qs(parts.query)["endpoint"][0])
    age = AGES[request.param]() if request.param else Age()
    with older(upstream.hostname, upstream.port, age, tls) as endpoint:
        yield parts._replace(query=f"endpoint={endpoint}&region=us-east-1").geturl(), age
    plain = open_store(bucket_url)
    plain.delete([entry.key for entry in plain.list()])


def test_a_store_on_https_is_reached_through_the_proxy(private, proxy, tmp_path):
    """The library's own checksums would be trailers on https, which older servers do not know."""
    url, age = private
    store = open_store(url)
    store.check_writable()
    (tmp_path / "big").write_bytes(os.urandom(9 << 20))
    store.put_file("big", tmp_path / "big")
    store.get_file("big", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "big").read_bytes()
    assert store.put_new("one", b"1")
    assert not store.put_new("one", b"2")
    assert hosts(proxy) == {url.partition("https://")[2].partition("&")[0]}
    assert age.seen


@pytest.mark.parametrize("private", [None], indirect=True)
def test_a_store_that_no_proxy_names_is_reached_directly(private, proxy, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    open_store(private[0]).check_writable()
    assert proxy.seen == []


@pytest.mark.parametrize("private", [None], indirect=True)
def test_a_store_behind_a_proxy_that_is_not_there_is_named_without_the_password(private, monkeypatch):
    monkeypatch.setitem(s3_client.SETTINGS, "retries", {"mode": "standard", "total_max_attempts": 1})
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}@127.0.0.1:{processes.free_port()}")
    with pytest.raises(StoreUnavailableError, match="proxy") as caught:
        open_store(private[0]).check_writable()
    assert PASSWORD not in str(caught.value)
    assert "\n" not in str(caught.value)
