"""Restores under other names, volumes that are bound by hand, ports of nodes, and what a restore reports of itself."""

import base64
import json
import random

import pytest
from tests.support.bench import A, B, artifact, did, rested, touch

from kubeferry.tasks.core.errors import PreflightError, UsageError

PAIR = """
apiVersion: v1
kind: ServiceAccount
metadata: {{name: app}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: marker}}
data: {{was: {ns}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: friends}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}
subjects:
- {{kind: ServiceAccount, name: app, namespace: {other}}}
- {{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:serviceaccounts:{ns}"}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: friends}}
spec:
  podSelector: {{}}
  ingress:
  - from:
    - namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {other}}}}}
    - namespaceSelector:
        matchExpressions: [{{key: kubernetes.io/metadata.name, operator: In, values: [{ns}, elsewhere]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {ns}-viewer}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}
subjects: [{{kind: ServiceAccount, name: app, namespace: {ns}}}]
"""

VOLUMES = """
apiVersion: v1
kind: PersistentVolume
metadata: {{name: {ns}-static}}
spec:
  accessModes: [ReadWriteOnce]
  capacity: {{storage: 1Gi}}
  storageClassName: ""
  hostPath: {{path: /tmp/none}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: static}}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  volumeName: {ns}-static
  resources: {{requests: {{storage: 1Gi}}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: dynamic}}
spec: {{accessModes: [ReadWriteOnce], storageClassName: standard, resources: {{requests: {{storage: 1Gi}}}}}}
"""

SERVICE = """
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{type: NodePort, selector: {{app: web}}, ports: [{{port: 80, nodePort: {port}}}]}}
"""


@pytest.fixture(scope="module")
def pair(bench):
    """Two namespaces on A that name each other, in one backup."""
    one, two = bench.namespace(), bench.namespace()
    bench.make(PAIR.format(ns=one, other=two), one)
    bench.make(PAIR.format(ns=two, other=one), two)
    return one, two, bench.backup(one, two)


