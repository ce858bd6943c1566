"""Which namespaces are asked for."""

import pytest

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.models.options import BackupOptions, RestoreOptions
from kubeferry.tasks.core.selection.namespaces import asked_for, choose_namespaces, unmatched

THERE = {"api": {"team": "x"}, "shop": {"team": "shop"}, "shop-test": {"team": "shop"}, "bare": {}}


def chosen(there=THERE, **options):
    return choose_namespaces(there, RestoreOptions(backup="b", **options), "backup b")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, {"api", "shop", "shop-test", "bare"}),
        ({"namespaces": ["api"]}, {"api"}),
        ({"namespaces": ["api", "shop"]}, {"api", "shop"}),
        ({"namespace_selector": "team=shop"}, {"shop", "shop-test"}),
        ({"namespace_selector": "!team"}, {"bare"}),
        ({"namespaces": ["api"], "namespace_selector": "team=shop"}, {"api", "shop", "shop-test"}),
        ({"exclude_namespace": ["shop"]}, {"api", "shop-test", "bare"}),
        ({"exclude_namespace": ["shop*", "ba?e"]}, {"api"}),
        ({"namespace_selector": "team=shop", "exclude_namespace": ["*-test"]}, {"shop"}),
    ],
)
def test_names_and_labels_add_up_and_what_is_excluded_is_left_out(options, names):
    assert chosen(**options) == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"namespaces": ["shp"]}, r"^backup b holds no namespace shp; it holds api, bare, shop, shop-test$"),
        ({"namespace_selector": "team=y"}, r"^no namespace of backup b matches 'team=y'; it holds api, bare, shop"),
        ({"namespace_selector": "a in b"}, "is not a selector"),
        (
            {"namespaces": ["shop"], "exclude_namespace": ["sho?"]},
            "^--exclude-namespace leaves nothing of backup b: shop",
        ),
    ],
)
def test_what_leaves_nothing_is_refused_with_what_there_is(options, message):
    with pytest.raises(UsageError, match=message):
        chosen(**options)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"namespaces": ["shop", "api", "shop"]}, "api shop"),
        ({"all_namespaces": True}, "all namespaces"),
        ({"all_namespaces": True, "exclude_namespace": ["b", "a*"]}, "all namespaces except a*, b"),
        ({"namespace_selector": "team = shop"}, "namespaces with team=shop"),
        ({"namespaces": ["api"], "namespace_selector": "team=shop"}, "api and namespaces with team=shop"),
    ],
)
def test_what_is_asked_for_is_said_in_one_line_whatever_there_is(options, asked):
    assert asked_for(BackupOptions(**options)) == asked


def test_not_more_than_some_names_are_listed():
    with pytest.raises(UsageError, match=r"it holds n0, n1, n10, .* and 15 more$"):
        chosen({f"n{number}": {} for number in range(25)}, namespaces=["x"])


def test_a_backup_of_nothing_has_none():
    assert chosen({}) == frozenset()


def test_what_is_excluded_and_not_there_is_reported_but_for_wildcards():
    assert [what for what, _ in unmatched(THERE, ["shop", "old-*", "old"])] == ["--exclude-namespace old"]
