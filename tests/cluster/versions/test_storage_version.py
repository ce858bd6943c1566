"""Custom resources are saved as they are stored, whatever version discovery prefers; what cannot be read is a loss."""

from dataclasses import replace

import pytest
import yaml
from tests.cluster.versions.conftest import fields
from tests.support.accounts import until_allowed
from tests.support.bench import A, B

pytestmark = pytest.mark.exclusive

CRD_TWO_VERSIONS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boxes.pc03.example.com}
spec:
  group: pc03.example.com
  scope: Namespaced
  names: {kind: Box, plural: boxes, singular: box}
  versions:
  - name: v1
    served: true
    storage: false
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {color: {type: string}}}
  - name: v1beta1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {color: {type: string}, size: {type: integer}}}
"""
RED = "{apiVersion: pc03.example.com/v1beta1, kind: Box, metadata: {name: red}, spec: {color: red, size: 7}}"


UNSERVED = "storage version v1beta1 is not served"


def codes(result):
    return {(each.code, each.object) for each in result.losses}


def test_what_only_the_storage_version_knows_is_there_after_a_restore(bench):
    """The case 03-crd-two-versions: after a restore, an object read as v1beta1 has the size it had."""
    bench.make(CRD_TWO_VERSIONS)
    ns = bench.namespace("boxes")
    group = "pc03.example.com", "Box"
    bench.until(lambda: {"v1", "v1beta1"} <= set(bench.clusters[A].discover().versions.get(group, ())))
    v1 = bench.kind("Box.pc03.example.com")
    v1beta1 = replace(v1, version="v1beta1")
    bench.clusters[A].create(v1beta1, ns, yaml.safe_load(RED))
    assert (v1.version, bench.clusters[A].get(v1, ns, "red")["spec"]) == ("v1", {"color": "red"})
    bench.forget("CustomResourceDefinition", "boxes.pc03.example.com", A)
    saved = bench.backup(ns)
    done = bench.restore(saved)
    bench.forget("CustomResourceDefinition", "boxes.pc03.example.com")
    assert (saved.phase, done.phase, saved.losses, done.losses) == ("Completed", "Completed", [], [])
    assert bench.clusters[B].get(v1beta1, ns, "red")["spec"] == {"color": "red", "size": 7}


def test_a_selection_and_cluster_wide_lists_read_it_too(bench, kind):
    kind.define(A, v1=[fields("color")], v1beta1=[fields("color", "size"), "stored"])
    spaces = [bench.namespace("boxes") for _ in range(5)]
    for ns in spaces:
        kind.create(ns, "v1beta1", "red", {"color": "red", "size": 7})
    for saved in (bench.backup(spaces[0], include=["boxes"]), bench.backup(*spaces)):
        copy = bench.name("copy")
        bench.restore(saved, A, namespaces=[spaces[0]], map={spaces[0]: copy})
        assert kind.get(copy, "v1beta1", "red")["spec"] == {"color": "red", "size": 7}


@pytest.mark.parametrize(
    ("stored", "phase", "code", "why"),
    [
        (
            ("color", "size", "deep.a"),
            "Partial",
            "fields-of-version",
            f"its objects were read in version v1, as their {UNSERVED}: without /spec/deep, /spec/size",
        ),
        (
            ("color",),
            "Completed",
            "other-version",
            "its objects were read in version v1, not v1beta1, which is the storage version and not served",
        ),
    ],
)
def test_a_storage_version_that_is_not_served_is_a_loss_of_the_kind(bench, kind, stored, phase, code, why):
    kind.define(A, v1alpha1=[fields()], v1=[fields("color")], v1beta1=[fields(*stored), "stored"])
    ns, empty = bench.namespace("boxes"), bench.namespace("empty")
    kind.create(ns, "v1beta1", "red", {"color": "red"})
    kind.define(A, v1alpha1=[fields()], v1=[fields("color")], v1beta1=[fields(*stored), "stored", "unserved"])
    saved = bench.backup(ns)
    definition = f"CustomResourceDefinition.apiextensions.k8s.io boxes.{kind.group}"
    assert (saved.phase, [(each.object, each.code, each.why) for each in saved.losses]) == (
        phase,
        [(definition, code, why)],
    )
    assert bench.backup(empty).losses == [], "nothing of the kind is in it"
    done = bench.restore(saved, A, map={ns: bench.name("copy")})
    assert (done.phase, done.losses) == (phase, saved.losses), "a restore says what its backup could not"


def test_definitions_that_may_not_be_read_are_told_and_the_richest_version_is_read(bench, kind):
    kind.define(A, v1=[fields("color")], v1beta1=[fields("color", "size"), "stored"])
    ns, role = bench.namespace("boxes"), bench.name("viewer")
    kind.create(ns, "v1beta1", "red", {"color": "red", "size": 7})
    api, everything = "apiVersion: rbac.authorization.k8s.io/v1", "apiGroups: ['*'], resources: ['*']"
    who = "subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}]"
    ref = f"roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}"
    bench.make(
        f"{{{api}, kind: ClusterRole, metadata: {{name: {role}}}, rules: [{{{everything}, verbs: [get, list]}}]}}"
    )
    bench.make(f"{{{api}, kind: RoleBinding, metadata: {{name: {role}}}, {ref}, {who}}}", ns)
    reading = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list"]}
    bench.make(f"{{{api}, kind: ClusterRole, metadata: {{name: {role}-spaces}}, rules: [{reading}]}}")
    bench.make(
        f"{{{api}, kind: ClusterRoleBinding, metadata: {{name: {role}}}, {ref.replace(role, f'{role}-spaces')}, {who}}}"
    )
    until_allowed(bench, "list", "ConfigMap", ns, context=f"{A}-viewer")
    until_allowed(bench, "list", "Namespace", context=f"{A}-viewer")
    saved = bench.backup(ns, context=f"{A}-viewer")
    definition = f"CustomResourceDefinition.apiextensions.k8s.io boxes.{kind.group}"
    assert ("storage-version-unknown", definition) in codes(saved)
    copy = bench.name("copy")
    bench.restore(saved, A, map={ns: copy})
    assert kind.get(copy, "v1beta1", "red")["spec"] == {"color": "red", "size": 7}
