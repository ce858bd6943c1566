"""Whose a value is, where it is used, and what stands there after: there and back again is the identity."""

import base64
import copy
import itertools
import json
import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.links import Links
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED
from kubeferry.tasks.core.kube.namespace_defaults import API_SERVER
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.strings import leaves, pointer
from kubeferry.tasks.core.lookup.substitute import Absent, substitute
from kubeferry.tasks.core.lookup.uses import UID, Index, Source, Use, scan

POD = Ref("", "Pod", "shop", "web")
SERVICE = Ref("", "Service", "shop", "api")
NODE = Ref("", "Node", "", "n1")
GATEWAY = Ref("gateway.networking.k8s.io", "Gateway", "shop", "gw")
INGRESS = Ref("networking.k8s.io", "Ingress", "shop", "in")
IP = "10.0.0.1"


def pod_links(ip=IP, host="192.0.2.1"):
    return Links(addresses={"/status/podIP": ip, "/status/podIPs/0/ip": ip, "/status/hostIP": host})


OWNERS = [
    (SERVICE, Links(addresses={"/spec/clusterIP": IP, "/spec/clusterIPs/0": IP}), "/spec/clusterIP"),
    (POD, pod_links(), "/status/podIP"),
    (NODE, Links(addresses={"/status/addresses/0/address": IP}), "/status/addresses/0/address"),
    (SERVICE, Links(addresses={"/status/loadBalancer/ingress/0/ip": IP}), "/status/loadBalancer/ingress/0/ip"),
    (GATEWAY, Links(addresses={"/status/addresses/0/value": IP}), "/status/addresses/0/value"),
    (INGRESS, Links(addresses={"/status/loadBalancer/ingress/0/ip": IP}), "/status/loadBalancer/ingress/0/ip"),
    (POD, pod_links(host=IP), "/status/hostIP"),
]
"""Owners of one address, the one that is preferred first."""


@pytest.mark.parametrize("some", list(itertools.pairwise(OWNERS)))
@pytest.mark.parametrize("turn", [1, -1])
def test_of_several_owners_one_is_preferred_in_whatever_order_they_come(some, turn):
    index = Index()
    for ref, links, _ in some[::turn]:
        index.add(ref, links)
    assert index.owner(IP) == Source(some[0][0], some[0][2])


def test_the_podip_on_the_hosts_network_is_the_nodes():
    index = Index()
    index.add(POD, pod_links(ip=IP, host=IP))
    index.add(NODE, OWNERS[2][1])
    assert index.owner(IP) == Source(NODE, "/status/addresses/0/address")


def test_a_pod_that_is_not_ready_gives_way_to_one_that_is():
    """A finished pod keeps the address in its status that another one has by now."""
    first, second = Ref("", "Pod", "shop", "a"), Ref("", "Pod", "shop", "b")
    index = Index()
    index.add(first, pod_links(), ready=False)
    index.add(second, pod_links())
    index.add(Ref("", "Pod", "shop", "c"), pod_links())
    assert index.owner(IP) == Source(second, "/status/podIP")


def test_what_is_added_by_hand_comes_first():
    index = Index()
    index.add(NODE, OWNERS[2][1])
    index.add_value(IP, Source(API_SERVER, "/spec/clusterIP"))
    assert index.owner(IP) == Source(API_SERVER, "/spec/clusterIP")


def test_what_is_nobodys_is_not_indexed():
    index = Index()
    index.add(SERVICE, Links(uid="no-uid", addresses={"/spec/clusterIP": "None", "/spec/clusterIPs/0": "127.0.0.1"}))
    index.add_value("0.0.0.0", Source(API_SERVER, ""))  # noqa: S104 - must not be indexed
    assert len(index) == 0
    assert index.owner("127.0.0.1") is None


def config(data, **meta):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "shop", **meta},
        "data": data,
    }


def one(value=IP):
    index = Index()
    index.add_value(value, Source(POD, "/status/podIP"))
    return index


