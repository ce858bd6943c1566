"""Differences are reported exactly, by a path that finds the field again, and never with what a Secret holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.jsondoc.differences import MISSING, Difference, Masked, differences, revealed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [("a.b", 1, 2)]),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": "1"}, {"a": 1}, [("a", "1", 1)]),
        ({"a": None}, {}, [("a", None, MISSING)]),
        ({"emptyDir": {}}, {}, [("emptyDir", {}, MISSING)]),
        ({"podSelector": {}}, {"podSelector": None}, [("podSelector", {}, None)]),
        ({"a": []}, {}, [("a", [], MISSING)]),
        ({"a": [1, 2]}, {"a": [1]}, [("a[1]", 2, MISSING)]),
        ({"a": [1]}, {"a": [1, {"b": "c"}]}, [("a[1]", MISSING, {"b": "c"})]),
        ({"a": [1, 2]}, {"a": [2, 1]}, [("a[0]", 1, 2), ("a[1]", 2, 1)]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, [("a[0].b", 1, 2)]),
        ({"a": {"b": 1}}, {"a": [1]}, [("a", {"b": 1}, [1])]),
        ({"l": {"app.io/x": "1"}}, {"l": {"app.io/x": "2"}}, [('l["app.io/x"]', "1", "2")]),
        ({"l": {'q"': "1"}}, {"l": {}}, [('l["q\\""]', "1", MISSING)]),
        ({"l": {"x": "1", "y": "2"}}, {}, [("l.x", "1", MISSING), ("l.y", "2", MISSING)]),
        ({}, {"l": {"x": "1"}}, [("l.x", MISSING, "1")]),
        ({}, {"l": {"x": 1}}, [("l", MISSING, {"x": 1})]),
        ({"0": 1, "ü": 1}, {"0": 2, "ü": 2}, [('["0"]', 1, 2), ('["ü"]', 1, 2)]),
    ],
)
def test_each_difference_is_reported(before, after, expected):
    assert differences(before, after) == [Difference(*each) for each in expected]


@given(OBJECTS)
def test_an_object_does_not_differ_from_itself(obj):
    assert differences(obj, obj) == []


@given(OBJECTS, OBJECTS)
def test_objects_without_difference_are_equal_and_paths_are_unique(before, after):
    found = differences(before, after)
    assert bool(found) == (typed(before) != typed(after))
    assert len({each.path for each in found}) == len(found)


def typed(value):
    """Return `value` with the types that `==` forgets (`1 == True`)."""
    if isinstance(value, dict):
        return {key: typed(each) for key, each in value.items()}
    return [typed(each) for each in value] if isinstance(value, list) else (type(value), value)


def test_a_difference_reads_well():
    [found] = differences({"spec": {"replicas": 1}}, {"spec": {}})
    assert str(found) == "spec.replicas: 1 → nothing"
    assert repr(found) == "Difference(path='spec.replicas', old=1, new=MISSING)"


def test_a_long_value_is_cut():
    [found] = differences({"data": "x" * 1_000_000}, {"data": "y"})
    assert len(str(found)) < 200
    assert "1000002 characters" in str(found)


HIDDEN = "aHVudGVyMg=="


def secret(**fields):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}} | fields


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (secret(data={"password": HIDDEN}), secret(data={"password": "other"})),
        (secret(data={"password": HIDDEN}), secret()),
        (secret(), secret(data={"password": HIDDEN})),
        (secret(), secret(data={"password": {"odd": HIDDEN}})),
        (secret(stringData={"password": HIDDEN}), secret()),
        (secret(metadata={"annotations": {"last": HIDDEN}}), secret()),
        (secret(metadata={"annotations": HIDDEN}), secret()),
        (secret(metadata={"annotations": {"last": HIDDEN}}), {"apiVersion": "v1", "kind": "Secret"}),
        (secret(data={"password": HIDDEN}), {"apiVersion": "v1", "kind": "ConfigMap"}),
        ({}, secret(data={"password": HIDDEN})),
    ],
)
def test_what_a_secret_holds_is_never_shown(before, after):
    found = differences(before, after)
    assert found
    assert HIDDEN not in repr(found)
    assert not [each for each in found if HIDDEN in str(each) or HIDDEN in f"{each.old}{each.new}"]


def test_what_a_secret_is_called_is_shown():
    before, after = (
        secret(type="Opaque"),
        secret(metadata={"name": "other", "labels": {"a/b": "c"}}, type="kubernetes.io/tls"),
    )
    shown = [str(each) for each in differences(before, after)]
    assert shown == [
        'metadata.name: "login" → "other"',
        'metadata.labels["a/b"]: nothing → "c"',
        'type: "Opaque" → "kubernetes.io/tls"',
    ]


def test_masked_values_are_shown_by_length_and_still_compared():
    [found] = differences(secret(data={"a": "1234"}), secret(data={"a": "1235"}))
    assert str(found) == "data.a: (4 characters, not shown) → (4 characters, not shown)"
    assert found.old == Masked("1234") != found.new
    assert revealed(found.new) == "1235"
    assert revealed("open") == "open"


def test_other_kinds_called_secret_are_not_masked():
    """Only the core group's Secret is one; hiding a custom resource would hide real differences."""
    before = {"apiVersion": "bank.example.com/v1", "kind": "Secret", "spec": {"a": 1}}
    assert "1 → 2" in str(differences(before, before | {"spec": {"a": 2}})[0])
