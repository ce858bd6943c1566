"""The credentials of a cluster: bearer tokens, kubeconfigs, keys and certificates, created once per cluster.

Each cluster has its own CA, so that every connection can be verified. Keys are elliptic (P-256), which are created in a
millisecond. The certificates have the extensions that Python's strict verification requires.
"""

from __future__ import annotations

import base64
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubeferry.deployments.sandbox import local
from kubeferry.tasks.ports.local import clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


MASTERS = "system:masters"

GROUPS = {
    "admin": MASTERS,
    "kwok": MASTERS,
    # Kubernetes itself binds the roles of these two at start, as on a real cluster.
    "system:kube-controller-manager": "",
    "system:kube-scheduler": "",
    # No role is bound to it: tests bind roles to it to act as a restricted user.
    "viewer": "",
}
"""User → its group, in addition to system:authenticated."""


def tokens(path: Path) -> dict[str, str]:
    """Return user → token, read from the token file `path`, which is created when it is absent or incomplete.

    Its format: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#static-token-file
    """
    known = read_tokens(path)
    if set(known) != set(GROUPS):
        known = {user: secrets.token_urlsafe(24) for user in GROUPS}
        lines = [f'{known[user]},{user},{user},"{group}"' for user, group in GROUPS.items()]
        local.write(path, "\n".join(lines) + "\n")
    return known


def read_tokens(path: Path) -> dict[str, str]:
    """Return user → token of the token file `path`; {} if it does not exist."""
    if not path.exists():
        return {}
    rows = [line.split(",") for line in path.read_text().splitlines()]
    return {row[1]: row[0] for row in rows if len(row) == len(("token", "user", "uid", "group"))}


def cluster_entry(name: str, server: str, ca: Path) -> dict[str, Any]:
    """Return the entry of a cluster in a kubeconfig, with its CA, so that its identity is always verified."""
    data = base64.b64encode(ca.read_bytes()).decode()
    return {"name": name, "cluster": {"server": server, "certificate-authority-data": data}}


def kubeconfig(clusters: list[dict[str, Any]], entries: Iterable[tuple[str, str, str]], current: str) -> str:
    """Return a kubeconfig with a context per entry (context name, cluster name, token) and `current` selected."""
    entries = list(entries)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": clusters,
        "users": [{"name": context, "user": {"token": token}} for context, _, token in entries],
        "contexts": [
            {"name": context, "context": {"cluster": cluster, "user": context}} for context, cluster, _ in entries
        ],
        "current-context": current,
    }
    return yaml.safe_dump(config, sort_keys=False)


LIFETIME = timedelta(days=3650)
HOURS_BACK = timedelta(hours=1)
"""Certificates are valid from an hour ago, since the clock of another machine may be behind."""

SERVER_NAMES = (
    "127.0.0.1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


PAIRS = ("ca", "server", "front-proxy-ca", "front-proxy")
MADE = frozenset({*(f"{name}.{end}" for name in PAIRS for end in ("crt", "key")), "sa.key", "sa.pub"})


@dataclass(frozen=True)
class Authority:
    """A CA that can sign."""

    key: ec.EllipticCurvePrivateKey
    cert: x509.Certificate


def ensure(folder: Path, service_ip: IPv4Address) -> None:
    """Create all keys of a cluster in `folder`; keep complete ones, replace all when one is missing.

    ca signs server certificates and CertificateSigningRequests; server; front-proxy-ca and front-proxy identify the API
    server to aggregated APIs; sa signs service account tokens. Each is NAME.crt and NAME.key; sa is sa.pub and sa.key.
    """
    if folder.is_dir():
        if {path.name for path in folder.iterdir()} >= MADE:
            return
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Path(tempfile.mkdtemp(prefix=".pki-", dir=folder.parent))
    try:
        authority = new_authority(draft, "ca")
        issue(draft, "server", authority, (*SERVER_NAMES, str(service_ip)))
        front = new_authority(draft, "front-proxy-ca")
        issue(draft, "front-proxy", front, ())
        account = ec.generate_private_key(ec.SECP256R1())
        save_key(draft / "sa.key", account)
        public = serialization.PublicFormat.SubjectPublicKeyInfo
        local.write(draft / "sa.pub", account.public_key().public_bytes(serialization.Encoding.PEM, public).decode())
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft)
        raise


def new_authority(folder: Path, name: str) -> Authority:
    """Create a self-signed CA as NAME.crt and NAME.key in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = common_name(f"kubeferry-sandbox-{name}")
    usage = key_usage(key_cert_sign=True, crl_sign=True, digital_signature=True)
    cert = (
        begun(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    save(folder, name, key, cert)
    return Authority(key, cert)


def issue(folder: Path, name: str, by: Authority, hosts: Sequence[str]) -> None:
    """Create a server certificate for `hosts`, or without hosts a client certificate, as NAME.crt and NAME.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    draft = (
        begun(common_name(name), by.cert.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
    )
    if hosts:
        draft = draft.add_extension(x509.SubjectAlternativeName([alternative(host) for host in hosts]), critical=False)
    save(folder, name, key, draft.sign(by.key, hashes.SHA256()))


def begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    """Return a builder with what all certificates here have in common."""
    now = clock.now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - HOURS_BACK)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def key_usage(*, digital_signature: bool, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    """Return a KeyUsage with only the named usages."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def common_name(name: str) -> x509.Name:
    """Return a subject with only a common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def alternative(host: str) -> x509.GeneralName:
    """Return `host` as a subject alternative name: an address or a DNS name."""
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def save(folder: Path, name: str, key: ec.EllipticCurvePrivateKey, cert: x509.Certificate) -> None:
    """Write NAME.crt and NAME.key."""
    local.write(folder / f"{name}.crt", cert.public_bytes(serialization.Encoding.PEM).decode())
    save_key(folder / f"{name}.key", key)


def save_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a private key, unencrypted and for this user only (local.write)."""
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    local.write(path, pem.decode())
