"""Types are judged by the schemas of API servers, and only where those are plain about them."""

import pytest

from kubeferry.tasks.core.kube.schemas.openapi import OBJECT_META, Misfit, Schemas, Unknown, is_newer_default

REF = "#/components/schemas/"
DOCUMENT = {
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "properties": {
                    "metadata": {"allOf": [{"$ref": f"{REF}Meta"}]},
                    "spec": {"default": {}, "allOf": [{"$ref": f"{REF}Spec"}]},
                },
                "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Thing"}],
            },
            "Meta": {"type": "object", "properties": {"labels": {"type": "integer"}}},
            "Spec": {
                "type": "object",
                "properties": {
                    "text": {"type": "string"},
                    "count": {"type": "integer", "format": "int32"},
                    "share": {"type": "number"},
                    "on": {"type": "boolean"},
                    "list": {"type": "array", "items": {"type": "string"}},
                    "map": {"type": "object", "additionalProperties": {"type": "string", "format": "byte"}},
                    "port": {
                        "oneOf": [{"type": "integer"}, {"type": "string"}],
                        "format": "int-or-string",
                        "type": "string",
                    },
                    "either": {"x-kubernetes-int-or-string": True},
                    "any": {},
                    "inner": {"$ref": f"{REF}Spec"},
                    "$ref": {"type": "string"},
                    "lost": {"$ref": f"{REF}None"},
                    "loop": {"$ref": f"{REF}Loop"},
                },
            },
            "Loop": {"$ref": f"{REF}Loop"},
        }
    }
}
SCHEMAS = Schemas(DOCUMENT)


def thing(spec, **more):
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"labels": {"a": "b"}}, "spec": spec} | more


@pytest.mark.parametrize(
    "spec",
    [
        {},
        None,
        {"text": "x", "count": 3, "share": 0.5, "on": False, "list": ["a", None], "map": {"a": "b"}},
        {"text": None, "count": None, "list": None, "inner": None},
        {"port": 80, "either": "http", "any": [1, {"a": "b"}], "more": {"not": ["known"]}},
        {"inner": {"inner": {"text": "x"}}, "$ref": "x", "lost": {"a": 1}, "loop": 7},
        {"count": 3.0, "share": 1},
    ],
)
def test_what_fits_is_not_reported(spec):
    assert list(SCHEMAS.schema_errors(thing(spec, more=[1]))) == []


@pytest.mark.parametrize(
    ("spec", "at", "wanted", "has"),
    [
        ([], "/spec", "object", "array"),
        ({"text": 7}, "/spec/text", "string", "number"),
        ({"text": {}}, "/spec/text", "string", "object"),
        ({"count": "3"}, "/spec/count", "integer", "string"),
        ({"count": True}, "/spec/count", "integer", "boolean"),
        ({"on": "true"}, "/spec/on", "boolean", "string"),
        ({"on": 1}, "/spec/on", "boolean", "number"),
        ({"list": {"a": "b"}}, "/spec/list", "array", "object"),
        ({"list": ["a", 7]}, "/spec/list/1", "string", "number"),
        ({"map": {"a/b~c": []}}, "/spec/map/a~1b~0c", "string", "array"),
        ({"inner": {"inner": {"text": []}}}, "/spec/inner/inner/text", "string", "array"),
        ({"$ref": 7}, "/spec/$ref", "string", "number"),
    ],
)
def test_what_does_not_fit_is_reported_with_its_path(spec, at, wanted, has):
    assert list(SCHEMAS.schema_errors(thing(spec))) == [Misfit(at, wanted, has)]


@pytest.mark.parametrize("document", [None, [], {}, {"components": []}, {"components": {"schemas": None}}])
def test_a_document_of_another_shape_judges_nothing(document):
    assert list(Schemas(document).schema_errors(thing([]))) == []


def test_another_kind_or_version_is_not_judged():
    for change in ({"kind": "Other"}, {"apiVersion": "example.com/v2"}):
        assert list(SCHEMAS.schema_errors(thing([]) | change)) == []


def test_depth_costs_no_recursion():
    spec = {}
    for _ in range(5000):
        spec = {"inner": spec}
    assert list(SCHEMAS.schema_errors(thing(spec))) == []


WITH_META = {
    "components": {
        "schemas": DOCUMENT["components"]["schemas"]
        | {OBJECT_META: {"type": "object", "properties": {"labels": {}, "name": {}}}}
    }
}


def test_fields_that_a_kind_does_not_have_are_unknown_and_of_no_wrong_type():
    spec = {
        "more": {"not": ["known"]},
        "inner": {"odd": 1, "text": "x"},
        "any": {"x": 1},
        "map": {"x": "y"},
        "on": None,
    }
    found = Schemas(WITH_META).faults(thing(spec, extra=[1], metadata={"name": "a", "clusterName": "b"}))
    assert sorted(found) == [
        Unknown("/extra", [1]),
        Unknown("/metadata/clusterName", "b"),
        Unknown("/spec/inner/odd", 1),
        Unknown("/spec/more", {"not": ["known"]}),
    ]
    assert list(Schemas(DOCUMENT).metadata_faults(thing({}))) == [], "a document without metadata judges none"


@pytest.mark.parametrize(
    ("pointer", "value", "newer"),
    [
        ("/spec/podReplacementPolicy", "TerminatingOrFailed", True),
        ("/spec/jobTemplate/spec/podReplacementPolicy", "Failed", True),
        ("/spec/podReplacementPolicy", "Other", False),
        ("/spec/persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"}, True),
        ("/spec/persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Delete", "whenScaled": "Retain"}, False),
        ("/spec/containers/0/resizePolicy", [{"resourceName": "cpu", "restartPolicy": "NotRequired"}], True),
        ("/spec/containers/0/resizePolicy", [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}], False),
        ("/spec/containers/0/resizePolicy", "odd", False),
        ("/spec/size", 7, False),
    ],
)
def test_what_an_older_server_does_without_being_told_is_not_lost(pointer, value, newer):
    assert is_newer_default(pointer, value) is newer
