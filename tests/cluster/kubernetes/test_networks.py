"""The network policies, cloud by cloud: a real API server takes them, and what they open is what the README says.

Nobody enforces them on the sandbox, whose pods are simulated: tests/support/policies.py says what they mean.
"""

import re
import shutil

import pytest
import yaml
from tests.support.bench import A
from tests.support.policies import allowed, opened
from tests.support.shipped import MANIFESTS

CLOUDS = sorted(each.name for each in (MANIFESTS / "clouds").iterdir() if each.is_dir())
README = (MANIFESTS / "clouds" / "README.md").read_text()
API, STORE, PLACEHOLDER = "10.0.16.7", "10.0.64.9", "192.0.2.1"
IMDS, WIRE = "169.254.169.254", "168.63.129.16"


@pytest.fixture(scope="module")
def render(sandbox_env, kubectl, tmp_path_factory):
    """Return the objects of an overlay of one's own, beside a copy of the manifests."""

    def rendered(own):
        folder = tmp_path_factory.mktemp("own")
        shutil.copytree(MANIFESTS, folder / "kubernetes")
        (folder / "kustomization.yaml").write_text(own if isinstance(own, str) else yaml.safe_dump(own))
        return list(yaml.safe_load_all(kubectl(sandbox_env, "kustomize", str(folder), context=A)))

    return rendered


def policies_of(objects):
    found = [each for each in objects if each["kind"] == "NetworkPolicy"]
    assert {each["metadata"]["namespace"] for each in found} == {"kubeferry"}
    return found


@pytest.fixture(scope="module")
def policies(render):
    """The policies of each cloud; of "" those that all have."""

    def of(cloud, overlay="jobs"):
        components = [f"kubernetes/clouds/{cloud}"] if cloud else []
        return policies_of(render({"resources": [f"kubernetes/overlays/{overlay}"], "components": components}))

    return {cloud: of(cloud) for cloud in ["", *CLOUDS]}


