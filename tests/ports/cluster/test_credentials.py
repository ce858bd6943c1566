"""Credentials over hours, on a real API server: impersonation, exec plugins, token files, certificates."""

import base64
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import uuid
from datetime import timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from tests.support.connect_proxy import Proxy
from tests.support.http_server import running

from kubeferry.deployments.sandbox import credentials as pki
from kubeferry.tasks.core.errors import CredentialsError, ForbiddenError, UnreachableError, UntrustedError
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.ports.cluster import credentials
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.cluster.kubeconfig import load
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.local.threads import in_threads

pytestmark = pytest.mark.cluster

CONFIGS = ResourceType("", "v1", "ConfigMap", "configmaps", namespaced=True)
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
V1 = "client.authentication.k8s.io/v1"
WRONG = "marked-wrong-token"

PLUGIN = f"""#!{sys.executable}
import json, os, pathlib, sys
folder = pathlib.Path(__file__).parent
with (folder / "asked").open("a") as file:
    file.write(os.environ["KUBERNETES_EXEC_INFO"] + "\\n")
count = len((folder / "asked").read_text().splitlines())
answers = json.loads((folder / "answers").read_text())
answer = answers[min(count, len(answers)) - 1]
if isinstance(answer, int):
    sys.exit(answer)
print(answer if isinstance(answer, str) else json.dumps(answer))
"""
"""Answers with the first of `answers` first, and in the end always with the last."""


@pytest.fixture
def real(sandbox_env):
    """The sandbox's own kubeconfig: its cluster and the token of its administrator."""
    found = yaml.safe_load(Path(sandbox_env.kubeconfig).read_text(encoding="utf-8"))
    of = {kind: {each["name"]: each[kind] for each in found[f"{kind}s"]} for kind in ("cluster", "user")}
    return of["cluster"]["kubeferry-a"], of["user"]["kubeferry-a"]["token"]


@pytest.fixture
def to(real, tmp_path):
    """Connect as a user to a cluster that is the sandbox's but for what is given."""
    opened = []

    def connected(user, **cluster):
        path = tmp_path / f"{uuid.uuid4().hex}.yaml"
        path.write_text(
            yaml.safe_dump(
                {
                    "current-context": "x",
                    "clusters": [{"name": "c", "cluster": real[0] | cluster}],
                    "users": [{"name": "u", "user": user}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                }
            )
        )
        opened.append(connect(None, str(path)))
        return opened[-1]

    yield connected
    for each in opened:
        each.close()


@pytest.fixture
def plugin(tmp_path):
    """Write a real exec plugin: it answers in turn; return its user entry, and how it was asked."""
    program = tmp_path / "plugin.py"
    program.write_text(PLUGIN)
    program.chmod(0o700)

    def made(*answers, **more):
        (tmp_path / "answers").write_text(json.dumps(answers))
        (tmp_path / "asked").write_text("")
        return {"exec": {"apiVersion": V1, "command": "./plugin.py", "interactiveMode": "Never"} | more}

    def asked():
        return [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]

    return made, asked


def credential(version=V1, **status):
    return {"apiVersion": version, "kind": "ExecCredential", "status": status}


def whoami(cluster):
    """Return the user info of whom the API server takes us for."""
    body = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).encode()
    return cluster.request("POST", REVIEWS, body=body).json()["status"]["userInfo"]


def later(**time):
    return (clock.now() + timedelta(**time)).isoformat()


# --- impersonation


def test_who_is_named_by_as_is_who_asks(to, real):
    extra = {"example.com/scopes": ["a", "b"], "Reason": ["x"]}
    groups = ["dev", "system:authenticated"]
    user = {"token": real[1], "as": "jané", "as-uid": "7", "as-groups": groups, "as-user-extra": extra}
    found = whoami(to(user))
    assert (found["username"], found["uid"], found["groups"]) == ("jané", "7", groups)
    assert {key: found["extra"][key] for key in ("example.com/scopes", "reason")} == {
        "example.com/scopes": ["a", "b"],
        "reason": ["x"],
    }


def test_a_backup_as_somebody_else_has_their_rights_only(to, real):
    """The token's user is an administrator; they may not read Secrets, nor watch."""
    cluster = to({"token": real[1], "as": "jane"})
    with pytest.raises(ForbiddenError, match='User "jane" cannot list resource "secrets"'):
        cluster.list(ResourceType("", "v1", "Secret", "secrets", namespaced=True), "default")
    with pytest.raises(ForbiddenError, match='User "jane" cannot watch'):
        list(cluster.watch(CONFIGS, "default", revision="0", seconds=1))


