"""Just beside what stripping takes: the same field on another object, or with other evidence, is its author's."""

import json

import pytest

from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED
from kubeferry.tasks.core.selection.policy import Policy
from kubeferry.tasks.core.transform.strip.portable import strip

TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount"


def made(api_version, kind, meta=None, **body):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", **(meta or {})}, **body}


def pod(account, volume, *, mounts=(TOKENS,), where="containers"):
    mounted = [{"name": volume, "mountPath": each} for each in mounts]
    spec = {
        "volumes": [{"name": volume, "secret": {"secretName": volume}}],
        where: [{"name": "a", "volumeMounts": mounted}],
    }
    return made("v1", "Pod", {"uid": "1"}, spec=spec | ({"serviceAccountName": account} if account else {}))


@pytest.mark.parametrize(
    ("account", "volume", "removed"),
    [
        ("robot", "robot-token-x7k2p", True),
        ("robot", "default-token-x7k2p", False),
        (None, "default-token-x7k2p", True),
        (None, "robot-token-x7k2p", False),
        ("a.b", "a.b-token-x7k2p", True),
        ("a.b", "axb-token-x7k2p", False),
        ("robot", "kube-api-access-x7k2p", True),
        ("robot", "kube-api-access-x7k2", False),
        ("robot", "kube-api-access-x7k2pp", False),
        ("robot", "kube-api-access-aeiou", False),
        ("robot", "my-kube-api-access-x7k2p", False),
    ],
)
def test_a_token_volume_is_that_of_the_pods_own_account_with_a_generated_name(account, volume, removed):
    assert ("volumes" not in strip(pod(account, volume))["spec"]) is removed


@pytest.mark.parametrize("where", ["containers", "initContainers"])
def test_a_token_volume_that_is_also_mounted_elsewhere_stays_with_all_its_mounts(where):
    before = pod("robot", "kube-api-access-x7k2p", mounts=(TOKENS, "/token"), where=where)
    assert strip(before)["spec"] == before["spec"]
    gone = strip(pod("robot", "kube-api-access-x7k2p", where=where))["spec"]
    assert gone == {where: [{"name": "a"}], "serviceAccountName": "robot"}


def test_zone_labels_are_taken_from_a_pod_only_where_a_node_had_it():
    labels = {"topology.kubernetes.io/zone": "a", "topology.kubernetes.io/region": "eu", "app": "x"}
    bound = made("v1", "Pod", {"uid": "1", "labels": labels}, spec={"nodeName": "node-1"})
    assert strip(bound)["metadata"]["labels"] == {"app": "x"}
    for unbound in (
        made("v1", "Pod", {"uid": "1", "labels": labels}, spec={}),
        made("v1", "Pod", {"labels": labels}, spec={"nodeName": "node-1"}),
    ):
        assert strip(unbound)["metadata"]["labels"] == labels


@pytest.mark.parametrize(
    ("api_version", "kind", "spec"),
    [
        ("batch/v1", "Job", {"selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}, "template": {}}),
        ("batch/v1", "Job", {"selector": {"matchLabels": {"a": "b"}}, "template": {}}),
        ("batch/v1", "Job", {"selector": {}, "template": {}}),
        ("batch/v1", "Job", {"template": {"metadata": {"labels": {"app": "x"}}}}),
        ("example.com/v1", "Job", {"selector": {"matchLabels": {"controller-uid": "1"}}}),
        (
            "apps/v1",
            "Deployment",
            {"template": {"spec": {"nodeName": "node-1", "priority": 5, "preemptionPolicy": "Never"}}},
        ),
        ("apps/v1", "Deployment", {"template": {"spec": {"serviceAccount": "a", "serviceAccountName": "a"}}}),
        ("v1", "Pod", {"serviceAccount": "a"}),
        ("v1", "Service", {"type": "ExternalName", "externalName": "db.example.com", "externalIPs": ["192.0.2.1"]}),
        ("v1", "Service", {"clusterIP": "None", "clusterIPs": ["None"], "ipFamilies": ["IPv6"]}),
        ("v1", "Service", {"loadBalancerIP": "192.0.2.7", "loadBalancerClass": "x", "ipFamilyPolicy": "SingleStack"}),
        ("v1", "PersistentVolume", {"claimRef": {"namespace": "shop", "name": "data"}, "nfs": {"server": "10.0.0.1"}}),
    ],
)
def test_what_an_author_wrote_into_a_live_object_stays(api_version, kind, spec):
    assert strip(made(api_version, kind, {"uid": "1"}, spec=spec))["spec"] == spec


def service(ports, *, applied=None, managed=(), health=None, meta=None):
    spec = {"ports": ports} | ({"healthCheckNodePort": health} if health else {})
    metadata = {"uid": "1"} | (meta or {})
    if applied is not None:
        copy = made("v1", "Service", spec=applied)
        metadata["annotations"] = {LAST_APPLIED: json.dumps(copy)}
    if managed:
        metadata["managedFields"] = [{"manager": "kubectl", "fieldsV1": each} for each in managed]
    return made("v1", "Service", metadata, spec=spec)


def owns(port, protocol, *fields):
    return {"f:spec": {"f:ports": {f'k:{{"port":{port},"protocol":"{protocol}"}}': {field: {} for field in fields}}}}


LIVE = {"port": 80, "protocol": "TCP", "nodePort": 30080}


@pytest.mark.parametrize(
    ("port", "evidence", "stays"),
    [
        (LIVE, {}, False),
        (LIVE, {"applied": {"ports": [{"port": 80, "nodePort": 30080}]}}, True),
        (LIVE, {"applied": {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]}}, True),
        (
            {"port": 80, "nodePort": 30080},
            {"applied": {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]}},
            True,
        ),
        (LIVE, {"applied": {"ports": [{"port": 80, "protocol": "UDP", "nodePort": 30080}]}}, False),
        (LIVE, {"applied": {"ports": [{"port": 81, "nodePort": 30080}]}}, False),
        (LIVE, {"applied": {"ports": [{"port": 80, "nodePort": 30081}]}}, False),
        (LIVE, {"applied": {"ports": [{"port": 80}]}}, False),
        (LIVE, {"applied": {"ports": None}}, False),
        (LIVE, {"managed": [owns(80, "TCP", "f:port", "f:nodePort")]}, True),
        (LIVE, {"managed": [{"f:spec": {}}, owns(80, "TCP", "f:nodePort")]}, True),
        (LIVE, {"managed": [owns(80, "TCP", "f:port")]}, False),
        (LIVE, {"managed": [owns(80, "UDP", "f:nodePort")]}, False),
        (LIVE, {"managed": [owns(81, "TCP", "f:nodePort")]}, False),
    ],
)
def test_a_node_port_stays_where_somebody_set_that_very_one(port, evidence, stays):
    assert ("nodePort" in strip(service([port], **evidence))["spec"]["ports"][0]) is stays


