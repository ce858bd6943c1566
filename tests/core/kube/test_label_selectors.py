"""The selector language of Kubernetes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.kube.label_selectors import Requirement, parse_selector, selects


def one(key, op, *values):
    return (Requirement(key, op, frozenset(values)),)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ()),
        ("  ", ()),
        ("app", one("app", "exists")),
        ("!app", one("app", "absent")),
        (" ! app ", one("app", "absent")),
        ("app=shop", one("app", "in", "shop")),
        ("app == shop", one("app", "in", "shop")),
        ("app!=shop", one("app", "notin", "shop")),
        ("app=", one("app", "in", "")),
        ("app.kubernetes.io/name=web", one("app.kubernetes.io/name", "in", "web")),
        ("tier in (web,api)", one("tier", "in", "web", "api")),
        ("tier notin( web , api )", one("tier", "notin", "web", "api")),
        ("tier in (web,)", one("tier", "in", "web", "")),
        ("in in (in)", one("in", "in", "in")),
        ("notin", one("notin", "exists")),
        ("a=1,b", (*one("a", "in", "1"), *one("b", "exists"))),
        ("a in (1,2) , !b,c!=3", (*one("a", "in", "1", "2"), *one("b", "absent"), *one("c", "notin", "3"))),
    ],
)
def test_each_form_is_read(text, wanted):
    assert parse_selector(text) == wanted


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("app=shop,", "what follows its last comma"),
        (",app", ",app"),
        ("app=shop tier=web", "app=shop tier=web"),
        ("a,b in c", "b in c"),
        ("a,b in (c", "b in (c"),
        ("a,b in ()", "b in ()"),
        ("a,b in (c d)", "b in (c d)"),
        ("a=b=c", "a=b=c"),
        ("replicas>3", "replicas>3"),
        ("!a=b", "!a=b"),
        ("a,!b in (c)", "!b in (c)"),
        ("!", "!"),
        ("-app=web", "-app=web"),
        ("a;b", "a;b"),
    ],
)
def test_what_is_no_selector_is_refused_where_it_stops_to_be_one(text, rest):
    with pytest.raises(UsageError) as caught:
        parse_selector(text)
    assert str(caught.value) == f"{text!r} is not a selector: cannot read {rest!r}"


KEYS = st.from_regex(r"\A([a-z]{1,9}\.example\.com/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,9}[A-Za-z0-9])?\Z")
VALUES = st.from_regex(r"\A([A-Za-z0-9]([-A-Za-z0-9_.]{0,9}[A-Za-z0-9])?)?\Z")
REQUIREMENTS = st.one_of(
    st.builds(Requirement, KEYS, st.sampled_from(["exists", "absent"])),
    st.builds(Requirement, KEYS, st.sampled_from(["in", "notin"]), st.frozensets(VALUES, min_size=1, max_size=4)),
)


def printed(requirement):
    if requirement.op in ("exists", "absent"):
        return ("!" if requirement.op == "absent" else "") + requirement.key
    values = sorted(requirement.values)
    # "in ()" is an error in Kubernetes, "in (,)" is the empty value.
    return f"{requirement.key} {requirement.op} ({','.join(values) or ','})"


@given(st.lists(REQUIREMENTS, max_size=5))
def test_what_is_printed_is_read_back(requirements):
    assert parse_selector(",".join(map(printed, requirements))) == tuple(requirements)


@given(st.text(alphabet="ab=!,() in./-<>", max_size=25))
def test_any_text_is_a_selector_or_a_usage_error(text):
    found = ()
    with contextlib.suppress(UsageError):
        found = parse_selector(text)
    assert parse_selector(",".join(map(printed, found))) == found


@pytest.mark.parametrize(
    ("text", "labels", "chosen"),
    [
        ("", {}, True),
        ("app", {"app": ""}, True),
        ("app", {}, False),
        ("!app", {}, True),
        ("!app", {"app": ""}, False),
        ("app=web", {"app": "web"}, True),
        ("app=web", {"app": "Web"}, False),
        ("app=", {"app": ""}, True),
        ("app=", {}, False),
        ("app!=web", {}, True),
        ("app!=web", {"app": "web"}, False),
        ("app notin (web,api)", {}, True),
        ("app in (web,api)", {"app": "api"}, True),
        ("app in (web,api)", {}, False),
        ("app=web,tier", {"app": "web"}, False),
    ],
)
def test_all_requirements_must_hold(text, labels, chosen):
    assert selects(parse_selector(text), labels) is chosen