# --- exec plugins


def test_a_plugin_is_asked_once_and_told_what_it_wants_to_know(to, real, plugin):
    made, asked = plugin
    env = [{"name": "MARK", "value": "x"}]
    extensions = [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}]
    user = made(credential(token=real[1]), provideClusterInfo=True, env=env)
    cluster = to(user, extensions=extensions)
    assert asked() == [], "connecting asks for nothing"
    assert list(in_threads(lambda _: whoami(cluster)["username"], range(32), THREADS)) == ["admin"] * 32
    (info,) = asked()
    assert info == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {
            "interactive": False,
            "cluster": {
                "server": real[0]["server"],
                "certificate-authority-data": real[0]["certificate-authority-data"],
                "config": {"audience": "a"},
            },
        },
    }


def test_a_refused_token_is_renewed_once_for_all_threads(to, real, plugin):
    made, asked = plugin
    cluster = to(made(credential(token=WRONG), credential(token=real[1])))
    together = threading.Barrier(THREADS)

    def ask(_):
        together.wait(20)
        return whoami(cluster)["username"]

    assert list(in_threads(ask, range(THREADS), THREADS)) == ["admin"] * THREADS
    assert len(asked()) == 2


def test_a_token_that_stays_refused_is_renewed_once(to, plugin):
    made, asked = plugin
    cluster = to(made(credential(token=WRONG)))
    with pytest.raises(CredentialsError, match="401") as caught:
        whoami(cluster)
    assert len(asked()) == 2
    assert WRONG not in str(caught.value)


def test_what_was_refused_is_sent_again_whole(to, real, plugin):
    made, _ = plugin
    name = f"again-{uuid.uuid4().hex[:6]}"
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1" * 100_000}}
    cluster = to(made(credential(token=WRONG), credential(token=real[1])))
    stored, _ = cluster.create(CONFIGS, "default", obj)
    cluster.delete(CONFIGS, "default", name, uid=stored["metadata"]["uid"])
    assert stored["data"] == obj["data"]


def test_a_watch_that_was_refused_begins_again(to, real, plugin):
    made, _ = plugin
    cluster = to(made(credential(token=WRONG), credential(token=real[1])))
    assert list(cluster.watch(CONFIGS, "default", revision=to({"token": real[1]}).revision(), seconds=1)) is not None


def test_a_token_is_renewed_before_it_expires(to, real, plugin, monkeypatch):
    made, asked = plugin
    cluster = to(made(credential(token=real[1], expirationTimestamp=later(minutes=10))))
    whoami(cluster)
    whoami(cluster)
    assert len(asked()) == 1
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=9, seconds=30))
    whoami(cluster)
    assert len(asked()) == 2


def test_a_token_that_has_expired_is_not_sent(to, real, plugin):
    """The first would be accepted still: nobody may rely on that."""
    made, asked = plugin
    cluster = to(made(credential(token=real[1], expirationTimestamp=later(seconds=-5)), credential(token=WRONG)))
    whoami(cluster)
    with pytest.raises(CredentialsError):
        whoami(cluster)
    assert len(asked()) == 3, "once since it had expired, once since it was refused"


def test_a_plugin_that_fails_meanwhile_does_no_harm_until_the_end(to, real, plugin, monkeypatch):
    monkeypatch.setattr(credentials, "PAUSES", (0, 0))
    made, asked = plugin
    good = credential(token=real[1], expirationTimestamp=later(minutes=10))
    cluster = to(made(good, 1, 1, 1, 1, 1, good, 1))
    whoami(cluster)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=9, seconds=30))
    whoami(cluster)
    whoami(cluster)
    assert len(asked()) == 4, "it is not asked for each request"
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=11))
    whoami(cluster)
    with pytest.raises(CredentialsError, match=r"plugin\.py: it ended with exit code 1"):
        whoami(cluster)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (7, "exit code 7"),
        ("marked", "is not JSON"),
        ("[]", "no ExecCredential"),
        (credential("client.authentication.k8s.io/v1beta1", token="marked"), "no ExecCredential"),
        ({"apiVersion": V1, "kind": "ExecCredential"}, "neither a token nor"),
        (credential(clientKeyData="marked"), "only one of"),
        (credential(token="marked", expirationTimestamp="soon"), "is not a time"),
        (credential(token={"marked": 1}), "not strings"),
        (credential(token="marked\r\nX: y"), "characters that no token has"),
        (credential(clientCertificateData="marked", clientKeyData="marked"), "no pair of PEM"),
    ],
)
def test_a_plugin_that_does_not_answer_with_credentials_is_one_line(to, plugin, answer, says):
    made, _ = plugin
    cluster = to(made(answer, installHint="install\nit"))
    with pytest.raises(CredentialsError, match=says) as caught:
        whoami(cluster)
    assert "\n" not in str(caught.value)
    assert "marked" not in str(caught.value)
    assert "plugin.py" not in str(caught.value) or "install\\nit" in str(caught.value)


