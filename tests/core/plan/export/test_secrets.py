"""Secrets in an export: an ExternalSecret that makes the same one, and values as SOPS encrypts them."""

import base64
import hashlib
import json
import re
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kubeferry.tasks.core.plan.export.secrets import SecretStore, confidential, external_secret
from kubeferry.tasks.core.plan.export.sops import Recipient, encrypted

NOW = datetime(2026, 6, 1, 12, 0, 5, tzinfo=UTC)
KEY = bytes(range(32))
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "type": "kubernetes.io/tls",
    "immutable": True,
    "metadata": {"name": "tls", "namespace": "shop", "labels": {"app": "web"}},
    "data": {"tls.crt": "Y2VydA==", "tls.key": "a2V5", "empty": ""},
}
ENC = re.compile(r"ENC\[AES256_GCM,data:(?P<data>[^,]*),iv:(?P<iv>[^,]+),tag:(?P<tag>[^,]+),type:str\]")


def nonces():
    count = 0

    def fresh(size):
        nonlocal count
        count += 1
        return count.to_bytes(size, "big")

    return fresh


def opened(text, about, key=KEY):
    """Decrypt as SOPS does (aes/cipher.go), written from its source and not from ours."""
    parts = {name: base64.b64decode(part) for name, part in ENC.fullmatch(text).groupdict().items()}
    return AESGCM(key).decrypt(parts["iv"], parts["data"] + parts["tag"], about.encode()).decode()


def test_an_external_secret_makes_the_same_secret():
    assert external_secret(SECRET, SecretStore("vault", "ClusterSecretStore")) == {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "tls", "namespace": "shop"},
        "spec": {
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"},
            "target": {
                "name": "tls",
                "immutable": True,
                "template": {"metadata": {"labels": {"app": "web"}}, "type": "kubernetes.io/tls"},
            },
            "data": [
                {"secretKey": key, "remoteRef": {"key": "shop/tls", "property": key}}
                for key in ("empty", "tls.crt", "tls.key")
            ],
        },
    }
    plain = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "b"}, "data": {"k": "dg=="}}
    assert external_secret(plain, SecretStore("s"))["spec"]["target"] == {"name": "a"}


@pytest.mark.parametrize(
    ("obj", "is_so"),
    [
        (SECRET, True),
        (SECRET | {"data": {}}, False),
        ({key: SECRET[key] for key in SECRET if key != "data"}, False),
        (SECRET | {"kind": "ConfigMap"}, False),
        (SECRET | {"apiVersion": "example.com/v1"}, False),
        (SECRET | {"data": None, "stringData": {"a": "b"}}, True),
    ],
)
def test_only_a_secret_with_content_is_confidential(obj, is_so):
    assert confidential(obj) == is_so


def test_values_alone_are_encrypted_and_each_is_bound_to_its_place():
    found = encrypted(SECRET, KEY, [Recipient("age1x", "ARMOR")], NOW, nonces())
    assert {key: found[key] for key in found if key not in ("data", "sops")} == {
        key: SECRET[key] for key in SECRET if key != "data"
    }
    assert opened(found["data"]["tls.key"], "data:tls.key:") == "a2V5"
    with pytest.raises(InvalidTag):
        opened(found["data"]["tls.key"], "data:tls.crt:")
    assert found["data"]["empty"] == ""
    assert not [each for each in ("a2V5", "Y2VydA==") if each in json.dumps(found)]


def test_the_mac_covers_all_values_in_their_order_and_the_time():
    found = encrypted(SECRET, KEY, [Recipient("age1x", "ARMOR")], NOW, nonces())["sops"]
    assert found["lastmodified"] == "2026-06-01T12:00:05Z"
    begun = bytes.fromhex("8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69")  # sops.go
    wanted = hashlib.sha512(begun + b"Y2VydA==" + b"a2V5" + b"").hexdigest().upper()
    assert opened(found["mac"], "2026-06-01T12:00:05Z") == wanted
    assert (found["mac_only_encrypted"], found["encrypted_regex"]) == (True, "^(data|stringData)$")
    assert found["age"] == [{"recipient": "age1x", "enc": "ARMOR"}]


def test_no_nonce_is_used_twice():
    found = encrypted(SECRET, KEY, [Recipient("age1x", "ARMOR")], NOW, nonces())
    used = [ENC.fullmatch(each)["iv"] for each in [*found["data"].values(), found["sops"]["mac"]] if each]
    assert len(set(used)) == len(used) == 3
