"""What a migration comes to, and the names of what it leaves in a store."""

import pytest
from pydantic import ValidationError

from kubeferry.tasks.core.formats.layout import check_name
from kubeferry.tasks.core.formats.migration import SHARED, End, phase_of, restore_name, unread_of
from kubeferry.tasks.core.formats.records import Phase, Problem
from kubeferry.tasks.core.models.options_migration import MigrateOptions
from kubeferry.tasks.core.models.results import EXIT_CODES

DONE, PART, LOST = Phase.COMPLETED, Phase.PARTIAL, Phase.FAILED


def ends(*phases, shared=None):
    listed = [End(namespace=f"n{number}", into="x", phase=phase) for number, phase in enumerate(phases)]
    return [*listed, *([End(namespace=SHARED, into="", phase=shared)] if shared else [])]


@pytest.mark.parametrize(
    ("found", "phase", "code"),
    [
        (ends(DONE, DONE), DONE, 0),
        (ends(DONE, DONE, shared=DONE), DONE, 0),
        (ends(DONE, PART), PART, 3),
        (ends(DONE, LOST), PART, 3),
        (ends(LOST, LOST), LOST, 1),
        (ends(LOST, shared=DONE), LOST, 1),  # what is cluster-wide alone is nothing that was asked for
        (ends(DONE, shared=LOST), PART, 3),
        (ends(DONE, shared=PART), DONE, 0),
    ],
)
def test_phase(found, phase, code):
    assert phase_of(found) is phase
    assert EXIT_CODES[phase] == code


def test_restores_of_one_migration_never_share_a_name():
    namespaces = ["a", "a-2", "2", SHARED, "cluster"]
    names = [restore_name("m", ns, turn) for ns in namespaces for turn in (1, 2, 3)]
    assert len(set(names)) == len(names)
    assert all(check_name(name) for name in names)


def test_what_could_not_be_read_is_reported_for_the_namespace_that_it_is_in():
    problems = [
        Problem(what="secrets in shop", why="forbidden", namespace="shop"),
        Problem(what="Secret billing/token", why="odd", namespace="billing"),
        Problem(what="metrics.k8s.io/v1beta1", why="stale", group="metrics.k8s.io"),
        Problem(what="secrets in elsewhere", why="forbidden", namespace="elsewhere"),
    ]
    found = unread_of(problems, ["shop", "billing"])
    assert {ns: [each.what for each in some] for ns, some in found.items()} == {
        "shop": ["secrets in shop"],
        "billing": ["Secret billing/token"],
        "": ["metrics.k8s.io/v1beta1", "secrets in elsewhere"],
    }


@pytest.mark.parametrize(
    ("problem", "place"),
    [
        ({"what": "secrets in shop", "namespace": "shop"}, ("secrets", "shop")),
        ({"what": "Secret shop/a", "namespace": "shop"}, ("Secret shop/a", "shop")),
        ({"what": "nodes"}, ("nodes", "")),
        ({"what": "secrets in shop"}, ("secrets", "shop")),  # as it was stored before problems had a namespace
    ],
)
def test_a_problem_says_in_which_namespace_it_is(problem, place):
    assert Problem(why="forbidden", **problem).place == place


@pytest.mark.parametrize(
    "asked",
    [{}, {"to_context": "b"}, {"namespaces": ["shop"]}, {"namespaces": ["shop"], "to_context": "b", "deployment": "x"}],
)
def test_what_makes_no_sense_is_refused(asked):
    with pytest.raises(ValidationError):
        MigrateOptions(**asked)


def test_options_reach_the_backup_and_each_restore():
    asked = MigrateOptions(
        namespaces=["shop", "web"],
        from_context="a",
        to_context="b",
        map={"shop": "shop2"},
        selector="app=x",
        existing="skip",
        wait_seconds=7,
        store="file:///s",
    )
    saved = asked.backup("m", ["shop", "web"])
    assert (saved.context, saved.namespaces, saved.selector, saved.store) == (
        "a",
        ["shop", "web"],
        "app=x",
        "file:///s",
    )
    names = {"shop": "shop2", "web": "web"}
    one = asked.restore("m", "m.shop", "shop", names)
    assert (one.context, one.namespaces, one.map, one.existing, one.wait_seconds) == (
        "b",
        ["shop"],
        {"shop": "shop2"},
        "skip",
        7,
    )
    assert one.selector == ""  # what the backup holds was selected when it was made
    assert asked.restore("m", "m.cluster.wide", "", names).namespaces == []
