"""What is different, object by object: every change is reported, not values of a cluster, and Secrets are hidden."""

import base64
import copy
import json
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.compare import report as diff_report
from kubeferry.tasks.core.compare.diff import (
    ObjectDifference,
    added,
    changed,
    masked,
    owned,
    owner_references,
    reconciled,
    removed,
    unknown,
)
from kubeferry.tasks.core.compare.report import DiffReport, reported_difference, unified
from kubeferry.tasks.core.formats.links import Owner
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.jsondoc.differences import MISSING
from kubeferry.tasks.core.kube.objects import Ref

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def of(kind, api="v1", meta=None, **rest):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "x", "namespace": "shop", **(meta or {})}, **rest}


def config(**data):
    return of("ConfigMap", data=data)


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def secret(*, applied=False, notes=None, **data):
    """A Secret; `applied` as `kubectl apply` leaves it, with a copy of the data in an annotation."""
    obj = of("Secret", type="Opaque", data={key: encoded(value) for key, value in data.items()})
    notes = dict(notes or {})
    if applied:
        notes[LAST_APPLIED] = json.dumps(obj) + "\n"
    if notes:
        obj["metadata"]["annotations"] = notes
    return obj


# --- what is a difference


def test_the_same_is_no_difference():
    assert changed([(config(a="1"), config(a="1"))]) is None


def test_a_change_is_reported_with_its_fields_and_both_objects():
    found = changed([(config(a="1", b="2"), config(a="3", c="4"))])
    assert (found.ref, found.change) == (Ref("", "ConfigMap", "shop", "x"), "changed")
    assert [(each.path, each.old, each.new) for each in found.fields] == [
        ("data.a", "1", "3"),
        ("data.b", "2", MISSING),
        ("data.c", MISSING, "4"),
    ]


def test_types_count():
    assert [each.path for each in changed([(of("W", spec=1), of("W", spec=True))]).fields] == ["spec"]


def test_a_value_is_the_same_if_it_is_so_in_any_reading():
    resolved, literal = config(a="10.0.0.9", b="10.0.0.8"), config(a="10.0.0.1", b="10.0.0.2")
    for a, b in (("10.0.0.9", "10.0.0.8"), ("10.0.0.1", "10.0.0.2"), ("10.0.0.1", "10.0.0.8")):
        live = config(a=a, b=b)
        assert changed([(resolved, live), (literal, live)]) is None
    live = config(a="10.0.0.1", b="10.0.0.3")
    found = changed([(resolved, live), (literal, live)])
    assert [(each.path, each.old, each.new) for each in found.fields] == [("data.b", "10.0.0.8", "10.0.0.3")]
    assert found.before["data"] == {"a": "10.0.0.1", "b": "10.0.0.8"}, "what agrees is no line of the diff"


def test_readings_of_both_sides_agree_by_where_a_value_comes_from():
    readings = [(config(a="10.0.0.1"), config(a="10.9.9.9")), (config(a="Service → clusterIP"),) * 2]
    assert changed(readings) is None
    assert changed([readings[0], (config(a="Service → clusterIP"), config(a="Pod → podIP"))])


def test_a_field_that_came_or_went_never_agrees():
    live = config(a="1", b="2")
    assert [each.path for each in changed([(config(a="1"), live), (config(a="x"), live)]).fields] == ["data.b"]
    assert [each.path for each in changed([(live, config(a="1")), (live, config(a="1"))]).fields] == ["data.b"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, JSON)
def test_one_reading_is_taken_as_it_is(before, after):
    assert reconciled([(before, after)]) == before


@given(JSON, JSON, JSON)
def test_what_agrees_in_a_reading_agrees_and_nothing_else_changes(before, other, after):
    found = reconciled([(before, after), (other, after)])
    for path, value in texts(found):
        assert value in (pick(before, path), pick(after, path))
    assert shape(found) == shape(before)


def texts(value, path=()):
    if isinstance(value, str):
        yield path, value
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from texts(each, (*path, key))


def pick(value, path):
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def shape(value):
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return "text" if isinstance(value, str) else repr(value)


def test_a_value_that_nobody_knows_is_left_open():
    before, live = config(a="10.0.0.1", b="1"), config(a="10.0.0.2", b="2")
    found = changed(unknown([(before, live)], ["/data/a"]))
    assert [each.path for each in found.fields] == ["data.b"]
    assert changed(unknown([(before, live)], ["/data/a", "/data/b", "/data/c"])) is None


def test_a_value_in_a_secret_that_nobody_knows_is_left_open():
    assert changed(unknown([(secret(a="10.0.0.1"), secret(a="10.0.0.2"))], ["/data/a"])) is None


# --- owners

