"""What stands outside of a namespace and belongs to it comes along, is shown with the reason, and is taken back."""

import contextlib
import json

import pytest
from tests.support.bench import A, B

from kubeferry.tasks.core.errors import ForbiddenError, NotFoundError

# Definitions, webhooks and cluster-wide roles, and objects in kube-system.
pytestmark = pytest.mark.exclusive

# The cases 90-operator-namespace and 09-rolebinding-elsewhere, with names of their own; of the first without the ConfigMap.
OPERATOR = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.acme.example}
spec:
  group: acme.example
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            x-kubernetes-preserve-unknown-fields: true
            description: For example `broker-0.broker.acme.svc.cluster.local`.
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.acme.example}
spec:
  group: acme.example
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: op, namespace: acme}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: acme-leader, namespace: kube-system}
rules: [{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: acme-leader, namespace: kube-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: acme-leader}
subjects: [{kind: ServiceAccount, name: op, namespace: acme}]
---
apiVersion: v1
kind: Service
metadata: {name: hook, namespace: acme}
spec: {selector: {app: op}, ports: [{port: 443}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: acme-hook}
webhooks:
- name: hook.acme.example
  failurePolicy: Ignore
  timeoutSeconds: 1
  sideEffects: None
  admissionReviewVersions: [v1]
  clientConfig: {service: {namespace: acme, name: hook, path: /v}}
  rules: [{apiGroups: [acme.example], apiVersions: ["*"], operations: [CREATE], resources: [gadgets]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: op, namespace: acme}
spec:
  selector: {matchLabels: {app: op}}
  template:
    metadata: {labels: {app: op}}
    spec: {serviceAccountName: op, containers: [{name: op, image: op}]}
"""
WIDGET = "{apiVersion: acme.example/v1, kind: Widget, metadata: {name: w, namespace: acme}, spec: {a: 1}}"

CRD, HOOK = "CustomResourceDefinition", "ValidatingWebhookConfiguration"


@pytest.fixture(scope="module")
def operator(bench):
    """The namespace of an operator, whose name is in everything that belongs to it."""
    ns = bench.namespace("acme")
    bench.make(OPERATOR.replace("acme", ns))
    bench.until(lambda: (f"{ns}.example", "Widget") in bench.clusters[A].discover().versions)
    bench.make(WIDGET.replace("acme", ns))
    bench.ready("Deployment", ns, "op")
    for name in (f"widgets.{ns}.example", f"gadgets.{ns}.example"):
        bench.forget(CRD, name, B)
    bench.forget(HOOK, f"{ns}-hook", B)
    yield ns
    for context in (A, B):
        for kind in ("RoleBinding", "Role"):
            for each in bench.list(kind, "kube-system", context):
                if each["metadata"]["name"].startswith(ns):
                    bench.delete(kind, "kube-system", each["metadata"]["name"], context)


@pytest.fixture(scope="module")
def saved(bench, operator):
    return bench.backup(operator)


@pytest.fixture(scope="module")
def manifest(kubeferry, saved, bench):
    code, out, err = kubeferry("show", saved.name, "--store", bench.where["store"], "-o", "json")
    assert code == 0, err
    return json.loads(out)


def reasons(manifest):
    return {
        (each["type"].partition(".")[0], each["namespace"], each["name"]): each["code"] for each in manifest["outside"]
    }


def test_a_backup_has_what_belongs_to_the_operator_and_says_why(operator, saved, manifest):
    ns = operator
    assert reasons(manifest) == {
        (CRD, "", f"widgets.{ns}.example"): "defines",
        (CRD, "", f"gadgets.{ns}.example"): "operator",
        (HOOK, "", f"{ns}-hook"): "calls-service",
        ("RoleBinding", "kube-system", f"{ns}-leader"): "gives-rights",
        ("Role", "kube-system", f"{ns}-leader"): "named",
    }
    assert (saved.phase.value, saved.namespaces) == ("Completed", [ns])


def test_show_lists_it_with_the_reason(kubeferry, operator, saved, bench):
    code, out, _ = kubeferry("show", saved.name, "--store", bench.where["store"])
    assert code == 0
    assert "Carried from outside the namespace" in out
    assert f"gives rights to ServiceAccount {operator}/op" in " ".join(out.split())
