"""The plug-ins that Kubeferry ships, on namespaces with the shapes of the real CRDs."""

from datetime import UTC, datetime

import pytest
from tests.support.plugin_namespaces import loaded, planned

from kubeferry.tasks.core.formats.links import Links, Owner
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.verdict import Context
from kubeferry.tasks.core.needs.ownership import recreated_by
from kubeferry.tasks.core.plan.late_values import Means, deferral
from kubeferry.tasks.core.plugins.cert_manager import RULES as CERT_MANAGER
from kubeferry.tasks.core.plugins.cluster_api import GROUPS
from kubeferry.tasks.core.plugins.cluster_api import RULES as CLUSTER_API
from kubeferry.tasks.core.plugins.registry import Registry

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOOK = Registry([CLUSTER_API, CERT_MANAGER])


def level_of(found):
    return {f"{ref.kind}/{ref.name}": number for number, refs in enumerate(found.levels) for ref in refs}


def test_a_management_namespace_comes_back_owners_first_as_clusterctl_moves_it():
    objects = loaded("cluster-api")
    found = planned(objects, BOOK)
    level = level_of(found)
    for ref, obj in objects.items():
        for owner in obj["metadata"].get("ownerReferences", ()):
            assert level[f"{owner['kind']}/{owner['name']}"] < level[f"{ref.kind}/{ref.name}"]
    machine = "blue-md-x7k2p-9qwrt"
    chain = ["Cluster/blue", "MachineDeployment/blue-md", "MachineSet/blue-md-x7k2p"]
    chain += [f"{kind}/{machine}" for kind in ("Machine", "KubeadmConfig", "Secret")]
    assert [level[each] for each in chain] == sorted({level[each] for each in chain})
    assert level["Cluster/blue"] < level["Secret/blue-ca"]
    # The references up the chain (a Machine to its config, a Cluster to its control plane) tie cycles; names may wait.
    assert found.broken
    assert {deferral(objects[each.source], each).how for each in found.broken} == {Means.NOTHING}


def test_no_machine_is_left_to_a_controller():
    for ref in loaded("cluster-api"):
        assert BOOK.makers((ref.group, ref.kind)) == frozenset()
        assert BOOK.exclusion(loaded("cluster-api")[ref]) is None


def test_clusters_are_paused_and_resumed_after_their_classes():
    cluster = loaded("cluster-api")[Ref("cluster.x-k8s.io", "Cluster", "fleet", "blue")]
    paused = BOOK.paused(cluster)
    assert paused.obj["spec"]["paused"] is True
    assert paused.back == {"spec": {"paused": None}}
    of_class = BOOK.paused(cluster | {"kind": "ClusterClass"})
    assert of_class.obj["metadata"]["annotations"] == {"cluster.x-k8s.io/paused": "true"}
    assert of_class.turn < paused.turn
    assert BOOK.paused(loaded("cluster-api")[Ref("cluster.x-k8s.io", "MachineDeployment", "fleet", "blue-md")]) is None


@pytest.mark.parametrize(
    ("topology", "target"),
    [
        ({"classRef": {"name": "big"}}, "fleet/big"),
        ({"classRef": {"name": "big", "namespace": "classes"}}, "classes/big"),
        ({"class": "big"}, "fleet/big"),
        ({"class": "big", "classNamespace": "classes"}, "classes/big"),
    ],
)
def test_a_cluster_waits_for_its_class(topology, target):
    cluster = loaded("cluster-api")[Ref("cluster.x-k8s.io", "Cluster", "fleet", "blue")]
    found = BOOK.edges(cluster | {"spec": {"topology": topology}})
    assert [each.target.path for each in found if each.target.kind == "ClusterClass"] == [target]


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"spec": {"paused": True}, "status": {"conditions": [{"type": "Available", "status": "False"}]}}, "ready"),
        (
            {"status": {"conditions": [{"type": "Paused", "status": "True"}, {"type": "Ready", "status": "False"}]}},
            "ready",
        ),
        ({"status": {"conditions": [{"type": "Available", "status": "False"}]}}, "waiting"),
        ({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, "ready"),
        ({}, "ready"),
    ],
)
@pytest.mark.parametrize("group", GROUPS)
def test_what_is_paused_is_not_waited_for(group, body, state):
    obj = {"apiVersion": f"{group}/v1beta2", "kind": "Machine", "metadata": {"name": "m"}, **body}
    assert BOOK.verdict(obj, NOW, Context()).state == state


