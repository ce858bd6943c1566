"""How strongly an object needs what it names, and from whom its owners may come: one edge a need."""

import pytest

from kubeferry.tasks.core.formats.links import Links, Owner
from kubeferry.tasks.core.graph.order import Strength
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.edges import controller_edges, needs_of, owner_edges
from kubeferry.tasks.core.needs.references.find import references
from kubeferry.tasks.core.plugins.registry import Registry

PLAIN = Registry(())


def made(api_version, kind, meta=None, **body):
    named = {"name": "web", "namespace": "shop", **(meta or {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": named, **body}


def needs(obj, links=None):
    found = needs_of(obj, references(obj), links or Links(), PLAIN)
    return {(str(each.target), each.strength.name, each.why) for each in found if each.source == Ref.of(obj)}


POD = {"serviceAccountName": "runner", "priorityClassName": "high", "volumes": [{"configMap": {"name": "files"}}]}


def test_a_workload_starts_only_with_its_account_and_files_and_merely_names_its_class():
    obj = made("apps/v1", "StatefulSet", spec={"serviceName": "peers", "template": {"spec": POD}})
    assert needs(obj) == {
        ("ServiceAccount shop/runner", "START", "spec.template.spec.serviceAccountName"),
        ("ConfigMap shop/files", "START", "spec.template.spec.volumes[].configMap.name"),
        ("PriorityClass.scheduling.k8s.io high", "REFERENCE", "spec.template.spec.priorityClassName"),
        ("Service shop/peers", "REFERENCE", "spec.serviceName"),
    }


def test_a_token_waits_for_its_account_as_if_a_person_had_asked_for_it():
    """Its controller deletes it while the account is not there."""
    note = {"annotations": {"kubernetes.io/service-account.name": "runner"}}
    token = made("v1", "Secret", note, type="kubernetes.io/service-account-token")
    assert needs(token) == {("ServiceAccount shop/runner", "EXPLICIT", "metadata.annotations")}


def test_what_a_person_wrote_is_a_need_of_its_own():
    note = {"annotations": {"kubeferry.io/depends-on": "Secret/key"}}
    assert needs(made("v1", "ConfigMap", note)) == {("Secret shop/key", "EXPLICIT", "kubeferry.io/depends-on")}


OWNERS = Links(
    owners=(Owner("apps/v1", "Deployment", "web", "u1", controller=True), Owner("v1", "ConfigMap", "extra", "u2"))
)
FIELD = "metadata.ownerReferences"


def test_an_owner_may_be_in_the_namespace_or_cluster_wide():
    assert needs(made("apps/v1", "ReplicaSet"), OWNERS) == {
        ("Deployment.apps shop/web", "OWNER", FIELD),
        ("Deployment.apps web", "OWNER", FIELD),
        ("ConfigMap shop/extra", "OWNER", FIELD),
        ("ConfigMap extra", "OWNER", FIELD),
    }


def test_an_owner_of_what_is_cluster_wide_is_reported_once():
    edges = owner_edges(Ref("example.com", "Fleet", "", "f"), OWNERS)
    assert [str(each.target) for each in edges] == ["Deployment.apps web", "ConfigMap extra"]


@pytest.mark.parametrize(
    ("namespace", "targets"),
    [("shop", ["Deployment.apps shop/web", "Deployment.apps web"]), ("", ["Deployment.apps web"])],
)
def test_only_one_owner_controls(namespace, targets):
    edges = controller_edges(Ref("apps", "ReplicaSet", namespace, "web-1"), OWNERS)
    assert [str(each.target) for each in edges] == targets
    assert {(each.strength, each.why) for each in edges} == {(Strength.OWNER, FIELD)}
