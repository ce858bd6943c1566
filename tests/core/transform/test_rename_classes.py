"""Every class of rewrites: what it finds, what it leaves, and that it can be switched off and reversed."""

import base64
import copy
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED
from kubeferry.tasks.core.transform.rename.classes import RULES, Known, Skip
from kubeferry.tasks.core.transform.rename.rewrite import rename
from kubeferry.tasks.core.transform.rename.texts.settings import ANNOTATIONS

KNOWN = Known.of(
    [
        *(("services", ns, name) for ns in ("shop", "bank") for name in ("web", "db")),
        ("services", "default", "kubernetes"),
        ("secrets", "shop", "tls"),
        ("secrets", "bank", "tls"),
        ("helmreleases.helm.toolkit.fluxcd.io", "shop", "app"),
        ("namespaces", "", "shop"),
        ("configmaps", "shop", "web.shop"),
    ]
)
DATA = Path(__file__).parents[2] / "data" / "rename"
NAMES = {"shop": "copy", "bank": "vault"}


def obj(content, namespace="other"):
    made = yaml.safe_load(content) if isinstance(content, str) else copy.deepcopy(content)
    meta = {"name": "it", "namespace": namespace}
    return {**made, "metadata": {**meta, **made.get("metadata", {})}}


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def documents(name):
    return list(yaml.safe_load_all((DATA / name).read_text()))


def annotation(key, text):
    return "annotation", {"apiVersion": "v1", "kind": "Pod", "metadata": {"annotations": {key: text}}}


