"""The check of an order finds every tampering, and nothing in a plan as it is made."""

from dataclasses import replace

import pytest

from kubeferry.tasks.core.formats.links import Owner
from kubeferry.tasks.core.graph.order import Edge, Order, Strength, Via, order
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.ownership import turned
from kubeferry.tasks.core.plan.order_check import order_faults
from kubeferry.tasks.core.plan.parts import Part, Parts

SPACE = Ref("", "Namespace", "", "shop")
CONFIG = Ref("", "ConfigMap", "shop", "settings")
SECRET = Ref("", "Secret", "shop", "login")
WEB = Ref("apps", "Deployment", "shop", "web")
EDGES = [
    Edge(WEB, CONFIG, Strength.REFERENCE, "spec.volumes"),
    Edge(SECRET, WEB, Strength.OWNER, "metadata.owners", Via.OWNER),
]


def parts_of(made, owners=()):
    items = {ref: Part(ref, ref, "v1", "") for ref in (SPACE, CONFIG, SECRET, WEB)}
    items |= {ref: replace(items[ref], owners=(owner,)) for ref, owner in owners}
    return Parts("b", "file:///s", {"shop": "shop"}, items, [SPACE], [], made)


SOUND = order([CONFIG, SECRET, WEB], EDGES)


def test_a_plan_as_it_is_made_holds():
    assert SOUND.levels == [[CONFIG], [WEB], [SECRET]]
    assert order_faults(parts_of(SOUND)) == []


@pytest.mark.parametrize(
    ("levels", "fault"),
    [
        (
            [[WEB], [CONFIG], [SECRET]],
            "Deployment.apps shop/web in level 1 needs ConfigMap shop/settings (spec.volumes)",
        ),
        ([[CONFIG, WEB], [SECRET]], "which is in level 1"),
        ([[CONFIG], [WEB]], "Secret shop/login is in no level"),
        ([[CONFIG], [WEB], [SECRET, CONFIG]], "more than one place: 1 times in level 1, 1 times in level 3"),
        ([[CONFIG], [WEB], [SECRET, SPACE]], "Namespace shop is in more than one place"),
        ([[CONFIG], [WEB], [SECRET, SECRET]], "more than one place: 2 times in level 3"),
        (
            [[CONFIG], [WEB], [SECRET, Ref("", "Pod", "shop", "x")]],
            "Pod shop/x is in level 3 and not in the plan",
        ),
    ],
)
def test_levels_that_somebody_changed_are_found(levels, fault):
    faults = order_faults(parts_of(Order(levels, SOUND.needs)))
    assert any(fault in each for each in faults), faults


def test_an_owner_that_adopts_comes_after_what_it_adopts():
    owned, owner = (
        Ref("apps", "ReplicaSet", "shop", "web-1"),
        Owner("apps/v1", "Deployment", "web", "u", controller=True),
    )
    edges = [Edge(owned, WEB, Strength.OWNER, "metadata.ownerReferences", Via.OWNER)]
    items = {ref: Part(ref, ref, "v1", "") for ref in (SPACE, WEB)} | {owned: Part(owned, owned, "v1", "", (owner,))}

    def faults(edges):
        made = order([WEB, owned], edges)
        return order_faults(Parts("b", "file:///s", {"shop": "shop"}, items, [SPACE], [], made))

    assert faults(turned(edges, {owned: WEB})) == []
    (fault,) = faults([Edge(WEB, owned, Strength.EXPLICIT, "somebody said so")])
    assert fault == f"{owned} in level 1 is owned by {WEB}, which is in level 2"


def test_a_need_under_another_name_is_found():
    assert order_faults(parts_of(Order(SOUND.levels, {SECRET: SOUND.needs[WEB]}))) == [
        f"an edge of {WEB} is listed under {SECRET}"
    ]


def test_a_cycle_is_accepted_as_long_as_its_broken_edge_is_reported():
    owner = Owner("apps/v1", "Deployment", "web", "u")
    cycle = order([CONFIG, SECRET, WEB], [*EDGES, Edge(WEB, SECRET, Strength.EXPLICIT, "depends-on")])
    assert [(edge.source, edge.target) for edge in cycle.broken] == [(SECRET, WEB)]
    assert order_faults(parts_of(cycle, [(SECRET, owner)])) == []
    hidden = Order(cycle.levels, cycle.needs)
    assert order_faults(parts_of(hidden, [(SECRET, owner)])) == [
        f"{SECRET} in level 1 is owned by {WEB}, which is in level 2"
    ]
