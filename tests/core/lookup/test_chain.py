"""Chains as people read them, and the odd ways from an owner to its pods."""

import pytest

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.links import Links, Owner
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.chain import Ask, Chain, may_read, renamed
from kubeferry.tasks.core.lookup.derive import SourceIndex, chain_of
from kubeferry.tasks.core.lookup.follow import Live, family_of, follow_in
from kubeferry.tasks.core.lookup.steps import Named, Newest, Nodes, Pods, Read, Start
from kubeferry.tasks.core.lookup.uses import Source

POD = Ref("", "Pod", "shop", "web-1")
WEB = Ref("apps", "Deployment", "shop", "web")
JOB = Ref("batch", "Job", "shop", "migrate")


def owned(api_version, kind, name, **addresses):
    return Links(owners=(Owner(api_version, kind, name, f"uid-{name}", controller=True),), addresses=addresses)


def chain(source, *known):
    around = SourceIndex()
    for ref, links in known:
        around.add(ref, links)
    return chain_of(source, around)


def test_a_job_that_somebody_made_is_found_by_name():
    found = chain(Source(POD, "/status/podIP"), (POD, owned("batch/v1", "Job", "migrate")), (JOB, Links()))
    assert found.text() == "Job.batch shop/migrate → its pods, ready, by name, #0 → status.podIP"


def test_without_its_replica_set_a_pod_is_found_from_what_it_names():
    found = chain(Source(POD, "/status/podIP"), (POD, owned("apps/v1", "ReplicaSet", "web-x")))
    assert found.text() == "ReplicaSet.apps shop/web-x → its pods, ready, by name, #0 → status.podIP"


def test_a_pod_that_nothing_is_known_of_is_found_by_name():
    assert chain(Source(POD, "/status/podIP")).text() == "Pod shop/web-1 → status.podIP"


def test_a_static_pod_is_no_pod_of_its_node():
    assert chain(Source(POD, "/status/podIP"), (POD, owned("v1", "Node", "n1"))).start == POD


def test_an_owner_may_be_cluster_scoped():
    fleet = Ref("example.com", "Fleet", "", "f")
    found = chain(Source(POD, "/status/podIP"), (POD, owned("example.com/v1", "Fleet", "f")), (fleet, Links()))
    assert found.start == fleet


def test_the_pod_itself_counts_though_it_is_not_ready():
    around = SourceIndex()
    for name, ready in (("a", True), ("b", False), ("c", False), ("d", True)):
        around.add(Ref("", "Pod", "shop", name), owned("batch/v1", "Job", "migrate"), ready=ready)
    found = chain_of(Source(Ref("", "Pod", "shop", "c"), "/status/podIP"), around)
    assert found.steps[1] == Pods(1, 3)


def test_what_hands_out_no_such_value_has_no_chain():
    assert chain(Source(WEB, "/spec/anything")) is None


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        (
            (Nodes("n1", ("worker",), 2), Read("nodeAddress", "IPv4", 1)),
            "Node n1, else nodes with role worker, by name, #2",
        ),
        ((Nodes("n1", (), 0), Read("name")), "Node n1, else nodes without a role, by name, #0 → metadata.name"),
        ((Start(WEB), Named("db-0"), Read("podIP", "IPv6")), "its pod db-0 → status.podIP (IPv6)"),
        ((Start(WEB), Read("ingress", "host", 1)), "→ status.loadBalancer.ingress[1] (host)"),
        ((Start(WEB), Read("path", path=("status", "a b", 0, "c"))), "→ status.a b[0].c"),
    ],
)
def test_a_chain_is_read_by_people(steps, text):
    assert text in Chain(steps).text()


def test_a_rename_maps_namespaces_and_nothing_else():
    names = {"shop": "copy", "web": "wrong", "default": "elsewhere"}

    def start(ref):
        return renamed(Chain((Start(ref), Read("uid"))), names).start

    assert start(WEB) == Ref("apps", "Deployment", "copy", "web")
    assert start(Ref("", "Namespace", "", "shop")) == Ref("", "Namespace", "", "copy")
    assert start(Ref("", "Service", "default", "kubernetes")) == Ref("", "Service", "default", "kubernetes")
    nodes = Chain((Nodes("shop", (), 0), Read("name")))
    assert renamed(nodes, names) == nodes


