"""Texts that name their own namespace, restored beside the original: each names the clone, or is left byte for byte."""

import pytest
import yaml
from tests.support.bench import A, B

# The texts of the case 90-operator-namespace; what stands in «» names the namespace and must follow it.
TEXTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: op}
---
apiVersion: v1
kind: Service
metadata: {name: hook}
spec: {selector: {app: op}, ports: [{port: 443}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  yaml-reference: |
    kind: ConfigMap
    name: settings
    namespace: «acme»
  json-selector: '[{"namespaceSelector":{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["«acme»"]}]}}]'
  mesh: |
    rootNamespace: «acme»
  json-key: '{"istioNamespace": "«acme»"}'
  path: kubernetes://apis/apps/v1/namespaces/«acme»/deployments/op
  api-path: /api/v1/namespaces/«acme»/services/hook
  promql: sum(rate(http_requests_total{namespace="«acme»"}[5m]))
  plain: acme is a word
  # more than the case has
  tables: CREATE TABLE hook.acme (id int)
  TOPIC: hook.acme
  HOOK_HOST: hook.«acme»
  url: https://hook.«acme»/v
  several.yaml: |
    # of acme
    kind:   Service   # aligned
    name:   "hook"
    namespace:   '«acme»'
    ---
    topic: hook.acme
    hosts:
    - hook.«acme»   # first
  vault.hcl: path "secret/data/acme/*" {}
  version: "1.2.3.4"
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: op}
spec:
  selector: {matchLabels: {app: op}}
  template:
    metadata: {labels: {app: op}}
    spec:
      serviceAccountName: op
      containers:
      - name: op
        image: op
        args:
        - --exempt-namespace=«acme»
        - --control-plane-namespace=«acme»
        - --namespace=«acme»
        - -linkerd-namespace=«acme»
        - --webhook-config=«acme»/settings
        - --name=acme
        env:
        - {name: LINKERD2_PROXY_IDENTITY_SVC_NAME, value: op.«acme».serviceaccount.identity.«acme».cluster.local}
        - {name: OWNER, value: "kubernetes://apis/apps/v1/namespaces/«acme»/deployments/op"}
        - {name: ROOT_NAMESPACE, value: «acme»}
        - {name: POD_NAMESPACE, value: «acme»}
        - {name: VAULT_NAMESPACE, value: acme}
"""  # noqa: E501 - as the case has it


def as_of(ns, marked):
    """Return the objects of a namespace `ns`, with `marked` where «acme» is."""
    return TEXTS.replace("«acme»", "«»").replace("acme", ns).replace("«»", marked)


def texts(ns, marked):
    """Return the texts of the ConfigMap, the words and the variables."""
    config, deployment = list(yaml.safe_load_all(as_of(ns, marked)))[2:]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return config["data"], container["args"], container["env"]


def found(bench, ns, context):
    (container,) = bench.get("Deployment", ns, "op", context)["spec"]["template"]["spec"]["containers"]
    return bench.get("ConfigMap", ns, "settings", context)["data"], container["args"], container["env"]


@pytest.fixture(scope="module")
def saved(bench):
    ns = bench.namespace("acme")
    bench.make(as_of(ns, ns), ns)
    bench.ready("Deployment", ns, "op")
    return ns, bench.backup(ns)


def test_beside_the_original_each_text_names_the_clone_or_is_left(bench, saved):
    ns, backup = saved
    clone = bench.name("clone")
    done = bench.restore(backup, A, map={ns: clone})
    assert done.phase.value == "Completed"
    assert found(bench, clone, A) == texts(ns, clone)
    assert found(bench, ns, A) == texts(ns, ns)
    rules = {each.rule for each in done.rewrites}
    assert {"reference", "selector", "namespaces", "path", "query", "setting", "account", "host"} <= rules


def test_under_its_own_name_nothing_changes(bench, saved):
    ns, backup = saved
    done = bench.restore(backup, B)
    assert done.phase.value == "Completed"
    assert found(bench, ns, B) == texts(ns, ns)
    assert [each for each in done.rewrites if each.old == ns] == []