def test_what_an_object_is_called_and_what_only_its_cluster_meant_is_not_scanned():
    own = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
    obj = config({"a": own}, uid=own, ownerReferences=[{"uid": own}], managedFields=[{"manager": own}])
    obj |= {"status": {"id": own}}
    obj["metadata"]["name"] = obj["metadata"]["namespace"] = obj["metadata"]["generateName"] = own
    index = Index()
    index.add(SERVICE, Links(uid=own))
    assert scan(obj, index) == [Use("/data/a", (), own, Source(SERVICE, UID))]


def test_every_kind_of_string_is_scanned():
    obj = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"ip": IP}, "annotations": {"a/b": f"x={IP}"}},
        "spec": {"args": ["-h", IP], "env": [{"name": "URL", "value": f"http://{IP}/"}], "n": 10, "none": None},
    }
    places = ["/metadata/labels/ip", "/metadata/annotations/a~1b", "/spec/args/1", "/spec/env/0/value"]
    assert [use.pointer for use in scan(obj, one())] == places


def test_a_use_is_listed_once_for_each_spelling_and_layer():
    index = one("fd00::7")
    found = scan(config({"a": '["fd00::7", "FD00::7", "fd00::7"]'}), index)
    assert [(use.value, use.layers) for use in found] == [("fd00::7", ("json",)), ("FD00::7", ("json",))]


def test_binary_data_of_a_config_map_is_read():
    obj = config({}) | {"binaryData": {"b": base64.b64encode(IP.encode()).decode(), "raw": "/w=="}}
    assert [(use.pointer, use.layers) for use in scan(obj, one())] == [("/binaryData/b", ("base64",))]


def test_formatting_inside_of_a_string_stays():
    text = '{ "b" : "10.0.0.1",\n\t"a": 1.0 , "é": "\\u00e9" }'
    obj = config({"a": text})
    there, _ = substitute(obj, scan(obj, one()), lambda _: "10.9.9.9")
    assert there["data"]["a"] == text.replace(IP, "10.9.9.9")


def test_only_what_changes_is_copied():
    obj = config({"a": IP}) | {"spec": {"b": ["c"]}}
    before = copy.deepcopy(obj)
    there, _ = substitute(obj, scan(obj, one()), lambda _: "10.9.9.9")
    assert obj == before
    assert there["spec"] is obj["spec"]
    assert substitute(obj, [], lambda _: "10.9.9.9")[0] is obj


def test_dropped_items_of_a_list_are_removed_at_once():
    obj = config({}) | {"list": [IP, "a", f"http://{IP}", "b"]}
    there, rewrites = substitute(obj, scan(obj, one()), lambda _: Absent.DROP)
    assert there["list"] == ["a", "b"]
    assert [each.new for each in rewrites] == ["(dropped)"] * 2


@pytest.mark.parametrize("without", [None, Absent.FAIL])
def test_without_a_value_it_fails_and_names_the_place(without):
    obj = config({"password": f"hunter2@{IP}"})
    with pytest.raises(
        PermanentError, match=r"^ConfigMap shop/c: no value for /data/password: Pod shop/web /status"
    ) as it:
        substitute(obj, scan(obj, one()), lambda _: without)
    assert "hunter2" not in str(it.value)


def test_a_use_that_is_gone_changes_nothing():
    obj, other = config({"a": IP}), config({"b": "x", "a": "y"})
    assert substitute(other, scan(obj, one()), lambda _: "10.9.9.9") == (other, [])


@pytest.mark.parametrize("at", ["", "/", "/kind", "/metadata/name", "/metadata/namespace", "/list/7", "/list/x", "/n"])
def test_what_an_object_is_called_is_never_replaced(at):
    obj = config({}) | {"list": [IP], "n": 7}
    use = Use(at, (), IP, Source(POD, "/status/podIP"), "whole")
    assert substitute(obj, [use], lambda _: "other") == (obj, [])


def test_no_object_is_too_deep():
    obj = config({"a": IP})
    for _ in range(20_000):
        obj["spec"] = {"x": obj.pop("spec", IP)}
    assert len(scan(obj, one())) == 2