def test_asks_name_each_request_once():
    found = Chain((Start(WEB), Newest("apps", "ReplicaSet"), Pods(0, 1), Read("podIP")))
    assert found.asks() == (
        Ask("apps", "Deployment", "shop", "web"),
        Ask("apps", "ReplicaSet", "shop"),
        Ask("", "Pod", "shop"),
    )
    assert Chain((Nodes("n", (), 0), Read("name"))).asks() == (Ask("", "Node"),)
    assert found.needs == (WEB,)


@pytest.mark.parametrize("family", ["IPv4", "IPv6", "host"])
def test_a_value_of_another_family_is_no_counterpart(family):
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "api", "namespace": "shop"},
        "spec": {"clusterIP": "None"},
        "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1", "hostname": "a.example.com"}, {"ip": "fd00::1"}]}},
    }
    ref = Ref.of(service)
    found = follow_in(Chain((Start(ref), Read("ingress", family))), Live([service]))
    assert family_of(found) == family
    assert follow_in(Chain((Start(ref), Read("ingress", family, 1))), Live([service])) is None
    assert follow_in(Chain((Start(ref), Read("clusterIP"))), Live([service])) is None


@pytest.mark.parametrize("revision", ["", "x", "²", "-1"])
def test_an_odd_revision_does_not_count(revision):
    web = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", "uid": "u"}}
    owner = {"kind": "Deployment", "name": "web", "uid": "u", "controller": True}
    sets = [
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": "shop",
                "uid": name,
                "ownerReferences": [owner],
                "annotations": {"deployment.kubernetes.io/revision": number},
            },
        }
        for name, number in (("a", "2"), ("b", revision))
    ]
    found = Chain((Start(WEB), Newest("apps", "ReplicaSet"), Read("uid")))
    assert follow_in(found, Live([web, *sets])) == "a"


@pytest.mark.parametrize(
    "steps",
    [
        (Read("uid"),),
        (Start(WEB),),
        (Pods(0, 1), Read("uid")),
        (Start(WEB), Start(WEB), Read("uid")),
        (Start(WEB), Read("uid"), Read("uid")),
    ],
)
def test_steps_in_another_order_are_damage(steps):
    with pytest.raises(DamagedError):
        Chain.from_json(Chain(steps).to_json())


SECRET = Ref("", "Secret", "shop", "key")
OTHERS = Ref("", "Secret", "kube-system", "key")
CONTENT = Read("path", path=("data", "token"))


@pytest.mark.parametrize(
    ("steps", "may"),
    [
        ((Start(SECRET), CONTENT), True),
        ((Start(OTHERS), CONTENT), False),
        ((Start(OTHERS), Read("uid")), True),
        ((Start(Ref("", "ConfigMap", "kube-system", "c")), CONTENT), True),
        ((Start(Ref("", "ServiceAccount", "kube-system", "a")), Newest("", "Secret"), CONTENT), False),
        ((Start(Ref("", "ServiceAccount", "shop", "a")), Newest("", "Secret"), CONTENT), True),
        ((Nodes("n", (), 0), Newest("", "Secret"), CONTENT), False),
    ],
)
def test_what_is_in_a_secret_stays_in_its_namespace(steps, may):
    assert may_read(WEB, Chain(steps)) is may
    if OTHERS in {getattr(step, "ref", None) for step in steps}:
        assert may_read(Ref("", "Namespace", "", "kube-system"), Chain(steps)) is (CONTENT not in steps)


def test_a_cluster_wide_object_reads_no_secret():
    assert not may_read(Ref("", "Namespace", "", "shop"), Chain((Start(Ref("", "Secret", "", "key")), CONTENT)))


@pytest.mark.parametrize(
    "step",
    [
        {"step": "start", "ref": ["", "Pod", "shop", ".."]},
        {"step": "start", "ref": ["", "Pod", "..", "web"]},
        {"step": "start", "ref": ["", "Pod", "shop", "a/b"]},
        {"step": "start", "ref": ["", "Pod", "shop", "a\x1b"]},
        {"step": "start", "ref": ["a/b", "Pod", "shop", "a"]},
        {"step": "start", "ref": ["", "../pods", "shop", "a"]},
        {"step": "start", "ref": ["", "Pod", "shop", "n" * 10_000]},
        {"step": "nodes", "name": "../x", "roles": [], "ordinal": 0},
        {"step": "nodes", "name": "n", "roles": [], "ordinal": 2**31},
    ],
)
def test_no_step_names_what_could_lead_elsewhere(step):
    read = {"step": "read", "what": "uid", "family": "", "index": 0, "path": []}
    with pytest.raises(DamagedError, match=r"^bindings: \w+ must be"):
        Chain.from_json([step, read])