OWNERS = [
    {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1", "controller": True},
    {"apiVersion": "v1", "kind": "ConfigMap", "name": "web", "uid": "2"},
    {"apiVersion": "kubeferry.io/v1", "kind": "Bundle", "name": "b", "uid": "3"},
]


def test_owners_are_compared_by_name_and_our_bundle_is_none():
    owners = owned(config(), OWNERS)["metadata"]["ownerReferences"]
    assert [(each["kind"], each["name"], "uid" in each) for each in owners] == [
        ("ConfigMap", "web", False),
        ("Deployment", "web", False),
    ]
    assert "ownerReferences" not in owned(config(), OWNERS[2:])["metadata"]
    backed_up = owner_references([Owner("apps/v1", "Deployment", "web", "9", controller=True)], lambda _: True)
    assert changed([(owned(config(), backed_up), owned(config(), OWNERS[:1]))]) is None
    assert [each.path for each in changed([(owned(config(), backed_up), config())]).fields] == [
        "metadata.ownerReferences"
    ]


def test_an_owner_that_is_nowhere_is_not_expected():
    assert owner_references([Owner("apps/v1", "Deployment", "web", "9")], lambda _: False) == []


# --- Secrets

PLAIN = "hunter2-is-secret"
OTHER = "another-secret-x"


@pytest.mark.parametrize("applied", [False, True])
def test_a_secrets_value_is_never_shown_and_its_change_is(applied):
    found = changed([(secret(applied=applied, a=PLAIN, b="same"), secret(applied=applied, a=OTHER, b="same"))])
    difference = reported_difference(found, "backup b", "cluster c", with_diff=True)
    text = repr(found) + str(found) + difference.model_dump_json() + difference.diff
    for value in (PLAIN, OTHER, encoded(PLAIN), encoded(OTHER)):
        assert value not in text
    (field,) = [each for each in difference.fields if each.path == "data.a"]
    assert (field.old, field.new) == ("<secret, 17 bytes>", "<secret, 16 bytes, changed>")
    assert "-  a: <secret, 17 bytes>\n+  a: <secret, 16 bytes, changed>\n   b: <secret, 4 bytes>\n" in difference.diff
    assert difference.diff.count(", changed>") == (2 if applied else 1)


def test_a_value_of_the_same_size_is_seen_to_change():
    found = changed([(secret(a="1234"), secret(a="5678"))])
    assert [(each.path, str(each.new)) for each in found.fields] == [("data.a", "(26 characters, not shown)")]
    assert found.after["data"] == {"a": "<secret, 4 bytes, changed>"}


@pytest.mark.parametrize("make", [added, removed])
def test_a_secret_that_only_one_side_has_is_hidden_too(make):
    found = make(secret(applied=True, notes={"copy": PLAIN}, a=PLAIN))
    text = repr(found) + unified(found, "b", "c")
    assert PLAIN not in text
    assert encoded(PLAIN) not in text
    assert "changed" not in text
    assert "<secret, 17 bytes>" in text


def test_only_the_spelling_of_the_copy_differs():
    one, other = secret(applied=True, a="1"), secret(applied=True, a="1")
    notes = other["metadata"]["annotations"]
    notes[LAST_APPLIED] = json.dumps(json.loads(notes[LAST_APPLIED]), indent=2)
    found = changed([(one, other)])
    assert [each.path for each in found.fields] == [f'metadata.annotations["{LAST_APPLIED}"]']


def test_what_is_no_base64_and_what_is_no_map_is_hidden_all_the_same():
    odd = of("Secret", data={"a": PLAIN + "!", "b": [PLAIN]}, stringData=PLAIN, extra={"x": PLAIN})
    odd["metadata"]["annotations"] = PLAIN
    old, new = masked(odd, odd)
    assert PLAIN not in json.dumps([old, new])
    assert old == new
    assert old["stringData"] == "<secret, 17 bytes>"


def test_what_is_not_a_secret_is_shown():
    other = of("Secret", "example.com/v1", data={"a": PLAIN})
    assert masked(other, {}) == (other, {})
    assert masked(config(a=PLAIN), config(a=OTHER)) == (config(a=PLAIN), config(a=OTHER))


SECRETS = st.builds(
    lambda applied, data, notes: secret(applied=applied, notes=notes, **data),
    st.booleans(),
    st.dictionaries(st.sampled_from("abc"), st.text("xy", max_size=3), max_size=3),
    st.dictionaries(st.sampled_from("mn"), st.text("xy", max_size=3), max_size=2),
)


@given(SECRETS, SECRETS)
def test_hidden_secrets_differ_exactly_where_they_differ(one, other):
    before, after = copy.deepcopy(one), copy.deepcopy(other)
    found = changed([(one, other)])
    assert (found is None) == (one == other)
    if found:
        plain = changed([(as_config(one), as_config(other))])
        assert [each.path for each in found.fields] == [each.path for each in plain.fields if each.path != "kind"]
    assert (one, other) == (before, after), "the objects themselves stay as they are"


def as_config(obj):
    """The same object as a kind that hides nothing."""
    return {**obj, "kind": "ConfigMap"}


# --- as text


def test_text_of_several_lines_is_compared_line_by_line():
    before = "".join(f"line {number}\n" for number in range(20))
    found = changed([(config(a=before), config(a=before.replace("line 9\n", "line nine\n")))])
    diff = unified(found, "backup b", "cluster c").splitlines()
    assert diff[:3] == ["--- backup b: ConfigMap shop/x", "+++ cluster c: ConfigMap shop/x", "@@ -10,7 +10,7 @@"]
    assert [line for line in diff[3:] if line[0] != " "] == ["-    line 9", "+    line nine"]


def test_an_object_that_one_side_has_is_shown_whole():
    diff = unified(added(config(a="1")), "b", "c")
    assert diff.startswith("--- /dev/null\n+++ c: ConfigMap shop/x\n@@ -0,0 +1,7 @@\n+apiVersion: v1\n")
    diff = unified(removed(config(a="1")), "b", "c")
    assert diff.startswith("--- b: ConfigMap shop/x\n+++ /dev/null\n@@ -1,7 +0,0 @@\n-apiVersion: v1\n")


@pytest.mark.parametrize("longest", [diff_report.LONGEST, 0])
@given(one=st.lists(st.text("ab", max_size=2), max_size=30), other=st.lists(st.text("ab", max_size=2), max_size=30))
def test_a_diff_leads_from_one_side_to_the_other(longest, one, other):
    """Also where what differs is shown as one block."""
    old, new = config(a="\n".join(one) + "\n"), config(a="\n".join(other) + "\n")
    found = changed([(old, new)])
    if found is None:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diff_report, "LONGEST", longest)
        diff = unified(found, "b", "c")
    lines = diff_report._lines(old)
    assert yaml.safe_load("\n".join(lines)) == old
    assert yaml.safe_load("\n".join(patched(lines, diff))) == new


