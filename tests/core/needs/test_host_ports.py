"""Which ports of nodes a pod takes, on which nodes it fits, and when there are too few of them."""

import pytest

from kubeferry.tasks.core.needs.host_ports import HostPort, fits, host_ports, replicas, short


def container(*ports, **more):
    return {"name": "c", "ports": list(ports), **more}


def node(name, labels=None, taints=(), **spec):
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"taints": list(taints), **spec},
    }


def workload(kind, spec, api="apps/v1", **more):
    meta = {"name": "it", "namespace": "copy"}
    return {"apiVersion": api, "kind": kind, "metadata": meta, "spec": {"template": {"spec": spec}, **more}}


def pod(name, where, *ports, phase="Running"):
    spec = {"nodeName": where, "containers": [container(*ports)]}
    meta = {"name": name, "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": phase}}


WEB = {"hostPort": 8080, "containerPort": 80}
NODES = [node("a"), node("b"), node("c")]


@pytest.mark.parametrize(
    ("spec", "ports"),
    [
        ({"containers": [container({"containerPort": 80})]}, set()),
        ({"containers": [container(WEB)]}, {HostPort(8080)}),
        (
            {"hostNetwork": True, "containers": [container({"containerPort": 53, "protocol": "UDP"})]},
            {HostPort(53, "UDP")},
        ),
        ({"containers": [container(WEB | {"hostIP": "::"})]}, {HostPort(8080)}),
        ({"containers": [container(WEB | {"hostIP": "127.0.0.1"})]}, {HostPort(8080, "TCP", "127.0.0.1")}),
        ({"containers": [], "initContainers": [container(WEB)]}, set()),
        ({"containers": [], "initContainers": [container(WEB, restartPolicy="Always")]}, {HostPort(8080)}),
        (None, set()),
        ({"containers": "x"}, set()),
        ({"containers": [{"ports": [{"hostPort": "x"}, 3]}]}, set()),
    ],
)
def test_the_ports_of_a_pod(spec, ports):
    assert host_ports(spec) == ports


def test_two_addresses_of_a_node_do_not_exclude_each_other():
    one, other, both = HostPort(1, "TCP", "10.0.0.1"), HostPort(1, "TCP", "10.0.0.2"), HostPort(1)
    assert not one.excludes(other)
    assert one.excludes(both)
    assert both.excludes(one)
    assert not both.excludes(HostPort(1, "UDP"))


def required(*expressions):
    terms = {"nodeSelectorTerms": [{"matchExpressions": list(expressions)}]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}


def where(key, operator, *values):
    return {"key": key, "operator": operator, "values": list(values)}


TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
LABELLED = node("n", {"disk": "ssd", "size": "4"})


@pytest.mark.parametrize(
    ("spec", "where", "does"),
    [
        ({}, LABELLED, True),
        ({"nodeSelector": {"disk": "ssd"}}, LABELLED, True),
        ({"nodeSelector": {"disk": "hdd"}}, LABELLED, False),
        ({"nodeName": "other"}, LABELLED, False),
        (required(where("disk", "In", "ssd", "nvme")), LABELLED, True),
        (required(where("disk", "NotIn", "ssd")), LABELLED, False),
        (required(where("disk", "DoesNotExist")), LABELLED, False),
        (required(where("zone", "Exists")), LABELLED, False),
        (required(where("size", "Gt", "3")), LABELLED, True),
        (required(where("size", "Lt", "3")), LABELLED, False),
        (required(where("disk", "Gt", "3")), LABELLED, False),
        ({}, node("n", taints=[TAINT]), False),
        ({}, node("n", taints=[TAINT | {"effect": "PreferNoSchedule"}]), True),
        ({"tolerations": [{"key": "gpu", "operator": "Exists"}]}, node("n", taints=[TAINT]), True),
        ({"tolerations": [{"key": "gpu", "value": "no"}]}, node("n", taints=[TAINT]), False),
        ({"tolerations": [{"operator": "Exists"}]}, node("n", taints=[TAINT]), True),
        ({}, node("n", unschedulable=True), False),
    ],
)
def test_where_a_pod_fits(spec, where, does):
    assert fits(spec, where) is does


def test_as_many_nodes_as_replicas_have_to_be_free():
    spec = {"containers": [container(WEB)]}
    pods = [pod("one", "a", WEB), pod("done", "b", WEB, phase="Succeeded"), pod("other", "b", {"hostPort": 9})]
    assert short(workload("Deployment", spec, replicas=2), pods, NODES) == ""
    assert short(workload("Deployment", spec, replicas=3), pods, NODES) == (
        "needs host port 8080/TCP on 3 nodes, and has it on 2: it is taken on 1 of the 3 on which its pods fit, "
        "by Pod shop/one"
    )


def test_a_daemon_set_needs_every_node_on_which_it_fits():
    spec = {"containers": [container(WEB)], "nodeSelector": {"web": "yes"}}
    nodes = [node("a", {"web": "yes"}), node("b")]
    assert short(workload("DaemonSet", spec), [pod("one", "b", WEB)], nodes) == ""
    assert "Pod shop/one" in short(workload("DaemonSet", spec), [pod("one", "a", WEB)], nodes)


def test_more_replicas_than_nodes_are_too_many_without_anybody():
    spec = {"containers": [container(WEB)]}
    assert "on 4 nodes, and has it on 3" in short(workload("StatefulSet", spec, replicas=4), [], NODES)


@pytest.mark.parametrize(
    "each",
    [
        workload("Deployment", {"containers": [container(WEB)]}, replicas=0),
        workload("Job", {"containers": [container(WEB)]}, "batch/v1", suspend=True),
        workload("Deployment", {"containers": [container(WEB)], "nodeSelector": {"no": "such"}}),
        workload("Deployment", {"containers": []}),
    ],
)
def test_what_asks_for_nothing_is_not_short(each):
    assert short(each, [pod(name, name, WEB) for name in "abc"], NODES) == ""


def test_replicas_by_kind():
    assert replicas(workload("Deployment", {})) == 1
    assert replicas(workload("Job", {}, "batch/v1", parallelism=3)) == 3
    assert replicas(workload("DaemonSet", {})) is None
