"""Documents in texts: only the characters of a namespace change, and what cannot be read as one stays as it was."""

import base64
import copy

import pytest
import yaml

from kubeferry.tasks.core.transform.rename.classes import Known, Skip
from kubeferry.tasks.core.transform.rename.rewrite import rename

KNOWN = Known.of([("services", "shop", "web"), ("secrets", "shop", "tls"), ("configmaps", "shop", "settings")])
REFERENCE = "kind: Secret\nname: tls\nnamespace: {}\n"


def config(text, **more):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}, "data": {"text": text}, **more}


def renamed(text, to="copy"):
    return rename(config(text), {"shop": to}, known=KNOWN).obj["data"]["text"]


KEPT = [
    "kind: Secret\nname: tls\nnamespace: «shop»\n",
    "# shop\nkind:   Secret   # of shop\nname:\ttls\nnamespace:    «shop»   # shop\n\n\n",
    "kind: Secret\r\nname: tls\r\nnamespace: «shop»\r\n",
    "namespace: '«shop»'\nname: \"tls\"\n",
    '{"namespace":"«shop»","name":"tls"}',
    '{\n\t"name": "tls",\n\t"namespace": "«shop»"\n}',
    "{name: tls, namespace: «shop»,}",
    "- a: shop\n- {name: tls, namespace: «shop»}\n",
    "é: ü\nname: tls\nnamespace: «shop»\nö: shop\n",
    "---\na: shop\n---\nname: tls\nnamespace: «shop»\n---\n# shop\n",
    "ref: &ref {name: tls, namespace: «shop»}\nsame: *ref\nalso: {<<: *ref}\n",
    "inner: |\n  name: tls\n  namespace: «shop»  # shop\nouter: shop\n",
    "inner: |-\n    more: |\n      name: tls\n      namespace: «shop»\n",
    'json: \'{"name": "tls", "namespace": "«shop»"}\'\n',
    "watchNamespace: «shop»\nmetricsNamespace: shop\n",
    "namespaces:\n- «shop»\n- shop-2\n",
    "namespaces: {names: [«shop»], shop: 1}\n",
    "a: 012\nb: 1:30\nc: 0o644\nd: 2024-01-01\nname: tls\nnamespace: «shop»\n",
]


@pytest.mark.parametrize("marked", KEPT)
def test_the_rest_of_a_document_stays_byte_for_byte(marked):
    text = marked.replace("«", "").replace("»", "")
    assert renamed(text) == marked.replace("«shop»", "copy")


LEFT = [
    "name: gone\nnamespace: shop\n",
    "name: tls\nnamespace: shop-2\n",
    "namespace: shop\n",
    "name: tls\nnamespace: [shop]\n",
    "name: tls\nnamespace: >\n  shop\n",
    '{"name": "tls", "namespace": "sh\\u006fp"}',
    '{"name": "tls", "namespace": "shop"',
    "a: b: c\nname: tls\nnamespace: shop\n",
    "{{ if }}\nname: tls\nnamespace: shop\n{{ end }}\n",
    "name: tls\nnamespace: shop\n" + "[" * 5000,
    "a:\n" + "".join(" " * depth + "- \n" for depth in range(1, 80)),
    "a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\nnamespace: shop\n",
    '{"type": "record", "namespace": "shop", "name": "tls", "fields": []}',
]


@pytest.mark.parametrize("text", LEFT)
def test_what_is_no_reference_or_no_document_stays(text):
    assert renamed(text) == text


def test_aliases_that_expand_without_end_are_looked_at_once():
    text = "a0: &a0 {name: tls, namespace: shop}\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
    )
    assert renamed(text) == text.replace("namespace: shop", "namespace: copy")


@pytest.mark.parametrize("name", ["123", "null", "true", "no", "1e3", "0x1f", "on", "2024-01-01"])
def test_a_name_that_yaml_would_not_read_as_a_text_gets_quotes(name):
    after = renamed(REFERENCE.format("shop"), name)
    assert yaml.safe_load(after) == {"kind": "Secret", "name": "tls", "namespace": name}
    assert renamed('{"name": "tls", "namespace": "shop"}', name) == f'{{"name": "tls", "namespace": "{name}"}}'
    assert renamed("namespaces: [shop, x]\n", name) == f'namespaces: ["{name}", x]\n'


