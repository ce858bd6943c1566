"""The manifests for Kubernetes that are shipped, and their accounts on a sandbox."""

from pathlib import Path

import yaml
from tests.support.bench import A

MANIFESTS = Path(__file__).parents[2] / "deployments" / "kubernetes"


class Cast:
    """The accounts of the overlay `jobs`, under names of this module's own."""

    def __init__(self, namespace, suffix, kubectl, kubeconfig, folder):
        self.namespace, self.suffix, self._kubectl, self._folder = namespace, suffix, kubectl, folder
        self._whole = yaml.safe_load(Path(kubeconfig).read_text())

    def kubectl(self, *args, **more):
        return self._kubectl(*args, context=A, **more)

    def kubeconfig(self, account):
        """Return the path of a kubeconfig with a token of an account, and nothing else."""
        token = self.kubectl("create", "token", f"{account}-{self.suffix}", "--namespace", self.namespace).strip()
        (context,) = [each["context"] for each in self._whole["contexts"] if each["name"] == A]
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [each for each in self._whole["clusters"] if each["name"] == context["cluster"]],
            "users": [{"name": account, "user": {"token": token}}],
            "contexts": [{"name": account, "context": {"cluster": context["cluster"], "user": account}}],
        }
        path = self._folder / f"{account}-{len(list(self._folder.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump(config))
        return str(path)

    def narrow(self, bench, account, verbs, without):
        """Give an account the same verbs for each type by name, but for those in `without`."""
        kinds = {(t.group, t.resource) for t in bench.clusters[A].discover().types}
        groups = {group: sorted(r for g, r in kinds if g == group and r not in without) for group, _ in kinds}
        rules = [{"apiGroups": [g], "resources": found, "verbs": verbs} for g, found in sorted(groups.items()) if found]
        bench.patch("ClusterRole", "", f"{account}-{self.suffix}", {"rules": rules})
        bench.until(lambda: all(self.denied(account, resource) for resource in without))

    def denied(self, account, resource):
        """Return whether the API server's authorizer has seen that a right is gone."""
        user = f"system:serviceaccount:{self.namespace}:{account}-{self.suffix}"
        asked = {"user": user, "resourceAttributes": {"verb": "list", "resource": resource}}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": asked}
        answer = self.kubectl("create", "-f", "-", "-o", "json", text=yaml.safe_dump(review))
        return not yaml.safe_load(answer)["status"]["allowed"]