def test_a_value_from_a_secret_is_not_shown():
    use = Use("/data/a", (), "$X", Source(Ref("", "Secret", "shop", "s"), "/data/x"), "text")
    there, [rewrite] = substitute(config({"a": "it is $X"}), [use], lambda _: "hunter2")
    assert there["data"]["a"] == "it is hunter2"
    assert (rewrite.old, rewrite.new) == ("$X", "(hidden)")


def test_addresses_that_swap_places_are_swapped_in_kubectls_copy_of_a_secret_too():
    """The new text of one key is the old text of another."""
    one, two = ("10.1.1.1", "10.1.1.2")
    data, swapped = (
        {key: base64.b64encode(value.encode()).decode() for key, value in (("a", first), ("b", second))}
        for first, second in ((one, two), (two, one))
    )
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c", "namespace": "shop"}, "data": data}
    obj = secret | {"metadata": secret["metadata"] | {"annotations": {LAST_APPLIED: json.dumps(secret)}}}
    there, _ = substitute(obj, scan(obj, indexed([one, two])), lambda use: {one: two, two: one}[use.value])
    assert there["data"] == swapped
    assert json.loads(there["metadata"]["annotations"][LAST_APPLIED]) == secret | {"data": swapped}


def test_kubectls_copy_of_a_secret_changes_where_the_secret_changes():
    """An address under `version` is a version; another key has the same text."""
    data = {key: base64.b64encode(IP.encode()).decode() for key in ("a", "version")}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c", "namespace": "shop"}, "data": data}
    obj = secret | {"metadata": secret["metadata"] | {"annotations": {LAST_APPLIED: json.dumps(secret)}}}
    there, _ = substitute(obj, scan(obj, one()), lambda _: "10.9.9.9")
    assert there["data"] == data | {"a": base64.b64encode(b"10.9.9.9").decode()}
    assert json.loads(there["metadata"]["annotations"][LAST_APPLIED])["data"] == there["data"]


# --- properties

V4 = st.tuples(*[st.integers(1, 40)] * 4).map(lambda parts: "10.{}.{}.{}".format(*parts[1:]))
V6 = st.integers(1, 2**16 - 1).map(lambda number: f"fd00::{number:x}")
UUIDS = st.uuids(version=4).map(str)
HOSTS = st.sampled_from(["a1.elb.example.com", "b2.elb.example.com", "lb.example.org"])
VALUES = st.one_of(V4, V6, UUIDS, HOSTS)
GLUE = st.sampled_from(
    [
        " ",
        ":",
        "/",
        ".",
        "-",
        ",",
        "=",
        "\n",
        "\\n",
        '"',
        "[",
        "]",
        "@",
        "v",
        "0",
        "1",
        "a",
        "_",
        "x: ",
        "é",
        "//",
        "%2F",
    ]
)


@st.composite
def scenes(draw):
    """Known values, and an object whose strings mix them with others and with what may join or part them."""
    known = draw(st.lists(VALUES, min_size=1, max_size=6, unique=True))
    part = st.one_of(st.sampled_from(known), GLUE, VALUES)
    text = st.lists(part, max_size=8).map("".join)
    data = draw(st.dictionaries(st.sampled_from(["a", "b/c", "d~e", "version", "image", "name"]), text, max_size=4))
    secret = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    items = draw(st.lists(text, max_size=3))
    kinds = [("ConfigMap", data), ("Secret", secret)]
    kind, body = draw(st.sampled_from(kinds))
    notes = {LAST_APPLIED: json.dumps({"apiVersion": "v1", "kind": kind, "metadata": {"name": "c"}, "data": body})}
    meta = {"name": "c", "namespace": "shop"} | ({"annotations": notes} if draw(st.booleans()) else {})
    return known, {"apiVersion": "v1", "kind": kind, "metadata": meta, "data": body, "list": items}


def indexed(values):
    index = Index()
    for number, value in enumerate(values):
        index.add_value(value, Source(Ref("", "Pod", "shop", f"p{number}"), "/status/podIP"))
    return index


