"""Each place where a cluster writes an address, and the chain that finds its successor: spelled out place by place."""

import pytest

from kubeferry.tasks.core.formats.links import Links, Owner, links_of
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.derive import SourceIndex, chain_of
from kubeferry.tasks.core.lookup.follow import Live, follow_in
from kubeferry.tasks.core.lookup.index import Index, Source


def made(api_version, kind, name, namespace="shop", **body):
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "uid": f"uid-{name}", **place}, **body}


def ingress(*entries):
    return {"loadBalancer": {"ingress": [dict([each]) for each in entries]}}


PLACES = [
    (
        made("v1", "Pod", "p", status={"podIP": "10.1.0.1", "podIPs": [{"ip": "10.1.0.1"}, {"ip": "fd00:1::1"}]}),
        "fd00:1::1",
        "Pod shop/p → status.podIP (IPv6)",
    ),
    (
        made("v1", "Pod", "p", status={"podIP": "10.1.0.1", "hostIP": "192.0.2.1", "hostIPs": [{"ip": "192.0.2.1"}]}),
        "192.0.2.1",
        "Pod shop/p → status.hostIP",
    ),
    (
        made("v1", "Service", "s", spec={"clusterIP": "10.1.96.7", "clusterIPs": ["10.1.96.7", "fd00:1::7"]}),
        "10.1.96.7",
        "Service shop/s → spec.clusterIP",
    ),
    (
        made("v1", "Service", "s", status=ingress(("ip", "10.1.80.1"), ("ip", "10.1.80.2"))),
        "10.1.80.2",
        "Service shop/s → status.loadBalancer.ingress[1]",
    ),
    (
        made(
            "networking.k8s.io/v1", "Ingress", "i", status=ingress(("ip", "10.1.80.1"), ("hostname", "a.example.com"))
        ),
        "a.example.com",
        "Ingress.networking.k8s.io shop/i → status.loadBalancer.ingress[0] (host)",
    ),
    (
        made("gateway.networking.k8s.io/v1", "Gateway", "g", status={"addresses": [{"value": "10.1.80.9"}]}),
        "10.1.80.9",
        "Gateway.gateway.networking.k8s.io shop/g → status.addresses[0]",
    ),
    (
        made(
            "v1",
            "Node",
            "n",
            "",
            status={
                "addresses": [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "192.0.2.9"}]
            },
        ),
        "192.0.2.9",
        "Node n, else nodes without a role, by name, #0 → status.addresses[0]",
    ),
]


@pytest.mark.parametrize(("obj", "value", "text"), PLACES)
def test_each_address_is_found_again_where_it_was(obj, value, text):
    index, around, ref = Index(), SourceIndex(), Ref.of(obj)
    index.add(ref, links_of(obj))
    around.add(ref, links_of(obj))
    chain = chain_of(index.owner(value), around, value)
    assert chain.text() == text
    assert follow_in(chain, Live([obj])) == value


@pytest.mark.parametrize(
    ("ref", "pointer", "text"),
    [
        (Ref("", "Endpoints", "default", "kubernetes"), "/subsets/0/addresses/0/ip", "addresses"),
        (Ref("discovery.k8s.io", "EndpointSlice", "default", "kubernetes"), "/endpoints/0/addresses/0", "addresses"),
        (Ref("", "Pod", "shop", "p"), "/metadata/name", "metadata.name"),
        (Ref("", "Pod", "shop", "p"), "/spec/nodeName", "spec.nodeName"),
        (Ref("example.com", "Thing", "shop", "t"), "/metadata/uid", "metadata.uid"),
    ],
)
def test_what_no_links_hold_is_read_by_its_place(ref, pointer, text):
    assert chain_of(Source(ref, pointer), SourceIndex()).text() == f"{ref} → {text}"


@pytest.mark.parametrize(
    ("ref", "pointer"),
    [
        (Ref("", "Pod", "shop", "p"), "/spec/clusterIP"),
        (Ref("", "Service", "shop", "s"), "/status/podIP"),
        (Ref("example.com", "Service", "shop", "s"), "/spec/clusterIP"),
        (Ref("", "ConfigMap", "shop", "c"), "/metadata/name"),
    ],
)
def test_a_place_that_hands_out_nothing_has_no_chain(ref, pointer):
    assert chain_of(Source(ref, pointer), SourceIndex(), "10.0.0.1") is None


