"""ServiceAccounts without rights, each with a kubeconfig of its own: what one test grants, no other test has.

And waits until rights are in force: an API server's authorizer sees a role a moment after it is written.
"""

import json
from pathlib import Path

import yaml
from tests.support.bench import A

from kubeferry.tasks.ports.cluster.client import connect


def account(bench, ns, folder, context=A, called=""):
    """Make an account in a namespace that is there; return it as a subject of bindings, and options that name it.

    `called` is the name of its context: that of the cluster and the namespace by default.
    """
    called = called or f"{context}-{ns}"
    bench.make("{apiVersion: v1, kind: ServiceAccount, metadata: {name: limited}}", ns, context)
    path = f"/api/v1/namespaces/{ns}/serviceaccounts/limited/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = bench.clusters[context].request("POST", path, body=json.dumps(asked).encode()).json()["status"]["token"]
    config = yaml.safe_load(Path(bench.where["kubeconfig"]).read_text(encoding="utf-8"))
    found = next(each["context"] for each in config["contexts"] if each["name"] == context)
    config["users"] = [{"name": "limited", "user": {"token": token}}]
    config["contexts"] = [{"name": called, "context": found | {"user": "limited"}}]
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config | {"current-context": called}), encoding="utf-8")
    return {"kind": "ServiceAccount", "name": "limited", "namespace": ns}, {"context": called, "kubeconfig": str(path)}


def until_allowed(bench, verb, kind, namespace="", *, context, kubeconfig=""):
    """Wait until who a context stands for may do something with objects of a type in a namespace, or everywhere."""
    found = connect(context, kubeconfig or bench.where["kubeconfig"])
    try:
        bench.until(lambda: found.allowed(verb, bench.kind(kind), namespace))
    finally:
        found.close()


def may_view(bench, ns):
    """Let the sandbox's user without rights see a namespace of A, but not its Secrets; return its context."""
    role = bench.name("viewer")
    subject = "subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}]"
    ref = "roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {}}}"
    api = "apiVersion: rbac.authorization.k8s.io/v1"
    rules = "rules: [{apiGroups: [''], resources: [namespaces], verbs: [get, list]}]"
    bench.make(f"{{{api}, kind: ClusterRole, metadata: {{name: {role}}}, {rules}}}")
    bench.make(f"{{{api}, kind: ClusterRoleBinding, metadata: {{name: {role}}}, {ref.format(role)}, {subject}}}")
    bench.make(f"{{{api}, kind: RoleBinding, metadata: {{name: {role}}}, {ref.format('view')}, {subject}}}", ns)
    until_allowed(bench, "list", "ConfigMap", ns, context=f"{A}-viewer")
    until_allowed(bench, "list", "Namespace", context=f"{A}-viewer")
    return f"{A}-viewer"
