"""What still names the old namespace after a rename is listed with its place, and what is another word is not."""

import base64
import time

import pytest

from kubeferry.tasks.core.formats.losses import LossCode
from kubeferry.tasks.core.transform.rename.classes import Known
from kubeferry.tasks.core.transform.rename.left import Scan
from kubeferry.tasks.core.transform.rename.rewrite import rename

KNOWN = Known.of([("services", "shop", "db"), ("configmaps", "shop", "notes"), ("services", "web", "front")])


def b64(text):
    return base64.b64encode(text.encode()).decode()


def config(data, name="notes"):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop2"}, "data": data}


def listed(obj, names=None, known=KNOWN):
    return [(each.pointer, each.how, each.lines) for each in Scan(names or {"shop": "shop2"}, known).left(obj)]


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("shop", "word"),
        ("the shop is open", "word"),
        ("nc -z cache.shop 5432", "word"),
        ("shop/anything", "word"),
        ("https://kubernetes.default/api/v1/namespaces/shop/pods", "word"),
        ("https://shop.example.com/", "word"),
        ('{"text":"a\\nshop"}', "word"),
        ("a\\u002fshop", "word"),
        ("next=%2Fns%2Fshop%2Fdb", "url"),
        ("shop%2Fdb", "url"),
        (b64("namespace is shop"), "base64"),
        (b64("namespace is shop").rstrip("="), "base64"),
        (f"token: {b64(b64('shop ') + ' and more')}", "base64"),
        (base64.urlsafe_b64encode("shop ÿþ¿¿ÿ>>>???".encode()).decode(), "base64"),
    ],
)
def test_a_text_that_names_the_namespace_is_listed(text, how):
    assert listed(config({"k": text})) == [("/data/k", how, ())]


@pytest.mark.parametrize(
    "text",
    [
        "workshop",
        "shop-api",
        "my-shop",
        "shop_db",
        "shop2",
        "Shop",
        "shop.properties",
        "shop.yaml",
        "shop.io/name",
        "apiVersion: kafka.shop.example.io/v1beta2".replace("kafka.", ""),
        "$shop ${shop} $(shop)",
        "%2Dshop",
        "shop%5Fdb",
        b64("workshop"),
        base64.b64encode(b"shop\x00\x01\x02").decode(),
    ],
)
def test_another_word_is_not(text):
    assert listed(config({"k": text})) == []


def test_lines_are_said_for_a_text_of_several():
    assert listed(config({"k": f"one\nin shop\nx: shop\n\n{b64('shop it is')}\n"})) == [
        ("/data/k", "word", (2, 3)),
        ("/data/k", "base64", (5,)),
    ]


def test_keys_are_listed_and_prefixes_of_labels_are_not():
    obj = config({"to shop": "x", "shop.conf": "y"})
    obj["metadata"]["annotations"] = {"shop.example.com/note": "x", "example.com/shop": "x"}
    assert listed(obj) == [("/metadata/annotations/example.com~1shop", "key", ()), ("/data/to shop", "key", ())]


def test_a_secret_is_decoded_and_its_value_is_not_said():
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop2"}}
    obj["data"] = {"url": b64("hunter2@shop"), "twice": b64(b64("hunter2 shop")), "other": b64("hunter2")}
    losses = Scan({"shop": "shop2"}, KNOWN).losses(obj, [])
    assert [(each.path, each.code) for each in losses] == [("/data/url", "still-names"), ("/data/twice", "still-names")]
    assert not any(each.weighty or "hunter2" in each.why for each in losses)


def workload(name, container):
    pod = {"containers": [{"name": "c", **container}]}
    spec = {"selector": {"matchLabels": {"app": "shop"}}, "template": {"metadata": {"labels": {"app": "shop"}}}}
    spec["template"]["spec"] = pod
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop2", "labels": {"app": "shop"}},
        "spec": spec,
    }


def test_what_is_right_to_keep_is_not_listed():
    """Names, labels, images and fields of other names hold the word and are no namespace."""
    container = {
        "name": "shop",
        "image": "registry.example.com/shop:1.2",
        "env": [{"name": "DB_NAME", "value": "shop"}],
    }
    assert listed(workload("shop", container)) == []


def test_a_registry_in_the_cluster_is_listed():
    assert [at for at, _, _ in listed(workload("x", {"image": "registry.shop:5000/app"}))] == [
        "/spec/template/spec/containers/0/image"
    ]


def test_the_schema_of_a_definition_is_not_read():
    obj = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "a.b.c"}}
    schema = {"openAPIV3Schema": {"description": "the shop"}}
    obj["spec"] = {"versions": [{"name": "v1", "schema": schema}], "note": "the shop"}
    assert listed(obj) == [("/spec/note", "word", ())]


@pytest.mark.parametrize("name", ["web", "default", "a", "7"])
def test_a_common_word_is_listed_only_where_it_reads_as_a_namespace(name):
    plain = {"a": f"the {name} server", "b": name, "c": f"--mode={name}", "d": f"{name}/unknown"}
    spoken = {
        "e": f"namespace: {name}",
        "f": f"kubectl -n {name} get pods",
        "g": f"/namespaces/{name}/pods",
        "h": f'{{"namespace":"{name}"}}',
        "i": f"the {name} namespace",
        "TEAM_NS": name,
        "targetNamespace": f"{name},x",
    }
    found = listed(config(plain | spoken), {name: "other"})
    assert [at for at, _, _ in found] == [f"/data/{key}" for key in spoken]


def test_a_common_word_before_a_name_of_the_backup_is_a_namespace():
    data = {"a": "web/front", "b": "front.web", "c": "other.web", "d": "front.webs"}
    assert [at for at, _, _ in listed(config(data), {"web": "web2"})] == ["/data/a", "/data/b"]


def test_a_namespace_with_an_object_of_its_name_is_as_a_common_word():
    known = Known.of([("deployments.apps", "shop", "shop"), ("services", "shop", "db")])
    data = {"a": "shop", "b": "svc=shop", "c": "namespace: shop", "d": "shop/db"}
    assert [at for at, _, _ in listed(config(data), known=known)] == ["/data/c", "/data/d"]
    namespace = Known.of([("namespaces", "", "shop")])
    assert len(listed(config({"a": "shop"}), known=namespace)) == 1


def test_swapped_names_are_listed_only_where_nothing_was_rewritten():
    obj = config({"NAMESPACE": "shop", "note": "ask bank"}) | {}
    obj["metadata"]["namespace"] = "shop"
    names = {"shop": "bank", "bank": "shop"}
    done = rename(obj, names, known=KNOWN)
    scan = Scan(names, KNOWN)
    assert done.obj["data"]["NAMESPACE"] == "bank"
    assert [each.path for each in scan.losses(done.obj, done.rewrites)] == ["/data/note"]


def test_nothing_is_said_of_kubectls_copy():
    obj = config({})
    obj["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"a":"shop"}}'}
    assert listed(obj) == []


@pytest.mark.parametrize("text", ["shop." * 200_000, "shop " * 200_000, "c2hv" * 200_000 + "-", "%73shop\n" * 100_000])
def test_a_long_text_takes_no_longer_than_its_length(text):
    began = time.process_time()
    listed(config({"k": text}))
    assert time.process_time() - began < 3


def test_the_code_has_no_weight():
    assert LossCode.STILL_NAMES.value == "still-names"
