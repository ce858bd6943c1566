"""What is selected is in, and what it needs, each with its reason; nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.graph.closure import Missing, closure, missing, selected
from kubeferry.tasks.core.graph.order import Edge, Strength
from kubeferry.tasks.core.kube.objects import Ref


def ref(kind, name="a", group=""):
    return Ref(group, kind, "shop", name)


def reasons(chosen, *more, **how):
    """What is in, each with the reason that a person reads."""
    return {ref: each.text for ref, each in closure(selected(chosen), *more, **how).items()}


def edge(source, target, why="spec.x", strength=Strength.REFERENCE):
    return Edge(source, target, strength, why)


WEB, ACCOUNT, SECRET, CONFIG = ref("Deployment", "web", "apps"), ref("ServiceAccount"), ref("Secret"), ref("ConfigMap")
EVERYTHING = {WEB, ACCOUNT, SECRET, CONFIG}
EDGES = [edge(WEB, ACCOUNT, "spec.account"), edge(ACCOUNT, SECRET, "imagePullSecrets[].name"), edge(CONFIG, WEB)]


def test_needs_of_needs_are_in_and_what_points_here_is_not():
    assert reasons({WEB: "selected by label app=web"}, EDGES, EVERYTHING) == {
        WEB: "selected by label app=web",
        ACCOUNT: "needed by Deployment.apps shop/web: spec.account",
        SECRET: "needed by ServiceAccount shop/a: imagePullSecrets[].name",
    }


def test_only_takes_nothing_else():
    assert reasons({WEB: "x"}, EDGES, EVERYTHING, only=True) == {WEB: "x"}


def test_what_the_backup_lacks_or_may_not_be_pulled_in_is_not():
    assert set(reasons({WEB: "x"}, EDGES, EVERYTHING - {SECRET})) == {WEB, ACCOUNT}
    assert set(reasons({WEB: "x"}, EDGES, EVERYTHING, may=lambda ref: ref.kind != "ServiceAccount")) == {WEB}


def test_a_selected_object_keeps_its_own_reason():
    assert reasons({WEB: "x", SECRET: "y"}, EDGES, EVERYTHING)[SECRET] == "y"


def test_the_nearest_need_is_shown():
    edges = [*EDGES, edge(WEB, SECRET, "spec.near")]
    assert reasons({WEB: "x"}, edges, EVERYTHING)[SECRET] == "needed by Deployment.apps shop/web: spec.near"
    both = [edge(WEB, SECRET, "spec.b"), edge(WEB, SECRET, "spec.a"), edge(WEB, SECRET, "own", Strength.OWNER)]
    assert reasons({WEB: "x"}, both, EVERYTHING)[SECRET] == "needed by Deployment.apps shop/web: own"


REFS = [ref(kind, name) for kind in ("ConfigMap", "Pod", "Secret") for name in "abc"]
GRAPHS = st.lists(st.builds(edge, st.sampled_from(REFS), st.sampled_from(REFS), st.sampled_from("xy")), max_size=20)


@given(GRAPHS, st.sets(st.sampled_from(REFS)), st.sets(st.sampled_from(REFS)), st.randoms(use_true_random=False))
def test_it_is_the_smallest_set_that_lacks_nothing(edges, chosen, there, shuffled):
    there |= chosen
    found = reasons(dict.fromkeys(chosen, "x"), edges, there)
    assert chosen <= set(found) <= there
    assert all(each.target in found for each in edges if each.source in found and each.target in there)
    needed = {target: why for target, why in found.items() if target not in chosen}
    needs = {(f"needed by {each.source}: {each.why}", each.target) for each in edges if each.source in found}
    assert {(why, target) for target, why in needed.items()} <= needs
    again = list(edges)
    shuffled.shuffle(again)
    assert reasons(dict.fromkeys(chosen, "x"), again, there) == found


def test_what_thousands_need_of_each_other_is_all_found():
    """How long it takes: tests/bench/."""
    refs = [Ref("g", "Thing", "shop", f"t{n}") for n in range(5_000)]
    edges = [edge(refs[n - 1], refs[n]) for n in range(1, 5_000)]
    assert len(reasons({refs[0]: "x"}, edges, set(refs))) == 5_000


# --- what an object cannot be without, and what is missing


SPACE = Ref("", "Namespace", "", "shop")


def always(ref):
    return [(SPACE, "its namespace")] if ref.namespace else []


@pytest.mark.parametrize("only", [False, True])
def test_what_nothing_can_be_without_is_in_even_when_only_the_selection_is_wanted(only):
    found = reasons({CONFIG: "x"}, [], {CONFIG, SPACE}, only=only, always=always)
    assert found == {CONFIG: "x", SPACE: "needed by ConfigMap shop/a: its namespace"}
    assert set(reasons({CONFIG: "x"}, [], {CONFIG}, only=only, always=always)) == {CONFIG}


def why_not(ref):
    return "its kind is excluded" if ref.kind == "Secret" else ""


def test_what_is_needed_and_barred_is_missing_with_who_needs_it():
    edges = [edge(WEB, SECRET, "spec.b"), edge(WEB, SECRET, "spec.a"), edge(CONFIG, SECRET, "x"), edge(ACCOUNT, SECRET)]
    (found,) = missing({WEB, CONFIG}, edges, why_not)
    assert found == Missing(SECRET, "its kind is excluded", (CONFIG, WEB), "x")
    assert found.text == "its kind is excluded; needed by ConfigMap shop/a: x, and 1 more need it"
    (found,) = missing({WEB}, edges, why_not)
    assert found.text == "its kind is excluded; needed by Deployment.apps shop/web: spec.a"


def test_what_is_in_or_not_barred_or_not_wanted_is_not_missing():
    edges = [edge(WEB, SECRET), edge(WEB, CONFIG)]
    assert missing({WEB, SECRET}, edges, why_not) == []
    assert missing({CONFIG}, edges, why_not) == []
    assert missing({WEB}, [edge(WEB, CONFIG)], why_not) == []
    assert missing({WEB}, edges, why_not, only=True) == []
