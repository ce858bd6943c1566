"""What an object's author asks for is no use of what its cluster gave; what others hold of the same address is."""

import json

import pytest

from kubeferry.tasks.core.formats.links import Links
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.uses import Index, scan

INNER, OUTER = "10.96.0.7", "203.0.113.9"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@pytest.fixture(scope="module")
def index():
    found = Index()
    found.add(Ref("", "Service", "shop", "web"), Links(addresses={"/spec/clusterIP": INNER}))
    found.add(Ref("", "Service", "shop", "web"), Links(addresses={"/status/loadBalancer/ingress/0/ip": OUTER}))
    return found


def obj(api, kind, spec, **annotations):
    meta = {"name": "web", "namespace": "shop", "annotations": annotations}
    return {"apiVersion": api, "kind": kind, "metadata": meta, "spec": spec}


def places(index, made):
    return sorted(use.pointer for use in scan(made, index))


@pytest.mark.parametrize(
    "made",
    [
        obj("v1", "Service", {"clusterIP": INNER, "clusterIPs": [INNER]}),
        obj("v1", "Service", {"type": "LoadBalancer", "loadBalancerIP": OUTER}),
        obj("v1", "Service", {"externalIPs": [INNER, OUTER]}),
        obj("v1", "Service", {}, **{"metallb.universe.tf/loadBalancerIPs": f"{OUTER},198.51.100.1"}),
        obj("v1", "Service", {}, **{"lbipam.cilium.io/ips": OUTER}),
        obj("gateway.networking.k8s.io/v1", "Gateway", {"addresses": [{"type": "IPAddress", "value": OUTER}]}),
        obj("metallb.io/v1beta1", "IPAddressPool", {"addresses": [f"{OUTER}/32"]}),
    ],
)
def test_a_request_is_no_binding(index, made):
    assert places(index, made) == []


def test_kubectls_copy_of_a_request_is_none_either_but_any_other_note_is(index):
    spec = {"type": "LoadBalancer", "loadBalancerIP": OUTER}
    copied = json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec})
    made = obj("v1", "Service", spec, **{LAST_APPLIED: copied, "dns/target": OUTER, "seen": INNER})
    assert places(index, made) == ["/metadata/annotations/dns~1target", "/metadata/annotations/seen"]


@pytest.mark.parametrize(
    ("made", "at"),
    [
        (obj("v1", "Service", {"loadBalancerSourceRanges": [f"{OUTER}/32"]}), "/spec/loadBalancerSourceRanges/0"),
        (obj("v1", "Service", {"type": "ExternalName", "externalName": OUTER}), "/spec/externalName"),
        (obj("example.com/v1", "Service", {"clusterIP": INNER}), "/spec/clusterIP"),
        (obj("apps/v1", "Deployment", {"clusterIP": INNER}), "/spec/clusterIP"),
        (obj("v1", "ConfigMap", {}, **{"lbipam.cilium.io/ips": OUTER}), "/metadata/annotations/lbipam.cilium.io~1ips"),
    ],
)
def test_the_same_address_anywhere_else_is_a_binding(index, made, at):
    assert places(index, made) == [at]
