"""Each shipped account may do nothing with a subresource of the API but what the table says: the real authoriser is
asked, and then really tried."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
import yaml
from tests.support.bench import A
from tests.support.shipped import MANIFESTS

from kubeferry.tasks.core.formats.target.bundle import definition

pytestmark = pytest.mark.exclusive

ACCOUNTS = ("kubeferry-backup", "kubeferry-restore", "kubeferry-worker")
NEEDED = {
    ("kubeferry-restore", "patch", "batch", "cronjobs/status"): "a CronJob has to know of the Jobs that run",
    ("kubeferry-restore", "patch", "kubeferry.io", "bundles/status"): "what came of a restore",
    ("kubeferry-worker", "get", "", "pods/log"): "Prefect shows the last lines of a run that failed",
}
"""(account, verb, group, resource/subresource) → why it has to be allowed."""

METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AA=="}
MORE = ("update", "patch", "delete")
FORBIDDEN = 403


@pytest.fixture(scope="module")
def bundles(bench):
    """The kind of bundles, which the first restore into a cluster defines."""
    if not bench.find("CustomResourceDefinition", "", "bundles.kubeferry.io"):
        bench.make(yaml.safe_dump(definition()))
    bench.until(lambda: ("kubeferry.io", "Bundle") in bench.clusters[A].discover().versions)


@pytest.fixture(scope="module")
def parts(bench, bundles):  # noqa: ARG001 - it has to be there
    """Every subresource that the API server serves: (group, version, resource, subresource, namespaced)."""
    found = set()
    for path in ("/api", "/apis"):
        for item in bench.clusters[A].request("GET", path, accept=DISCOVERY).json()["items"]:
            group = item["metadata"].get("name", "")
            for version, resource in ((v["version"], r) for v in item["versions"] for r in v["resources"]):
                inside = resource["scope"] == "Namespaced"
                for part in resource.get("subresources", []):
                    found.add((group, version, resource["resource"], part["subresource"], inside))
    assert {
        ("", "v1", "pods", "exec", True),
        ("", "v1", "pods", "ephemeralcontainers", True),
        ("", "v1", "nodes", "proxy", False),
        ("", "v1", "serviceaccounts", "token", True),
        ("kubeferry.io", "v1", "bundles", "status", True),
    } <= {(g, "v1", r, s, n) for g, _, r, s, n in found}
    return sorted(found)


def ask(bench, user, verb, group, resource, part, namespace):
    """Return whether the API server's authoriser allows it."""
    attributes = {"verb": verb, "group": group, "resource": resource, "subresource": part, "namespace": namespace}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
    body = json.dumps(review | {"spec": {"user": user, "resourceAttributes": attributes}}).encode()
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bench.clusters[A].request("POST", path, body=body).json()["status"]["allowed"]


@pytest.mark.parametrize("account", ACCOUNTS)
def test_no_subresource_is_allowed_but_what_is_needed(bench, cast, parts, account):
    """In Kubeferry's own namespace, and in all."""
    kinds = sorted({(group, resource, part) for group, _, resource, part, _ in parts})
    questions = list(product(METHODS, kinds, (cast.namespace, "")))

    def allowed(question):
        verb, (group, resource, part), namespace = question
        return ask(bench, cast.user(account), verb, group, resource, part, namespace)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(allowed, questions))
    found = {
        (account, verb, group, f"{resource}/{part}")
        for (verb, (group, resource, part), _), may in zip(questions, answers, strict=True)
        if may
    }
    assert found == {each for each in NEEDED if each[0] == account}


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_real_request_is_refused_also_one_that_opens_a_websocket(cast, parts, account):
    """What an account may not do is refused before the server looks whether the object is there."""
    through = set()
    with cast.requests(cast.token(account)) as send:
        for (group, version, resource, part, inside), verb in product(parts, ("get", "create", *MORE)):
            base = f"/apis/{group}/{version}" if group else f"/api/{version}"
            path = f"{base}{f'/namespaces/{cast.namespace}' if inside else ''}/{resource}/none/{part}"
            headers = UPGRADE if verb == "get" else {}
            if send(METHODS[verb], path, None if verb == "get" else {}, **headers).status != FORBIDDEN:
                through.add((account, verb, group, f"{resource}/{part}"))
    assert through == {each for each in NEEDED if each[0] == account}
    # The requests are such as somebody with the right may send.
    with cast.requests(cast.admin()) as send:
        for path in (f"namespaces/{cast.namespace}/pods/none/exec", "nodes/none/proxy"):
            assert send("GET", f"/api/v1/{path}", **UPGRADE).status not in (FORBIDDEN, 401)


def rules():
    """Return each rule of the shipped roles, with the name of its role."""
    for path in sorted(MANIFESTS.rglob("*.yaml")):
        for each in yaml.safe_load_all(path.read_text()):
            if each and each.get("kind") in ("Role", "ClusterRole"):
                yield from ((each["metadata"]["name"], rule) for rule in each.get("rules", []))


def test_no_shipped_role_has_a_wildcard_or_a_subresource_without_a_reason():
    """`finalizers` is no subresource of any server: the plug-in OwnerReferencesPermissionEnforcement asks for it."""
    found = set()
    for name, rule in rules():
        words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert [each for each in words if "*" in each] == [], name
        assert not rule.get("nonResourceURLs"), name
        for resource in (each for each in rule["resources"] if "/" in each):
            if resource.endswith("/finalizers"):
                assert rule["verbs"] == ["update"], resource
                continue
            account = name.removesuffix("-builtin")
            found |= {(account, verb, group, resource) for verb in rule["verbs"] for group in rule["apiGroups"]}
    assert found == set(NEEDED)
    assert len(list(rules())) > len(ACCOUNTS)


@pytest.mark.parametrize("account", ACCOUNTS[1:])
def test_an_account_that_writes_may_not_make_others_speak_for_it(bench, cast, account):
    """No impersonation, no tokens, no certificates, no webhooks, no nodes."""
    forbidden = [
        ("impersonate", "", "users"),
        ("impersonate", "", "serviceaccounts"),
        ("create", "certificates.k8s.io", "certificatesigningrequests"),
        ("approve", "certificates.k8s.io", "signers"),
        ("create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        ("create", "apiregistration.k8s.io", "apiservices"),
        ("update", "", "nodes"),
    ]
    assert [each for each in forbidden if ask(bench, cast.user(account), *each, "", "")] == []