@given(scenes())
def test_there_and_back_is_the_identity(scene):
    """Values that swap places in a ring, then back the other way; what is not known stays."""
    known, obj = scene
    ring = {}
    for same in ([each for each in known if kind(each) == what] for what in range(4)):
        ring |= dict(zip(same, [*same[1:], *same[:1]], strict=True))
    index = indexed(known)
    there, rewrites = substitute(obj, scan(obj, index), lambda use: ring[use.value.lower()])
    back = {new: old for old, new in ring.items()}
    again, _ = substitute(there, scan(there, index), lambda use: back[use.value.lower()])
    assert again == obj
    if obj["kind"] == "Secret":
        assert {word for each in rewrites for word in (each.old, each.new)} <= {"(not shown: in a Secret)"}
        assert there == obj or rewrites
    else:
        assert (there != obj) == any(each.old != each.new for each in rewrites)


def kind(value):
    for number, pattern in enumerate((r"10\.[0-9.]+", r"[0-9a-f]*::?[0-9a-f:]*", r"[0-9a-f-]{36}")):
        if re.fullmatch(pattern, value):
            return number
    return 3


@given(scenes())
def test_a_scan_finds_what_a_naive_search_finds(scene):
    """For each known value, on its own: every occurrence that nothing joins on either side, by a plain loop."""
    known, obj = scene
    found = {(use.pointer, use.value) for use in scan(obj, indexed(known))}
    expected = {(pointer(leaf.at), each) for leaf in leaves(obj) for each in known if naive(leaf, each)}
    where = pointer(("metadata", "annotations", LAST_APPLIED))
    assert {each for each in found if each[0] != where} == {each for each in expected if each[0] != where}


LONE = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
LEFT = {
    0: r"[0-9A-Za-z_.+~^-]",
    1: r"[0-9A-Za-z_:.-]",
    2: r"[0-9A-Za-z]|\b(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{4,}[-_]",
    3: r"[0-9A-Za-z_.-]",
}
RIGHT = {
    0: r"[0-9A-Za-z_+~^-]|\.[0-9A-Za-z_]",
    1: r"[0-9A-Za-z_-]|:[0-9A-Fa-f:]|\.[0-9A-Za-z_]",
    2: rf"[0-9A-Za-z]|[-_](?!{LONE}(?![0-9A-Za-z]))(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{{4,}}(?![0-9A-Za-z])",
    3: r"[0-9A-Za-z_-]|\.[0-9A-Za-z_-]",
}


def naive(leaf, value):
    key, what = leaf.at[-1], kind(value)
    if (key == "version" and what == 0) or (key == "name" and what == 2):
        return False
    spots = [match.start() for match in re.finditer(f"(?={re.escape(value)})", leaf.text)]
    return any(parted(leaf.text, spot, spot + len(value), what, key) for spot in spots)


def parted(text, start, end, what, key):
    before, after = text[:start], text[end:]
    free = r"\\[nrt]|%2F" + (f"|{LONE}[-_]" if what == 2 else "")
    escaped = re.search(rf"(?:{free})\Z", before) is not None
    if re.match(RIGHT[what], after) or (re.search(f"(?:{LEFT[what]})\\Z", before) and not escaped):
        return False
    if what == 0 and re.search(r"[0-9A-Za-z_]:\Z", before):
        return not (key == "image" or re.search(r"/[\w.-]+:\Z", before[-80:], re.ASCII))
    return True


def test_ten_thousand_values_and_five_megabytes():
    """Every value is found where it is used, in a text that is full of others; what it costs is in test_values_text."""
    index = indexed(f"10.{n // 2500}.{n // 50 % 50}.{n % 50 + 1}" for n in range(10_000))
    text = "".join(f"x: 10.{n % 9}.{n % 61}.{n % 59 + 1}:80 # {n}.{n}.{n}\n" for n in range(30_000))
    obj = config({str(part): text for part in range(5)})
    found = scan(obj, index)
    expected = {each for each in re.findall(r"10\.\d+\.\d+\.\d+", text) if index.owner(each)}
    assert {use.value for use in found} == expected
    assert len(found) == 5 * len(expected)


def test_a_uid_of_any_version_is_a_uid():
    index = Index()
    own = str(uuid.UUID(int=2**127 + 5))
    index.add(SERVICE, Links(uid=own))
    assert index.owner(own.upper()) == Source(SERVICE, UID)
