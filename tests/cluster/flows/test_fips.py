"""On a machine in FIPS mode, where OpenSSL refuses MD5 unless it is not for security, commands work.

The store is a server that needs MD5: it does not know SHA-256.
"""

import hashlib
import os
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.bench import B
from tests.support.older_s3 import AGES, older

from kubeferry.tasks.ports.store.open import open_store

FIPS = """
import hashlib, _hashlib

def refusing(real):
    def made(*args, **options):
        if options.get("usedforsecurity", True):
            raise ValueError("[digital envelope routines] unsupported")
        return real(*args, **options)
    return made

def named(real):
    def made(name, *args, **options):
        if name.lower() == "md5" and options.get("usedforsecurity", True):
            raise ValueError("[digital envelope routines] unsupported")
        return real(name, *args, **options)
    return made

hashlib.md5 = _hashlib.openssl_md5 = refusing(hashlib.md5)
hashlib.new = named(hashlib.new)
print("MD5 is refused", file=open(__file__ + ".loaded", "w"))
"""
"""What such a machine does, at the start of a process (`sitecustomize`)."""


@pytest.fixture
def old_store(sandbox_env):  # noqa: ARG001 - it sets the environment
    """The URL of a store on a server of before 2022."""
    parts = urlsplit(os.environ["KUBEFERRY_STORE"])
    upstream = urlsplit(parse_qs(parts.query)["endpoint"][0])
    with older(upstream.hostname, upstream.port, AGES["before 2022"]()) as endpoint:
        url = parts._replace(path=f"{parts.path.rstrip('/')}/fips", query=f"endpoint={endpoint}&region=us-east-1")
        yield url.geturl()
        store = open_store(url.geturl())
        store.delete([entry.key for entry in store.list()])


def test_a_backup_and_a_restore_work(bench, old_store, kubeferry_process, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(FIPS)
    ns, copy = bench.namespace("fips"), bench.name("fips")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {greeting: hello}}", ns)
    where = {"PYTHONPATH": str(tmp_path), "KUBEFERRY_STORE": old_store, "KUBECONFIG": bench.where["kubeconfig"]}
    for words in (
        ("backup", ns, "--name", "fips", "--context", "kubeferry-a"),
        ("restore", "fips", "--map", f"{ns}={copy}", "--context", B),
    ):
        code, _, err = kubeferry_process(*words, **where)
        assert code == 0, err
        assert "it is given an MD5 instead" in err
    assert (tmp_path / "sitecustomize.py.loaded").exists()
    assert bench.get("ConfigMap", copy, "settings", B)["data"] == {"greeting": "hello"}


def test_a_machine_without_any_md5_writes_too(old_store, monkeypatch):
    """OpenSSL without its default provider has none at all: then the request's signature has the SHA-256."""

    def refused(*_, **__):
        raise ValueError("[digital envelope routines] unsupported")

    monkeypatch.setattr(hashlib, "md5", refused)
    store = open_store(f"{old_store}")
    store.put("a", b"content")
    assert store.get("a") == b"content"
