"""The cases of the public test file of JSON patch (github.com/json-patch/json-patch-tests), as facts, and near ones.

Each row: document, operations, result. A result is a value, `FAILS` (a `test` failed) or `REFUSED`.
"""

from copy import deepcopy

import pytest

from kubeferry.tasks.core.jsondoc.patch import PatchError, TestFailedError, apply_patch

FAILS, REFUSED = "FAILS", "REFUSED"
ODD = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8}
NESTED = {"foo": 1, "baz": [{"qux": "hello"}]}


def add(path, value):
    return {"op": "add", "path": path, "value": value}


def replace(path, value):
    return {"op": "replace", "path": path, "value": value}


def test(path, value):
    return {"op": "test", "path": path, "value": value}


test.__test__ = False


def remove(path):
    return {"op": "remove", "path": path}


def move(source, path):
    return {"op": "move", "from": source, "path": path}


def copy(source, path):
    return {"op": "copy", "from": source, "path": path}


CASES = [
    ({}, [], {}),
    # add
    ({"foo": None}, [add("/foo", 1)], {"foo": 1}),
    ([], [add("/0", "foo")], ["foo"]),
    ({}, [add("/foo", "1")], {"foo": "1"}),
    ({}, [add("", [])], []),
    ([], [add("", {})], {}),
    ([], [add("/-", "hi")], ["hi"]),
    ({}, [add("/", 1)], {"": 1}),
    ({"foo": {}}, [add("/foo/", 1)], {"foo": {"": 1}}),
    (NESTED, [add("/baz/0/foo", "world")], {"foo": 1, "baz": [{"qux": "hello", "foo": "world"}]}),
    ({"bar": [1, 2]}, [add("/bar/8", "5")], REFUSED),
    ({"bar": [1, 2]}, [add("/bar/-1", "5")], REFUSED),
    ({"foo": 1}, [add("/bar", None)], {"foo": 1, "bar": None}),
    ({"foo": 1}, [add("/0", "bar")], {"foo": 1, "0": "bar"}),
    (["foo"], [add("/1", "bar")], ["foo", "bar"]),
    (["foo", "sil"], [add("/1", ["bar", "baz"])], ["foo", ["bar", "baz"], "sil"]),
    (["foo", "sil"], [add("/0", "bar")], ["bar", "foo", "sil"]),
    (["foo", "sil"], [add("/2", "bar")], ["foo", "sil", "bar"]),
    (["foo", "sil"], [add("/3", "bar")], REFUSED),
    (["foo", "sil"], [add("/bar", 42)], REFUSED),
    (["foo", "sil"], [add("/1e0", "bar")], REFUSED),
    (["foo", "sil"], [add("/01", "bar")], REFUSED),
    (["foo", "sil"], [add("/" + "9" * 5000, "bar")], REFUSED),
    (["foo", "sil"], [add("/\u0661", "bar")], REFUSED),
    ([1, 2, [3, [4, 5]]], [add("/2/1/-", {"foo": 1})], [1, 2, [3, [4, 5, {"foo": 1}]]]),
    ({"foo": "bar"}, [add("/FOO", "BAR")], {"foo": "bar", "FOO": "BAR"}),
    ({"a": {"-": 1}}, [add("/a/-", 2)], {"a": {"-": 2}}),
    ({}, [add("/a~1b", 1), add("/m~0n", 2), add("/~01", 3)], {"a/b": 1, "m~n": 2, "~1": 3}),
    # remove
    ({"foo": 1, "bar": [1, 2, 3, 4]}, [remove("/bar")], {"foo": 1}),
    (NESTED, [remove("/baz/0/qux")], {"foo": 1, "baz": [{}]}),
    ({"foo": None}, [remove("/foo")], {}),
    ([1, 2, 3, 4], [remove("/0")], [2, 3, 4]),
    ([1, 2, 3, 4], [remove("/1"), remove("/2")], [1, 3]),
    ([1, 2, 3, 4], [remove("/1e0")], REFUSED),
    (NESTED, [remove("/baz/1e0/qux")], REFUSED),
    ({"foo": "bar"}, [remove("/baz")], REFUSED),
    (["foo", "bar"], [remove("/2")], REFUSED),
    # replace
    (NESTED, [replace("/foo", [1, 2])], {"foo": [1, 2], "baz": [{"qux": "hello"}]}),
    (NESTED, [replace("/baz/0/qux", "world")], {"foo": 1, "baz": [{"qux": "world"}]}),
    ([""], [replace("/0", 0)], [0]),
    ([""], [replace("/0", value=False)], [False]),
    ([""], [replace("/0", None)], [None]),
    (["foo", "sil"], [replace("/1", ["bar"])], ["foo", ["bar"]]),
    ({"foo": "bar"}, [replace("", {"baz": "qux"})], {"baz": "qux"}),
    ({"bar": "baz"}, [replace("/foo/bar", value=False)], REFUSED),
    ({"bar": "baz"}, [replace("/foo", 1)], REFUSED),
    ([""], [replace("/1e0", value=False)], REFUSED),
    ([""], [replace("/-", 1)], REFUSED),
    ({"foo": None}, [replace("/foo", "truthy")], {"foo": "truthy"}),
    # test
    ({"1e0": "foo"}, [test("/1e0", "foo")], {"1e0": "foo"}),
    (["foo", "bar"], [test("/1e0", "bar")], FAILS),
    (["foo", "bar"], [test("/00", "foo")], FAILS),
    (["foo", "bar"], [test("/01", "bar")], FAILS),
    (["foo", "bar"], [test("/2", "bar")], FAILS),
    ({"foo": 1}, [test("/foo", 1) | {"spurious": 1}], {"foo": 1}),
    ({"foo": 1}, [test("/foo", 1.0)], {"foo": 1}),
    ({"foo": 1}, [test("/foo", "1")], FAILS),
    ({"foo": 1}, [test("/foo", value=True)], FAILS),
    ({"foo": None}, [test("/foo", None)], {"foo": None}),
    ({"foo": {"foo": 1, "bar": 2}}, [test("/foo", {"bar": 2, "foo": 1})], {"foo": {"foo": 1, "bar": 2}}),
    ({"foo": {"bar": [1, 2, 5, 4]}}, [test("/foo", [1, 2])], FAILS),
    ({"foo": 1}, [test("", {"foo": 1})], {"foo": 1}),
    ({"": 1}, [test("/", 1)], {"": 1}),
    (
        ODD,
        [
            *(test("/foo", ["bar", "baz"]), test("/foo/0", "bar"), test("/", 0), test("/a~1b", 1), test("/c%d", 2)),
            *(test("/e^f", 3), test("/g|h", 4), test("/i\\j", 5), test('/k"l', 6), test("/ ", 7), test("/m~0n", 8)),
        ],
        ODD,
    ),
    ({"foo": 1}, [test("/bar", 1)], FAILS),  # Velero's pattern for a storage class
    ({"foo": 1}, [test("/bar", None)], FAILS),
    ({"foo": 1}, [test("/bar/baz", 1)], FAILS),
    ({"foo": 1}, [test("/foo/baz", 1)], FAILS),
    ({"foo": 1}, [replace("/foo", 2), test("/bar", 1), remove("/none")], FAILS),
    # move
    ({"foo": None}, [move("/foo", "/bar")], {"bar": None}),
    ({"foo": 1}, [move("/foo", "/foo")], {"foo": 1}),
    (NESTED, [move("/foo", "/bar")], {"baz": [{"qux": "hello"}], "bar": 1}),
    (NESTED, [move("/baz/0/qux", "/baz/1")], {"foo": 1, "baz": [{}, "hello"]}),
    ([1, 2, 3], [move("/0", "/2")], [2, 3, 1]),
    ([1, 2, 3], [move("/0", "/-")], [2, 3, 1]),
    ([1, 2, 3], [move("/0", "/3")], REFUSED),
    ({"baz": [1, 2]}, [move("/baz/1e0", "/foo")], REFUSED),
    ({"foo": {"bar": 1}}, [move("/foo", "/foo/bar")], REFUSED),
    ({"a/b": {"c": 1}}, [move("/a~1b", "/a~1b/c")], REFUSED),
    ({"foo": 1}, [move("", "/foo")], REFUSED),
    ({"foo": 1}, [move("/bar", "/bar")], REFUSED),
    ({"foo": {"a": 1}, "foobar": 2}, [move("/foo", "/foobar")], {"foobar": {"a": 1}}),
    # copy
    ({"foo": None}, [copy("/foo", "/bar")], {"foo": None, "bar": None}),
    (NESTED, [copy("/baz/0", "/boo")], NESTED | {"boo": {"qux": "hello"}}),
    ({"foo": {"bar": 1}}, [copy("/foo", "/foo/bar")], {"foo": {"bar": {"bar": 1}}}),
    ({"foo": 1}, [copy("", "/bar")], {"foo": 1, "bar": {"foo": 1}}),
    ({"baz": [1, 2]}, [copy("/baz/1e0", "/boo")], REFUSED),
    # what is no operation
    ([1], [{"op": "add", "path": "/-"}], REFUSED),
    ([1], [{"op": "replace", "path": "/0"}], REFUSED),
    ([None], [{"op": "test", "path": "/0"}], REFUSED),
    ([False], [{"op": "test", "path": "/0"}], REFUSED),
    ([1], [{"op": "copy", "path": "/-"}], REFUSED),
    ({"foo": 1}, [{"op": "move", "path": ""}], REFUSED),
    ({"foo": 1}, [{"op": "spam", "path": "/foo", "value": 1}], REFUSED),
    ({"foo": 1}, [test("foo", 1)], REFUSED),
    ({"foo~": 1}, [test("/foo~", 1)], REFUSED),
    ({"foo~2": 1}, [remove("/foo~2")], REFUSED),
]


@pytest.mark.parametrize(("document", "operations", "result"), CASES)
def test_the_public_cases(document, operations, result):
    before = deepcopy(document)
    try:
        found = apply_patch(document, operations)
    except TestFailedError:
        found = FAILS
    except PatchError:
        found = REFUSED
    assert found == result
    assert document == before


# evanphx/json-patch v5, as Velero uses it: what holds the key must be there.
@pytest.mark.parametrize(
    ("path", "passes"),
    [
        *(("/a/null", True), ("/a/none", True), ("/a/one", False), ("/none/none", False), ("/list/0", True)),
        *(("/list/1", False), ("/a/one/none", False), ("", False)),
    ],
)
def test_null_also_means_a_missing_key_where_velero_says_so(path, passes):
    document = {"a": {"null": None, "one": 1}, "list": [None]}
    operation = test(path, None) | {"or_missing": True}
    if passes:
        assert apply_patch(document, [operation]) == document
    else:
        with pytest.raises(TestFailedError):
            apply_patch(document, [operation])