def test_names_swap_in_a_document():
    known = Known.of([("secrets", ns, "tls") for ns in ("a", "b")])
    text = "- {name: tls, namespace: a}\n- {name: tls, namespace: b}\n"
    after = rename(config(text), {"a": "b", "b": "a"}, known=known).obj["data"]["text"]
    assert after == "- {name: tls, namespace: b}\n- {name: tls, namespace: a}\n"


def test_each_class_of_a_text_is_listed_and_can_be_switched_off():
    text = (
        REFERENCE.format("shop")
        + 'path: /api/v1/namespaces/shop/pods\nquery: up{namespace="shop"}\nargs: --x-namespace shop\n'
    )
    expected = {"reference", "path", "query", "setting"}
    before = config(text)
    given = copy.deepcopy(before)
    assert {each.rule for each in rename(before, {"shop": "copy"}, known=KNOWN).rewrites} == expected
    for rule in expected:
        after = rename(before, {"shop": "copy"}, known=KNOWN, skip=Skip(frozenset({rule})))
        assert {each.rule for each in after.rewrites} == expected - {rule}
        assert after.obj["data"]["text"].count("shop") == 1
    assert before == given


def test_of_a_secret_only_the_namespace_is_shown():
    encoded = base64.b64encode(REFERENCE.format("shop").replace("tls", "tls\npassword: s3cret").encode()).decode()
    before = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "it"}, "data": {"a": encoded}}
    after = rename(before, {"shop": "copy"}, known=KNOWN)
    assert "namespace: copy" in base64.b64decode(after.obj["data"]["a"]).decode()
    assert [(each.old, each.new) for each in after.rewrites] == [("shop", "copy")]


CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.x.io", "annotations": {"x": "web.shop.svc"}},
    "spec": {
        "names": {"kind": "Widget", "categories": ["shop"]},
        "versions": [
            {
                "name": "v1",
                "additionalPrinterColumns": [{"name": "x", "jsonPath": ".x", "description": "http://web.shop.svc/"}],
                "schema": {
                    "openAPIV3Schema": {
                        "description": "For example `web.shop.svc.cluster.local`, system:serviceaccount:shop:x",
                        "properties": {
                            "targetNamespace": {"default": "shop", "enum": ["shop"], "example": "rootNamespace: shop"},
                            "ref": {"default": {"kind": "Secret", "name": "tls", "namespace": "shop"}},
                            "host": {"default": "web.shop"},
                        },
                    }
                },
            }
        ],
    },
}


def test_a_definition_that_all_namespaces_share_is_not_changed():
    assert rename(CRD, {"shop": "copy"}, known=KNOWN).obj is CRD


def test_the_service_of_its_conversion_follows():
    """Another cluster has no other one; where the definition is there, it is kept as it is."""
    hook = {"service": {"namespace": "shop", "name": "web"}, "url": "https://web.shop.svc/convert"}
    before = CRD | {"spec": CRD["spec"] | {"conversion": {"strategy": "Webhook", "webhook": {"clientConfig": hook}}}}
    after = rename(before, {"shop": "copy"}, known=KNOWN).obj
    assert after["spec"]["versions"] == CRD["spec"]["versions"]
    assert after["spec"]["conversion"]["webhook"]["clientConfig"] == {
        "service": {"namespace": "copy", "name": "web"},
        "url": "https://web.copy.svc/convert",
    }


@pytest.mark.parametrize(
    ("key", "follows"),
    [
        ("csi.storage.k8s.io/node-stage-secret-namespace", True),
        ("secretNamespace", True),
        ("adminSecretNamespace", True),
        ("userSecretNamespace", True),
        ("never_heard_of_secret_namespace", True),
        ("pool", False),
        ("secretName", False),
        ("namespacePrefix", False),
    ],
)
def test_a_parameter_that_names_the_namespace_of_a_secret_follows(key, follows):
    before = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "x"},
        "parameters": {key: "shop"},
    }
    after = rename(before, {"shop": "copy"}).obj["parameters"]
    assert after == {key: "copy" if follows else "shop"}