@pytest.fixture(scope="module")
def example(render):
    """The policies of the README's example, whole as it stands there."""
    (own,) = re.findall(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return policies_of(render(own))


@pytest.mark.parametrize("overlay", ["jobs", "process"])
@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_api_server_takes_each(bench, render, sandbox_env, kubectl, cloud, overlay):
    own = {
        "resources": [f"kubernetes/overlays/{overlay}"],
        "components": [f"kubernetes/clouds/{cloud}"],
        "namespace": bench.namespace("overlay"),
    }
    objects = [each for each in render(own) if each["kind"] == "NetworkPolicy"]
    assert {each["metadata"]["namespace"] for each in objects} == {own["namespace"]}
    flags = ("--server-side", "--dry-run=server", "--warnings-as-errors")
    kubectl(sandbox_env, "apply", *flags, "-f", "-", context=A, text=yaml.safe_dump_all(objects))


ALWAYS = [
    ("kube-system", 53, "UDP"),
    ("kube-system", 53, "TCP"),
    ("169.254.20.10", 53, "UDP"),
    ("prefect", 4200, "TCP"),
]
OPEN = {
    "eks": [("169.254.170.23", 80, "TCP"), ("fd00:ec2::23", 80, "TCP")],
    "gke": [("169.254.169.252", 988, "TCP"), (IMDS, 80, "TCP"), (IMDS, 53, "UDP")],
    "aks": [("169.254.10.10", 53, "UDP"), ("169.254.10.11", 53, "TCP")],
    "on-premises": [(PLACEHOLDER, 9000, "TCP"), (PLACEHOLDER, 6443, "TCP")],
}
NEVER = [
    *(
        (world, port, "TCP")
        for world in ("1.1.1.1", "8.8.8.8", "52.216.1.1", "2606:4700::1111")
        for port in (443, 80, 53)
    ),
    ("10.96.0.1", 443, "TCP"),
    ("10.1.2.3", 6443, "TCP"),
    (IMDS, 443, "TCP"),
    ("fd00:ec2::254", 80, "TCP"),
    ("169.254.170.2", 80, "TCP"),
    (WIRE, 80, "TCP"),
    (WIRE, 32526, "TCP"),
    ("kube-system", 443, "TCP"),
    ("default", 443, "TCP"),
    ("prefect", 5432, "TCP"),
]
"""The world by HTTPS, API servers and nodes that nobody named, credentials of nodes and of ECS, other pods."""


def test_every_cloud_is_tried():
    assert sorted(OPEN) == CLOUDS


@pytest.mark.parametrize("cloud", ["", *CLOUDS])
def test_what_all_need_is_open_and_what_nobody_named_is_not(policies, cloud):
    assert [each for each in ALWAYS if not allowed(policies[cloud], *each)] == []
    assert [each for each in NEVER if allowed(policies[cloud], *each)] == []
    ingress = [each["spec"].get("ingress") for each in policies[cloud] if "Ingress" in each["spec"]["policyTypes"]]
    assert ingress in ([[]], [None])


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_a_cloud_needs_is_open_there_and_nowhere_else(policies, cloud):
    assert [each for each in OPEN[cloud] if not allowed(policies[cloud], *each)] == []
    for other in CLOUDS:
        only = [each for each in OPEN[cloud] if each not in OPEN[other] and each != (PLACEHOLDER, 6443, "TCP")]
        assert [each for each in only if other != cloud and allowed(policies[other], *each)] == []


@pytest.mark.parametrize("cloud", ["", "eks", "aks", "on-premises"])
def test_the_metadata_of_a_node_is_closed(policies, cloud):
    """On GKE the address has the metadata server of Workload Identity."""
    assert not any(allowed(policies[cloud], IMDS, port) for port in range(1, 1024))


def test_the_example_opens_the_addresses_that_it_names_and_no_others(example):
    assert allowed(example, API, 443)
    assert allowed(example, API, 6443)
    assert allowed(example, STORE, 443)
    assert allowed(example, "169.254.170.23", 80)
    assert not allowed(example, STORE, 6443)
    assert not allowed(example, STORE, 80)
    assert not allowed(example, PLACEHOLDER, 443)
    assert [each for each in NEVER if allowed(example, *each)] == []


def test_the_exceptions_of_the_readme_keep_credentials_of_nodes_closed(example):
    """A store whose addresses nobody can list: all but the link-local ones."""
    (exceptions,) = re.findall(r"`except: \[(.*?)\]`", README)
    (stores,) = [each for each in example if each["metadata"]["name"] == "kubeferry-stores"]
    block = {"cidr": "0.0.0.0/0", "except": exceptions.split(", ")}
    rule = stores["spec"]["egress"][0] | {"to": [{"ipBlock": block}]}
    wide = [stores | {"spec": stores["spec"] | {"egress": [rule]}}]
    assert allowed(wide, "52.216.1.1", 443)
    assert [each for each in (IMDS, "169.254.170.2", WIRE) if allowed(wide, each, 443)] == []
    assert not allowed(wide, "52.216.1.1", 80)


@pytest.mark.parametrize("cloud", ["", *CLOUDS])
def test_the_table_says_what_is_open(policies, cloud):
    rows = re.findall(r"^\| (all|`[\w-]+`) \| (.*?) \|", README, re.MULTILINE)
    found = {part: set() for part, _ in rows}
    for part, text in rows:
        found[part] |= set(re.findall(r"`([0-9a-f.:]+/\d+:\d+)`", text))
    own = opened(policies[cloud])
    if not cloud:
        assert own == found["all"]
    elif cloud == "on-premises":
        assert own == found[f"`{cloud}`"] | {"169.254.20.10/32:53"}
    else:
        assert own == found["all"] | found[f"`{cloud}`"]
    assert not any(each.startswith("*") or "/0:" in each for each in own)
