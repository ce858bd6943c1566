"""Chains on dual-stack clusters: each address is followed by its family, wherever it stands among the others."""

import base64
import copy
import json
from zlib import crc32

import pytest

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.links import links_of
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.bindings import bind, bindings_of, from_json, to_json
from kubeferry.tasks.core.lookup.derive import SourceIndex
from kubeferry.tasks.core.lookup.follow import Live, cannot_resolve, follow_in
from kubeferry.tasks.core.lookup.substitute import Absent
from kubeferry.tasks.core.lookup.uses import Index


def found_in(obj, *where):
    """Return the bindings of an object of which none is refused."""
    found, problem = bindings_of(obj, *where)
    assert problem == ""
    return found


def made(kind, name, at, *, owner=None, namespace="shop", **body):
    version = {"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1"}.get(kind, "v1")
    number = crc32(f"{kind} {name}".encode())
    meta = {"name": name, "uid": f"{at}0000000-0000-4000-8000-{number:012d}"}
    meta |= {"namespace": namespace} if namespace else {}
    if owner:
        its = owner["metadata"]
        tie = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": its["name"], "uid": its["uid"]}
        meta["ownerReferences"] = [tie | {"controller": True}]
    return {"apiVersion": version, "kind": kind, "metadata": meta, **body}


def pod(name, at, ips, hosts, owner):
    status = {"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}
    status |= {"hostIP": hosts[0], "hostIPs": [{"ip": ip} for ip in hosts]}
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return made("Pod", name, at, owner=owner, spec={"nodeName": "n"}, status=status | ready)


def cluster(at, suffix, families=(4, 6)):
    """A shop whose addresses show cluster and owner; `families` is which of them come, and which first."""

    def both(number):
        kinds = {4: f"10.{at}.0.{number}", 6: f"fd00:{at}::{number}"}
        return [kinds[family] for family in families]

    web = made("Deployment", "web", at, spec={"replicas": 2})
    sets = made("ReplicaSet", f"web-{suffix}", at, owner=web, spec={"replicas": 2})
    db = made("StatefulSet", "db", at, spec={"replicas": 1})
    addresses = [{"type": "InternalIP", "address": ip} for ip in both(90)]
    addresses += [{"type": "Hostname", "address": f"n-{suffix}"}]
    ingress = [{"ip": ip} for ip in both(80)]
    return [
        web,
        sets,
        db,
        pod(f"web-{suffix}-a", at, both(11), both(90), sets),
        pod(f"web-{suffix}-b", at, both(12), both(90), sets),
        pod("db-0", at, both(21), both(90), db),
        made("Service", "api", at, spec={"clusterIP": both(70)[0], "clusterIPs": both(70)}),
        made(
            "Service",
            "front",
            at,
            spec={"clusterIP": both(71)[0], "clusterIPs": both(71), "type": "LoadBalancer"},
            status={"loadBalancer": {"ingress": ingress}},
        ),
        made("Node", f"n-{suffix}", at, namespace="", status={"addresses": addresses}),
    ]


SOURCE = cluster(1, "k1")
TARGETS = {"same order": cluster(2, "z2"), "IPv6 first": cluster(2, "z2", (6, 4))}
NUMBERS = {
    11: "pod-ip",
    12: "pod-ip",
    21: "pod-ip",
    70: "service-ip",
    71: "service-ip",
    80: "load-balancer",
    90: "node-ip",
}


def known():
    index, around = Index(), SourceIndex()
    for obj in SOURCE:
        index.add(Ref.of(obj), links_of(obj))
        around.add(Ref.of(obj), links_of(obj))
    return index, around


def config(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}, "data": data}


