"""Every string is met once, decoded where the API says base64, and can be put back without touching the rest."""

import base64
import copy

import pytest

from kubeferry.tasks.core.kube.strings import decoded, leaves, pointer, put


def secret(**data):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data}


def encoded(text):
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def test_secret_data_is_read_as_the_text_that_it_holds():
    found = {leaf.at: (leaf.text, leaf.encoded) for leaf in leaves(secret(url=encoded("http://é")))}
    assert found[("data", "url")] == ("http://é", True)
    assert found[("metadata", "name")] == ("s", False)


@pytest.mark.parametrize("value", ["/w==", "not base64!", "YQ", "YQ==\n", "YR==", None, 7, ["YQ=="]])
def test_what_is_no_text_in_canonical_base64_is_not_a_leaf(value):
    assert decoded(value) is None
    assert not [leaf for leaf in leaves(secret(x=value)) if leaf.at[0] == "data"]


def test_binary_data_of_a_config_map_is_decoded_and_its_data_is_not():
    text = encoded("hello")
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": {"a": text}, "binaryData": {"b": text}}
    assert {leaf.at[1]: leaf.text for leaf in leaves(config) if len(leaf.at) == 2} == {"a": text, "b": "hello"}


def test_a_leaf_is_written_as_it_was_read():
    leaf = next(each for each in leaves(secret(url=encoded("a"))) if each.encoded)
    assert leaf.written("bc") == encoded("bc")


def test_lists_and_maps_are_walked_in_order():
    obj = {
        "apiVersion": "x/v1",
        "kind": "X",
        "metadata": {},
        "spec": {"b": ["1", {"c": "2"}], "a": "3", "n": [None, 4]},
    }
    assert [(pointer(leaf.at), leaf.text) for leaf in leaves(obj)][2:] == [
        ("/spec/b/0", "1"),
        ("/spec/b/1/c", "2"),
        ("/spec/a", "3"),
    ]


def test_put_replaces_only_what_it_is_given_and_leaves_its_input():
    obj = {"a": [{"b": "1"}, {"b": "2"}], "c": {"d": "3"}}
    before = copy.deepcopy(obj)
    after = put(obj, {("a", 1, "b"): "x", ("c", "d"): "y"})
    assert after == {"a": [{"b": "1"}, {"b": "x"}], "c": {"d": "y"}}
    assert obj == before
    assert after["a"][0] is obj["a"][0]


def test_a_pointer_escapes_what_rfc_6901_says():
    assert pointer(("metadata", "annotations", "a/b~c", 0)) == "/metadata/annotations/a~1b~0c/0"
