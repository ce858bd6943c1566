"""An object of an archive is the one of its place, with the types that rules rely on, or it is refused in one line."""

import copy

import orjson
import pytest

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.layout import Member
from kubeferry.tasks.core.formats.untrusted import validated, validated_bytes

MARK = "marked-secret"
CONFIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "web", "namespace": "shop", "uid": "u", "labels": {"a": "b"}, "annotations": None},
    "data": {"a": MARK},
    "binaryData": {"b": "AA=="},
}
PLACE = Member("configmaps", "shop", "web")
WIDGET = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "web", "namespace": "shop"}}
OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "u"}


def changed(path, value, obj=None):
    made = copy.deepcopy(obj or CONFIG)
    at = made
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return made


def refused(obj, place=PLACE):
    with pytest.raises(DamagedError) as caught:
        validated(obj if isinstance(obj, bytes) else orjson.dumps(obj), place)
    message = str(caught.value)
    assert MARK not in message
    assert message.isprintable()
    assert len(message) < 500
    return message


def test_an_object_is_returned_as_it_was_written():
    for value in (CONFIG, changed(("spec",), {"anything": [1, None, {}]}), changed(("metadata", "more"), [1])):
        assert validated(orjson.dumps(value), PLACE) == value


@pytest.mark.parametrize("value", [None, [], "x", 7, True, {}, {"metadata": []}, {"metadata": None}, [CONFIG]])
def test_what_is_no_object_is_reported(value):
    assert refused(value) == "holds no Kubernetes object"


@pytest.mark.parametrize("data", [b"", b"{", b'{"kind":NaN}', orjson.dumps(CONFIG)[:-1]])
def test_what_is_no_json_is_reported(data):
    assert refused(data).startswith("is not JSON")


TYPES = {"a text": MARK, "a number": 7, "a list": [MARK], "a map": {"k": MARK}, "a flag": True}
META = {
    "name": "a text",
    "namespace": "a text",
    "generateName": "a text",
    "uid": "a text",
    "resourceVersion": "a text",
    "selfLink": "a text",
    "generation": "a number",
    "creationTimestamp": "a text",
    "deletionTimestamp": "a text",
    "deletionGracePeriodSeconds": "a number",
    "labels": "a map",
    "annotations": "a map",
    "finalizers": "a list",
}


@pytest.mark.parametrize("field", [*META, "ownerReferences", "managedFields"])
@pytest.mark.parametrize("given", TYPES)
def test_every_field_of_metadata_has_its_type(field, given):
    if META.get(field) != given:
        assert f"'metadata/{field}" in refused(changed(("metadata", field), TYPES[given]))


@pytest.mark.parametrize("field", ["labels", "annotations"])
@pytest.mark.parametrize("value", [1, None, True, [], {}, 1.5])
def test_labels_and_annotations_are_texts(field, value):
    assert f"'metadata/{field}/k'" in refused(changed(("metadata", field), {"k": value}))


@pytest.mark.parametrize(
    "value", [None, {}, "x", OWNER | {"uid": 1}, OWNER | {"kind": None}, OWNER | {"controller": 1}]
)
def test_owners_are_what_an_api_server_writes(value):
    validated(orjson.dumps(changed(("metadata", "ownerReferences"), [OWNER])), PLACE)
    assert "'metadata/ownerReferences/0" in refused(changed(("metadata", "ownerReferences"), [value]))


@pytest.mark.parametrize("value", [None, [], "x", 7, True])
def test_the_spec_of_a_native_kind_is_a_map_and_a_custom_one_is_anything(value):
    assert "'spec'" in refused(changed(("spec",), value))
    custom = Member("widgets.example.com", "shop", "web")
    assert validated(orjson.dumps(changed(("spec",), value, WIDGET)), custom)["spec"] == value


@pytest.mark.parametrize(
    ("field", "value"),
    [("data", {"a": 1}), ("data", {"a": None}), ("data", []), ("binaryData", {"b": 1}), ("immutable", "true")],
)
def test_data_are_texts(field, value):
    assert f"'{field}" in refused(changed((field,), value))


