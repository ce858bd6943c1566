"""Bindings of whole scenes: what a namespace's objects hold of their cluster, and how it is found on another one."""

import base64
import copy
import json

import pytest

from kubeferry.tasks.core.errors import DamagedError, PermanentError
from kubeferry.tasks.core.formats.links import links_of
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED
from kubeferry.tasks.core.kube.namespace_defaults import API_SERVER
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.bindings import Binding, bind, bindings_of, from_json, moved, to_json
from kubeferry.tasks.core.lookup.derive import SourceIndex
from kubeferry.tasks.core.lookup.follow import Live, follow_in
from kubeferry.tasks.core.lookup.substitute import Absent
from kubeferry.tasks.core.lookup.uses import CLUSTER, Index

VERSIONS = {"Pod": "v1", "Service": "v1", "Node": "v1", "Namespace": "v1", "ReplicaSet": "apps/v1", "Job": "batch/v1"}
OLD, NEW = "1", "2"
OLD_REPLICA_SET = 2
"""The number of what has no counterpart: a restored Deployment begins with one ReplicaSet."""


def found_in(obj, *where):
    """Return the bindings of an object of which none is refused."""
    found, problem = bindings_of(obj, *where)
    assert problem == ""
    return found


def uid(cluster, number):
    return f"{cluster * 8}-0000-4000-8000-{number:012x}"


def made(kind, name, at, *, owner=None, namespace="shop", **body):
    """An object of cluster OLD or NEW: (cluster, number) gives its uid."""
    meta = {"name": name, "uid": uid(*at)} | ({"namespace": namespace} if namespace else {})
    if owner is not None:
        meta["ownerReferences"] = [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "controller": True,
            }
        ]
    return {"apiVersion": VERSIONS.get(kind, "apps/v1"), "kind": kind, "metadata": meta, **body}


def pod(name, at, ip, host, owner=None, *, ready=True):
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": host, "conditions": conditions}
    return made("Pod", name, at, owner=owner, spec={"nodeName": f"node-{host}"}, status=status)


def node(name, at, ip, role="worker"):
    obj = made("Node", name, at, namespace="", status={"addresses": [{"type": "InternalIP", "address": ip}]})
    obj["metadata"]["labels"] = {f"node-role.kubernetes.io/{role}": ""}
    return obj


def cluster(letter, subnet, suffix):
    """The same shop on a cluster with other uids, other pod names, other addresses."""
    at = iter((letter, number) for number in range(1, 99))
    web = made("Deployment", "web", next(at), spec={"replicas": 2})
    old = made("ReplicaSet", f"web-old{suffix}", next(at), owner=web, spec={"replicas": 0})
    new = made("ReplicaSet", f"web-new{suffix}", next(at), owner=web, spec={"replicas": 2})
    for revision, each in ((9, old), (10, new)):
        each["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": str(revision)}
    db = made("StatefulSet", "db", next(at), spec={"replicas": 1})
    logs = made("DaemonSet", "logs", next(at))
    run = made("CronJob", "leap", next(at)) | {"apiVersion": "batch/v1"}
    job = made("Job", f"leap-{suffix}", next(at), owner=run)
    kafka = made("StrimziPodSet", "kafka", next(at)) | {"apiVersion": "core.strimzi.io/v1beta2"}
    return [
        web,
        old,
        new,
        db,
        logs,
        run,
        job,
        kafka,
        pod(f"web-new{suffix}-a{suffix}", next(at), f"{subnet}.0.11", f"{subnet}.9.1", new),
        pod(f"web-new{suffix}-b{suffix}", next(at), f"{subnet}.0.12", f"{subnet}.9.2", new),
        pod("db-0", next(at), f"{subnet}.0.21", f"{subnet}.9.2", db),
        pod(f"logs-{suffix}", next(at), f"{subnet}.0.31", f"{subnet}.9.1", logs),
        pod(f"leap-{suffix}-x", next(at), f"{subnet}.0.41", f"{subnet}.9.1", job),
        pod("kafka-2", next(at), f"{subnet}.0.51", f"{subnet}.9.1", kafka),
        pod("bare", next(at), f"{subnet}.0.61", f"{subnet}.9.3"),
        made(
            "Service",
            "api",
            next(at),
            spec={"clusterIP": f"{subnet}.96.7", "clusterIPs": [f"{subnet}.96.7", f"fd00:{letter}::7"]},
            status={"loadBalancer": {"ingress": [{"ip": f"{subnet}.80.1"}, {"hostname": f"{suffix}.elb.example.com"}]}},
        ),
        made("Service", "kubernetes", next(at), namespace="default", spec={"clusterIP": f"{subnet}.96.1"}),
        made("Namespace", "kube-system", next(at), namespace=""),
        node(f"n-{suffix}-1", next(at), f"{subnet}.9.1", "control-plane"),
        node(f"n-{suffix}-2", next(at), f"{subnet}.9.2"),
        node(f"n-{suffix}-3", next(at), f"{subnet}.9.3"),
    ]


