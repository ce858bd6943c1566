"""What tests of bundles and deletions share: objects in two levels, a denial, what is in a namespace."""

from tests.support.bench import B

from kubeferry.tasks.core.errors import ForbiddenError, InvalidError
from kubeferry.tasks.core.formats.target.bundle import members_of

SOME = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {a: "1"}
---
apiVersion: v1
kind: Secret
metadata: {name: token, labels: {app: web}}
stringData: {password: first}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx, envFrom: [{secretRef: {name: token}}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
"""A Deployment that needs a Secret, and two objects that nobody needs."""

OWNED = """
apiVersion: v1
kind: Secret
metadata:
  name: owned
  labels: {{app: web}}
  ownerReferences: [{{apiVersion: {group}/v1, kind: Widget, name: boss, uid: {uid}, controller: true}}]
"""

DENIED = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  matchConstraints:
    resourceRules: [{{apiGroups: [{group}], apiVersions: ["*"], operations: [{verb}], resources: [{what}]}}]
  validations: [{{expression: "request.dryRun == true && object.metadata.name != 'probe'", message: no more}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec:
  policyName: {name}
  validationActions: [Deny]
  matchResources: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {ns}}}}}}}
"""

WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "probe"},
    "spec": {
        "selector": {"matchLabels": {"app": "probe"}},
        "template": {
            "metadata": {"labels": {"app": "probe"}},
            "spec": {"containers": [{"name": "probe", "image": "nginx"}]},
        },
    },
}


def deny_deployments(bench, ns, context=B):
    """Have the API server of a cluster refuse new Deployments in a namespace, and wait until it does."""
    bench.make(DENIED.format(name=ns, ns=ns, group="apps", verb="CREATE", what="deployments"), context=context)

    def denied():
        try:
            bench.clusters[context].create(bench.kind("Deployment", context=context), ns, WEB, dry_run=True)
        except (InvalidError, ForbiddenError):
            return True
        return False

    bench.until(denied)


def bundle(bench, ns, name, context=B):
    """Return a bundle."""
    return bench.get("Bundle.kubeferry.io", ns, name, context)


def bundles(bench, ns, context=B):
    """Return the names of all bundles of a namespace, sorted."""
    return sorted(each["metadata"]["name"] for each in bench.list("Bundle.kubeferry.io", ns, context))


def listed(live):
    """Return level → objects of what a bundle lists."""
    found = {}
    for member in members_of(live)[0]:
        found.setdefault(member.level, []).append(f"{member.ref.kind} {member.ref.name}")
    return found


def names(bench, ns, context=B):
    """Return `Kind name` of what there is in a namespace: of the kinds of these tests, and no more."""
    kinds = ("ConfigMap", "Secret", "Service", "ServiceAccount", "Deployment", "ReplicaSet", "Pod", "EndpointSlice")
    return sorted(f"{kind} {each['metadata']['name']}" for kind in kinds for each in bench.list(kind, ns, context))


ALWAYS = ["ConfigMap kube-root-ca.crt", "ServiceAccount default"]
"""What is in every namespace."""
