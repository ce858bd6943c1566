"""On a real dual-stack cluster: IPv6 addresses are looked up and rewritten, and Services come to and from one family.

The cluster is the third one of a sandbox, which this file starts and stops, in a folder of its own: the sandbox of all
other tests has two.
"""

import os
from ipaddress import ip_address
from pathlib import Path
from string import Template

import orjson
import pytest
import yaml
from tests.support.bench import A, B, Bench
from tests.support.objects import CASE_15, bare_pod, config_map, documents, service, workload
from tests.support.velero_archives import store

from kubeferry.deployments.sandbox import build, credentials
from kubeferry.deployments.sandbox.cluster import Cluster
from kubeferry.deployments.sandbox.sandbox import Sandbox
from kubeferry.tasks.core.errors import PreflightError
from kubeferry.tasks.core.lookup.follow import is_ready
from kubeferry.tasks.ports.cluster.client import connect

C = "kubeferry-c"

BOTH = {"ipFamilyPolicy": "RequireDualStack"}
OWNERS = documents(
    service("web", "app", **BOTH, ipFamilies=["IPv6", "IPv4"]),
    service("second", "app", ipFamilyPolicy="PreferDualStack"),
    service("only6", "app", ipFamilies=["IPv6"]),
    service("headless", "db", **BOTH, clusterIP="None"),
    workload("Deployment", "app"),
    workload("StatefulSet", "db", serviceName="headless", replicas=2),
    bare_pod(labels={"app": "bare"}),
    bare_pod("outside", labels={"app": "outside"}),
)
USES = {
    "url": "http://[$web]:80/path?next=[$second]",
    "hostport": "[$web]:80",
    "bare": "$web",
    "families": "$web,$web4;$second $second4",
    "list": "$app, [$db1]:5432 $bare",
    "json": '{"hosts": ["$web", "$bare"], "at": "[$only6]:443"}',
    "yaml": "upstream:\n  - ip: '$web' # the site\n  - {ip: '$only6'}\n",
    "shell": 'DB="[$db1]"\nexport WEB="http://[$web]"',
    "one-host": "$web/128",
    "node": "$host",
    "pod-dns": "$dashed.$ns.pod.cluster.local",
    "encoded": "next=http%3A%2F%2F%5B$web%5D%2F",
    "mapped": "::ffff:$web4",
}
NOTATIONS = {"upper": str.upper, "exploded": lambda text: ip_address(text).exploded}
"""Other ways to write an address (RFC 4291, 2.2): what is written there is written anew, in the canonical form."""
NEAR = {
    "range": "$range",
    "longer": "${web}0",
    "part": "a:$web",
    "mapped": "::ffff:192.0.2.7",
    "other": "fd00:10:202::dead",
}


def filled(texts, values):
    return {key: Template(text).substitute(values) for key, text in texts.items()}


def noted(values):
    """Return the texts that use an address in another notation."""
    return {key: f"http://[{write(values['web'])}]:80" for key, write in NOTATIONS.items()}


@pytest.fixture(scope="module")
def dual(alone):
    """A cluster that has both families."""
    made = Sandbox(Path(os.environ["KUBEFERRY_TEST_HOME"], "dual", "state", "sandbox"))
    made.home.mkdir(parents=True)
    cluster = Cluster(made.home, 2)
    with alone:
        made._up_cluster(cluster, build.binaries())
    yield cluster
    made.down(purge=True)


@pytest.fixture(scope="module")
def bench(sandbox, sandbox_env, served, run_flow, dual, tmp_path_factory):  # noqa: ARG001 - they set the environment
    """All three clusters, and a store of the module's own."""
    clusters = [Cluster(sandbox.home, 0), Cluster(sandbox.home, 1), dual]
    entries = [credentials.cluster_entry(one.name, one.server, one.ca) for one in clusters]
    contexts = [(one.name, one.name, one.tokens["admin"]) for one in clusters]
    config = Path(tmp_path_factory.mktemp("dual"), "kubeconfig")
    config.write_text(credentials.kubeconfig(entries, contexts, A))
    made = Bench(run_flow, config, tmp_path_factory.mktemp("store"), alone=False)
    made.clusters[C] = connect(C, str(config))
    yield made
    made.clear()