SOURCE = cluster(OLD, "10.1", "k1")
TARGET = cluster(NEW, "10.2", "z2")


def known(objects=SOURCE, *, nodes=True):
    index, around = Index(), SourceIndex()
    for obj in objects:
        if nodes or obj["kind"] != "Node":
            index.add(Ref.of(obj), links_of(obj))
            around.add(Ref.of(obj), links_of(obj), labels=obj["metadata"].get("labels", {}))
    return index, around


def config(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}, "data": data}


def bound_elsewhere(obj, *, nodes=True):
    """Bind to SOURCE, look up on TARGET: the object there, and the bindings by kind."""
    bindings = found_in(obj, *known(nodes=nodes))
    live = Live(TARGET)
    there, _ = bind(
        obj,
        [from_json(json.loads(json.dumps(to_json(each)))) for each in bindings],
        lambda each: follow_in(each.chain, live),
    )
    return there, {each.kind for each in bindings}


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("10.1.0.11", "10.2.0.11", "pod-ip"),
        ("10.1.0.12", "10.2.0.12", "pod-ip"),
        ("10.1.0.21", "10.2.0.21", "pod-ip"),
        ("10.1.0.31", "10.2.0.31", "pod-ip"),
        ("10.1.0.41", "10.2.0.41", "pod-ip"),
        ("10.1.0.51", "10.2.0.51", "pod-ip"),
        ("10.1.0.61", "10.2.0.61", "pod-ip"),
        ("10.1.96.7", "10.2.96.7", "service-ip"),
        ("fd00:1::7", "fd00:2::7", "service-ip"),
        ("10.1.80.1", "10.2.80.1", "load-balancer"),
        ("k1.elb.example.com", "z2.elb.example.com", "load-balancer"),
        ("10.1.96.1", "10.2.96.1", "api-server"),
        ("10.1.9.1", "10.2.9.1", "node-ip"),
        ("10.1.9.3", "10.2.9.3", "node-ip"),
        *((uid(OLD, number), uid(NEW, number), None) for number in range(1, 22) if number != OLD_REPLICA_SET),
    ],
)
def test_every_value_finds_its_counterpart(old, new, kind):
    there, kinds = bound_elsewhere(config(url=f"http://x/?a={old}", plain=old))
    assert there["data"] == {"url": f"http://x/?a={new}", "plain": new}
    expected = kind or ("cluster-uid" if there["data"]["plain"] == uid(NEW, 18) else "uid")
    assert kinds == {expected}


def test_a_node_of_the_same_name_comes_first():
    there = [node("n-k1-2", (NEW, 50), "10.2.9.77", "other"), *TARGET]
    [binding] = found_in(config(host="10.1.9.2"), *known())
    assert follow_in(binding.chain, Live(there)) == "10.2.9.77"


def test_without_nodes_a_host_is_that_of_a_pod():
    there, kinds = bound_elsewhere(config(host="10.1.9.3"), nodes=False)
    assert (there["data"]["host"], kinds) == ("10.2.9.3", {"host-ip"})


ENTRY = {
    "ip": "10.1.0.12",
    "nodeName": "node-10.1.9.2",
    "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web-newk1-bk1"},
}


def test_hand_made_endpoints_follow_their_pods():
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "web", "namespace": "shop"},
        "subsets": [{"addresses": [ENTRY], "notReadyAddresses": [{"ip": "10.1.0.21"}], "ports": [{"port": 80}]}],
    }
    before = copy.deepcopy(endpoints)
    there, kinds = bound_elsewhere(endpoints)
    assert there["subsets"] == [
        {
            "addresses": [
                {
                    "ip": "10.2.0.12",
                    "nodeName": "node-10.2.9.2",
                    "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web-newz2-bz2"},
                }
            ],
            "notReadyAddresses": [{"ip": "10.2.0.21"}],
            "ports": [{"port": 80}],
        }
    ]
    assert kinds == {"pod-ip", "pod-name", "node-name"}
    assert endpoints == before


