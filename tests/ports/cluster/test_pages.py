"""A page is read from its beginning where the server writes metadata first, and whole where it does not."""

import orjson
import pytest

from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.ports.cluster.pages import Page

SECRETS = ResourceType("", "v1", "Secret", "secrets", namespaced=True)
ITEM = {"metadata": {"name": "a", "annotations": {"note": '"items":[', "metadata": '{"continue":"no"}'}}}
META = {"resourceVersion": "7", "continue": "more"}


def page(**parts):
    return Page(orjson.dumps(parts), SECRETS)


@pytest.mark.parametrize(
    "parts",
    [
        {"kind": "SecretList", "apiVersion": "v1", "metadata": META, "items": [ITEM]},
        {"apiVersion": "v1", "items": [ITEM], "kind": "SecretList", "metadata": META},
    ],
    ids=["metadata first", "keys sorted"],
)
def test_revision_and_token_are_found_wherever_metadata_stands(parts):
    found = page(**parts)
    assert (found.revision, found.next, found.empty) == ("7", "more", False)
    assert [(each["apiVersion"], each["kind"]) for each in found.items] == [("v1", "Secret")]


@pytest.mark.parametrize(
    "parts",
    [
        {"kind": "SecretList", "metadata": {"resourceVersion": "7"}, "items": []},
        {"items": [], "kind": "SecretList", "metadata": {"resourceVersion": "7"}},
    ],
    ids=["metadata first", "keys sorted"],
)
def test_an_empty_page_is_the_last(parts):
    found = page(**parts)
    assert (found.next, found.empty, found.items) == ("", True, [])


def test_items_that_are_null_are_none():
    assert page(kind="SecretList", metadata={"resourceVersion": "7"}, items=None).items == []


def test_a_page_whose_item_ends_like_an_empty_one_is_not_empty():
    last = {"metadata": {"name": "z"}, "x": {"items": []}}
    found = page(kind="L", metadata=META, items=[last])
    assert not found.empty
    assert found.items == [last | {"apiVersion": "v1", "kind": "Secret"}]
