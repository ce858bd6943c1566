"""What stripping takes away and re-linking needs survives a trip through JSON, and no other shape is let in."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.links import Links, Owner, from_json, links_of, to_json
from kubeferry.tasks.core.kube.objects import is_segment

OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4", "uid": "77ee"}

FOUND = {
    # kind → (object's own part, addresses found in it)
    ("", "Pod"): (
        {
            "status": {
                "podIP": "10.0.0.7",
                "podIPs": [{"ip": "10.0.0.7"}, {"ip": "fd00::7"}],
                "hostIP": "192.0.2.1",
                "hostIPs": [{"ip": "192.0.2.1"}],
            }
        },
        {
            "/status/podIP": "10.0.0.7",
            "/status/podIPs/0/ip": "10.0.0.7",
            "/status/podIPs/1/ip": "fd00::7",
            "/status/hostIP": "192.0.2.1",
            "/status/hostIPs/0/ip": "192.0.2.1",
        },
    ),
    ("", "Service"): (
        {
            "spec": {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"], "externalIPs": ["192.0.2.5"]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}, {"hostname": "lb.example.com"}]}},
        },
        {
            "/spec/clusterIP": "10.96.0.7",
            "/spec/clusterIPs/0": "10.96.0.7",
            "/status/loadBalancer/ingress/0/ip": "192.0.2.9",
            "/status/loadBalancer/ingress/1/hostname": "lb.example.com",
        },
    ),
    ("networking.k8s.io", "Ingress"): (
        {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9", "ports": []}]}}},
        {"/status/loadBalancer/ingress/0/ip": "192.0.2.9"},
    ),
    ("gateway.networking.k8s.io", "Gateway"): (
        {"status": {"addresses": [{"type": "IPAddress", "value": "192.0.2.9"}]}},
        {"/status/addresses/0/value": "192.0.2.9"},
    ),
    ("", "Node"): (
        {
            "status": {
                "addresses": [{"type": "Hostname", "address": "node-1"}, {"type": "InternalIP", "address": "192.0.2.1"}]
            }
        },
        {"/status/addresses/1/address": "192.0.2.1"},
    ),
}


def whole(kind, **parts):
    group, name = kind
    return {"apiVersion": f"{group}/v1" if group else "v1", "kind": name, "metadata": {"name": "a"}} | parts


@pytest.mark.parametrize("kind", FOUND)
def test_addresses_that_the_cluster_handed_out_are_found(kind):
    part, addresses = FOUND[kind]
    assert links_of(whole(kind, **part)).addresses == addresses


def test_headless_service_and_unscheduled_pod_have_no_address():
    assert links_of(whole(("", "Service"), spec={"clusterIP": "None", "clusterIPs": ["None"]})) == Links()
    assert links_of(whole(("", "Pod"), status={"podIP": ""})) == Links()


def test_owners_are_kept_with_every_field():
    meta = {
        "name": "a",
        "uid": "6a1f",
        "ownerReferences": [OWNER | {"controller": True, "blockOwnerDeletion": False}, OWNER],
    }
    links = links_of({"apiVersion": "v1", "kind": "Secret", "metadata": meta})
    owner = Owner("apps/v1", "ReplicaSet", "web-5d4", "77ee", controller=True, block_owner_deletion=False)
    assert links == Links("6a1f", (owner, Owner("apps/v1", "ReplicaSet", "web-5d4", "77ee")))
    assert to_json(links) == {
        "uid": "6a1f",
        "owners": [OWNER | {"controller": True, "blockOwnerDeletion": False}, OWNER],
    }


def test_the_bundle_of_a_previous_restore_is_no_owner_to_keep():
    bundle = {"apiVersion": "kubeferry.io/v1alpha1", "kind": "Bundle", "name": "r", "uid": "b"}
    other = bundle | {"apiVersion": "example.com/v1"}
    meta = {"name": "a", "ownerReferences": [bundle, OWNER, other]}
    owners = links_of({"apiVersion": "v1", "kind": "Secret", "metadata": meta}).owners
    assert [(each.kind, each.api_version) for each in owners] == [
        ("ReplicaSet", "apps/v1"),
        ("Bundle", "example.com/v1"),
    ]


def test_what_is_no_text_or_no_address_is_not_one():
    status = {"podIP": 7, "podIPs": [{"ip": None}, "x"], "hostIP": "", "hostIPs": [{"ip": "None"}, {"ip": "192.0.2.1"}]}
    assert links_of(whole(("", "Pod"), status=status)).addresses == {"/status/hostIPs/1/ip": "192.0.2.1"}


def test_addresses_are_in_the_json_as_they_were():
    links = Links("u", (), {"/status/podIP": "10.0.0.7"})
    assert to_json(links) == {"uid": "u", "addresses": {"/status/podIP": "10.0.0.7"}}
    assert from_json(to_json(links)) == links


def test_no_links_are_an_empty_map():
    assert to_json(Links()) == {}
    assert from_json({}) == Links()


TEXTS = st.text(max_size=8)
NAMES = TEXTS.filter(is_segment)
OWNERS = st.builds(
    Owner, TEXTS, TEXTS, NAMES, TEXTS, st.sampled_from([None, True, False]), st.sampled_from([None, True])
)
LINKS = st.builds(
    Links,
    TEXTS,
    st.lists(OWNERS, max_size=3).map(tuple),
    st.dictionaries(TEXTS.map(lambda text: "/" + text), TEXTS, max_size=3),
)


@given(LINKS)
def test_links_survive_json(links):
    assert from_json(json.loads(json.dumps(to_json(links)))) == links


def test_fields_that_a_later_version_added_are_ignored():
    assert from_json({"uid": "6a1f", "later": [1]}) == Links("6a1f")


HOSTILE = [
    (None, "links: links must be a map"),
    ([], "links: links must be a map"),
    ({"uid": 5}, "links: uid of links must be a string"),
    ({"uid": None}, "links: uid of links must be a string"),
    ({"owners": {"a": 1}}, "links: owners of links must be a list"),
    ({"owners": ""}, "links: owners of links must be a list"),
    ({"owners": ["secret"]}, "links: owner must be a map"),
    ({"owners": [{}]}, "links: apiVersion of owner must be a string"),
    ({"owners": [OWNER | {"uid": ["secret"]}]}, "links: uid of owner must be a string"),
    ({"owners": [OWNER | {"controller": "yes"}]}, "links: controller of owner must be true or false"),
    ({"owners": [OWNER | {"blockOwnerDeletion": 1}]}, "links: blockOwnerDeletion of owner must be true or false"),
    ({"owners": [OWNER | {"name": "../secrets/x"}]}, "links: name of owner must be a name"),
    ({"owners": [OWNER | {"name": ""}]}, "links: name of owner must be a name"),
    ({"owners": [OWNER | {"name": "a\nb"}]}, "links: name of owner must be a name"),
    ({"addresses": ["secret"]}, "links: addresses must be a map"),
    ({"addresses": None}, "links: addresses must be a map"),
    ({"addresses": {"/status/podIP": 5}}, "links: addresses must map JSON pointers to strings"),
    ({"addresses": {"secret": "10.0.0.7"}}, "links: addresses must map JSON pointers to strings"),
]


@pytest.mark.parametrize(("value", "why"), HOSTILE)
def test_any_other_shape_is_damaged_and_not_quoted(value, why):
    with pytest.raises(DamagedError) as caught:
        from_json(value)
    assert str(caught.value) == why


def test_object_with_impossible_owners_is_named():
    obj = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a", "namespace": "shop", "ownerReferences": [{}]},
    }
    with pytest.raises(DamagedError, match=r"^Secret shop/a: links: apiVersion of owner must be a string$"):
        links_of(obj)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda part: st.one_of(
        st.lists(part, max_size=3),
        st.dictionaries(
            st.sampled_from(["uid", "owners", "addresses", "kind", "name", "apiVersion", "/a"]), part, max_size=4
        ),
    ),
)


@given(JSON)
def test_anything_is_links_or_damaged(value):
    try:
        links = from_json(value)
    except DamagedError:
        return
    assert from_json(to_json(links)) == links
