"""A value is waited for unless nothing that is there, and nothing that is restored, will ever give it."""

import pytest

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.chain import Chain
from kubeferry.tasks.core.lookup.follow import Live, cannot_resolve
from kubeferry.tasks.core.lookup.index import CLUSTER
from kubeferry.tasks.core.lookup.steps import Named, Newest, Nodes, Pods, Read, Start

WEB, DB = Ref("apps", "Deployment", "shop", "web"), Ref("apps", "StatefulSet", "shop", "db")
NIGHTLY, SERVICE = Ref("batch", "CronJob", "shop", "nightly"), Ref("", "Service", "shop", "web")


def there(ref, **parts):
    version = f"{ref.group}/v1" if ref.group else "v1"
    meta = {"name": ref.name, "uid": f"uid-{ref.name}"} | ({"namespace": ref.namespace} if ref.namespace else {})
    return {"apiVersion": version, "kind": ref.kind, "metadata": meta, **parts}


def of_pods(ordinal=0):
    return Chain((Start(WEB), Newest("apps", "ReplicaSet"), Pods(ordinal, 2), Read("podIP", "IPv4")))


def named(name):
    return Chain((Start(DB), Named(name), Read("podIP", "IPv4")))


def address(what="clusterIP", family="IPv4", index=0):
    return Chain((Start(SERVICE), Read(what, family, index)))


NODE = Chain((Nodes("n1", ("worker",), 1), Read("nodeAddress", "IPv6")))


@pytest.mark.parametrize(
    ("chain", "live", "why"),
    [
        (of_pods(), [], "Deployment.apps shop/web neither exists nor is restored"),
        (of_pods(), [there(WEB, spec={"replicas": 0})], "Deployment.apps shop/web wants 0 replicas"),
        (of_pods(1), [there(WEB, spec={"replicas": 1})], "Deployment.apps shop/web wants 1 replicas"),
        (of_pods(1), [there(WEB, spec={"replicas": 2})], ""),
        (of_pods(), [there(WEB, spec={})], ""),
        (named("db-0"), [there(DB, spec={"replicas": 0})], "StatefulSet.apps shop/db wants 0 replicas"),
        (named("db-2"), [there(DB, spec={"replicas": 2})], "StatefulSet.apps shop/db wants 2 replicas"),
        (named("db-6"), [there(DB, spec={"replicas": 2, "ordinals": {"start": 5}})], ""),
        (named("db-4"), [there(DB, spec={"replicas": 2, "ordinals": {"start": 5}})], "wants 2 replicas"),
        (named("leader"), [there(DB, spec={"replicas": 2})], ""),
        (
            Chain((Start(NIGHTLY), Newest("batch", "Job"), Pods(0, 1), Read("podIP"))),
            [there(NIGHTLY, spec={"suspend": True})],
            "CronJob.batch shop/nightly is suspended",
        ),
        (
            Chain((Start(NIGHTLY), Newest("batch", "Job"), Pods(0, 1), Read("podIP"))),
            [there(NIGHTLY, spec={"suspend": False})],
            "",
        ),
        (address(), [there(SERVICE, spec={"clusterIP": "None", "type": "ClusterIP"})], "no address of its own"),
        (address(), [there(SERVICE, spec={"type": "ExternalName"})], "no address of its own"),
        (address(family="IPv6"), [there(SERVICE, spec={"clusterIPs": ["10.0.0.1"]})], "it has no IPv6 address"),
        (address(), [there(SERVICE, spec={"type": "ClusterIP"})], ""),
        (address("ingress"), [there(SERVICE, spec={"type": "ClusterIP"})], "the Service is of type ClusterIP"),
        (
            address("ingress", index=1),
            [there(SERVICE, spec={"type": "LoadBalancer"}, status={"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}]}})],
            "",
        ),
        (NODE, [], "no such node exists, and none is restored"),
        (
            NODE,
            [there(Ref("", "Node", "", "n1"), status={"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]})],
            "it has no IPv6 address",
        ),
        (Chain((Start(CLUSTER), Read("uid"))), [], ""),
    ],
)
def test_what_cannot_come_is_reported(chain, live, why):
    reason = cannot_resolve(chain, Live(live), set())
    assert reason.endswith(why) if why else reason == ""


@pytest.mark.parametrize("chain", [of_pods(), named("db-0"), address()])
def test_what_is_restored_may_come(chain):
    assert cannot_resolve(chain, Live([]), {WEB, DB, SERVICE}) == ""