def values(bench, ns):
    """Return the value of every name that the texts use, as it is on the cluster now."""
    pods = sorted(bench.list("Pod", ns, C), key=lambda each: each["metadata"]["name"])
    by_app = {}
    for pod in pods:
        assert is_ready(pod), pod["metadata"]["name"]
        by_app.setdefault(pod["metadata"]["labels"]["app"], []).append(
            of(6, (ip["ip"] for ip in pod["status"]["podIPs"]))
        )
    ips = {name: bench.get("Service", ns, name, C)["spec"]["clusterIPs"] for name in ("web", "second", "only6")}
    nodes = bench.list("Node", context=C)[2]["status"]["addresses"]
    return {
        "web": ips["web"][0],
        "web4": ips["web"][1],
        "second": ips["second"][1],
        "second4": ips["second"][0],
        "only6": ips["only6"][0],
        "app": by_app["app"][0],
        "db1": by_app["db"][1],
        "bare": by_app["bare"][0],
        "outside": by_app["outside"][0],
        "ns": ns,
        "dashed": by_app["app"][0].replace(":", "-"),
        "host": of(6, (each["address"] for each in nodes if each["type"] == "InternalIP")),
        "range": f"{ips['web'][0]}-fd00:10:202::ffff",
    }


def of(family, addresses):
    return next(each for each in addresses if ip_address(each).version == family)


def slice_of(address):
    """Return a slice that somebody keeps for a Service without selector, with the address of a pod."""
    labels = {"kubernetes.io/service-name": "manual"}
    meta = {"name": "manual-6", "labels": labels}
    made = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta, "addressType": "IPv6"}
    return made | {"endpoints": [{"addresses": [address]}], "ports": [{"port": 80}]}


@pytest.fixture(scope="module")
def scene(bench):
    """A namespace that uses addresses of both families, and its clone on the same cluster; old and new values."""
    ns, new = bench.namespace("dual", C), bench.name("dual")
    bench.make(OWNERS, ns, C)
    for kind, name in (("Deployment", "app"), ("StatefulSet", "db"), ("Pod", "bare"), ("Pod", "outside")):
        bench.ready(kind, ns, name, C)
    old = values(bench, ns)
    uses = filled(USES, old) | noted(old)
    manual = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "manual"}}
    manual["spec"] = {"ipFamilies": ["IPv6"], "ports": [{"port": 80}]}
    bench.make(documents(config_map("uses", uses), config_map("near", filled(NEAR, old))), ns, C)
    bench.make(yaml.safe_dump_all([manual, slice_of(old["outside"])]), ns, C)
    saved = bench.backup(ns, context=C)
    result = bench.restore(saved, C, map={ns: new})
    return ns, new, old, values(bench, new), result


def test_ipv6_addresses_of_services_pods_and_nodes_follow(bench, scene):
    _, new, old, now, result = scene
    assert {name for name in old if old[name] == now[name]} == {"host"}
    assert bench.get("ConfigMap", new, "uses", C)["data"] == filled(USES, now) | dict.fromkeys(
        NOTATIONS, f"http://[{now['web']}]:80"
    )
    assert result.phase == "Completed", result.problems


def test_what_merely_looks_like_one_stays(bench, scene):
    _, new, old, _, _ = scene
    assert bench.get("ConfigMap", new, "near", C)["data"] == filled(NEAR, old)


def test_a_slice_that_somebody_keeps_has_the_address_of_the_new_pod(bench, scene):
    _, new, _, now, _ = scene
    (endpoint,) = bench.get("EndpointSlice", new, "manual-6", C)["endpoints"]
    assert endpoint["addresses"] == [now["outside"]]