def bound_elsewhere(obj, target):
    bindings = [from_json(json.loads(json.dumps(to_json(each)))) for each in found_in(obj, *known())]
    live = Live(target)
    there, _ = bind(obj, bindings, lambda each: follow_in(each.chain, live))
    return there, bindings


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("family", [4, 6])
def test_an_address_finds_its_counterpart_of_the_same_family(target, number, family):
    old, new = (f"10.{at}.0.{number}" if family == 4 else f"fd00:{at}::{number}" for at in (1, 2))
    there, bindings = bound_elsewhere(config(plain=old), TARGETS[target])
    assert there["data"] == {"plain": new}
    assert [each.kind for each in bindings] == [NUMBERS[number]]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "text",
    [
        "http://[{v6}]:80/",
        "postgres://user@[{v6}]:5432/shop?host={v4}",
        "[{v6}]:80,{v4}:80",
        "{v4},{v6}",
        "{v6} {v4}",
        "{v6}/128",
        "{v6}%eth0",
        "listen [{v6}]:443 ssl; # not fd00:1::999\nlisten {v4}:443;\n",
        '{{"hosts":["{v6}","{v4}"]}}',
        "--peers=[{v6}]:2380,[{other}]:2380",
        "https://{dashed}.shop.pod.cluster.local/",
        "fd00:1::1111 10.1.0.111 {v6}",
    ],
)
def test_both_families_are_written_where_they_stand(target, text):
    def at(cluster):
        return {
            "v4": f"10.{cluster}.0.11",
            "v6": f"fd00:{cluster}::11",
            "other": f"fd00:{cluster}::70",
            "dashed": f"fd00-{cluster}--11",
        }

    old, new = text.format(**at(1)), text.format(**at(2))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}, "data": {}}
    secret["data"]["x"] = base64.b64encode(old.encode()).decode()
    assert bound_elsewhere(config(x=old), TARGETS[target])[0]["data"]["x"] == new
    assert base64.b64decode(bound_elsewhere(secret, TARGETS[target])[0]["data"]["x"]).decode() == new


@pytest.mark.parametrize("spelled", ["FD00:1::11", "fd00:1:0:0:0:0:0:11", "fd00:0001::0011", "fd00:1::0:11"])
def test_an_address_is_known_in_every_spelling(spelled):
    there, _ = bound_elsewhere(config(url=f"http://[{spelled}]:80/"), TARGETS["IPv6 first"])
    assert there["data"]["url"].lower() == "http://[fd00:2::11]:80/"


@pytest.mark.parametrize("target", TARGETS)
def test_hand_made_slices_of_both_families_follow_their_pods(target):
    def slices(at, pods, node):
        for family, ip in (("IPv4", f"10.{at}.0.12"), ("IPv6", f"fd00:{at}::12")):
            named = {"kind": "Pod", "namespace": "shop", "name": f"{pods}-b"}
            entry = {"addresses": [ip], "nodeName": node, "targetRef": named}
            meta = {"name": f"web-{family.lower()}", "namespace": "shop"}
            yield {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": meta,
                "addressType": family,
                "endpoints": [entry],
            }

    found = [bound_elsewhere(each, TARGETS[target])[0] for each in slices(1, "web-k1", "n")]
    assert found == list(slices(2, "web-z2", "n"))


def test_the_chain_gives_the_family():
    (six,) = found_in(config(ip="fd00:1::12"), *known())
    assert six.chain.text() == (
        "Deployment.apps shop/web → its newest ReplicaSet → its pods, ready, by name, #1 → status.podIP (IPv6)"
    )


def test_the_second_address_of_a_family_is_followed_by_its_number():
    source, target = copy.deepcopy(SOURCE), copy.deepcopy(TARGETS["IPv6 first"])
    for at, objects in ((1, source), (2, target)):
        ingress = objects[-2]["status"]["loadBalancer"]["ingress"]
        ingress.insert(1, {"ip": f"fd00:{at}::81"})
        ingress.append({"ip": f"10.{at}.0.82"})
    index, around = Index(), SourceIndex()
    for obj in source:
        index.add(Ref.of(obj), links_of(obj))
        around.add(Ref.of(obj), links_of(obj))
    for old in ("fd00:1::80", "fd00:1::81", "10.1.0.80", "10.1.0.82"):
        (binding,) = found_in(config(ip=old), index, around)
        found = follow_in(binding.chain, Live(target))
        # Of the first cluster's IPv6 addresses the added one came first, of the second's the other one.
        swapped = {"fd00:1::80": "fd00:2::81", "fd00:1::81": "fd00:2::80"}
        assert found == swapped.get(old, old.replace("10.1.", "10.2."))


@pytest.mark.parametrize("family", [4, 6])
def test_a_cluster_of_one_family_has_no_counterpart_for_the_other_and_that_is_known_at_once(family):
    target = Live(cluster(2, "z2", (family,)))
    gone = {4: "fd00:1::{}", 6: "10.1.0.{}"}[family]
    for number, kind in NUMBERS.items():
        (binding,) = found_in(config(ip=gone.format(number)), *known())
        assert follow_in(binding.chain, target) is None
        with pytest.raises(PermanentError, match="no value for /data/ip"):
            bind(config(ip=gone.format(number)), [binding], lambda each: follow_in(each.chain, target))
        kept, _ = bind(config(ip="x"), [binding], lambda _: None, {kind: Absent.KEEP})
        assert kept["data"] == {"ip": "x"}
        if kind != "load-balancer":  # another address of a load balancer may come yet
            assert (
                cannot_resolve(binding.chain, target, set()) == f"it has no {'IPv6' if family == 4 else 'IPv4'} address"
            )
