"""What is deleted with what: the garbage collector's rule, applied before anything is deleted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.deletion.cascade import dependents, split
from kubeferry.tasks.core.deletion.inventory import InventoryItem
from kubeferry.tasks.core.kube.objects import Ref


def facts(owners):
    """Return facts by uid; `owners` maps each uid to those of its owners, in letters: {"b": "a"}."""
    return {uid: InventoryItem(Ref("", "K", "shop", uid), uid, "", frozenset(of)) for uid, of in owners.items()}


@pytest.mark.parametrize(
    ("owners", "roots", "follow"),
    [
        ({"a": "", "b": ""}, "a", {}),
        ({"a": "", "b": "a", "c": "b"}, "a", {"b": "a", "c": "a"}),
        ({"a": "", "b": "", "c": "ab"}, "a", {}),  # b is still there
        ({"a": "", "b": "", "c": "ab"}, "ab", {"c": "ab"}),
        ({"a": "", "c": "ax"}, "a", {"c": "a"}),  # x is not there: it does not count
        ({"a": "", "c": "x"}, "a", {}),
        ({"c": "a", "d": "c"}, "a", {"c": "a", "d": "a"}),  # a bundle need not be among the facts
        ({"a": "", "b": "a", "c": "ab"}, "a", {"b": "a", "c": "a"}),
        ({"a": "", "b": "ac", "c": "b"}, "a", {}),  # b and c own one another
    ],
)
def test_an_object_is_deleted_when_its_last_owner_is_gone(owners, roots, follow):
    assert dependents(roots, facts(owners)) == {uid: frozenset(of) for uid, of in follow.items()}


@pytest.mark.parametrize(
    ("owner", "owned", "deleted"),
    [
        ("shop", "shop", True),
        ("", "shop", True),
        ("", "", True),
        ("bank", "shop", False),
        ("shop", "", False),
    ],
)
def test_an_owner_of_another_namespace_is_none(owner, owned, deleted):
    """Kubernetes: owners and dependents. The garbage collector takes such an owner for one that is not there."""
    first = InventoryItem(Ref("", "K", owner, "a"), "a", "")
    second = InventoryItem(Ref("", "K", owned, "b"), "b", "", frozenset("a"))
    known = {"a": first, "b": second}
    assert bool(dependents("a", known)) is deleted
    assert split({"a": 1, "b": 2}, known)[0].keys() == ({"a"} if deleted else {"a", "b"})


def test_nothing_in_never_is_deleted_nor_what_only_depends_on_it():
    assert dependents("a", facts({"a": "", "b": "a", "c": "b", "d": "a"}), {"b"}) == {"d": frozenset("a")}


@pytest.mark.parametrize(
    ("owners", "wanted", "asked", "follow"),
    [
        ({"a": "", "b": "a", "c": ""}, "abc", "ac", {"b": "a"}),
        ({"a": "", "b": "a", "c": "b"}, "ac", "a", {"b": "a", "c": "a"}),
        ({"b": "x", "x": ""}, "b", "b", {}),  # its owner stays: it has to be asked for
        ({"b": "x"}, "b", "b", {}),
        ({"a": "b", "b": "a", "c": "a"}, "ab", "ab", {"c": "a"}),  # owners of one another: nobody else begins
    ],
)
def test_what_is_deleted_by_itself_is_not_asked_for(owners, wanted, asked, follow):
    found, following = split(dict.fromkeys(wanted, 1), facts(owners))
    assert "".join(sorted(found)) == asked
    assert following == {uid: frozenset(of) for uid, of in follow.items()}


LETTERS = "abcdefgh"
OWNERS = st.dictionaries(st.sampled_from(LETTERS), st.sets(st.sampled_from(LETTERS), max_size=3), max_size=8)


@given(OWNERS, st.sets(st.sampled_from(LETTERS)))
def test_all_that_is_wanted_is_asked_for_or_follows_and_the_rest_only_where_it_would_be_deleted(owners, wanted):
    known = facts({uid: "".join(of - {uid}) for uid, of in owners.items()})
    wanted = wanted & known.keys()
    asked, following = split(dict.fromkeys(wanted, 1), known)
    assert asked.keys() <= wanted <= asked.keys() | following.keys()
    assert not asked.keys() & following.keys()
    gone = asked.keys() | following.keys()
    for uid, roots in following.items():
        assert roots <= asked.keys()
        assert known[uid].owners & known.keys() <= gone
        assert known[uid].owners & gone