def test_marks_of_the_moment_are_not_kept():
    devcluster = loaded("cluster-api")[Ref("infrastructure.cluster.x-k8s.io", "DevCluster", "fleet", "blue")]
    assert devcluster["metadata"]["annotations"]
    assert BOOK.without_dynamic(devcluster)["metadata"]["annotations"] == {}


def test_other_products_are_left_alone():
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "b"}, "type": "Opaque"}
    secret["metadata"]["labels"] = {"cluster.x-k8s.io/cluster-name": "blue"}
    assert BOOK.edges(secret) == []
    other = {
        "apiVersion": "fleet.example.com/v1",
        "kind": "Cluster",
        "metadata": {"name": "a"},
        "spec": {"clusterName": "x"},
    }
    assert (BOOK.edges(other), BOOK.paused(other), BOOK.exclusion(other)) == ([], None, None)


def test_a_certificate_finds_its_secret_even_where_it_owns_it():
    objects = {ref: obj for ref, obj in loaded("cert-manager").items() if not BOOK.exclusion(obj)}
    found = planned(objects, BOOK)
    level = level_of(found)
    assert level["Secret/acme-account"] < level["Issuer/acme"] < level["Certificate/web"]
    assert level["Secret/web-tls"] < level["Certificate/web"]
    assert [(str(each.source), deferral(objects[each.source], each).how) for each in found.broken] == [
        ("Secret shop/web-tls", Means.RELINK)
    ]


def test_what_belongs_to_one_issuance_is_left_out_with_the_reason():
    reasons = {f"{ref.kind}/{ref.name}": BOOK.exclusion(obj) for ref, obj in loaded("cert-manager").items()}
    why = {name: reason and reason.text for name, reason in reasons.items()}
    assert {name for name, text in why.items() if text} == {"CertificateRequest/web-3", "Secret/web-abcde"}
    assert why["Secret/web-abcde"] == "the private key of an unfinished issuance (cert-manager)"
    for kind in ("Order", "Challenge"):
        obj = {"apiVersion": "acme.cert-manager.io/v1", "kind": kind, "metadata": {"name": "a"}}
        assert BOOK.exclusion(obj)
        assert BOOK.exclusion(obj | {"apiVersion": "shop.example.com/v1"}) is None
    solver = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    solver["metadata"]["labels"] = {"acme.cert-manager.io/http01-solver": "true"}
    assert BOOK.exclusion(solver)


def test_the_certificate_of_an_ingress_is_left_to_cert_manager():
    assert ("networking.k8s.io", "Ingress") in BOOK.makers(("cert-manager.io", "Certificate"))
    assert BOOK.makers(("cert-manager.io", "Issuer")) == frozenset()


def test_a_kept_status_names_no_key_that_is_left_out():
    certificate = loaded("cert-manager")[Ref("cert-manager.io", "Certificate", "shop", "web")]
    assert BOOK.without_dynamic(certificate)["status"] == {"revision": 3}


def test_the_book_decides_what_is_left_to_its_controller():
    certificate = Ref("cert-manager.io", "Certificate", "shop", "web")
    ingress = Ref("networking.k8s.io", "Ingress", "shop", "web")
    owned = Links(owners=(Owner("networking.k8s.io/v1", "Ingress", "web", "u", controller=True),))
    assert recreated_by(certificate, owned, {ingress}, BOOK.makers) == ingress
    assert recreated_by(certificate, owned, {ingress}) is None
    assert recreated_by(certificate, owned, set(), BOOK.makers) is None
    pod, replicas = Ref("", "Pod", "shop", "a"), Ref("apps", "ReplicaSet", "shop", "web")
    by_replicas = Links(owners=(Owner("apps/v1", "ReplicaSet", "web", "u", controller=True),))
    assert recreated_by(pod, by_replicas, {replicas}, BOOK.makers) == replicas