OWNER = Owner("apps/v1", "Deployment", "web", "u", controller=True)


@pytest.mark.parametrize(
    ("ref", "owner", "text"),
    [
        (Ref("apps", "ReplicaSet", "shop", "web-1"), OWNER, "Deployment.apps shop/web → its newest ReplicaSet"),
        (
            Ref("batch", "Job", "shop", "leap-1"),
            Owner("batch/v1", "CronJob", "leap", "u", controller=True),
            "CronJob.batch shop/leap → its newest Job",
        ),
        (Ref("", "Secret", "shop", "key"), OWNER, "Secret shop/key"),
        (
            Ref("", "Pod", "shop", "db-0"),
            Owner("apps/v1", "StatefulSet", "db", "u", controller=True),
            "StatefulSet.apps shop/db → its pod db-0",
        ),
        (
            Ref("", "Pod", "shop", "kafka-2"),
            Owner("core.strimzi.io/v1", "StrimziPodSet", "kafka", "u", controller=True),
            "StrimziPodSet.core.strimzi.io shop/kafka → its pod kafka-2",
        ),
        (
            Ref("", "Pod", "shop", "logs-2"),
            Owner("apps/v1", "DaemonSet", "logs", "u", controller=True),
            "DaemonSet.apps shop/logs → its pods, ready, by name, #0",
        ),
        (
            Ref("", "Pod", "shop", "kafka-x"),
            Owner("core.strimzi.io/v1", "StrimziPodSet", "kafka", "u", controller=True),
            "StrimziPodSet.core.strimzi.io shop/kafka → its pods, ready, by name, #0",
        ),
        (Ref("", "Pod", "shop", "static"), Owner("v1", "Node", "n", "u", controller=True), "Pod shop/static"),
        (Ref("", "Pod", "shop", "p"), Owner("apps/v1", "ReplicaSet", "web", "u"), "Pod shop/p"),
    ],
)
def test_what_has_a_generated_name_is_found_from_what_makes_it(ref, owner, text):
    around = SourceIndex()
    around.add(ref, Links(uid="x", owners=(owner,)))
    assert chain_of(Source(ref, "/metadata/uid"), around).text() == f"{text} → metadata.uid"


def test_a_pod_is_counted_among_the_ready_pods_of_the_same_maker_only():
    around = SourceIndex()
    other = Owner("apps/v1", "ReplicaSet", "other", "v", controller=True)
    mine = Owner("apps/v1", "ReplicaSet", "web", "u", controller=True)
    for name, owner, ready in (("a", mine, False), ("b", mine, True), ("c", other, True), ("d", mine, True)):
        around.add(Ref("", "Pod", "shop", name), Links(owners=(owner,)), ready=ready)
    maker = Ref("apps", "ReplicaSet", "shop", "web")
    assert [around.ordinal(Ref("", "Pod", "shop", name), maker) for name in "bd"] == [(0, 2), (1, 2)]
    assert around.ordinal(Ref("", "Pod", "shop", "a"), maker) == (0, 3), "itself counts, though it is not ready"
    around.add(Ref("", "Pod", "shop", "bb"), Links(owners=(mine,)))
    assert around.ordinal(Ref("", "Pod", "shop", "d"), maker) == (2, 3), "also what comes after it was asked"


def test_whose_a_value_is_that_several_have():
    """A Gateway and an Ingress repeat the address of the Service in front of them; a host's address is its node's."""
    rows = [
        (Ref("", "Service", "shop", "s"), "/spec/clusterIP"),
        (Ref("", "Pod", "shop", "p"), "/status/podIP"),
        (Ref("", "Node", "", "n"), "/status/addresses/0/address"),
        (Ref("", "Service", "shop", "t"), "/status/loadBalancer/ingress/0/ip"),
        (Ref("gateway.networking.k8s.io", "Gateway", "shop", "g"), "/status/addresses/0/value"),
        (Ref("networking.k8s.io", "Ingress", "shop", "i"), "/status/loadBalancer/ingress/0/ip"),
        (Ref("", "Pod", "shop", "q"), "/status/hostIP"),
        (Ref("example.com", "Thing", "shop", "a"), "/status/address"),
    ]
    for first in range(len(rows)):
        index = Index()
        for ref, at in reversed(rows[first:]):
            index.add(ref, Links(addresses={at: "192.0.2.7"}))
        assert index.owner("192.0.2.7") == Source(*rows[first])
