"""What a structural schema prunes; tests/cluster/versions/test_pruned.py asks an API server about the same cases."""

import pytest

from kubeferry.tasks.core.kube.schemas.structural import fields, pruned, unknown_to

OBJECT, STRING = {"type": "object"}, {"type": "string"}
KEEPS = {"x-kubernetes-preserve-unknown-fields": True}
EMBEDS = {"x-kubernetes-embedded-resource": True}


def spec(**parts):
    return {"type": "object", "properties": {"spec": {"type": "object", **parts}}}


CASES = [
    (spec(properties={"color": STRING}), {"color": "red", "size": 7}, [("spec", "size")]),
    (spec(properties={"color": STRING}), {"color": "red", "size": None}, [("spec", "size")]),
    (spec(), {"size": {"deep": 1}}, [("spec", "size")]),
    (spec(**KEEPS), {"size": {"deep": 1}}, []),
    (
        spec(properties={"known": {"type": "object", "properties": {"a": STRING}}}, **KEEPS),
        {"known": {"a": "1", "b": 1}, "other": {"b": 1}},
        [("spec", "known", "b")],
    ),
    (
        spec(properties={"list": {"type": "array", "items": {"type": "object", "properties": {"a": STRING}}}}),
        {"list": [{"a": "1"}, {"a": "1", "b": "2"}]},
        [("spec", "list", 1, "b")],
    ),
    (
        spec(properties={"list": {"type": "array", "items": OBJECT, **KEEPS}}),
        {"list": [{"a": [{"b": 1}]}]},
        [],
    ),
    (
        spec(
            properties={
                "list": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"a": {"type": "object"}}},
                    **KEEPS,
                }
            }
        ),
        {"list": [{"b": 1, "a": {"c": 1}}]},
        [("spec", "list", 0, "a", "c")],
    ),
    (spec(additionalProperties=STRING), {"x": "1", "y": "2"}, []),
    (
        spec(additionalProperties={"type": "object", "properties": {"a": STRING}}),
        {"x": {"a": "1", "b": "2"}},
        [("spec", "x", "b")],
    ),
    (spec(additionalProperties=True), {"x": {"a": "1"}, "y": 1}, [("spec", "x", "a")]),
    (
        spec(properties={"port": {"x-kubernetes-int-or-string": True}, "any": KEEPS}),
        {"port": 80, "any": {"a": [1, {"b": 2}]}},
        [],
    ),
    (
        spec(properties={"template": {"type": "object", "properties": {"spec": KEEPS}, **EMBEDS}}),
        {
            "template": {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"x": 1, "labels": {"a": "b"}},
                "spec": {"y": 1},
                "status": {},
            }
        },
        [("spec", "template", "metadata", "x"), ("spec", "template", "status")],
    ),
    (
        spec(properties={"template": {"type": "object", **EMBEDS, **KEEPS}}),
        {"template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"x": 1}, "status": {"z": 1}}},
        [("spec", "template", "metadata", "x")],
    ),
    # What only validates a value specifies nothing.
    (spec(anyOf=[{"properties": {"size": {"minimum": 1}}}]), {"size": 7}, [("spec", "size")]),
    ({"type": "object"}, {"size": 7}, [("spec",)]),
    (None, {"size": 7}, [("spec",)]),
    (KEEPS, {"size": 7}, []),
]
"""Schema, spec of an object, and the places that are pruned."""


@pytest.mark.parametrize(("schema", "value", "gone"), CASES)
def test_what_is_not_specified_is_pruned(schema, value, gone):
    obj = {"apiVersion": "g.io/v1", "kind": "Box", "metadata": {"name": "red"}, "spec": value}
    assert pruned(obj, schema) == gone


def test_depth_costs_no_recursion():
    value, schema = {}, {"type": "object"}
    for _ in range(5000):
        value = {"a": [value]}
        schema = {"type": "object", "properties": {"a": {"type": "array", "items": schema}}}
    assert pruned(value | {"b": 1}, schema) == [("b",)]
    assert len(fields({"properties": {"a": KEEPS}})) == 2


def test_the_fields_of_one_schema_that_another_does_not_keep():
    old = fields(spec(properties={"color": STRING, "any": KEEPS}))
    new = fields(
        spec(
            properties={
                "color": STRING,
                "any": {"type": "object", "properties": {"deep": STRING}},
                "size": {"type": "object", "properties": {"height": STRING}},
                "list": {"type": "array", "items": {"type": "object", "properties": {"name": STRING}}},
            }
        )
    )
    assert unknown_to(old, new) == [("spec", "list"), ("spec", "size")]
    assert unknown_to(new, old) == [("spec", "any", "**")]
    assert unknown_to(new, new) == []
