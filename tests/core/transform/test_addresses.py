"""What the target cannot grant of an address or a family is given up with its reason, and the rest stays."""

import copy
import json

import pytest

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.transform.addresses import Ranges, Taken, asks, given_up, named_by_author, needs_both, refused

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ONE = Ranges.of(["10.201.0.0/16"])
TWO = Ranges.of(["10.96.0.0/16", "fd00:96::/112"])
OTHER = Ref("", "Service", "bank", "other")


def service(name="web", namespace="shop", notes=None, status=None, **spec):
    meta = {"name": name, "namespace": namespace} | ({"annotations": notes} if notes else {})
    body = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"port": 80}], **spec}}
    return body | ({"status": {"loadBalancer": {"ingress": [{"ip": status}]}}} if status else {})


def gateway(name, namespace="shop", **spec):
    api = "gateway.networking.k8s.io/v1"
    return {"apiVersion": api, "kind": "Gateway", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def why(obj, ranges=ONE, others=(), live=None):
    before = copy.deepcopy(obj)
    gone = refused(obj, ranges, Taken.by(others), live)
    after = given_up(obj, gone)
    assert obj == before
    assert refused(after, ranges, Taken.by(others), live) == []
    return [(each.at, each.what, each.why) for each in gone], after["spec"]


def test_case_15_dual_stack_service_comes_with_the_family_there_is():
    found, spec = why(
        service(
            type="ClusterIP",
            clusterIP="10.96.7.7",
            clusterIPs=["10.96.7.7", "fd00:96::77"],
            ipFamilyPolicy="PreferDualStack",
            ipFamilies=["IPv4", "IPv6"],
        )
    )
    assert found == [
        ("/spec/clusterIP", "10.96.7.7", "not in the range of the target's Services (10.201.0.0/16)"),
        ("/spec/clusterIPs/1", "fd00:96::77", "the target has IPv4 only"),
        ("/spec/ipFamilies", "IPv6", "the target has IPv4 only"),
    ]
    assert spec == {
        "ports": [{"port": 80}],
        "type": "ClusterIP",
        "ipFamilyPolicy": "PreferDualStack",
        "ipFamilies": ["IPv4"],
    }


@pytest.mark.parametrize(
    ("obj", "ranges"),
    [
        (service(clusterIP="10.201.7.7", clusterIPs=["10.201.7.7"]), ONE),
        (service(clusterIP="10.96.0.7", clusterIPs=["10.96.0.7", "fd00:96::7"], ipFamilies=["IPv4", "IPv6"]), TWO),
        (service(clusterIP="192.0.2.7", ipFamilies=["IPv6"]), Ranges()),
        (service(clusterIP="None", selector={"a": "b"}), ONE),
        (service(clusterIP="None", ipFamilies=["IPv4", "IPv6"], ipFamilyPolicy="RequireDualStack"), ONE),
        (service(type="ExternalName", externalName="example.com", ipFamilies=["IPv6"]), ONE),
        (service(type="LoadBalancer", loadBalancerIP="203.0.113.9"), ONE),
        (service(externalIPs=["203.0.113.9"]), ONE),
    ],
)
def test_what_the_target_can_grant_or_nobody_knows_of_stays(obj, ranges):
    assert why(obj, ranges) == ([], obj["spec"])


def test_a_second_address_alone_is_given_up_alone():
    obj = service(clusterIP="10.96.0.7", clusterIPs=["10.96.0.7", "fd00:96::7"])
    holder = service("other", "bank", clusterIPs=["10.96.0.9", "fd00:96::7"])
    found, spec = why(obj, TWO, [holder])
    assert found == [("/spec/clusterIPs/1", "fd00:96::7", f"used by {OTHER}")]
    assert (spec["clusterIP"], spec["clusterIPs"]) == ("10.96.0.7", ["10.96.0.7"])


def test_a_second_address_goes_with_the_first():
    obj = service(clusterIP="10.96.0.7", clusterIPs=["10.96.0.7", "fd00:96::7"])
    found, spec = why(obj, TWO, [service("other", "bank", clusterIP="10.96.0.7")])
    assert [(at, reason) for at, _, reason in found] == [
        ("/spec/clusterIP", f"used by {OTHER}"),
        ("/spec/clusterIPs/1", "it goes with the first one"),
    ]
    assert spec == {"ports": [{"port": 80}]}


def test_its_own_address_is_not_taken_and_another_one_of_its_own_stays():
    obj = service(clusterIP="10.201.0.7", clusterIPs=["10.201.0.7"])
    assert why(obj, ONE, [obj], obj) == ([], obj["spec"])
    live = service(clusterIP="10.201.0.8", clusterIPs=["10.201.0.8"])
    found, spec = why(obj, ONE, [live], live)
    assert found == [("/spec/clusterIP", "10.201.0.7", "the Service that is there has another one")]
    assert spec == {"ports": [{"port": 80}]}


@pytest.mark.parametrize(
    "holder",
    [
        service("other", "bank", status="203.0.113.9"),
        service("other", "bank", loadBalancerIP="203.0.113.9"),
        service("other", "bank", notes={"metallb.io/loadBalancerIPs": "198.51.100.1, 203.0.113.9"}),
    ],
)
def test_an_address_of_a_load_balancer_that_another_has_is_given_up(holder):
    obj = service(type="LoadBalancer", loadBalancerIP="203.0.113.9", notes={"lbipam.cilium.io/ips": "203.0.113.9"})
    found, spec = why(obj, ONE, [holder])
    assert found == [
        ("/spec/loadBalancerIP", "203.0.113.9", f"used by {OTHER}"),
        ("/metadata/annotations/lbipam.cilium.io~1ips", "203.0.113.9", f"used by {OTHER}"),
    ]
    assert spec == {"ports": [{"port": 80}], "type": "LoadBalancer"}
    shared = service(type="LoadBalancer", loadBalancerIP="203.0.113.9", notes={"metallb.io/allow-shared-ip": "x"})
    assert why(shared, ONE, [holder]) == ([], shared["spec"])


def test_an_external_address_is_given_up_where_another_has_its_port():
    obj = service(externalIPs=["203.0.113.9", "203.0.113.10"])
    holder = service("other", "bank", externalIPs=["203.0.113.9"])
    found, spec = why(obj, ONE, [holder])
    assert found == [("/spec/externalIPs/0", "203.0.113.9", f"used by {OTHER} with the same port")]
    assert spec["externalIPs"] == ["203.0.113.10"]
    holder["spec"]["ports"] = [{"port": 80, "protocol": "UDP"}, {"port": 81}]
    assert why(obj, ONE, [holder]) == ([], obj["spec"])


def test_an_address_of_a_gateway_that_another_has_is_given_up():
    obj = gateway("a", addresses=[{"type": "IPAddress", "value": "203.0.113.9"}, {"value": "203.0.113.10"}])
    found, spec = why(obj, Ranges(), [gateway("b", addresses=[{"value": "203.0.113.9"}])])
    assert [(at, what) for at, what, _ in found] == [("/spec/addresses/0/value", "203.0.113.9")]
    assert spec == {"addresses": [{"value": "203.0.113.10"}]}


def test_kubectls_copy_gives_up_the_same_and_says_what_the_author_asked_for():
    applied = service(clusterIP="10.96.7.7", ipFamilies=["IPv4"])
    obj = service(clusterIP="10.96.7.7", clusterIPs=["10.96.7.7"], notes={LAST_APPLIED: json.dumps(applied)})
    (gone,) = refused(obj, ONE, Taken.by([]))
    assert named_by_author(obj, gone)
    assert not named_by_author(service(clusterIP="10.96.7.7"), gone)
    copied = json.loads(given_up(obj, [gone])["metadata"]["annotations"][LAST_APPLIED])
    assert copied["spec"] == {"ports": [{"port": 80}], "ipFamilies": ["IPv4"]}


def test_two_families_that_are_required_are_never_given_up():
    assert needs_both(service(ipFamilyPolicy="RequireDualStack"), ONE)
    assert not needs_both(service(ipFamilyPolicy="RequireDualStack"), TWO)
    assert not needs_both(service(ipFamilyPolicy="PreferDualStack"), ONE)
    assert not needs_both(service(ipFamilyPolicy="RequireDualStack", clusterIP="None"), ONE)


def test_a_plain_service_asks_for_nothing():
    assert not asks(service(selector={"app": "web"}))
    assert not asks(service(clusterIP="None"))
    assert asks(service(clusterIP="10.0.0.1"))
    assert asks(service(ipFamilyPolicy="PreferDualStack"))
