"""A restore outlives its tokens: each is revoked soon after it was issued, as one of ten minutes ends in hours."""

import json
import sys
import threading
from pathlib import Path

import pytest
import yaml
from tests.support.bench import B

from kubeferry.tasks.core.errors import CredentialsError, KubeferryError
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.open import open_store

ISSUER = f"""#!{sys.executable}
import json, os, pathlib, ssl, urllib.request, uuid
folder = pathlib.Path(__file__).parent
own = json.loads((folder / "issuer.json").read_text())
tls = ssl.create_default_context(cadata=own["ca"])

def ask(path, obj=None, token=own["token"]):
    headers = {{"Authorization": "Bearer " + token, "Content-Type": "application/json"}}
    asked = urllib.request.Request(own["server"] + path, obj and json.dumps(obj).encode(), headers)
    return json.load(urllib.request.urlopen(asked, context=tls, timeout=20))

name = "anchor-" + uuid.uuid4().hex[:8]
spaces = "/api/v1/namespaces/" + own["ns"]
secret = ask(spaces + "/secrets", {{"apiVersion": "v1", "kind": "Secret", "metadata": {{"name": name}}}})
bound = {{"apiVersion": "v1", "kind": "Secret", "name": name, "uid": secret["metadata"]["uid"]}}
spec = {{"expirationSeconds": 600, "boundObjectRef": bound}}
review = {{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}}
token = ask(spaces + "/serviceaccounts/restorer/token", review)["status"]["token"]
ask("/version", token=token)
with (folder / "issued").open("a") as file:
    file.write(name + " " + token + "\\n")
status = {{"token": token}}
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}}))
"""
"""Issues a real token of an account, bound to a Secret: it is refused once that Secret is gone.

The server has accepted it by then, and so it does for 10 s, however soon the Secret goes.
"""

STUCK = """
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: settings}}, data: {{a: "1"}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{nodeSelector: {{{label}: x}}, containers: [{{name: web, image: web}}]}}
"""


@pytest.fixture
def issuer(bench, tmp_path):
    """A kubeconfig whose tokens come from ISSUER, as an administrator; `issued()` lists the anchors and tokens."""
    ns = bench.namespace("issuer", B)
    bench.make("{apiVersion: v1, kind: ServiceAccount, metadata: {name: restorer}}", ns, B)
    role = "{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}"
    bench.make(
        f"{{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {{name: {ns}}}, "
        f"roleRef: {role}, subjects: [{{kind: ServiceAccount, name: restorer, namespace: {ns}}}]}}",
        context=B,
    )
    found = yaml.safe_load(Path(bench.where["kubeconfig"]).read_text())
    server = next(each for each in found["clusters"] if each["name"] == B)
    token = next(each["user"]["token"] for each in found["users"] if each["name"] == B)
    folder = Path(bench.where["kubeconfig"]).parent / B / "pki"
    own = {"server": server["cluster"]["server"], "token": token, "ns": ns, "ca": (folder / "ca.crt").read_text()}
    (tmp_path / "issuer.json").write_text(json.dumps(own))
    (tmp_path / "issuer.py").write_text(ISSUER)
    (tmp_path / "issuer.py").chmod(0o700)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./issuer.py", "interactiveMode": "Never"}
    path = tmp_path / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": B,
                "clusters": [server],
                "users": [{"name": "u", "user": {"exec": run}}],
                "contexts": [{"name": B, "context": {"cluster": B, "user": "u"}}],
            }
        )
    )

    def issued():
        file = tmp_path / "issued"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    return ns, str(path), issued


@pytest.fixture
def revoked(bench, issuer):
    """Revoke each token at most two seconds after it was issued."""
    ns, _, issued = issuer
    stop, gone = threading.Event(), []

    def revoke():
        while not stop.wait(2):
            for name, _token in [each for each in issued() if each not in gone]:
                bench.delete("Secret", ns, name, B)
                gone.append([name, _token])

    thread = threading.Thread(target=revoke)
    thread.start()
    yield gone
    stop.set()
    thread.join()


def test_a_restore_and_its_rollback_outlive_their_tokens(bench, issuer, revoked, tmp_path):
    """An API server remembers a token for 10 s, and some are revoked only then; the wait is longer."""
    ns = bench.namespace()
    bench.make(STUCK.format(label=ns), ns)
    for node in bench.list("Node"):  # and none on the target
        bench.patch("Node", "", node["metadata"]["name"], {"metadata": {"labels": {ns: "x"}}})
    bench.ready("Deployment", ns, "web")
    saved, named = bench.backup(ns), bench.name("r")
    with pytest.raises(KubeferryError, match="web") as failed:
        bench.restore(saved, name=named, kubeconfig=issuer[1], wait_seconds=16, rollback_on_failure=True)
    result = failed.value.result
    assert (result.phase, result.taken_back.left) == ("Failed", [])
    assert result.taken_back.deleted >= 3
    stored = open_restore(open_store(bench.where["store"]), named)
    assert stored.state.end == "RolledBack"
    assert bench.find("Namespace", "", ns, B) is None
    assert len(revoked) >= 2
    assert refuses(issuer, revoked[0][1], tmp_path)


def refuses(issuer, token, folder):
    """Return whether the API server refuses a token: the oracle of this test."""
    config = yaml.safe_load(Path(issuer[1]).read_text())
    config["users"][0]["user"] = {"token": token}
    (folder / "revoked").write_text(yaml.safe_dump(config))
    cluster = connect(None, str(folder / "revoked"))
    try:
        cluster.revision()
    except CredentialsError:
        return True
    finally:
        cluster.close()
    return False
