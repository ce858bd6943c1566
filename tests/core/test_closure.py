"""What is selected is in, and what it needs, each with its reason; nothing else is."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.closure import Selector, closure, names_of, text_of
from tasks.core.objects import Ref
from tasks.core.order import Edge, Strength
from tasks.core.selection import parse_selector


def ref(kind, name="a", group=""):
    return Ref(group, kind, "shop", name)


def edge(source, target, why="spec.x", strength=Strength.REFERENCE):
    return Edge(source, target, strength, why)


WEB, ACCOUNT, SECRET, CONFIG = ref("Deployment", "web", "apps"), ref("ServiceAccount"), ref("Secret"), ref("ConfigMap")
EVERYTHING = {WEB, ACCOUNT, SECRET, CONFIG}
EDGES = [edge(WEB, ACCOUNT, "spec.account"), edge(ACCOUNT, SECRET, "imagePullSecrets[].name"), edge(CONFIG, WEB)]


def made(kind="Deployment", group="apps", name="web", namespace="shop", labels=None, annotations=None):
    meta = {"name": name, "labels": labels or {}, "annotations": annotations or {}}
    return {
        "apiVersion": f"{group}/v1" if group else "v1",
        "kind": kind,
        "metadata": meta | ({"namespace": namespace} if namespace else {}),
    }


def test_needs_of_needs_are_in_and_what_points_here_is_not():
    assert closure({WEB: "selected by label app=web"}, EDGES, EVERYTHING) == {
        WEB: "selected by label app=web",
        ACCOUNT: "needed by Deployment.apps shop/web: spec.account",
        SECRET: "needed by ServiceAccount shop/a: imagePullSecrets[].name",
    }


def test_only_takes_nothing_else():
    assert closure({WEB: "x"}, EDGES, EVERYTHING, only=True) == {WEB: "x"}


def test_what_the_backup_lacks_or_may_not_be_pulled_in_is_not():
    assert set(closure({WEB: "x"}, EDGES, EVERYTHING - {SECRET})) == {WEB, ACCOUNT}
    assert set(closure({WEB: "x"}, EDGES, EVERYTHING, may=lambda ref: ref.kind != "ServiceAccount")) == {WEB}


def test_a_selected_object_keeps_its_own_reason():
    assert closure({WEB: "x", SECRET: "y"}, EDGES, EVERYTHING)[SECRET] == "y"


def test_the_nearest_need_is_told():
    edges = [*EDGES, edge(WEB, SECRET, "spec.near")]
    assert closure({WEB: "x"}, edges, EVERYTHING)[SECRET] == "needed by Deployment.apps shop/web: spec.near"
    both = [edge(WEB, SECRET, "spec.b"), edge(WEB, SECRET, "spec.a"), edge(WEB, SECRET, "own", Strength.OWNER)]
    assert closure({WEB: "x"}, both, EVERYTHING)[SECRET] == "needed by Deployment.apps shop/web: own"


REFS = [ref(kind, name) for kind in ("ConfigMap", "Pod", "Secret") for name in "abc"]
GRAPHS = st.lists(st.builds(edge, st.sampled_from(REFS), st.sampled_from(REFS), st.sampled_from("xy")), max_size=20)


@given(GRAPHS, st.sets(st.sampled_from(REFS)), st.sets(st.sampled_from(REFS)), st.randoms(use_true_random=False))
def test_it_is_the_smallest_set_that_lacks_nothing(edges, selected, there, shuffled):
    there |= selected
    found = closure(dict.fromkeys(selected, "x"), edges, there)
    assert selected <= set(found) <= there
    assert all(each.target in found for each in edges if each.source in found and each.target in there)
    needed = {target: why for target, why in found.items() if target not in selected}
    told = {(f"needed by {each.source}: {each.why}", each.target) for each in edges if each.source in found}
    assert {(why, target) for target, why in needed.items()} <= told
    again = list(edges)
    shuffled.shuffle(again)
    assert closure(dict.fromkeys(selected, "x"), again, there) == found


def test_a_hundred_thousand_objects_take_seconds():
    chosen = random.Random(7)  # noqa: S311 - the same graph in each run
    refs = [Ref("g", "Thing", "shop", f"t{n}") for n in range(100_000)]
    edges = [edge(refs[n - 1], refs[n]) for n in range(1, 100_000)]
    edges += [edge(refs[n], refs[chosen.randrange(100_000)]) for n in range(100_000)]
    begun = time.process_time()
    assert len(closure({refs[0]: "x"}, edges, set(refs))) == 100_000
    assert time.process_time() - begun < 10


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        (Selector(), "in namespace shop"),
        (Selector(labels=parse_selector("app=web")), "selected by label app=web"),
        (Selector(labels=parse_selector("app=api")), None),
        (Selector(annotations=parse_selector("note")), "selected by annotation note"),
        (Selector(annotations=parse_selector("!note")), None),
        (Selector(labels=parse_selector("app in (web,api),!old")), "selected by label app in (api,web), label !old"),
        (Selector(kinds=frozenset({"deployment"})), "selected by kind Deployment"),
        (Selector(kinds=frozenset({"deployments.apps"})), "selected by kind Deployment"),
        (Selector(kinds=frozenset({"deployment.extensions"})), None),
        (Selector(kinds=frozenset({"pod"})), None),
        (Selector(names=frozenset({"web"})), "selected by name web"),
        (Selector(names=frozenset({"deployments/web"})), "selected by name web"),
        (Selector(names=frozenset({"service/web"})), None),
        (Selector(not_kinds=frozenset({"deployments"})), None),
        (Selector(not_names=frozenset({"deployment/web"})), None),
        (Selector(not_names=frozenset({"service/web"})), "in namespace shop"),
        (Selector(namespaces=frozenset({"shop"})), "in namespace shop"),
        (Selector(namespaces=frozenset()), None),
        (
            Selector(labels=parse_selector("app"), kinds=frozenset({"deployment"}), names=frozenset({"web"})),
            "selected by label app, kind Deployment, name web",
        ),
    ],
)
def test_all_that_is_asked_has_to_be_met(selector, why):
    obj = made(labels={"app": "web"}, annotations={"note": "1"})
    assert selector.why(obj, "deployments") == why


def test_cluster_scoped_objects_are_in_no_namespace():
    role = made("ClusterRole", "rbac.authorization.k8s.io", "shop:reader", namespace="")
    assert Selector(namespaces=frozenset({"shop"})).why(role) == "cluster-wide, all of it is asked for"
    assert Selector(names=frozenset({"clusterrole/shop:reader"})).why(role) == "selected by name shop:reader"


def test_the_names_of_a_kind():
    assert names_of(WEB, "deployments") == {"deployment", "deployments", "deployment.apps", "deployments.apps"}
    assert names_of(SECRET) == {"secret"}


@pytest.mark.parametrize("text", ["a=b", "a!=b", "a", "!a", "a in (b,c)", "a notin (b,c)"])
def test_a_requirement_is_told_as_it_is_written(text):
    assert [text_of(each) for each in parse_selector(text)] == [text]
