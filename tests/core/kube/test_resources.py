"""Discovery documents of real and of odd servers."""

import pytest

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.kube.resources import ResourceType, parse_discovery


def resource(name, kind, *, scope="Namespaced", **more):
    kinds = {"responseKind": {"group": "", "version": "", "kind": kind}} if kind else {}
    return {"resource": name, "scope": scope, "verbs": ["list", "create"], **kinds, **more}


def document(*groups, api="apidiscovery.k8s.io/v2"):
    items = [
        {"metadata": {"name": name} if name else {"creationTimestamp": None}, "versions": versions}
        for name, versions in groups
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": api, "metadata": {}, "items": items}


def version(name, *resources, freshness="Current"):
    return {"version": name, "resources": list(resources), "freshness": freshness}


PODS = resource(
    "pods",
    "Pod",
    singularResource="pod",
    shortNames=["po"],
    subresources=[{"subresource": "log", "verbs": ["get"]}, {"subresource": "exec", "verbs": ["create"]}],
)
DEPLOYMENTS = resource("deployments", "Deployment", singularResource="deployment", shortNames=["deploy"])


@pytest.mark.parametrize("api", ["apidiscovery.k8s.io/v2", "apidiscovery.k8s.io/v2beta1"])
def test_types_are_read_from_both_formats(api):
    found = parse_discovery(
        [document(("", [version("v1", PODS)]), api=api), document(("apps", [version("v1", DEPLOYMENTS)]), api=api)]
    )
    pods, deployments = found.types
    assert pods == ResourceType(
        "",
        "v1",
        "Pod",
        "pods",
        namespaced=True,
        verbs=frozenset({"list", "create"}),
        subresources=frozenset({"log", "exec"}),
        names=frozenset({"pods", "pod", "po"}),
    )
    assert (deployments.api_version, deployments.group_resource) == ("apps/v1", "deployments.apps")
    assert (pods.api_version, pods.group_resource) == ("v1", "pods")
    assert found.problems == {}


def test_the_preferred_version_comes_first_and_all_are_known():
    scaler = resource("horizontalpodautoscalers", "HorizontalPodAutoscaler")
    found = parse_discovery([document(("autoscaling", [version("v2", scaler), version("v1", scaler)]))])
    assert [each.version for each in found.types] == ["v2"]
    assert found.versions["autoscaling", "HorizontalPodAutoscaler"] == ("v2", "v1")


def test_a_type_of_an_older_version_only_is_found():
    old = resource("oldthings", "OldThing")
    found = parse_discovery([document(("g.io", [version("v2", resource("things", "Thing")), version("v1", old)]))])
    assert found.by_kind("g.io", "OldThing").version == "v1"
    assert found.by_kind("g.io", "Nothing") is None
    assert found.by_kind("", "Thing") is None


def test_a_stale_group_is_reported_even_without_resources():
    stale = {"version": "v1beta1", "freshness": "Stale"}
    found = parse_discovery([document(("metrics.k8s.io", [stale]), ("", [version("v1", PODS, freshness="Stale")]))])
    assert found.problems == {
        "metrics.k8s.io/v1beta1": "its API server does not answer (discovery says Stale)",
        "v1": "its API server does not answer (discovery says Stale)",
    }
    assert [each.resource for each in found.types] == ["pods"]


def test_a_group_without_resources_is_no_problem():
    """A metrics adapter that has no metrics answers so."""
    found = parse_discovery([document(("custom.metrics.k8s.io", [version("v1beta1")]), ("empty.io", []))])
    assert (found.types, found.problems) == ((), {})


@pytest.mark.parametrize(
    "odd",
    [
        {"resource": "bare", "scope": "Namespaced", "subresources": [{"subresource": "token"}]},
        {"resource": "nullkind", "responseKind": None},
        {"resource": "emptykind", "responseKind": {"kind": ""}},
    ],
)
def test_a_path_that_is_no_type_is_passed_over(odd):
    found = parse_discovery([document(("g.io", [version("v1", odd, resource("things", "Thing"))]))])
    assert [each.resource for each in found.types] == ["things"]


def test_what_may_be_missing_is_empty():
    bare = {"resource": "things", "responseKind": {"kind": "Thing"}, "verbs": None, "shortNames": None}
    found = parse_discovery([document(("g.io", [version("v1", bare)])), {"kind": "APIGroupDiscoveryList"}])
    assert found.types == (
        ResourceType("g.io", "v1", "Thing", "things", namespaced=False, names=frozenset({"things"})),
    )


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "APIVersions", "versions": ["v1"]},
        {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
        {},
        [],
        "a page",
        None,
    ],
)
def test_a_server_without_aggregated_discovery_is_refused(answer):
    with pytest.raises(PermanentError, match=r"aggregated discovery: Kubernetes 1\.27 or newer"):
        parse_discovery([answer])


@pytest.mark.parametrize(
    "items", [["x"], [{"versions": [{}]}], [{"metadata": None, "versions": [{"version": "v1", "resources": ["x"]}]}]]
)
def test_a_discovery_document_of_another_shape_is_refused(items):
    with pytest.raises(PermanentError, match="discovery"):
        parse_discovery([{"kind": "APIGroupDiscoveryList", "items": items}])


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ((), "/apis/apps/v1/deployments"),
        (("shop",), "/apis/apps/v1/namespaces/shop/deployments"),
        (("shop", "web"), "/apis/apps/v1/namespaces/shop/deployments/web"),
        (("shop", "web", "scale"), "/apis/apps/v1/namespaces/shop/deployments/web/scale"),
        (("shop", "../../secrets"), "/apis/apps/v1/namespaces/shop/deployments/..%2F..%2Fsecrets"),
        (("shop", "a?b=c#d"), "/apis/apps/v1/namespaces/shop/deployments/a%3Fb%3Dc%23d"),
        (("shop", "system:x"), "/apis/apps/v1/namespaces/shop/deployments/system:x"),
    ],
)
def test_paths_are_quoted(arguments, path):
    assert ResourceType("apps", "v1", "Deployment", "deployments", namespaced=True).path(*arguments) == path


def test_a_cluster_scoped_type_has_no_namespace_in_its_path():
    nodes = ResourceType("", "v1", "Node", "nodes", namespaced=False)
    assert nodes.path("shop", "n1") == "/api/v1/nodes/n1"
