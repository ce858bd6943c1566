"""Paths of exported files: legal everywhere, one for each object, in the order of the levels."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.plan.export.names import levels, path, segment

NAMES = st.text(min_size=1, max_size=300) | st.from_regex(r"[A-Za-z0-9._:%~-]{1,253}", fullmatch=True)


@given(NAMES)
def test_a_part_is_legal_on_every_file_system(name):
    found = segment(name)
    assert re.fullmatch(r"[a-z0-9._%A-F-]+", found)
    assert not found.startswith(".")
    assert not found.endswith(".")
    assert len(f"{found}.yaml") <= 255
    assert found.split(".")[0].lower() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}


@given(st.lists(NAMES, min_size=2, max_size=6, unique=True))
def test_different_names_have_different_parts_where_case_does_not_count(names):
    assert len({segment(name).lower() for name in names}) == len(names)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("web", "web"),
        ("web.v1", "web.v1"),
        ("system:reader", "system%3Areader"),
        ("View", "%56iew"),
        ("con", "%63on"),
        ("nul.conf", "%6Eul.conf"),
        ("a/b", "a%2Fb"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("a.", "a%2E"),
    ],
)
def test_some_parts(name, part):
    assert segment(name) == part


def test_long_names_that_differ_at_their_end_do_not_meet():
    one, other = segment("a" * 252 + "b"), segment("a" * 252 + "c")
    assert one != other
    assert max(len(one), len(other)) < 200


def test_the_order_of_folders_is_that_of_levels_also_with_many_of_them():
    found = levels(["config"] * 120)
    assert found == sorted(found)
    assert found[:3] == ["000-namespaces", "001-definitions", "002-config"]


def test_kinds_of_kubernetes_need_no_group_and_a_namespace_is_named_where_there_are_several():
    assert (
        path(Ref("apps", "Deployment", "shop", "web"), "04-workload", spaces=False) == "04-workload/deployment/web.yaml"
    )
    custom = Ref("cert-manager.io", "Certificate", "shop", "web")
    assert path(custom, "05-custom", spaces=True) == "05-custom/certificate.cert-manager.io/shop/web.yaml"
    assert path(Ref("", "Namespace", "", "shop"), "00-namespaces", spaces=True) == "00-namespaces/namespace/shop.yaml"
