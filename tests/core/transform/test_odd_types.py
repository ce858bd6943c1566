"""A value of another type than its field has is no reason to fail: rules pass it by, and the API server refuses it.

Found by the fuzzer (tests/faults/test_fuzz_archives.py): each was looked up in a set, which lists and maps cannot be.
"""

import copy

import pytest

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.transform.node_ports import give_up
from kubeferry.tasks.core.transform.rename.classes import Known
from kubeferry.tasks.core.transform.rename.rewrite import rename
from kubeferry.tasks.core.transform.strip.portable import strip

LIVE = {"name": "x", "namespace": "shop", "uid": "u"}
CUSTOM = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": LIVE}
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": LIVE}
TOKEN = {"name": "kube-api-access-bcdfg"}
ODDLY = {"name": "ODD"}
PLACES = {
    "variable": POD | {"spec": {"containers": [{"env": [{"name": "ODD", "value": "shop"}]}]}},
    "value of a variable": POD | {"spec": {"containers": [{"env": [{"name": "NAMESPACE", "value": "ODD"}]}]}},
    "volume": POD
    | {"spec": {"volumes": [TOKEN, {"name": "ODD"}], "containers": [{"volumeMounts": [{"name": "ODD"}]}]}},
    "namespace": CUSTOM | {"spec": {"ref": {"name": "db", "namespace": "ODD"}}},
    "name beside a namespace": CUSTOM | {"spec": {"ref": {"name": "ODD", "namespace": "shop"}}},
    "namespace of a secret": CUSTOM | {"spec": {"secretNamespace": "ODD", "secretName": "db"}},
    "server": CUSTOM | {"spec": {"destination": {"server": "ODD", "namespace": "shop"}}},
    "cluster": CUSTOM | {"spec": {"destination": {"name": "ODD", "server": "", "namespace": "shop"}}},
}
ODD = [[], ["x"], [{}], {}, {"a": []}, 7, 1.5, True, None]
KNOWN = Known.of([("secrets", "shop", "db")])


def placed(value, odd):
    if isinstance(value, dict):
        return {key: placed(item, odd) for key, item in value.items()}
    if isinstance(value, list):
        return [placed(item, odd) for item in value]
    return copy.deepcopy(odd) if value == "ODD" else value


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_strip_and_rename_pass_odd_values_by(where, odd):
    obj = placed(PLACES[where], odd)
    stripped = strip(obj)
    renamed = rename(stripped, {"shop": "copy"}, known=KNOWN).obj
    assert renamed["metadata"]["namespace"] == "copy"
    assert repr(odd) in repr(renamed["spec"])


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_node_ports_of_odd_types_are_left(odd):
    ports = [{"port": 80, "nodePort": odd}, {"port": 81, "nodePort": 30081}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"ports": ports}}
    freed, rewrites = give_up(service, {30081: Ref("", "Service", "a", "b")})
    assert freed["spec"]["ports"] == [{"port": 80, "nodePort": odd}, {"port": 81}]
    assert len(rewrites) == 1
