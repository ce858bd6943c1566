"""JSON patch and merge patch do what RFC 6902 and RFC 7396 say: their own examples, and what must never happen."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.jsondoc.patch import PatchError, TestFailedError, apply_patch, differences, merge_patch, same

# RFC 6902, appendix A: document, patch, result.
EXAMPLES = [
    ({"foo": "bar"}, [("add", "/baz", "qux")], {"baz": "qux", "foo": "bar"}),
    ({"foo": ["bar", "baz"]}, [("add", "/foo/1", "qux")], {"foo": ["bar", "qux", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, [("remove", "/baz")], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [("remove", "/foo/1")], {"foo": ["bar", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, [("replace", "/baz", "boo")], {"baz": "boo", "foo": "bar"}),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [("move", "/qux/thud", "/foo/waldo")],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        {"foo": ["all", "grass", "cows", "eat"]},
        [("move", "/foo/3", "/foo/1")],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [("test", "/baz", "qux"), ("test", "/foo/1", 2)],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    ({"foo": "bar"}, [("add", "/child", {"grandchild": {}})], {"foo": "bar", "child": {"grandchild": {}}}),
    ({"/": 9, "~1": 10}, [("test", "/~01", 10)], {"/": 9, "~1": 10}),
    ({"foo": ["bar"]}, [("add", "/foo/-", ["abc", "def"])], {"foo": ["bar", ["abc", "def"]]}),
    ({"foo": None}, [("replace", "/foo", "set"), ("copy", "/bar", "/foo")], {"foo": "set", "bar": "set"}),
    ({"a": 1}, [("add", "/a", 2)], {"a": 2}),
    ({"a": 1}, [("replace", "", {"b": 1})], {"b": 1}),
]
REFUSED = [
    ({"foo": "bar"}, [("add", "/baz/bat", "qux")], "there is no /baz/bat"),
    ({"foo": "bar"}, [("remove", "/baz")], "there is no /baz"),
    ({"foo": "bar"}, [("replace", "/baz", 1)], "there is no /baz"),
    ({"foo": []}, [("add", "/foo/1", 1)], "there is no /foo/1"),
    ({"foo": [1]}, [("replace", "/foo/01", 1)], "there is no /foo/01"),
    ({"foo": [1]}, [("remove", "/foo/-")], "there is no /foo/-"),
    ({"foo": "bar"}, [("add", "/foo/x", 1)], "there is no /foo/x"),
    ({"foo": "bar"}, [("remove", "")], "the whole object"),
    ({"foo": "bar"}, [("add", "foo", 1)], "is not a JSON pointer"),
    ({"foo": {"a": 1}}, [("move", "/foo/b", "/foo")], "cannot be moved into itself"),
]


def operations(listed):
    for op, path, *rest in listed:
        field = "from" if op in ("move", "copy") else "value"
        yield {"op": op, "path": path} | dict.fromkeys([field] if rest else [], *rest)


@pytest.mark.parametrize(("document", "patch", "result"), EXAMPLES)
def test_examples_of_rfc_6902(document, patch, result):
    before = deepcopy(document)
    assert apply_patch(document, list(operations(patch))) == result
    assert document == before


@pytest.mark.parametrize(("document", "patch", "message"), REFUSED)
def test_what_does_not_fit_is_refused(document, patch, message):
    with pytest.raises(PatchError, match=message):
        apply_patch(document, list(operations(patch)))


@pytest.mark.parametrize("value", ["qux", 10, "10", None, True])
def test_a_test_of_another_value_fails_as_such(value):
    with pytest.raises(TestFailedError):
        apply_patch({"baz": 1, "n": 0}, list(operations([("test", "/baz", value)])))


# RFC 7396, appendix A: original, patch, result.
@pytest.mark.parametrize(
    ("original", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_examples_of_rfc_7396(original, patch, result):
    before = deepcopy(original)
    assert merge_patch(original, patch) == result
    assert original == before


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab/~", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, json_values)
def test_what_differs_is_what_has_to_be_replaced(one, other):
    """The differences of two values name each place that differs, and none that does not."""
    found = differences(one, other)
    assert bool(found) != same(one, other)
    assert differences(one, one) == []
    for path, old, new in found:
        for value, stands in ((one, old), (other, new)):
            if type(stands) is not object:
                apply_patch(value, [{"op": "test", "path": path, "value": stands}])