def setting(field, value):
    pod = {"containers": [{field: [value]}]}
    return "setting", {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": pod}}}


TEXTS = {"name": "shop, x", "ref": "shop/x"}
KEYS = ["namespaces", "targetNamespaces", "rootNamespace", "istioNamespace", "odd_namespace", "exportTo"]
FLAGS = {
    "namespace": "shop, x",
    "never-heard-of-namespace": "shop",
    "publish-service": "shop/x",
    "odd-secret": "shop/tls",
}
VARIABLES = ["NAMESPACE", "NEVER_HEARD_OF_NAMESPACES", "ROOT_NAMESPACE", "NS"]
CASES = [
    *((each["rule"], each["object"]) for each in documents("rewritten.yaml")),
    *(("namespaces", {"apiVersion": "x.io/v1", "kind": "X", "spec": {key: "shop"}}) for key in KEYS),
    *(annotation(key, TEXTS[what]) for key, what in ANNOTATIONS.items() if what in TEXTS),
    *(setting("args", f"--{flag}={text}") for flag, text in FLAGS.items()),
    *(setting("env", {"name": name, "value": "shop"}) for name in VARIABLES),
]
"""Class and object: `shop` is the namespace wherever it is in it."""


@pytest.mark.parametrize(("rule", "content"), CASES)
def test_each_case_is_rewritten_and_can_be_switched_off(rule, content):
    before = obj(content)
    given_in = copy.deepcopy(before)
    after = rename(before, NAMES, known=KNOWN)
    assert after.obj == json.loads(json.dumps(obj(content)).replace("shop", "copy"))
    assert {each.rule for each in after.rewrites} == {rule}
    assert all(each.why == f"namespace renamed: {RULES[rule]}" for each in after.rewrites)
    assert before == given_in
    off = rename(before, NAMES, known=KNOWN, skip=Skip(rules=frozenset({rule})))
    assert (off.obj, off.rewrites) == (before, ())
    paths = tuple(each.path for each in after.rewrites)
    assert rename(before, NAMES, known=KNOWN, skip=Skip(paths=paths)).obj == before


@pytest.mark.parametrize(("rule", "content"), CASES)
def test_each_case_swaps_and_comes_back(rule, content):
    swap = {"shop": "x", "x": "shop"}
    known = Known(
        {ns: names for ns in swap for names in [KNOWN.objects["shop"]]},
        {ns: names for ns in swap for names in [KNOWN.services["shop"]]},
    )
    there = rename(obj(content), swap, known=known)
    assert there.obj != obj(content)
    assert {each.rule for each in there.rewrites} == {rule}
    assert rename(there.obj, swap, known=known).obj == obj(content)


NEAR = documents("near_misses.yaml")


@pytest.mark.parametrize("content", NEAR)
def test_a_near_miss_stays(content):
    before = obj(content)
    after = rename(before, {**NAMES, "default": "other"}, known=KNOWN)
    assert (after.obj, after.rewrites) == (before, ())


def test_without_what_is_known_only_typed_fields_are_rewritten():
    before = obj("apiVersion: x.io/v1\nkind: X\nspec: {targetNamespace: shop, url: 'http://web.shop.svc'}")
    assert rename(before, NAMES).obj is before


def test_secret_data_is_rewritten_and_the_plan_does_not_show_it():
    before = obj("apiVersion: v1\nkind: Secret\ndata: {}")
    before["data"] = {
        "url": encoded("postgres://u:s3cret.web.shop.svc@db.shop/x,db.bank:1"),
        "raw": "/w==",
        "NAMESPACE": encoded("shop"),
        "WATCH_NAMESPACE": encoded("s3cret, bank,shop"),
    }
    after = rename(before, NAMES, known=KNOWN)
    assert after.obj["data"] == {
        "url": encoded("postgres://u:s3cret.web.copy.svc@db.copy/x,db.vault:1"),
        "raw": "/w==",
        "NAMESPACE": encoded("copy"),
        "WATCH_NAMESPACE": encoded("s3cret, vault,copy"),
    }
    assert {(each.path, each.old, each.new) for each in after.rewrites} == {
        ("/data/url", "shop", "copy"),
        ("/data/url", "bank", "vault"),
        ("/data/NAMESPACE", "shop", "copy"),
        ("/data/WATCH_NAMESPACE", "bank,shop", "vault,copy"),
    }


def test_each_name_of_a_text_is_listed_once():
    before = obj("apiVersion: v1\nkind: ConfigMap\ndata: {a: 'web.shop.svc web.shop.svc db.bank.svc'}")
    after = rename(before, NAMES, known=KNOWN)
    assert [(each.old, each.new) for each in after.rewrites] == [
        ("web.shop.svc", "web.copy.svc"),
        ("db.bank.svc", "db.vault.svc"),
    ]


def test_one_class_of_a_text_may_be_switched_off_alone():
    before = obj("apiVersion: v1\nkind: ConfigMap\ndata: {a: 'web.shop.svc system:serviceaccount:shop:x'}")
    after = rename(before, NAMES, known=KNOWN, skip=Skip(frozenset({"account"})))
    assert after.obj["data"] == {"a": "web.copy.svc system:serviceaccount:shop:x"}


def test_a_place_that_is_switched_off_is_not_taken_by_a_weaker_rule():
    before = obj("apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding")
    before["subjects"] = [{"kind": "User", "name": "system:serviceaccount:shop:x"}]
    assert rename(before, NAMES, known=KNOWN, skip=Skip(frozenset({"subject"}))).obj == before


@pytest.mark.parametrize(
    ("glob", "left"),
    [
        ("/data/a", True),
        ("/data/*", True),
        ("ConfigMap other/it *", True),
        ("ConfigMap shop/*", False),
        ("/spec/*", False),
    ],
)
def test_a_glob_matches_the_place_or_the_object(glob, left):
    before = obj("apiVersion: v1\nkind: ConfigMap\ndata: {a: web.shop.svc}")
    assert (rename(before, NAMES, known=KNOWN, skip=Skip(paths=(glob,))).obj == before) is left


def test_a_class_that_there_is_not_is_refused():
    with pytest.raises(UsageError, match="unknown class of rewrites 'dsn'; the classes are subject, "):
        Skip(frozenset({"dsn"}))


def test_last_applied_is_renamed_by_the_same_rules():
    before = obj("apiVersion: v1\nkind: ConfigMap\ndata: {a: web.shop.svc}", namespace="shop")
    before["metadata"]["annotations"] = {
        LAST_APPLIED: json.dumps({**before, "metadata": {"name": "it", "namespace": "shop"}})
    }
    after = rename(before, NAMES, known=KNOWN).obj
    inner = json.loads(after["metadata"]["annotations"][LAST_APPLIED])
    assert (inner["data"], inner["metadata"]["namespace"]) == ({"a": "web.copy.svc"}, "copy")


WORDS = st.sampled_from(
    ["a", "b", "c", "tls", "web", "http://web.a:80", "web.b.svc", "db.c", "a/tls", "a, b", "system:serviceaccount:c:x"]
)
KEYS_MET = """namespace name targetNamespace namespaces namespaceSelector matchLabels kubernetes.io/metadata.name kind
secretName secretNamespace metadata env value args url matchExpressions destination"""
KEYED = st.sampled_from(KEYS_MET.split())
VALUES = st.recursive(
    WORDS, lambda each: st.lists(each, max_size=3) | st.dictionaries(KEYED, each, max_size=4), max_leaves=12
)


@given(VALUES, st.sampled_from(["x.io/v1", "v1", "gateway.networking.k8s.io/v1"]), st.permutations("abc"))
def test_there_and_back_again_is_the_same(spec, version, to):
    there = dict(zip("abc", to, strict=True))
    names = {"tls", "web", "db"}
    known = Known.of((kind, ns, name) for ns in "abc" for name in names for kind in ("services", "secrets"))
    before = {"apiVersion": version, "kind": "Gateway", "metadata": {"name": "it", "namespace": "a"}, "spec": spec}
    out = rename(before, there, known=known)
    assert rename(out.obj, {new: old for old, new in there.items()}, known=known).obj == before
    assert bool(out.rewrites) == (out.obj["spec"] != spec)