def test_hand_made_slices_follow_their_pods():
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web", "namespace": "shop"},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.1.0.12"], "nodeName": ENTRY["nodeName"], "targetRef": ENTRY["targetRef"]},
            {"addresses": ["10.1.0.21"], "nodeName": "node-10.1.9.2", "targetRef": {"kind": "Pod", "name": "db-0"}},
            {"addresses": ["10.1.9.1"], "nodeName": "n-k1-1"},
        ],
    }
    there, _ = bound_elsewhere(endpoints)
    assert there["endpoints"] == [
        {
            "addresses": ["10.2.0.12"],
            "nodeName": "node-10.2.9.2",
            "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web-newz2-bz2"},
        },
        {"addresses": ["10.2.0.21"], "nodeName": "node-10.2.9.2", "targetRef": {"kind": "Pod", "name": "db-0"}},
        {"addresses": ["10.2.9.1"], "nodeName": "n-z2-1"},
    ]


def test_an_endpoint_on_the_hosts_network_is_its_pods_and_not_its_nodes():
    index, around = known([*SOURCE, pod("agent", (OLD, 60), "10.1.9.2", "10.1.9.2")])
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "agent", "namespace": "shop"},
        "subsets": [{"addresses": [{"ip": "10.1.9.2", "targetRef": {"kind": "Pod", "name": "agent"}}]}],
    }
    [binding] = found_in(endpoints, index, around)
    assert binding.chain.text() == "Pod shop/agent → status.podIP"
    [elsewhere] = found_in(config(host="10.1.9.2"), index, around)
    assert elsewhere.kind == "node-ip"


def test_values_are_found_through_every_layer():
    inside = base64.b64encode(b"http://10.1.0.11:80").decode()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "shop", "annotations": {}},
        "data": {"url": inside, "json": base64.b64encode(b'{"a": "10.1.96.7"}').decode(), "raw": "/w=="},
    }
    secret["metadata"]["annotations"][LAST_APPLIED] = json.dumps(secret)
    bindings = found_in(secret, *known())
    assert {(each.use.pointer, each.use.layers) for each in bindings} == {
        ("/data/url", ("base64",)),
        ("/data/json", ("base64", "json")),
        ("/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration", ("json", "base64")),
        ("/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration", ("json", "base64", "json")),
    }
    there, rewrites = bind(secret, bindings, lambda each: follow_in(each.chain, Live(TARGET)))
    assert base64.b64decode(there["data"]["url"]) == b"http://10.2.0.11:80"
    assert base64.b64decode(there["data"]["json"]) == b'{"a": "10.2.96.7"}'
    applied = json.loads(there["metadata"]["annotations"][LAST_APPLIED])
    assert applied["data"] == there["data"]
    assert len(rewrites) == 4
    assert not [text for text in ("10.1.", "10.2.", "http") if text in repr(rewrites)]


def test_an_absent_value_is_an_error_that_shows_the_chain_and_no_secret():
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "shop"},
        "data": {"url": base64.b64encode(b"hunter2@10.1.0.11").decode()},
    }
    with pytest.raises(PermanentError) as error:
        bind(secret, found_in(secret, *known()), lambda _: None)
    assert str(error.value) == (
        "Secret shop/s: no value for /data/url: "
        "Deployment.apps shop/web → its newest ReplicaSet → its pods, ready, by name, #0 → status.podIP"
    )


@pytest.mark.parametrize(
    ("policy", "data"),
    [
        (Absent.KEEP, {"a": "http://10.1.0.11", "b": "x"}),
        (Absent.EMPTY, {"a": "http://", "b": "x"}),
        (Absent.DROP, {"b": "x"}),
    ],
)
def test_what_to_do_without_a_value_is_given_by_class(policy, data):
    obj = config(a="http://10.1.0.11", b="x")
    assert bind(obj, found_in(obj, *known()), lambda _: None, {"pod-ip": policy})[0]["data"] == data


def test_a_pod_is_not_taken_before_its_siblings_are_ready():
    """With one of two ready, #0 could be the pod that will be #1."""
    [binding] = found_in(config(a="10.1.0.11"), *known())
    late = copy.deepcopy(TARGET)
    late[8]["status"]["conditions"][0]["status"] = "False"
    assert follow_in(binding.chain, Live(late)) is None
    late[2]["spec"]["replicas"] = 1
    assert follow_in(binding.chain, Live(late)) == "10.2.0.12"


