"""The quick look at an object, which tells that nothing in it names a namespace, changes no result of a rename."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.mix import cluster_wide, without_live

from kubeferry.tasks.core.transform.rename import rewrite
from kubeferry.tasks.core.transform.rename.classes import Known
from kubeferry.tasks.core.transform.rename.rewrite import rename

NAMES = {"shop": "shop-2", "bank": "vault"}
KNOWN = Known.of([("services", "shop", "db"), ("services", "bank", "web"), ("configmaps", "shop", "settings")])

WORDS = st.sampled_from(
    ["shop", "bank", "db.shop.svc", "http://web.bank:80/x", "shopping", "SHOP", "x", "", "shop/db", "namespace: shop"]
)


def _wrapped(text, how):
    match how:
        case "json":
            return json.dumps({"namespace": text, "more": [text]})
        case "twice":
            return json.dumps(json.dumps({"namespace": text}))
        case "base64":
            return base64.b64encode(text.encode()).decode()
        case "url":
            return quote(text, safe="")
    return text


TEXTS = st.builds(_wrapped, WORDS, st.sampled_from(["plain", "json", "twice", "base64", "url"]))
KEYS = st.sampled_from(["namespace", "host", "url", "name", "shop", "a", "config.yaml", "DB_HOST"])
META = st.fixed_dictionaries(
    {"name": st.sampled_from(["shop", "db", "x"])},
    optional={
        "namespace": st.sampled_from(["shop", "bank", "other"]),
        "labels": st.dictionaries(KEYS, WORDS, max_size=2),
        "annotations": st.dictionaries(
            st.sampled_from(["a/b", "kubectl.kubernetes.io/last-applied-configuration"]), TEXTS, max_size=2
        ),
    },
)
OBJECTS = st.one_of(
    st.builds(
        lambda kind, meta, data: {"apiVersion": "v1", "kind": kind, "metadata": meta, "data": data},
        st.sampled_from(["ConfigMap", "Secret"]),
        META,
        st.dictionaries(KEYS, TEXTS, max_size=3),
    ),
    st.builds(
        lambda meta, spec: {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": meta, "spec": spec},
        META,
        st.recursive(TEXTS, lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=3)),
    ),
    st.builds(lambda meta: {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}, META),
)


def both(obj):
    """The result with the quick look, and without it."""
    quick = rename(obj, NAMES, known=KNOWN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rewrite, "_may_name", lambda *_: True)
        return quick, rename(obj, NAMES, known=KNOWN)


@given(OBJECTS)
def test_it_overlooks_nothing(obj):
    quick, whole = both(obj)
    assert quick == whole


def test_it_overlooks_nothing_of_real_software():
    for obj in [*cluster_wide("shop"), *without_live("shop", 2)]:
        quick, whole = both(obj)
        assert quick == whole


def test_a_name_that_only_base64_holds_is_found():
    host = base64.b64encode(b"db.shop.svc.cluster.local").decode()
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "bank"}, "data": {"host": host}}
    renamed = rename(obj, NAMES, known=KNOWN).obj
    assert base64.b64decode(renamed["data"]["host"]) == b"db.shop-2.svc.cluster.local"
