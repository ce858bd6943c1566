"""Chains that are followed again keep what is there still, and take nobody else's place."""

from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.chain import FEW, Ask, Chain, together
from kubeferry.tasks.core.lookup.follow import Live, again
from kubeferry.tasks.core.lookup.steps import Named, Newest, Nodes, Pods, Read, Start

WEB = Ref("apps", "Deployment", "shop", "web")
SET = "uid-of-the-set"


def tied(kind, name, uid):
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": True}


def obj(kind, name, *, owner=None, api_version="apps/v1", **parts):
    meta = {"name": name, "namespace": "shop", "uid": f"uid-of-{name}"}
    meta |= {"ownerReferences": [owner]} if owner else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **parts}


def pod(name, *, ready=True, owner=SET):
    status = {"conditions": [{"type": "Ready", "status": str(ready)}], "podIP": f"ip of {name}", "hostIP": "host"}
    return obj("Pod", name, api_version="v1", owner=tied("ReplicaSet", "web-1", owner), status=status)


def web(*pods, replicas=None):
    spec = {} if replicas is None else {"replicas": replicas}
    newest = obj("ReplicaSet", "web-1", owner=tied("Deployment", "web", "uid-of-web"), spec=spec)
    newest["metadata"]["uid"] = SET
    return Live([obj("Deployment", "web"), newest, *pods])


def of_web(ordinal, of=2, what="podIP"):
    return Chain((Start(WEB), Newest("apps", "ReplicaSet"), Pods(ordinal, of), Read(what)))


def names(found):
    return {chain.steps[2].ordinal: each["metadata"]["name"] for chain, each in found.items()}


FIRST, SECOND = of_web(0), of_web(1)
HELD = {FIRST: "uid-of-b", SECOND: "uid-of-c"}


def test_pods_that_are_there_keep_their_places_whoever_comes_first_by_name():
    assert names(again([FIRST, SECOND], web(pod("a"), pod("b"), pod("c")), HELD)) == {0: "b", 1: "c"}


def test_a_pod_that_is_there_and_not_ready_just_now_counts():
    assert names(again([FIRST, SECOND], web(pod("b", ready=False), pod("c")), HELD)) == {0: "b", 1: "c"}


def test_who_is_gone_is_followed_by_one_that_nobody_has():
    """By number alone, the second would be the first's successor, and the new one the second's."""
    assert names(again([FIRST, SECOND], web(pod("c"), pod("z")), HELD)) == {0: "z", 1: "c"}
    assert names(again([SECOND, FIRST], web(pod("x"), pod("y")), HELD)) == {0: "x", 1: "y"}


def test_a_successor_is_waited_for_until_it_is_ready():
    assert names(again([FIRST, SECOND], web(pod("c"), pod("z", ready=False)), HELD)) == {1: "c"}


def test_pods_of_a_previous_set_do_not_count():
    found = again([FIRST, SECOND], web(pod("b", owner="former"), pod("c", owner="former"), pod("x"), pod("y")), HELD)
    assert names(found) == {0: "x", 1: "y"}


def test_chains_of_one_way_read_one_pod():
    host = of_web(0, what="hostIP")
    found = again([FIRST, host], web(pod("c"), pod("z")), {FIRST: "uid-of-gone", host: "uid-of-gone"})
    assert found[FIRST] == found[host]


def test_where_fewer_are_wanted_now_two_may_be_one():
    found = again([of_web(0, of=1), of_web(0, of=3)], web(pod("z"), replicas=1), {})
    assert {each["metadata"]["name"] for each in found.values()} == {"z"}


def node(name, role):
    labels = {f"node-role.kubernetes.io/{role}": ""}
    meta = {"name": name, "uid": f"uid-of-{name}", "labels": labels}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta}


def test_a_node_stays_the_same_when_others_join():
    chain = Chain((Nodes("gone", ("worker",), 0), Read("name")))
    nodes = [node("a", "worker"), node("b", "worker"), node("c", "boss")]
    for held, now in (("uid-of-b", "b"), ("uid-of-c", "a"), ("uid-of-gone", "a")):
        assert again([chain], Live(nodes), {chain: held})[chain]["metadata"]["name"] == now


def test_anything_else_is_followed_as_before():
    start, named = Chain((Start(WEB), Read("uid"))), Chain((Start(WEB), Named("web-0"), Read("podIP")))
    found = again([start, named], web(), {start: "uid-of-its-former-self"})
    assert {chain: each["metadata"]["uid"] for chain, each in found.items()} == {start: "uid-of-web"}


@given(st.sets(st.integers(0, 9), min_size=1), st.sets(st.integers(0, 9)))
def test_no_two_places_have_one_pod_while_there_are_enough(before, after):
    count = len(before)
    chains = [of_web(number, of=count) for number in range(count)]
    held = {chain: f"uid-of-{number}" for chain, number in zip(chains, sorted(before), strict=True)}
    found = again(chains, web(*(pod(str(number)) for number in after)), held)
    assert all(found[chain]["metadata"]["uid"] == uid for chain, uid in held.items() if int(uid[-1]) in after)
    if len(after) >= count:
        assert len({each["metadata"]["name"] for each in found.values()}) == len(found) == count


def test_many_objects_of_a_kind_are_read_as_a_list():
    few = [Ask("", "Service", "shop", f"s{number}") for number in range(FEW)]
    more = [Ask("", "Secret", "shop", f"s{number}") for number in range(FEW + 1)]
    listed, with_it = Ask("", "Pod", "shop"), Ask("", "Pod", "shop", "db-0")
    elsewhere = Ask("", "Pod", "other", "db-0")
    assert together([*few, *more, listed, with_it, elsewhere]) == {
        **{ask: ask for ask in few},
        **dict.fromkeys(more, Ask("", "Secret", "shop")),
        listed: listed,
        with_it: listed,
        elsewhere: elsewhere,
    }
