"""In which version a custom resource is read, and in which one it or a built-in object can be written."""

import pytest

from kubeferry.tasks.core.kube.schemas.versions import (
    Reading,
    Writing,
    definition_of,
    reading,
    writing_built_in,
    writing_custom,
)

KEEPS = {"x-kubernetes-preserve-unknown-fields": True}


def crd(*, webhook=False, keeps_all=False, **versions):
    """Return a definition; a version is the fields of its spec, and words."""
    listed = [
        {
            "name": name,
            "served": "unserved" not in words,
            "storage": "stored" in words,
            "schema": {
                "openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {"type": "object", "properties": {key: {"type": "string"} for key in known}},
                        "status": {"type": "object", **KEEPS},
                    },
                }
            },
        }
        for name, (known, *words) in versions.items()
    ]
    conversion = {"strategy": "Webhook", "webhook": {}} if webhook else {"strategy": "None"}
    spec = {"group": "g.io", "versions": listed, "conversion": conversion}
    return definition_of({"spec": spec | ({"preserveUnknownFields": True} if keeps_all else {})})


@pytest.mark.parametrize(
    ("definition", "served", "read"),
    [
        (crd(v1=["a"], v1beta1=["ab", "stored"]), ["v1", "v1beta1"], Reading("v1beta1", "v1beta1")),
        (crd(v1=["ab", "stored"], v1beta1=["a"]), ["v1", "v1beta1"], Reading("v1", "v1")),
        (
            crd(v1=["a"], v2=["abc"], v3=["abd"], v0=["abce", "stored", "unserved"]),
            ["v1", "v2", "v3"],
            Reading("v2", "v0", (("spec", "e"),)),
        ),
        (crd(v1=["a"], v2=["ab"], v0=["a", "stored", "unserved"]), ["v1", "v2"], Reading("v2", "v0")),
        (crd(webhook=True, v1=["a"], v0=["b", "stored", "unserved"]), ["v1"], Reading("v1", "v0")),
        (crd(keeps_all=True, v1=["a"], v0=["b", "stored", "unserved"]), ["v1"], Reading("v1", "v0")),
        (definition_of({"spec": {"versions": "odd"}}), ["v1"], Reading("v1", "")),
        (definition_of({}), ["v1"], Reading("v1", "")),
    ],
)
def test_the_storage_version_is_read_or_else_the_one_that_lacks_least(definition, served, read):
    assert reading(definition, served) == read


@pytest.mark.parametrize(
    ("version", "has", "saved", "target", "written"),
    [
        # The source has both.
        ("v1beta1", ["v1"], crd(v1=["a"], v1beta1=["ab", "stored"]), crd(v1=["a", "stored"]), "v1"),
        # The target has both.
        ("v1beta1", ["v1"], None, crd(v1=["a", "stored"], v1beta1=["a", "unserved"]), "v1"),
        ("v1beta1", ["v2", "v1"], None, crd(v2=["a"], v1=["a", "stored"], v1beta1=["a", "unserved"]), "v1"),
        ("v1", ["v3", "v2"], None, crd(v3=["a"], v2=["ab"], v1=["b", "unserved", "stored"]), "v2"),
        # No definition has both.
        ("v1beta1", ["v1"], crd(v1beta1=["ab", "stored"]), crd(v1=["abc", "stored"]), "v1"),
        ("v1beta1", ["v1"], crd(v1beta1=["ab", "stored"]), crd(v1=["ac", "stored"]), ""),
        ("v1beta1", ["v1"], crd(keeps_all=True, v1beta1=["ab", "stored"]), crd(v1=["ab", "stored"]), ""),
        ("v1beta1", ["v1"], crd(v1beta1=["ab", "stored"]), crd(keeps_all=True, v1=["ab", "stored"]), ""),
        ("v1beta1", ["v1"], None, crd(v1=["ab", "stored"]), ""),
        ("v1beta1", ["v1"], None, None, ""),
        # Only a webhook knows what one is in the other.
        ("v1beta1", ["v1"], crd(webhook=True, v1=["a"], v1beta1=["a", "stored"]), crd(v1=["a", "stored"]), ""),
        ("v1beta1", ["v1"], crd(v1=["a"], v1beta1=["a", "stored"]), crd(webhook=True, v1=["a", "stored"]), ""),
    ],
)
def test_a_custom_resource_is_written_in_another_version_where_that_changes_nothing_else(
    version, has, saved, target, written
):
    found = writing_custom(version, has, saved, target)
    assert (found.version, bool(found.why)) == (written, not written)


SHAPES = """
policy PodDisruptionBudget v1beta1 v1
batch CronJob v1beta1 v1
autoscaling HorizontalPodAutoscaler v2beta2 v2
resource.k8s.io ResourceClaim v1beta2 v1
resource.k8s.io DeviceClass v1beta1 v1
storage.k8s.io VolumeAttributesClass v1 v1beta1
flowcontrol.apiserver.k8s.io PriorityLevelConfiguration v1beta3 v1
networking.k8s.io Ingress v1beta1
autoscaling HorizontalPodAutoscaler v2beta1
autoscaling HorizontalPodAutoscaler v1
flowcontrol.apiserver.k8s.io PriorityLevelConfiguration v1beta2
resource.k8s.io ResourceClaim v1beta1
discovery.k8s.io EndpointSlice v1beta1
admissionregistration.k8s.io ValidatingWebhookConfiguration v1beta1
apps Deployment v1beta1
"""
"""Group, kind, a version that was saved, and one with "no notable changes" in the Deprecated API Migration Guide."""


@pytest.mark.parametrize("line", SHAPES.split("\n")[1:-1])
def test_built_in_kinds_are_written_in_another_version_with_the_same_fields_only(line):
    group, kind, version, *written = line.split()
    has = written or ["v1", "v2"]
    assert writing_built_in(group, kind, version, has, [{}]).version == "".join(written)


@pytest.mark.parametrize(
    ("group", "kind", "version", "spec"),
    [
        ("policy", "PodDisruptionBudget", "v1beta1", {"selector": {}}),
        (
            "flowcontrol.apiserver.k8s.io",
            "PriorityLevelConfiguration",
            "v1beta3",
            {"limited": {"nominalConcurrencyShares": 0}},
        ),
    ],
)
def test_an_object_that_means_something_else_in_the_other_version_is_refused(group, kind, version, spec):
    found = writing_built_in(group, kind, version, ["v1"], [{"spec": {"selector": {"a": "b"}}}, {"spec": spec}])
    assert found.version == ""
    assert found.why
    assert writing_built_in(group, kind, version, ["v1"], [{"spec": {}}]) == Writing("v1")
