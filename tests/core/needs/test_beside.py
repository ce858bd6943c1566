"""What an object would share with others of its cluster: hosts, identities of a cloud, names of queues and locks."""

import pytest

from kubeferry.tasks.core.needs.beside import hosts, identities, shared_names, starts


def obj(api, kind, spec=None, notes=None, **more):
    meta = {"name": "it", "namespace": "shop", "annotations": notes or {}}
    return {"apiVersion": api, "kind": kind, "metadata": meta, "spec": spec or {}, **more}


DNS = "external-dns.alpha.kubernetes.io/hostname"


@pytest.mark.parametrize(
    ("each", "found"),
    [
        (
            obj("networking.k8s.io/v1", "Ingress", {"rules": [{"host": "A.example."}, {}]}),
            [("/spec/rules/0/host", "a.example")],
        ),
        (obj("gateway.networking.k8s.io/v1", "HTTPRoute", {"hostnames": ["a", "*"]}), [("/spec/hostnames/0", "a")]),
        (
            obj("gateway.networking.k8s.io/v1", "Gateway", {"listeners": [{"hostname": "a"}]}),
            [("/spec/listeners/0/hostname", "a")],
        ),
        (
            obj("v1", "Service", notes={DNS: "a, b."}),
            [(f"/metadata/annotations/{DNS.replace('/', '~1')}", each) for each in "ab"],
        ),
        (obj("example.com/v1", "Ingress", {"rules": [{"host": "a"}]}), []),
    ],
)
def test_hosts(each, found):
    assert list(hosts(each)) == found


def test_an_identity_is_one_of_a_service_account():
    notes = {"eks.amazonaws.com/role-arn": "arn:x", "other": "y"}
    assert list(identities(obj("v1", "ServiceAccount", notes=notes))) == [("eks.amazonaws.com/role-arn", "arn:x")]
    assert list(identities(obj("v1", "ConfigMap", notes=notes))) == []


KEYS = """
QUEUE ORDER_QUEUE_NAME queue-url kafka.topic JMS_TOPIC group.id KAFKA_GROUP_ID consumer-group consumerGroup
LEADER_ELECTION_ID leader-elect-resource-name leaderElectionID lock-name lease.name
"""


@pytest.mark.parametrize("key", KEYS.split())
def test_names_of_queues_and_locks_by_their_keys(key):
    assert shared_names(obj("v1", "ConfigMap", data={key: "orders", "other": f"a: b\n  {key}: tasks\n"})) == {
        f"/data/{key}": {"orders"},
        "/data/other": {"tasks"},
    }


@pytest.mark.parametrize("key", ["unqueued", "topical", "GROUP", "blocked", "clock", "release.name", "streaming"])
def test_other_keys_are_none(key):
    assert shared_names(obj("v1", "ConfigMap", data={key: "orders"})) == {}


def test_variables_and_flags_of_a_pod_template():
    container = {"env": [{"name": "QUEUE", "value": "a"}], "args": ["--leader-election-id=b", "--x=c"]}
    cron = obj("batch/v1", "CronJob", {"jobTemplate": {"spec": {"template": {"spec": {"containers": [container]}}}}})
    at = "/spec/jobTemplate/spec/template/spec/containers/0"
    assert shared_names(cron) == {f"{at}/env/0/value": {"a"}, f"{at}/args/0": {"b"}}


def test_a_secret_is_not_read_for_it():
    assert shared_names(obj("v1", "Secret", data={"QUEUE": "x"}, stringData={"QUEUE": "x"})) == {}


def test_what_starts_beside_its_original():
    assert starts(obj("batch/v1", "CronJob"))
    assert not starts(obj("batch/v1", "CronJob", {"suspend": True}))
    assert starts(obj("batch/v1", "Job"))
    assert starts(obj("v1", "Service", {"type": "LoadBalancer"}))
    assert not starts(obj("v1", "Service"))
    assert starts(obj("policy/v1", "PodDisruptionBudget"))
