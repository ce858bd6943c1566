"""What goes out of a plan when the target refuses some of it: what cannot be without that, and nothing else."""

from types import SimpleNamespace

import pytest

from kubeferry.tasks.core.formats.losses import LossCode, weighty
from kubeferry.tasks.core.graph.order import Edge, Strength, order
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.plan.state import Plan
from kubeferry.tasks.ports.archive.spool import Spool
from kubeferry.tasks.preflight.refused import leave_out, needs

SHOP = Ref("", "Namespace", "", "shop")
SETTINGS, OTHER, WEB, SCALER, OWNED = (
    Ref("", "ConfigMap", "shop", "settings"),
    Ref("", "ConfigMap", "shop", "other"),
    Ref("apps", "Deployment", "shop", "web"),
    Ref("autoscaling", "HorizontalPodAutoscaler", "shop", "web"),
    Ref("", "Secret", "shop", "owned"),
)
ELSEWHERE = Ref("", "ConfigMap", "bank", "a")
EDGES = [
    Edge(WEB, SETTINGS, Strength.START, "spec.template"),
    Edge(SCALER, WEB, Strength.REFERENCE, "spec.scaleTargetRef"),
    Edge(OWNED, WEB, Strength.OWNER, "an owner"),
]


@pytest.fixture
def plan(tmp_path):
    refs = [SETTINGS, OTHER, WEB, SCALER, OWNED, ELSEWHERE]
    made = Plan(Spool(tmp_path / "planned.spool"), namespaces=[SHOP], order=order(refs, EDGES))
    made.items = {ref: SimpleNamespace(ref=ref) for ref in [SHOP, *refs]}
    yield made
    made.contents.close()


def codes(lost):
    return {each.object: each.code for each in lost}


def test_what_needs_it_goes_with_it_and_what_names_it_stays(plan):
    levels = len(plan.order.levels)
    lost = leave_out(plan, {SETTINGS: "a policy says no"})
    assert codes(lost) == {
        str(SETTINGS): LossCode.REFUSED,
        str(WEB): LossCode.NEEDS_REFUSED,
        str(OWNED): LossCode.NEEDS_REFUSED,
    }
    assert weighty(lost[:1])
    assert weighty(lost[1:])
    assert plan.items.keys() == {SHOP, OTHER, SCALER, ELSEWHERE}
    assert len(plan.order.levels) == levels
    assert [ref for level in plan.order.levels for ref in level if ref not in plan.items] == []
    (said,) = [each.why for each in lost if each.object == str(WEB)]
    assert str(SETTINGS) in said


def test_what_is_written_already_stays(plan):
    lost = leave_out(plan, {SETTINGS: "a policy says no"}, there={WEB})
    assert codes(lost) == {str(SETTINGS): LossCode.REFUSED}
    assert WEB in plan.items


def test_with_a_namespace_goes_all_that_is_in_it(plan):
    lost = leave_out(plan, {SHOP: "no"})
    assert plan.items.keys() == {ELSEWHERE}
    assert plan.namespaces == []
    assert len(lost) == 6


def test_an_edge_that_was_given_up_is_no_need(plan):
    plan.order = order(plan.order.needs.keys() | {SETTINGS, WEB}, [*EDGES, Edge(SETTINGS, WEB, Strength.OWNER, "x")])
    assert [each.target for each in plan.order.broken] == [WEB]
    leave_out(plan, {WEB: "no"})
    assert SETTINGS in plan.items
    assert needs(plan, SETTINGS) == []


def test_needs_are_what_an_object_cannot_be_without(plan):
    assert needs(plan, WEB) == [SETTINGS]
    assert needs(plan, SCALER) == []