def patched(lines, diff):
    """Do what a unified diff says, and check that it says it of these lines (GNU diffutils: unified format)."""
    result, at = [], 0
    for line in diff.splitlines()[2:]:
        if header := re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", line):
            start = int(header[1]) - (header[2] != "0")
            result, at = result + lines[at:start], start
            assert len(result) == int(header[3]) - (header[4] != "0")
        elif line[0] == "+":
            result.append(line[1:])
        else:
            assert lines[at] == line[1:]
            result, at = result + ([line[1:]] if line[0] == " " else []), at + 1
    return result + lines[at:]


def test_a_diff_of_two_large_texts_takes_no_time():
    lines = [str(number * 7919 % 100_003) for number in range(60_000)]
    found = changed([(config(a="\n".join(lines)), config(a="\n".join(sorted(lines))))])
    diff = unified(found, "b", "c")
    assert diff.count("\n-") + diff.count("\n+") > 100_000


# --- what is answered


def report(objects=(), problems=()):
    same = not objects
    counts = {"same": 1, "added": 0, "removed": 0, "changed": 0}
    return DiffReport(
        backup="b",
        store="s",
        against="cluster c",
        namespaces={},
        same=same,
        counts=counts,
        objects=objects,
        problems=problems,
    )


def test_exit_codes_are_those_of_diff_and_of_a_partial_result():
    difference = reported_difference(
        ObjectDifference(Ref("", "ConfigMap", "shop", "x"), "added", None, config()), "b", "c", with_diff=False
    )
    problem = Problem(what="secrets in shop", why="forbidden")
    assert (difference.diff, difference.fields) == ("", [])
    assert report().exit_code == 0
    assert report([difference]).exit_code == report([difference], [problem]).exit_code == 1
    assert report(problems=[problem]).exit_code == 3


@pytest.mark.parametrize("many", [("a", "x"), ("a", "")])
def test_texts_of_equal_lines_are_not_searched_line_by_line(monkeypatch, many):
    """Anybody may store them, and the search would take hours; all lines are shown all the same."""

    def searched(*_args, **_options):
        raise AssertionError("each pair of equal lines is looked at")

    monkeypatch.setattr(diff_report, "SequenceMatcher", searched)
    old, new = [*many] * 300, ["b", many[1]] * 50_000
    (group,) = diff_report._groups(old, new)
    covered = [(each[1:3], each[3:5]) for each in group if each[0] != "equal"]
    assert covered[0][0][0] <= 3
    assert sum(end - start for _, (start, end) in covered) >= len(new) - len(old)
