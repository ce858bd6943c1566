"""Globs match as Velero's library does: each row was run by gobwas/glob v0.2.3, with and without the separator `.`."""

import pytest

from kubeferry.tasks.core.jsondoc.globs import glob_pattern

WORDS = (
    *("pods", "deployments.apps", "daemonsets.apps", "replicasets.apps", "jobs.batch", "a.b.apps", "a..b"),
    *("a,b", "a}", "*", "]x", "ax", "bx", "-x", "^x", "cd", "ad", "a", "b", "xa", ""),
)
APPS = {"deployments.apps", "daemonsets.apps", "replicasets.apps"}
NO_DOT = {each for each in WORDS if "." not in each}

MATCHED = [
    ("pods", ".", {"pods"}),
    ("", ".", {""}),
    ("*", ".", NO_DOT),
    ("*", "", set(WORDS)),
    ("**", ".", set(WORDS)),
    ("*.apps", ".", APPS),
    ("*.apps", "", {*APPS, "a.b.apps"}),
    ("**.apps", ".", {*APPS, "a.b.apps"}),
    ("p?ds", ".", {"pods"}),
    ("a.?b", ".", set()),
    ("a.?b", "", {"a..b"}),
    ("[dr]*sets.apps", ".", {"daemonsets.apps", "replicasets.apps"}),
    ("[!d]*.apps", ".", {"replicasets.apps"}),
    ("[!d]*.apps", "", {"replicasets.apps", "a.b.apps"}),
    ("[a-e]*.apps", ".", {"deployments.apps", "daemonsets.apps"}),
    ("[!a-e]*.apps", ".", {"replicasets.apps"}),
    ("[^a]x", ".", {"ax", "^x"}),
    ("[-a]x", ".", {"ax", "-x"}),
    (r"[a\]]x", ".", {"ax", "]x"}),
    ("a.[.]b", ".", {"a..b"}),
    ("{deployments,jobs}.*", ".", {"deployments.apps", "jobs.batch"}),
    ("{*.apps,pods}", ".", {*APPS, "pods"}),
    ("{a,{b,c}}d", ".", {"ad", "cd"}),
    ("{,x}a", ".", {"a", "xa"}),
    ("a,b", ".", {"a,b"}),
    ("a}", ".", {"a}"}),
    (r"\*", ".", {"*"}),
]


@pytest.mark.parametrize(("glob", "apart", "matched"), MATCHED)
def test_globs_match_as_velero_s(glob, apart, matched):
    assert {word for word in WORDS if glob_pattern(glob, apart).fullmatch(word)} == matched


@pytest.mark.parametrize("glob", ["[abc", "[]", "[!]", "[z-a]", "[a-]x", "[a-cx]", "{a,b", "a{", "\\"])
def test_what_is_no_glob_is_refused(glob):
    with pytest.raises(ValueError, match="is not a glob"):
        glob_pattern(glob)
