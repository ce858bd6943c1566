"""What controllers adopt comes before them, in the bytes that they compare."""

import json

import orjson
import pytest

from kubeferry.tasks.core.graph.order import Edge, Strength, Via, order
from kubeferry.tasks.core.jsondoc.encoding import encoded
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import Existing
from kubeferry.tasks.core.needs.ownership import ADOPTED, SCHEDULED, WHY, dormant, turned
from kubeferry.tasks.core.plan.existing import decide

WEB, SET = Ref("apps", "Deployment", "shop", "web"), Ref("apps", "ReplicaSet", "shop", "web-1")
CONFIG = Ref("", "ConfigMap", "shop", "c")


def test_only_the_edge_to_the_adopter_is_turned_round():
    owned = Edge(SET, WEB, Strength.OWNER, "metadata.ownerReferences", Via.OWNER)
    others = [
        Edge(SET, CONFIG, Strength.START, "spec"),
        Edge(CONFIG, WEB, Strength.OWNER, "metadata.ownerReferences", Via.OWNER),
        Edge(SET, WEB, Strength.BINDING, "/spec"),
    ]
    assert list(turned([owned, *others], {SET: WEB})) == [Edge(WEB, SET, Strength.EXPLICIT, WHY, Via.ADOPTION), *others]
    assert list(turned([owned], {})) == [owned]
    assert order([WEB, SET], turned([owned], {SET: WEB})).levels == [[SET], [WEB]]


def test_who_adopts_and_who_is_suspended_until_its_objects_are_there():
    """As Kubernetes' controllers do (controller_ref_manager.go); a CronJob adopts no Job."""
    assert dict(ADOPTED) == {
        ("apps", "ReplicaSet"): {("apps", "Deployment")},
        ("apps", "ControllerRevision"): {("apps", "StatefulSet"), ("apps", "DaemonSet")},
    }
    assert dict(SCHEDULED) == {("batch", "Job"): {("batch", "CronJob")}}


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        ("ReplicaSet", {"replicas": 0}, True),
        ("ReplicaSet", {"replicas": 1}, False),
        ("ReplicaSet", {}, False),
        ("ControllerRevision", {}, True),
    ],
)
def test_a_previous_revision_makes_nothing(kind, spec, expected):
    assert dormant({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}) is expected


def test_a_revision_is_written_as_go_writes_it():
    """What encoding/json gives for the same map: sorted keys, and escapes where HTML or JavaScript would read more."""
    data = {"b": '<a href="x">&\u2028\u2029</a>', "a": {"z": 1, "\u00e9": "\u00e9\U0001f6d2\x7f", "B": None}}
    obj = {"kind": "ControllerRevision", "apiVersion": "apps/v1", "data": data}
    assert encoded(obj).decode() == (
        '{"apiVersion":"apps/v1","data":{"a":{"B":null,"z":1,"\u00e9":"\u00e9\U0001f6d2\x7f"},'
        '"b":"\\u003ca href=\\"x\\"\\u003e\\u0026\\u2028\\u2029\\u003c/a\\u003e"},"kind":"ControllerRevision"}'
    )
    assert json.loads(encoded(obj)) == obj
    other = {"kind": "ConfigMap", "apiVersion": "v1", "data": data}
    assert encoded(other) == orjson.dumps(other)


@pytest.mark.parametrize("existing", Existing)
@pytest.mark.parametrize(
    ("controller", "kept"),
    [
        ({"kind": "Deployment", "name": "web", "controller": True}, True),
        ({"kind": "Deployment", "name": "other", "controller": True}, False),
        ({"kind": "Deployment", "name": "web"}, False),
        (None, False),
    ],
)
def test_what_its_controller_has_made_is_as_good(existing, controller, kept):
    wanted = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web-1", "namespace": "shop"}}
    owners = {"ownerReferences": [controller | {"apiVersion": "apps/v1", "uid": "u"}]} if controller else {}
    live = wanted | {"metadata": wanted["metadata"] | {"uid": "v"} | owners, "spec": {"replicas": 3}}
    wanted |= {"spec": {"replicas": 2}}
    assert (decide(wanted, live, existing, WEB).action == "kept") is kept
    assert decide(wanted, live, existing).action != "kept"
    same = live | {"spec": {"replicas": 2}}
    assert decide(wanted, same, existing, WEB).action == "unchanged"