def test_slices_of_both_families_are_made_by_their_controller(bench, scene):
    ns, new, *_ = scene

    def kinds(space):
        found = [each for each in bench.list("EndpointSlice", space, C) if each["endpoints"]]
        return sorted((each["metadata"]["labels"]["kubernetes.io/service-name"], each["addressType"]) for each in found)

    bench.until(lambda: kinds(new) == kinds(ns))
    assert ("web", "IPv6") in kinds(new)
    assert ("web", "IPv4") in kinds(new)


def test_families_and_their_order_stay(bench, scene):
    ns, new, *_ = scene
    for name in ("web", "second", "only6", "headless", "manual"):
        before, after = (bench.get("Service", each, name, C)["spec"] for each in (ns, new))
        assert (after["ipFamilies"], after["ipFamilyPolicy"]) == (before["ipFamilies"], before["ipFamilyPolicy"]), name


# --- between clusters of one family and of two


def test_a_service_that_prefers_two_families_comes_with_the_one_that_there_is(bench):
    ns, new = bench.namespace("dual", C), bench.name("dual")
    bench.make(service("web", "app", ipFamilyPolicy="PreferDualStack"), ns, C)
    assert len(bench.get("Service", ns, "web", C)["spec"]["clusterIPs"]) == 2
    result = bench.restore(bench.backup(ns, context=C), B, map={ns: new})
    spec = bench.get("Service", new, "web", B)["spec"]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"], len(spec["clusterIPs"])) == (["IPv4"], "PreferDualStack", 1)
    assert result.phase == "Completed", result.problems


def test_a_service_that_requires_two_is_refused_by_preflight_by_name(bench):
    ns, new = bench.namespace("dual", C), bench.name("dual")
    bench.make(documents(service("web", "app", **BOTH), config_map("settings", {"a": "1"})), ns, C)
    with pytest.raises(PreflightError, match=f"Service {new}/web requires two address families"):
        bench.restore(bench.backup(ns, context=C), B, map={ns: new})
    assert bench.find("Namespace", "", new, B) is None


def test_a_service_of_a_family_that_the_target_lacks_comes_with_the_one_that_there_is_and_says_so(bench):
    ns, new = bench.namespace("dual", C), bench.name("dual")
    bench.make(service("web", "app", ipFamilies=["IPv6"]), ns, C)
    result = bench.restore(bench.backup(ns, context=C), B, map={ns: new})
    assert bench.get("Service", new, "web", B)["spec"]["ipFamilies"] == ["IPv4"]
    assert [(each.path, each.code) for each in result.losses] == [("/spec/ipFamilies", "request-not-kept")]


def test_services_of_one_family_come_to_two(bench):
    """One that prefers two gets both; what its cluster filled in is no wish, and what was asked for stays."""
    ns, new = bench.namespace("dual"), bench.name("dual")
    plain, prefers = service("plain", "app"), service("prefers", "app", ipFamilyPolicy="PreferDualStack")
    bench.make(documents(plain, prefers, service("asked", "app", ipFamilies=["IPv4"])), ns)
    result = bench.restore(bench.backup(ns), C, map={ns: new})
    found = {name: bench.get("Service", new, name, C)["spec"] for name in ("plain", "prefers", "asked")}
    assert {name: spec["ipFamilies"] for name, spec in found.items()} == {
        "plain": ["IPv4"],
        "prefers": ["IPv4", "IPv6"],
        "asked": ["IPv4"],
    }
    assert [ip_address(each).version for each in found["prefers"]["clusterIPs"]] == [4, 6]
    assert result.phase == "Completed", result.problems


def test_case_15_dual_stack_service(bench):
    """Velero's archive of another dual-stack cluster: its addresses cannot be had, both families can."""
    ns = bench.namespace("dual", C)
    body = orjson.dumps(yaml.safe_load(CASE_15.replace("NS", ns)))
    bench.restore(store(bench, [(f"resources/services/namespaces/{ns}/web.json", body)]), C)
    spec = bench.get("Service", ns, "web", C)["spec"]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4", "IPv6"], "PreferDualStack")
    assert not {"10.96.7.7", "fd00:96::77"} & set(spec["clusterIPs"])