def test_an_object_that_is_being_deleted_is_not_taken():
    [binding] = found_in(config(a="10.1.0.21"), *known())
    late = copy.deepcopy(TARGET)
    late[10]["metadata"]["deletionTimestamp"] = "2026-11-23T16:09:51Z"
    assert follow_in(binding.chain, Live(late)) is None


def test_a_chain_asks_for_all_that_it_walks_over():
    [binding] = found_in(config(a="10.1.0.11"), *known())
    asked = [(each.kind, each.namespace, each.name) for each in binding.chain.asks()]
    assert asked == [("Deployment", "shop", "web"), ("ReplicaSet", "shop", ""), ("Pod", "shop", "")]
    assert binding.needs == (Ref("apps", "Deployment", "shop", "web"),)


def test_every_chain_is_found_in_no_more_than_it_asks_for():
    for number in range(1, 22):
        for binding in found_in(config(a=uid(OLD, number), b=f"10.1.0.{number}1"), *known()):
            asked = binding.chain.asks()
            read = [obj for obj in TARGET if any(answers(obj, each) for each in asked)]
            assert follow_in(binding.chain, Live(read)) == follow_in(binding.chain, Live(TARGET)) is not None


def answers(obj, ask):
    ref = Ref.of(obj)
    return (ref.group, ref.kind, ref.namespace) == (ask.group, ask.kind, ask.namespace) and ask.name in ("", ref.name)


def test_what_stands_for_the_cluster_is_never_renamed_nor_needed():
    bindings = found_in(config(a="10.1.96.1", b=uid(OLD, 18)), *known())
    away = [moved(each, lambda ref: Ref(ref.group, ref.kind, "elsewhere", ref.name)) for each in bindings]
    assert [each.chain.start for each in away] == [API_SERVER, CLUSTER]
    assert {each.object.namespace for each in away} == {"elsewhere"}
    assert {each.needs for each in away} == {()}


LINE = to_json(found_in(config(a="10.1.0.11"), *known())[0])


def broken():
    yield from ([], "x", None, 7, {})
    for name in LINE:
        yield from (
            {**LINE, name: wrong} for wrong in (None, 7, "x", [], {}, ["x"], [["x"]], [{"step": "x"}], [None, None])
        )
    steps = LINE["chain"]
    for number, step in enumerate(steps):
        yield LINE | {"chain": steps[:number] + steps[number + 1 :]} if number in (0, len(steps) - 1) else {}
        for name in step:
            for wrong in (None, -1, True, {}, [7.5]):
                yield LINE | {"chain": [*steps[:number], step | {name: wrong}, *steps[number + 1 :]]}


@pytest.mark.parametrize("line", list(broken()))
def test_a_line_of_another_shape_is_damaged(line):
    if line == LINE | {"value": "x"}:
        assert from_json(line).old == "x"
        return
    if line == LINE | {"layers": []}:
        assert from_json(line) == from_json(LINE)
        return
    with pytest.raises(DamagedError):
        from_json(line)


def test_a_line_survives_json_and_later_fields():
    for number in range(1, 22):
        for binding in found_in(config(a=uid(OLD, number), b=f"10.1.0.{number}1", c="10.1.9.2"), *known()):
            line = json.loads(json.dumps(to_json(binding)))
            assert from_json(line | {"later": 1}) == binding
            assert isinstance(binding, Binding)


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "Secret", "name": "key", "namespace": "kube-system"},
        {"kind": "Service", "name": "../secrets/key"},
        {"kind": "Service", "name": ".."},
        {"kind": "Service", "name": "a", "namespace": "../x"},
        {"kind": "a/b", "name": "a"},
    ],
)
def test_a_user_binds_nothing_that_a_restore_would_refuse(source):
    """Refused there, it would refuse the whole backup."""
    item = {"sourceRef": source, "sourcePath": "$.data.token", "targetPath": "$.data.x"}
    note = {"config.kubernetes.io/apply-time-mutation": json.dumps([item])}
    meta = {"name": "web", "namespace": "shop", "annotations": note}
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"x": "y"}}
    found, problem = bindings_of(obj, Index(), SourceIndex())
    assert found == []
    assert problem.startswith("ConfigMap shop/web: annotation config.kubernetes.io/apply-time-mutation: ")
    item["sourceRef"] = {"kind": "Secret", "name": "key"}
    note["config.kubernetes.io/apply-time-mutation"] = json.dumps([item])
    (found,) = found_in(obj, Index(), SourceIndex())
    assert from_json(to_json(found)) == found
