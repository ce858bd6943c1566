"""A field that the target does not keep is found before anything is written, and counts where it is accepted."""

import copy

import pytest
import yaml
from tests.cluster.versions.conftest import fields
from tests.core.kube.test_structural import CASES
from tests.support.bench import A, B

from kubeferry.tasks.core.errors import PreflightError

pytestmark = pytest.mark.exclusive

OLDER_CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boxes.pc14.example.com}
spec:
  group: pc14.example.com
  scope: Namespaced
  names: {kind: Box, plural: boxes, singular: box}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {color: {type: string}, size: {type: integer}}}
"""
RED = "{apiVersion: pc14.example.com/v1, kind: Box, metadata: {name: red}, spec: {color: red, size: 7}}"


@pytest.fixture
def ns(bench):
    return bench.namespace("boxes")


def refused(bench, saved, **options):
    with pytest.raises(PreflightError) as found:
        bench.restore(saved, **options)
    return found.value.problems


def line(group, ns, path, name="red"):
    return (
        f"Box.{group} {ns}/{name} {path}: Box in {group}/v1 has no such field there, and it would be lost; "
        "--allow-pruned restores without it"
    )


def lost(result):
    return [(each.object, each.path, each.code, each.why) for each in result.losses]


def test_a_field_that_an_older_definition_drops_is_named_and_refused(bench, ns):
    """The case 14-older-crd-on-target: the preflight refuses and names the field; accepted, the restore is Partial."""
    bench.make(OLDER_CRD)
    older = yaml.safe_load(OLDER_CRD)
    del older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"]
    bench.make(yaml.safe_dump(older), context=B)
    bench.make(RED, ns)
    for context in (A, B):
        bench.forget("CustomResourceDefinition", "boxes.pc14.example.com", context)
    saved = bench.backup(ns)
    group = "pc14.example.com"
    assert refused(bench, saved) == [line(group, ns, "/spec/size")]
    assert bench.find("Namespace", "", ns, B) is None
    done = bench.restore(saved, allow_pruned=True)
    assert (done.phase, lost(done)) == (
        "Partial",
        [(f"Box.{group} {ns}/red", "/spec/size", "pruned", "the cluster does not keep this field")],
    )
    assert bench.get(f"Box.{group}", ns, "red", B)["spec"] == {"color": "red"}
    assert [each for each in done.notable if each.type == f"Box.{group}"] == [], "nothing has changed since"


def test_what_is_found_is_what_an_api_server_prunes(kind, ns):
    """The cases of the unit test, as fields of one custom resource."""
    some = {
        f"case{number}": case for number, case in enumerate(CASES) if "spec" in (case[0] or {}).get("properties", {})
    }
    assert len(some) >= 10
    parts = {name: schema["properties"]["spec"] for name, (schema, _, _) in some.items()}
    kind.define(A, v1=[{"type": "object", "properties": parts}, "stored"])
    left = kind.create(ns, "v1", "all", {name: value for name, (_, value, _) in some.items()})["spec"]
    for name, (_, value, gone) in some.items():
        assert left[name] == without(value, [place[1:] for place in gone]), name


def without(value, places):
    """Return a copy of a value without what is at some places."""
    found = copy.deepcopy(value)
    for *above, last in places:
        part = found
        for step in above:
            part = part[step]
        del part[last]
    return found


def test_each_place_is_named_and_what_a_definition_preserves_is_not(bench, kind, ns):
    box = fields("color")
    box["properties"] |= {
        "list": {"type": "array", "items": fields("a", "b")},
        "map": {"type": "object", "additionalProperties": fields("a", "b")},
        "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "deep": fields("a.b", "a.c"),
    }
    kind.define(A, v1=[box, "stored"])
    less = fields("color")
    less["properties"] |= {
        "list": {"type": "array", "items": fields("a")},
        "map": {"type": "object", "additionalProperties": fields("a")},
        "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "deep": fields("a.b"),
    }
    kind.define(B, v1=[less, "stored"])
    spec = {
        "color": "red",
        "list": [{"a": 1}, {"a": 1, "b": 2}],
        "map": {"x/y": {"a": 1, "b": 2}},
        "any": {"thing": [{"b": 1}]},
        "deep": {"a": {"b": 1, "c": 0}},
    }
    kind.create(ns, "v1", "red", spec)
    kind.create(ns, "v1", "plain", {"color": "red", "any": {"b": 1}})
    saved = bench.backup(ns)
    paths = ["/spec/deep/a/c", "/spec/list/1/b", "/spec/map/x~1y/b"]
    assert refused(bench, saved) == [line(kind.group, ns, path) for path in paths]
    done = bench.restore(saved, allow_pruned=True)
    assert done.phase == "Partial"
    assert [(path, code) for _, path, code, _ in lost(done)] == [(path, "pruned") for path in paths]
    assert kind.get(ns, "v1", "red", B)["spec"]["any"] == spec["any"]


def test_an_admission_policy_that_changes_a_value_is_told_and_what_a_limit_range_adds_is_not(bench, ns):
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {mode: fast, more: x}}", ns)
    container = "{name: web, image: web, resources: {limits: {cpu: 1000m, memory: 1024Mi}}}"
    bench.make(f"{{apiVersion: v1, kind: Pod, metadata: {{name: web}}, spec: {{containers: [{container}]}}}}", ns)
    limits = "{type: Container, default: {ephemeral-storage: 1Gi}, defaultRequest: {cpu: 10m, ephemeral-storage: 1Gi}}"
    bench.make(f"{{apiVersion: v1, kind: LimitRange, metadata: {{name: some}}, spec: {{limits: [{limits}]}}}}", ns)
    saved = bench.backup(ns)
    policy = bench.name("policy")
    change = 'Object{data: {"mode": "slow"}}'
    bench.make(
        yaml.safe_dump_all(
            [
                {
                    "apiVersion": "admissionregistration.k8s.io/v1",
                    "kind": "MutatingAdmissionPolicy",
                    "metadata": {"name": policy},
                    "spec": {
                        "failurePolicy": "Fail",
                        "reinvocationPolicy": "Never",
                        "matchConstraints": {
                            "resourceRules": [
                                {
                                    "apiGroups": [""],
                                    "apiVersions": ["v1"],
                                    "operations": ["CREATE"],
                                    "resources": ["configmaps"],
                                    "resourceNames": ["settings"],
                                }
                            ]
                        },
                        "mutations": [
                            {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": change}}
                        ],
                    },
                },
                {
                    "apiVersion": "admissionregistration.k8s.io/v1",
                    "kind": "MutatingAdmissionPolicyBinding",
                    "metadata": {"name": policy},
                    "spec": {"policyName": policy},
                },
            ]
        ),
        context=B,
    )
    probe = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"mode": "fast"}}
    kind, space = bench.kind("ConfigMap", context=B), bench.namespace("probe", B)
    bench.until(lambda: bench.clusters[B].create(kind, space, probe, dry_run=True)[0]["data"]["mode"] == "slow")
    done = bench.restore(saved, wait=False)
    why = "the cluster changed this value when the object was created (a webhook, an admission policy or another "
    assert (done.phase, lost(done)) == (
        "Partial",
        [(f"ConfigMap {ns}/settings", "/data/mode", "changed-by-target", f"{why}admission plugin)")],
    )
