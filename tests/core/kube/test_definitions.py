"""What a CRD calls the kind that it defines."""

import pytest

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.kube.resources import names_defined


def crd(**names):
    names = {"kind": "Widget", "plural": "widgets"} | names
    spec = {"group": "e.com", "scope": "Namespaced", "names": names, "versions": [{"name": "v1", "served": True}]}
    return {"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "widgets.e.com"}, "spec": spec}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({}, ("widgets",)),
        ({"singular": "widget", "shortNames": ["w", "wd"]}, ("widgets", "widget", "w", "wd")),
        ({"singular": 3, "shortNames": ["w", None, {}]}, ("widgets", "w")),
        ({"shortNames": "w"}, ("widgets",)),
    ],
)
def test_all_names_of_a_kind(names, words):
    assert names_defined(crd(**names)) == (("e.com", "Widget"), words)


@pytest.mark.parametrize("names", [{"kind": 3}, {"plural": ["a"]}])
def test_one_that_names_nothing_is_damaged(names):
    with pytest.raises(DamagedError, match=r"widgets\.e\.com defines no kind"):
        names_defined(crd(**names))
