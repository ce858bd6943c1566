"""A node port that another Service of the target has is removed from the object and kubectl's copy, and reported."""

import copy
import json

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.transform.node_ports import give_up, held, wanted

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def service(name, ports, health=None, applied=None):
    spec = {"ports": [{"port": 80 + at} | ({"nodePort": port} if port else {}) for at, port in enumerate(ports)]}
    spec |= {"healthCheckNodePort": health} if health else {}
    meta = {"name": name, "namespace": "shop"}
    obj = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
    if applied:
        meta["annotations"] = {LAST_APPLIED: json.dumps(applied), "note": "n"}
    return obj


OTHER = Ref("", "Service", "bank", "other")


def test_all_ports_of_the_nodes_that_a_service_holds_are_known():
    assert wanted(service("web", [30080, None, 30081], 31000)) == {30080, 30081, 31000}
    assert wanted(service("web", [0, None])) == set()
    first, second = service("a", [30080]), service("b", [30081], 31000)
    a, b = Ref("", "Service", "shop", "a"), Ref("", "Service", "shop", "b")
    assert held([first, second]) == {30080: a, 30081: b, 31000: b}


def test_a_port_that_is_held_is_given_up_and_the_others_stay():
    before = service("web", [30080, 30081], 31000)
    given_in = copy.deepcopy(before)
    freed, rewrites = give_up(before, {30081: OTHER, 31000: OTHER, 32000: OTHER})
    assert freed["spec"] == {"ports": [{"port": 80, "nodePort": 30080}, {"port": 81}]}
    assert [(each.object, each.path, each.old, each.new, each.why) for each in rewrites] == [
        (
            "Service shop/web",
            "/spec/ports/1/nodePort",
            "30081",
            "",
            "used by Service bank/other: the target allocates another",
        ),
        (
            "Service shop/web",
            "/spec/healthCheckNodePort",
            "31000",
            "",
            "used by Service bank/other: the target allocates another",
        ),
    ]
    assert before == given_in


def test_it_is_removed_from_the_copy_that_kubectl_keeps_too():
    """Else the next `kubectl apply` would ask for it again."""
    applied = service("web", [30080, 30081])
    freed, _ = give_up(service("web", [30080, 30081], applied=applied), {30080: OTHER})
    notes = freed["metadata"]["annotations"]
    assert notes["note"] == "n"
    assert json.loads(notes[LAST_APPLIED])["spec"] == {"ports": [{"port": 80}, {"port": 81, "nodePort": 30081}]}


def test_a_copy_that_names_no_such_port_stays_as_it_is_written():
    applied = service("web", [30081])
    freed, _ = give_up(service("web", [30080], applied=applied), {30080: OTHER})
    assert freed["metadata"]["annotations"][LAST_APPLIED] == json.dumps(applied)


def test_nothing_held_is_nothing_changed():
    before = service("web", [30080])
    assert give_up(before, {}) == (before, [])