def facing(bench, ns, context):
    """Return every namespace that the objects of a pair name."""
    policy = bench.get("NetworkPolicy", ns, "friends", context)["spec"]["ingress"][0]["from"]
    account, group = bench.get("RoleBinding", ns, "friends", context)["subjects"]
    return [
        account["namespace"],
        group["name"],
        policy[0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"],
        policy[1]["namespaceSelector"]["matchExpressions"][0]["values"],
    ]


def test_two_namespaces_change_places(bench, pair):
    one, two, saved = pair
    result = bench.restore(saved, map={one: two, two: one})
    for binding in (f"{one}-viewer-{two}", f"{two}-viewer-{one}"):
        bench.forget("ClusterRoleBinding", binding)
    assert (result.phase, result.namespaces) == ("Completed", {one: two, two: one})
    for old, new in ((one, two), (two, one)):
        assert bench.get("ConfigMap", new, "marker", B)["data"] == {"was": old}
        assert facing(bench, new, B) == [old, f"system:serviceaccounts:{new}", old, [new, "elsewhere"]]
        (subject,) = bench.get("ClusterRoleBinding", "", f"{old}-viewer-{new}", B)["subjects"]
        assert subject["namespace"] == new
    rewrites = {(each.object, each.old, each.new) for each in result.rewrites}
    assert (f"NetworkPolicy.networking.k8s.io {one}/friends", two, one) in rewrites
    assert (f"ClusterRoleBinding.rbac.authorization.k8s.io {one}-viewer", one, two) in rewrites


def test_a_clone_leaves_every_original_as_it_was(bench, pair):
    one, two, saved = pair
    copies = {one: bench.name(), two: bench.name()}
    before = rested(bench, A, one, two)
    bindings = [bench.get("ClusterRoleBinding", "", f"{ns}-viewer") for ns in (one, two)]
    result = bench.restore(saved, context=A, map=copies)
    for ns, copy in copies.items():
        bench.forget("ClusterRoleBinding", f"{ns}-viewer-{copy}", A)
    assert result.namespaces == copies
    new, other = copies[one], copies[two]
    assert facing(bench, new, A) == [other, f"system:serviceaccounts:{new}", other, [new, "elsewhere"]]
    assert bench.get("ClusterRoleBinding", "", f"{one}-viewer-{new}")["subjects"][0]["namespace"] == new
    assert [bench.get("ClusterRoleBinding", "", f"{ns}-viewer") for ns in (one, two)] == bindings
    assert touch(bench, A, one, two) == before


def test_half_a_pair_shows_what_the_other_half_would_become(bench, pair):
    one, two, saved = pair
    before = rested(bench, A, one, two)
    with pytest.raises(PreflightError, match=f"RoleBinding.* {two}/friends exists with other content: subjects"):
        bench.restore(saved, context=A, map={one: bench.name()})
    assert touch(bench, A, one, two) == before


@pytest.mark.parametrize("wrong", ["two into one", "onto the other", "unknown"])
def test_names_that_cannot_be(bench, pair, wrong):
    one, two, saved = pair
    names, message = {
        "two into one": ({one: f"{one}-x", two: f"{one}-x"}, f"would both become {one}-x"),
        "onto the other": ({one: two}, f"would both become {two}"),
        "unknown": ({"atlantis": "x"}, f"holds no namespace atlantis; it holds {', '.join(sorted([one, two]))}"),
    }[wrong]
    with pytest.raises(UsageError, match=message):
        bench.restore(saved, context=A, map=names)
    assert bench.find("Namespace", "", f"{one}-x") is None


def test_a_binding_by_hand_is_kept_and_a_dynamic_claim_is_provisioned_again(bench):
    ns = bench.namespace()
    bench.make(VOLUMES.format(ns=ns), ns)
    old = {name: bench.ready("PersistentVolumeClaim", ns, name) for name in ("static", "dynamic")}
    result = bench.restore(bench.backup(ns))
    bench.forget("PersistentVolume", f"{ns}-static")
    new = {name: bench.ready("PersistentVolumeClaim", ns, name, context=B) for name in ("static", "dynamic")}
    assert new["static"]["spec"]["volumeName"] == f"{ns}-static"
    volume = bench.get("PersistentVolume", "", f"{ns}-static", B)
    assert volume["spec"]["claimRef"]["uid"] == new["static"]["metadata"]["uid"]
    assert new["dynamic"]["spec"]["volumeName"] != old["dynamic"]["spec"]["volumeName"]
    assert bench.find("PersistentVolume", "", old["dynamic"]["spec"]["volumeName"], B) is None
    assert (result.phase, result.counts["PersistentVolume"]) == ("Completed", 1)


ASKED_FOR = random.sample(range(30000, 30080), 80)
"""Ports that a cluster hands out last to who asks for none (KEP-3668), in a random order."""


def node_ports(bench, context):
    return [
        port.get("nodePort") for each in bench.list("Service", "", context) for port in each["spec"].get("ports", [])
    ]


def test_a_node_port_is_kept_where_it_is_free(bench):
    ns, copy = bench.namespace(), bench.name()
    port = next(each for each in ASKED_FOR if each not in {*node_ports(bench, A), *node_ports(bench, B)})
    bench.make(SERVICE.format(port=port), ns)
    saved = bench.backup(ns)
    beside, across = bench.restore(saved, context=A, map={ns: copy}), bench.restore(saved)
    assert bench.get("Service", ns, "web", B)["spec"]["ports"][0]["nodePort"] == port
    assert bench.get("Service", copy, "web", A)["spec"]["ports"][0]["nodePort"] not in (port, None)
    (rewrite,) = beside.rewrites
    assert (rewrite.object, rewrite.old, rewrite.new) == (f"Service {copy}/web", str(port), "")
    assert rewrite.why == f"used by Service {ns}/web: the target allocates another"
    assert across.rewrites == []


def test_what_a_restore_reports_of_itself_is_true_and_holds_no_secret(bench, prefect_server):
    ns = bench.namespace()
    bench.make("{apiVersion: v1, kind: Secret, metadata: {name: db}, stringData: {password: correct-horse}}", ns)
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {a: '1'}}", ns)
    saved = bench.backup(ns)
    copy = bench.namespace()
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {a: '2'}}", copy)
    bench.make("{apiVersion: v1, kind: Secret, metadata: {name: db}, stringData: {password: battery-staple}}", copy)
    result = bench.restore(saved, context=A, map={ns: copy}, existing="update", name=f"again-{copy}")
    assert (result.name, result.backup, result.cluster) == (f"again-{copy}", saved.name, A)
    assert result.namespaces == {ns: copy}
    assert result.counts == {"ConfigMap": 1, "Namespace": 1, "Secret": 1, "ServiceAccount": 1}
    assert result.actions == {"updated": 2, "unchanged": 2}
    assert did(result, "Secret", "db") == "updated had other content: data.password"
    assert result.levels >= 1
    assert (result.problems, result.left_out, result.not_ready) == ([], [], [])
    text, table = (artifact(prefect_server, f"restore-again-{copy}{more}") for more in ("", "-objects"))
    assert f"- namespaces: {ns} → {copy}" in text["data"]
    assert {"type": "Secret", "restored": 1, "left out": "", "why": ""} in json.loads(table["data"])
    everything = json.dumps([text, table, result.model_dump(mode="json")])
    for value in ("correct-horse", "battery-staple"):
        assert value not in everything
        assert base64.b64encode(value.encode()).decode() not in everything
