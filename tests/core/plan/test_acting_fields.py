"""A field that acts is never created with a placeholder: it is left out as a whole, or the object waits."""

import pytest

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.bindings import Binding
from kubeferry.tasks.core.lookup.chain import Chain
from kubeferry.tasks.core.lookup.steps import Read, Start
from kubeferry.tasks.core.lookup.uses import Source, Use
from kubeferry.tasks.core.plan.late_values import part_of, patch
from kubeferry.tasks.plan.bindings import bare

OLD, POD = "10.0.0.7", Ref("", "Pod", "shop", "db")
PLACEHOLDER = "192.0.2.1"
CHAIN = Chain((Start(POD), Read("podIP", "IPv4")))


def made(api, kind, **body):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "it", "namespace": "shop"}, **body}


def pods(**spec):
    return {"spec": {"template": {"spec": spec}}}


PEERS = [{"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}]}, {"to": [{"ipBlock": {"cidr": f"{OLD}/32"}}]}]
CASES = [
    (made("networking.k8s.io/v1", "NetworkPolicy", spec={"egress": PEERS}), "/spec/egress/1/to/0/ipBlock/cidr"),
    (made("v1", "Endpoints", subsets=[{"addresses": [{"ip": OLD}]}]), "/subsets/0/addresses/0/ip"),
    (made("discovery.k8s.io/v1", "EndpointSlice", endpoints=[{"addresses": [OLD]}]), "/endpoints/0/addresses/0"),
    (made("v1", "Service", spec={"externalIPs": ["192.168.0.1", OLD]}), "/spec/externalIPs/1"),
    (made("v1", "Service", spec={"loadBalancerIP": OLD}), "/spec/loadBalancerIP"),
    (
        made("apps/v1", "Deployment", **pods(hostAliases=[{"ip": OLD, "hostnames": ["db"]}])),
        "/spec/template/spec/hostAliases/0/ip",
    ),
    (
        made("apps/v1", "Deployment", **pods(containers=[{"livenessProbe": {"tcpSocket": {"host": OLD}}}])),
        "/spec/template/spec/containers/0/livenessProbe/tcpSocket/host",
    ),
]


@pytest.mark.parametrize(("obj", "pointer"), CASES)
def test_it_is_left_out_and_comes_back_whole(obj, pointer):
    binding = Binding(Ref.of(obj), Use(pointer, (), OLD, Source(POD, "/status/podIP")), CHAIN, "pod-ip")
    created = bare(obj, [binding])
    assert OLD not in str(created)
    assert PLACEHOLDER not in str(created)
    operations = patch(created, obj, [part_of(obj, pointer)])
    added = [each for each in operations if each["op"] == "add" and each["path"] == part_of(obj, pointer)]
    assert len(added) == 1
    assert OLD in str(added[0]["value"])


def test_a_text_that_a_program_reads_has_a_placeholder_that_reaches_nothing():
    obj = made("apps/v1", "Deployment", **pods(containers=[{"args": [f"--peer={OLD}:80"]}]))
    pointer = "/spec/template/spec/containers/0/args/0"
    binding = Binding(Ref.of(obj), Use(pointer, (), OLD, Source(POD, "/status/podIP")), CHAIN, "pod-ip")
    assert bare(obj, [binding])["spec"]["template"]["spec"]["containers"][0]["args"] == [f"--peer={PLACEHOLDER}:80"]
