"""Plug-ins say what they know through one small interface; what they break is reported with their name."""

import re
import sys
import traceback
import types
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kubeferry.tasks.core.plugins.interface
from kubeferry.tasks.core.errors import PluginError
from kubeferry.tasks.core.graph.order import Edge, Strength
from kubeferry.tasks.core.graph.priorities import Priority
from kubeferry.tasks.core.jsondoc.edit import EACH
from kubeferry.tasks.core.kube.kinds import REBUILT
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.verdict import Context, Verdict, ready
from kubeferry.tasks.core.plugins.interface import Need, Pause, Plugin
from kubeferry.tasks.core.plugins.registry import Registry, inverse, merged

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHOP, TILL = ("shop.example.com", "Shop"), ("shop.example.com", "Till")
POD, REPLICAS = ("", "Pod"), ("apps", "ReplicaSet")


def made(kind="Shop", group="shop.example.com", **body):
    version = f"{group}/v1" if group else "v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "it", "namespace": "town"}, **body}


def rules(name="a", **fields):
    return Plugin(name=name, interface=1, **fields)


@pytest.fixture
def example():
    """The module that rules.py's docstring shows, as a module."""
    source = re.search(r"```python\n(.*?)```", kubeferry.tasks.core.plugins.interface.__doc__, re.DOTALL)[1]
    module = types.ModuleType("shop_rules")
    exec(compile(source, "shop_rules.py", "exec"), module.__dict__)  # noqa: S102 - our own documentation
    return module


def test_the_example_of_the_documentation_works(example, monkeypatch):
    monkeypatch.setitem(sys.modules, "shop_rules", example)
    book = Registry([example.RULES])
    shop = made(spec={"sessionKey": "k", "floors": 2})
    shop["metadata"] |= {"labels": {"shop.example.com/prices": "list"}, "annotations": {"shop.example.com/seen": "1"}}
    assert book.edges(shop) == [
        Edge(Ref.of(shop), Ref("", "ConfigMap", "town", "list"), Strength.REFERENCE, "metadata.labels (shop-operator)")
    ]
    assert book.makers(TILL) == {SHOP}
    assert book.exclusion(made("Receipt")).text == "sales of the source cluster (shop-operator)"
    assert book.exclusion(shop) is None
    assert book.phase(Ref.of(shop)) is Priority.WORKLOAD
    assert book.without_dynamic(shop)["spec"] == {"floors": 2}
    assert book.without_dynamic(shop)["metadata"]["annotations"] == {}
    assert book.verdict(shop, NOW, Context()) == Verdict("waiting", "is not open yet")
    assert book.verdict(shop | {"status": {"open": True}}, NOW, Context()) == ready("sells")
    paused = book.paused(shop)
    assert paused.obj["spec"] == {"sessionKey": "k", "floors": 2, "paused": True}
    assert (paused.back, paused.turn) == ({"spec": {"paused": None}}, 0)
    assert merged(paused.obj, paused.back) == shop


def test_an_empty_book_says_nothing():
    book, obj = Registry(()), made()
    assert (book.edges(obj), book.exclusion(obj), book.paused(obj)) == ([], None, None)
    assert (book.phase(Ref.of(obj)), book.verdict(obj, NOW, Context())) == (None, None)
    assert book.without_dynamic(obj) is obj
    assert book.makers(POD) == REBUILT[POD]


def test_makers_are_those_of_kubernetes_and_of_all_plugins():
    book = Registry([rules("a", rebuilt={POD: frozenset({SHOP})}), rules("b", rebuilt={POD: frozenset({TILL})})])
    assert book.makers(POD) == REBUILT[POD] | {SHOP, TILL}


def test_what_is_kept_has_no_makers_whoever_says_otherwise():
    book = Registry([rules("a", keep=frozenset({REPLICAS})), rules("b", rebuilt={REPLICAS: frozenset({SHOP})})])
    assert book.makers(REPLICAS) == frozenset()


def test_a_star_stands_for_the_kinds_that_have_no_row():
    of_group = {("shop.example.com", "*"): Priority.TRAFFIC, SHOP: Priority.CONFIG}
    book = Registry([rules(phases=of_group)])
    assert [book.phase(Ref("shop.example.com", kind, "", "x")) for kind in ("Shop", "Till")] == [
        Priority.CONFIG,
        Priority.TRAFFIC,
    ]
    assert book.phase(Ref("other.example.com", "Till", "", "x")) is None