def test_a_plugin_that_is_not_there_or_has_to_ask_says_so(to, plugin):
    made, _ = plugin
    with pytest.raises(CredentialsError, match=r"nothing\.sh: it cannot be run: No such file.* \(get it\)"):
        whoami(to(made(1, command="./nothing.sh", installHint="get it")))
    with pytest.raises(CredentialsError, match="there is no terminal"):
        whoami(to(made(1, interactiveMode="Always")))


def test_a_plugin_is_not_heard_while_a_shell_completes_a_word(to, plugin, monkeypatch, capfd, tmp_path):
    made, _ = plugin
    (tmp_path / "loud.sh").write_text("#!/bin/sh\necho log in at https://login >&2\nexit 1\n")
    (tmp_path / "loud.sh").chmod(0o700)
    with pytest.raises(CredentialsError, match="exit code 1"):
        whoami(to(made(1, command="./loud.sh")))
    assert "log in at https://login" in capfd.readouterr().err
    monkeypatch.setenv("_KUBEFERRY_COMPLETE", "complete_bash")
    with pytest.raises(CredentialsError):
        whoami(to(made(1, command="./loud.sh")))
    assert capfd.readouterr().err == ""


def test_an_old_plugin_answers_in_its_version(to, real, plugin):
    made, asked = plugin
    old = "client.authentication.k8s.io/v1beta1"
    assert whoami(to(made(credential(old, token=real[1]), apiVersion=old)))["username"] == "admin"
    assert asked()[0]["apiVersion"] == old


# --- token files


def test_a_token_file_is_read_again_each_minute(to, real, tmp_path, monkeypatch):
    file = tmp_path / "token"
    file.write_text(f"{real[1]}\n")
    cluster = to({"tokenFile": "token", "token": WRONG})
    assert whoami(cluster)["username"] == "admin"
    viewer = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text(encoding="utf-8"))["users"]
    file.write_text(next(each["user"]["token"] for each in viewer if each["name"] == "kubeferry-a-viewer"))
    assert whoami(cluster)["username"] == "admin"
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=61))
    assert whoami(cluster)["username"] == "viewer"
    file.unlink()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=122))
    assert whoami(cluster)["username"] == "viewer", "as client-go: the last one is good until it is refused"


def test_a_token_file_is_read_again_when_the_server_refuses_it(to, real, tmp_path):
    file = tmp_path / "token"
    file.write_text(WRONG)
    cluster = to({"tokenFile": "token"})
    with pytest.raises(CredentialsError, match="401"):
        whoami(cluster)
    file.write_text(real[1])
    assert whoami(cluster)["username"] == "admin"
    file.unlink()
    with pytest.raises(CredentialsError, match=r"token: No such file"):
        whoami(to({"tokenFile": "token"}))


def test_the_account_of_a_pod_is_read_again(real, tmp_path, monkeypatch):
    """Kubernetes renews the token of a pod in its file before it expires, after 48 minutes by default."""
    (tmp_path / "token").write_text(WRONG)
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(real[0]["certificate-authority-data"]))
    host, _, port = real[0]["server"].removeprefix("https://").partition(":")
    monkeypatch.setattr("kubeferry.tasks.ports.cluster.kubeconfig.SERVICE_ACCOUNT", tmp_path)
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    cluster = connect()
    (tmp_path / "token").write_text(real[1])
    assert (cluster.name, whoami(cluster)["username"]) == ("in-cluster", "admin")
    cluster.close()


# --- certificates and connections


@pytest.fixture
def certified(sandbox_env, tmp_path, monkeypatch):
    """Sign a client certificate for a user; return it and its key. `left()` lists temporary files that were left."""
    folder = sandbox_env.home / "kubeferry-a" / "pki"
    own = load_pem_private_key((folder / "ca.key").read_bytes(), None)
    by = pki.Authority(own, x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes()))
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temp))

    def made(name):
        pki.issue(tmp_path, name, by, ())
        return (tmp_path / f"{name}.crt").read_text(), (tmp_path / f"{name}.key").read_text()

    return made, lambda: list(temp.rglob("*"))