def test_a_role_may_have_no_rules():
    """API servers write null for them."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:shop"}}
    place = Member("clusterroles.rbac.authorization.k8s.io", "", "system:shop")
    assert validated(orjson.dumps(role | {"rules": None}), place)["rules"] is None
    assert "'rules'" in refused(role | {"rules": {}}, place)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metadata", "name"), "other"),
        (("metadata", "namespace"), "kube-system"),
        (("metadata", "namespace"), ""),
        (("kind",), "Secret"),
        (("kind",), "Configmap"),
        (("apiVersion",), "apps/v1"),
    ],
)
def test_another_object_than_its_place_says(path, value):
    assert refused(changed(path, value)) == "holds another object than its path names"


@pytest.mark.parametrize(
    ("place", "obj"),
    [
        (Member("configmaps", "", "web"), changed(("metadata", "namespace"), None)),
        (
            Member("clusterroles.rbac.authorization.k8s.io", "shop", "web"),
            CONFIG | {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "data": None},
        ),
        (Member("gadgets.example.org", "shop", "web"), WIDGET),
    ],
)
def test_a_place_that_its_kind_cannot_have(place, obj):
    assert refused(obj, place) == "holds another object than its path names"


@pytest.mark.parametrize(
    "version", ["", "v1/", "/v1", "v1/namespaces/x", "a/b/v1", "V1", "v1?x", "../v1", "apps/v1 ", "a\n/v1", "v" * 400]
)
def test_versions_that_are_none(version):
    refused(changed(("apiVersion",), version))


@pytest.mark.parametrize("kind", ["", "Config Map", "1", "a/b", "C\x1b", "K" * 64, "-f", "\uff23"])
def test_kinds_that_are_none(kind):
    refused(changed(("kind",), kind))


NAMES = ["Web", "web_", "-web", "web-", "a..b", "a b", "café", "a\u202eb", "null?", "a%2fb", "n" * 254]


@pytest.mark.parametrize("name", NAMES)
def test_a_native_kind_has_dns_names(name):
    message = refused(changed(("metadata", "name"), name), Member("configmaps", "shop", name))
    assert message == "has a name that is not valid for its kind"


@pytest.mark.parametrize("name", ["system:shop", "Web", "web", "a b", "café", "a\u202eb", "-f", "n" * 300])
def test_roles_and_custom_resources_are_named_freely(name):
    kind = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": "shop"},
    }
    validated(orjson.dumps(kind), Member("roles.rbac.authorization.k8s.io", "shop", name))
    validated(orjson.dumps(changed(("metadata", "name"), name, WIDGET)), Member("widgets.example.com", "shop", name))


def test_no_name_has_a_percent_sign():
    obj = changed(("metadata", "name"), "a%2fb", WIDGET)
    assert "has a name" in refused(obj, Member("widgets.example.com", "shop", "a%2fb"))


@pytest.mark.parametrize("name", ["null", "true", "1e3", "on", "0", "1.5", "0x1f", "yes", "1e3.a"])
def test_words_of_yaml_are_names(name):
    assert validated(orjson.dumps(changed(("metadata", "name"), name)), Member("configmaps", "shop", name))


def test_what_is_written_is_received():
    data = validated_bytes(CONFIG, PLACE)
    assert data == orjson.dumps(CONFIG)
    assert validated(data, PLACE) == CONFIG


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("obj", "place"),
    [
        (changed(("spec",), nested(190), WIDGET) | {"more": nested(200)}, Member("widgets.example.com", "shop", "web")),
        (changed(("spec",), nested(400), WIDGET), Member("widgets.example.com", "shop", "web")),
        (changed(("data", "a"), "x" * 2**24), PLACE),
        (changed(("metadata", "name"), "a\tb", WIDGET), Member("widgets.example.com", "shop", "a\tb")),
        (changed(("metadata", "name"), "n" * 510, WIDGET), Member("widgets.example.com", "shop", "n" * 510)),
        (changed(("metadata", "labels"), ["a"]), PLACE),
    ],
)
def test_what_no_reader_takes_is_not_written(obj, place):
    """Else one such object would make the whole backup unreadable."""
    with pytest.raises(DamagedError):
        validated_bytes(obj, place)


TOPS = {
    "spec": ("configmaps", "ConfigMap", {}),
    "status": ("pods", "Pod", {}),
    "binaryData": ("configmaps", "ConfigMap", {"a": "AA=="}),
    "stringData": ("secrets", "Secret", {"a": "b"}),
    "type": ("secrets", "Secret", "Opaque"),
    "immutable": ("configmaps", "ConfigMap", True),
    "rules": ("roles.rbac.authorization.k8s.io", "Role", [{}]),
    "roleRef": ("rolebindings.rbac.authorization.k8s.io", "RoleBinding", {}),
    "subjects": ("rolebindings.rbac.authorization.k8s.io", "RoleBinding", [{}]),
    "secrets": ("serviceaccounts", "ServiceAccount", [{}]),
    "imagePullSecrets": ("serviceaccounts", "ServiceAccount", [{}]),
    "subsets": ("endpoints", "Endpoints", [{}]),
    "endpoints": ("endpointslices.discovery.k8s.io", "EndpointSlice", [{}]),
    "ports": ("endpointslices.discovery.k8s.io", "EndpointSlice", [{}]),
    "template": ("podtemplates", "PodTemplate", {}),
}


@pytest.mark.parametrize("field", TOPS)
def test_what_is_at_the_top_of_a_native_kind_has_its_type(field):
    resource, kind, fits = TOPS[field]
    group = resource.partition(".")[2]
    meta = {"name": "web", "namespace": "shop"}
    obj = {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": meta}
    place = Member(resource, "shop", "web")
    assert validated(orjson.dumps(obj | {field: fits}), place)[field] == fits
    for wrong in ("text", 7, [7], {"a": 7}, [MARK], True):
        if type(wrong) is not type(fits) or wrong in ([7], [MARK]):
            assert f"'{field}" in refused(obj | {field: wrong}, place), wrong


@pytest.mark.parametrize("field", ["webhooks", "aggregationRule"])
def test_what_is_at_the_top_of_a_cluster_wide_kind_has_its_type(field):
    group, kind, plural = {
        "webhooks": (
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations",
        ),
        "aggregationRule": ("rbac.authorization.k8s.io", "ClusterRole", "clusterroles"),
    }[field]
    obj = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": "web"}}
    place = Member(f"{plural}.{group}", "", "web")
    assert validated(orjson.dumps(obj | {field: None}), place)[field] is None
    assert f"'{field}" in refused(obj | {field: MARK}, place)
    assert f"'{field}" in refused(obj | {field: [MARK]}, place)