def test_a_need_that_has_to_be_first_is_as_strong_as_an_annotation():
    need = Need(Ref("", "Secret", "town", "key"), "spec.key", first=True)
    assert [each.strength for each in Registry([rules(needs=lambda _: [need])]).edges(made())] == [Strength.EXPLICIT]


@pytest.mark.parametrize(
    ("field", "row"),
    [("pause", Pause({})), ("phases", Priority.CONFIG), ("readiness", lambda *_: ready("x"))],
)
def test_two_plugins_that_say_different_things_are_refused(field, row):
    with pytest.raises(PluginError, match=r"^plug-ins a and b both define .* Shop\.shop\.example\.com$"):
        Registry([rules("b", **{field: {SHOP: row}}), rules("a", **{field: {SHOP: row}})])


def fails(*_):
    raise KeyError("spec")


@pytest.mark.parametrize(
    ("fields", "ask"),
    [
        ({"needs": fails}, lambda book, obj: book.edges(obj)),
        ({"leave_out": fails}, lambda book, obj: book.exclusion(obj)),
        ({"readiness": {SHOP: fails}}, lambda book, obj: book.verdict(obj, NOW, Context())),
    ],
)
def test_a_plugin_that_fails_is_named_with_the_object(fields, ask):
    with pytest.raises(PluginError, match=r"^plug-in a failed on Shop\.shop\.example\.com town/it: KeyError: 'spec'$"):
        ask(Registry([rules(**fields)]), made())


def test_what_a_plugin_says_of_a_secret_is_not_quoted():
    """Neither in the message nor in the traceback of --debug, which shows what an error came from."""

    secret = f"{7**30}"  # which no line of code holds

    def quotes(obj):
        raise ValueError(obj["data"]["password"])

    with pytest.raises(PluginError, match=r"^plug-in a failed on Secret town/it: ValueError$") as caught:
        Registry([rules(needs=quotes)]).edges(made("Secret", "", data={"password": secret}))
    assert secret not in "".join(traceback.format_exception(caught.value))


def test_a_plugin_that_answers_with_something_else_is_named():
    book = Registry([rules(needs=lambda _: ["Secret/x"], readiness={SHOP: lambda *_: True})])
    with pytest.raises(PluginError, match=r"^plug-in a failed on .*: TypeError: needs yielded str, not Need$"):
        book.edges(made())
    with pytest.raises(PluginError, match=r"^plug-in a failed on .*: TypeError: readiness returned bool, not Verdict$"):
        book.verdict(made(), NOW, Context())


def test_dynamic_fields_in_lists():
    book = Registry([rules(dynamic_fields={SHOP: (("spec", "tills", EACH, "token"),)})])
    shop = made(spec={"tills": [{"token": 1, "n": 1}, {"n": 2}]})
    assert book.without_dynamic(shop)["spec"] == {"tills": [{"n": 1}, {"n": 2}]}


def test_what_was_paused_in_the_backup_stays_so():
    shop = made(spec={"paused": True})
    paused = Registry([rules(pause={SHOP: Pause({"spec": {"paused": True}}, turn=3)})]).paused(shop)
    assert (paused.obj, paused.back, paused.turn) == (shop, {}, 3)


@pytest.mark.parametrize(
    ("spec", "back"),
    [
        ({"paused": False}, {"spec": {"paused": False}}),
        ({}, {"spec": {"paused": None}}),
        (None, {"spec": {"paused": None}}),
    ],
)
def test_the_pause_is_reverted_to_what_was_there(spec, back):
    body = {} if spec is None else {"spec": spec}
    assert Registry([rules(pause={SHOP: Pause({"spec": {"paused": True}})})]).paused(made(**body)).back == back


JSON = st.recursive(
    st.booleans() | st.sampled_from("ab"),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)
MAPS = st.dictionaries(st.sampled_from("xyz"), JSON, max_size=3)


def full(value):
    """Without empty maps, which a merge patch makes and cannot take away without saying what else was there."""
    return {
        key: full(each) if isinstance(each, dict) else each
        for key, each in value.items()
        if each != {} and full_of(each)
    }


def full_of(value):
    return not isinstance(value, dict) or bool(full(value))


@given(MAPS, MAPS)
def test_a_patch_and_its_inverse_are_the_identity(value, patch):
    there = merged(value, patch)
    assert full(merged(there, inverse(value, patch))) == full(value)
    assert merged(there, patch) == there