@pytest.mark.parametrize(
    ("evidence", "stays"),
    [
        ({}, False),
        ({"applied": {"healthCheckNodePort": 31555}}, True),
        ({"applied": {"healthCheckNodePort": 31556}}, False),
        ({"managed": [{"f:spec": {"f:healthCheckNodePort": {}}}]}, True),
        ({"managed": [{"f:spec": {"f:type": {}}}]}, False),
    ],
)
def test_a_health_check_port_stays_where_somebody_set_that_very_one(evidence, stays):
    assert ("healthCheckNodePort" in strip(service([], health=31555, **evidence))["spec"]) is stays


@pytest.mark.parametrize(
    ("name", "removed"), [("x-token-x7k2p", True), ("x-dockercfg-x7k2p", True), ("x-other-x7k2p", False)]
)
@pytest.mark.parametrize("field", ["secrets", "imagePullSecrets"])
def test_only_what_was_generated_for_the_account_is_removed_from_its_lists(name, removed, field):
    before = made("v1", "ServiceAccount", **{field: [{"name": name}, {"name": "mine"}]})
    assert strip(before)[field] == ([] if removed else [{"name": name}]) + [{"name": "mine"}]


@pytest.mark.parametrize(
    ("rule", "rules", "stay"),
    [
        ({"clusterRoleSelectors": []}, [{"verbs": ["get"]}], False),
        (None, [{"verbs": ["get"]}], True),
        ({"clusterRoleSelectors": []}, [], True),
    ],
)
def test_rules_go_only_where_they_were_gathered(rule, rules, stay):
    role = made("rbac.authorization.k8s.io/v1", "ClusterRole", aggregationRule=rule, rules=rules)
    assert ("rules" in strip(role)) is stay


@pytest.mark.parametrize("preserve", [False, None])
def test_a_definition_that_prunes_goes_on_pruning(preserve):
    spec = {
        "preserveUnknownFields": preserve,
        "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"type": "object"}}}],
    }
    before = made("apiextensions.k8s.io/v1", "CustomResourceDefinition", spec=spec)
    assert strip(before)["spec"] == spec


def test_a_definition_of_the_old_version_keeps_its_form():
    before = made("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", spec={"preserveUnknownFields": True})
    assert strip(before)["spec"] == {"preserveUnknownFields": True}


def test_each_thing_to_keep_is_kept_alone():
    fields = {"finalizers": ["example.com/hold"], "managedFields": [{"manager": "helm"}], "uid": "1"}
    before = made("example.com/v1", "Thing", fields, status={"ready": True})
    assert strip(before) == made("example.com/v1", "Thing")
    assert strip(before, keep=Policy(finalizers=True))["metadata"] == {"name": "x", "finalizers": ["example.com/hold"]}
    assert strip(before, keep=Policy(managed_fields=True))["metadata"] == {
        "name": "x",
        "managedFields": [{"manager": "helm"}],
    }
    assert strip(before, keep=Policy(status=True)) == made("example.com/v1", "Thing", status={"ready": True})


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}', True),
        ('{"apiVersion":"v1","kind":"ConfigMap","metadata":[]}', False),
        ('{"apiVersion":7,"kind":"ConfigMap","metadata":{}}', False),
        ('{"apiVersion":"v1","metadata":{}}', False),
        ("[]", False),
        ("{", False),
    ],
)
def test_a_copy_of_kubectl_that_is_no_object_is_removed_and_other_annotations_stay(text, stays):
    before = made("v1", "ConfigMap", {"annotations": {LAST_APPLIED: text, "note": "n"}})
    left = {LAST_APPLIED: text, "note": "n"} if stays else {"note": "n"}
    assert strip(before)["metadata"]["annotations"] == left