def test_a_new_client_certificate_has_new_connections_and_leaves_no_file(to, plugin, certified, real):
    made, asked = plugin
    sign, left = certified
    users = [dict(zip(("clientCertificateData", "clientKeyData"), sign(name), strict=True)) for name in ("ann", "bob")]
    cluster = to(made(credential(**users[0], expirationTimestamp=later(seconds=-5)), credential(**users[1])))
    assert whoami(cluster)["username"] == "ann"
    assert whoami(cluster)["username"] == "bob"
    assert len(asked()) == 2
    cluster = to(made(credential(**users[0], token=WRONG), credential(token=real[1])))
    assert whoami(cluster)["username"] == "ann", "a certificate comes before a token"
    assert left() == []


def test_certificates_in_files_are_read_again_when_they_are_refused(to, certified, tmp_path):
    """As those of kubelets, which are renewed in their files."""
    sign, left = certified
    pki.issue(tmp_path, "mine", pki.new_authority(tmp_path, "unknown"), ())
    cluster = to({"client-certificate": "mine.crt", "client-key": "mine.key"})
    with pytest.raises(CredentialsError, match="401"):
        whoami(cluster)
    for kind, text in zip(("crt", "key"), sign("ann"), strict=True):
        (tmp_path / f"mine.{kind}").write_text(text)
    assert whoami(cluster)["username"] == "ann"
    (tmp_path / "mine.key").unlink()
    with pytest.raises(CredentialsError, match=r"mine\.key: No such file"):
        whoami(to({"client-certificate": "mine.crt", "client-key": "mine.key"}))
    assert left() == []


def test_a_key_with_a_password_is_refused_and_not_asked_for(to, certified, tmp_path):
    sign, left = certified
    certificate, key = sign("ann")
    own = load_pem_private_key(key.encode(), None)
    sealed = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"marked"))
    (tmp_path / "sealed.key").write_bytes(sealed)
    (tmp_path / "sealed.crt").write_text(certificate)
    with pytest.raises(CredentialsError, match="without a password"):
        whoami(to({"client-certificate": "sealed.crt", "client-key": "sealed.key"}))
    assert left() == []


def test_a_server_is_known_by_the_name_that_is_given(to, real):
    assert to({"token": real[1]}, **{"tls-server-name": "localhost"}).version()
    with pytest.raises(UntrustedError):
        to({"token": real[1]}, **{"tls-server-name": "other.example"}).version()


def test_the_proxy_of_a_cluster_is_used_whatever_the_environment_says(to, real, monkeypatch):
    """client-go: NO_PROXY is about the proxies of the environment."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.seen = []
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with running(server):
        url = f"http://jane:p%40ss@127.0.0.1:{server.server_address[1]}"
        cluster = to({"token": real[1]}, **{"proxy-url": url})
        assert whoami(cluster)["username"] == "admin"
        cluster.close()
        gc.collect()
    basic = base64.b64encode(b"jane:p@ss").decode()
    assert server.seen == [(real[0]["server"].removeprefix("https://"), f"Basic {basic}")]


@pytest.mark.parametrize("url", ["socks5://127.0.0.1:9", "http://127.0.0.1:9"])
def test_a_proxy_that_is_not_there_is_said_to_be(to, real, url, monkeypatch):
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda _: None)
    with pytest.raises(UnreachableError, match="its proxy"):
        whoami(to({"token": real[1]}, **{"proxy-url": url}))


def test_files_are_merged_as_kubectl_does(sandbox_env, tmp_path):
    """Measured: the official client lets the last file choose the current context, so another cluster than kubectl."""
    for name in ("one", "two"):
        parts = {
            kind: [{"name": each, kind[:-1]: value} for each in ("one", name)]
            for kind, value in (
                ("clusters", {"server": f"https://{name}.example"}),
                ("users", {"token": name}),
                ("contexts", {"cluster": name, "user": "one"}),
            )
        }
        parts = {kind: entries[1:] if name == "one" else entries for kind, entries in parts.items()}
        (tmp_path / name).write_text(yaml.safe_dump(parts | {"current-context": name}))
    (tmp_path / "empty").write_text("")
    where = os.pathsep.join(str(tmp_path / each) for each in ("none", "empty", "one", "two"))
    env = {**os.environ, **sandbox_env.env(), "KUBECONFIG": where}
    for context in ((), ("--context", "two")):
        argv = ["kubectl", "config", "view", "--raw", "--minify", "-o", "json", *context]
        told = json.loads(subprocess.run(argv, env=env, check=True, capture_output=True).stdout)
        found = load(where, context[1] if context else None)
        assert found.name == told["current-context"]
        assert found.server.url == told["clusters"][0]["cluster"]["server"]
        assert found.user.token == told["users"][0]["user"]["token"]
