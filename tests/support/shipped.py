"""The manifests for Kubernetes that are shipped, and their accounts on a sandbox."""

import base64
import http.client
import json
import shutil
import ssl
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import yaml
from tests.support.bench import A

MANIFESTS = Path(__file__).parents[2] / "deployments" / "kubernetes"
LABEL = "kubeferry.io/aggregate-to-"


def rendered(kubectl, folder, **own):
    """Return the manifests as `kubectl kustomize` makes them for an overlay of one's own."""
    whole = folder / "manifests"
    if not whole.exists():
        shutil.copytree(MANIFESTS, whole)
    # As JSON: Kustomize reads a suffix such as -12e345 as a number, which PyYAML does not quote.
    (whole / "kustomization.yaml").write_text(json.dumps(own))
    return kubectl("kustomize", str(whole), context=A)


def cluster_wide(text):
    """Return the objects of manifests that are in no namespace, and are none.

    To some of them kustomize gives a namespace all the same, which kubectl ignores.
    """
    wide = ("Cluster", "ValidatingAdmissionPolicy")
    return [each for each in yaml.safe_load_all(text) if each["kind"].startswith(wide)]


class Answer(NamedTuple):
    """What the API server answered."""

    status: int
    text: str

    @property
    def message(self):
        return json.loads(self.text).get("message", "")


class Cast:
    """The accounts of the overlay `jobs`, under names of this module's own."""

    def __init__(self, namespace, suffix, kubectl, kubeconfig, folder):
        self.namespace, self.suffix, self._kubectl, self._folder = namespace, suffix, kubectl, folder
        self._whole = yaml.safe_load(Path(kubeconfig).read_text())

    def kubectl(self, *args, **more):
        return self._kubectl(*args, context=A, **more)

    def install(self, text):
        """Apply manifests; the labels by which ClusterRoles are aggregated are those of this module alone."""
        text = text.replace(LABEL, f"{self.suffix}.{LABEL}")
        self.kubectl("apply", "--server-side", "--warnings-as-errors", "-f", "-", text=text)

    def kubeconfig(self, account):
        """Return the path of a kubeconfig with a token of an account, and nothing else."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [self._cluster()],
            "users": [{"name": account, "user": {"token": self.token(account)}}],
            "contexts": [{"name": account, "context": {"cluster": self._cluster()["name"], "user": account}}],
        }
        path = self._folder / f"{account}-{len(list(self._folder.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump(config))
        return str(path)

    def _cluster(self):
        (context,) = [each["context"] for each in self._whole["contexts"] if each["name"] == A]
        (cluster,) = [each for each in self._whole["clusters"] if each["name"] == context["cluster"]]
        return cluster

    def token(self, account):
        return self.kubectl("create", "token", self._named(account), "--namespace", self.namespace).strip()

    def _named(self, account):
        return f"{account}-{self.suffix}" if self.suffix else account

    def admin(self):
        """Return the token of the sandbox's administrator."""
        (context,) = [each["context"] for each in self._whole["contexts"] if each["name"] == A]
        (user,) = [each["user"] for each in self._whole["users"] if each["name"] == context["user"]]
        return user["token"]

    def user(self, account):
        return f"system:serviceaccount:{self.namespace}:{self._named(account)}"

    @contextmanager
    def requests(self, token):
        """Yield a function that sends a request with a token, as any program would, and returns the answer."""
        cluster = self._cluster()["cluster"]
        where = urlsplit(cluster["server"])
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        trusted = ssl.create_default_context(cadata=authority)
        connection = http.client.HTTPSConnection(where.hostname, where.port, context=trusted, timeout=30)

        def send(method, path, body=None, **headers):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} | headers
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            return Answer(answer.status, text)

        try:
            yield send
        finally:
            connection.close()

    def narrow(self, bench, account, verbs, without):
        """Give an account the same verbs for each type by name, but for those in `without`."""
        kinds = {(t.group, t.resource) for t in bench.clusters[A].discover().types}
        groups = {group: sorted(r for g, r in kinds if g == group and r not in without) for group, _ in kinds}
        rules = [{"apiGroups": [g], "resources": found, "verbs": verbs} for g, found in sorted(groups.items()) if found]
        bench.patch("ClusterRole", "", f"{account}-builtin-{self.suffix}", {"rules": rules})
        bench.until(lambda: all(self.denied(account, resource) for resource in without))

    def drop(self, bench, account):
        """Take away the rules that `kubeferry doctor --rules` added, if any."""
        if bench.find("ClusterRole", "", f"{account}-cluster-{self.suffix}"):
            bench.delete("ClusterRole", "", f"{account}-cluster-{self.suffix}")

    def denied(self, account, resource):
        """Return whether the API server's authorizer has seen that a right is gone."""
        return not self.allowed(account, "list", resource)

    def allowed(self, account, verb, resource, group="", namespace=""):
        attributes = {"verb": verb, "resource": resource, "group": group, "namespace": namespace}
        asked = {"user": self.user(account), "resourceAttributes": attributes}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": asked}
        answer = self.kubectl("create", "-f", "-", "-o", "json", text=yaml.safe_dump(review))
        return yaml.safe_load(answer)["status"]["allowed"]
