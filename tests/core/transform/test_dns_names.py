"""A name that says in which namespace something is gets found, whole; what only looks like one stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.transform.rename.dns_names import Hosts, replaced, uses

SERVICES = {"shop": {"web", "db"}, "default": {"web", "kubernetes"}, "shop-2": {"web"}, "web": {"web"}}
HOSTS = Hosts({"shop": "copy", "default": "other", "web": "www"}, SERVICES)


def rewritten(text, hosts=HOSTS, **how):
    return replaced(text, list(uses(text, hosts, **how)), hosts.names)


FOUND = {
    "web.shop.svc": "web.copy.svc",
    "web.shop.svc.cluster.local": "web.copy.svc.cluster.local",
    "web.shop.svc.cluster.local.": "web.copy.svc.cluster.local.",
    "gone.shop.svc": "gone.copy.svc",
    "WEB.Shop.SVC": "WEB.copy.SVC",
    "web.shop.svc.k8s.example": "web.copy.svc.k8s.example",
    "db-0.db.shop.svc": "db-0.db.copy.svc",
    "db-0.db.shop.svc.cluster.local:5432": "db-0.db.copy.svc.cluster.local:5432",
    "10-0-0-1.shop.pod.cluster.local": "10-0-0-1.copy.pod.cluster.local",
    "2001-db8--1.shop.pod": "2001-db8--1.copy.pod",
    "_http._tcp.web.shop.svc.cluster.local": "_http._tcp.web.copy.svc.cluster.local",
    "outbound_.80_._.web.shop.svc.cluster.local": "outbound_.80_._.web.copy.svc.cluster.local",
    "*.shop.svc": "*.copy.svc",
    "*.web.shop.svc.cluster.local": "*.web.copy.svc.cluster.local",
    "localhost,.shop.svc,.svc,10.0.0.0/8": "localhost,.copy.svc,.svc,10.0.0.0/8",
    "search shop.svc.cluster.local svc.cluster.local": "search copy.svc.cluster.local svc.cluster.local",
    "registry.shop.svc:5000/app:1.2": "registry.copy.svc:5000/app:1.2",
    "web.default.svc": "web.other.svc",
    "web.web.svc": "web.www.svc",
    "web.shop.svc,web.default.svc": "web.copy.svc,web.other.svc",
    "http://web.shop": "http://web.copy",
    "http://web.shop/a?b": "http://web.copy/a?b",
    "http://web.shop:$(PORT)/": "http://web.copy:$(PORT)/",
    r"{\"a\":\"http:\/\/web.shop\/x\"}": r"{\"a\":\"http:\/\/web.copy\/x\"}",
    "postgres://me:p%40ss@db.shop/x": "postgres://me:p%40ss@db.copy/x",
    "postgres://me:pw@db.shop.svc/x": "postgres://me:pw@db.copy.svc/x",
    "mongodb://a:b@db.shop,web.shop/x": "mongodb://a:b@db.copy,web.copy/x",
    "me:pw@tcp(db.shop:3306)/x": "me:pw@tcp(db.copy:3306)/x",
    "git@web.shop.svc:team/repo": "git@web.copy.svc:team/repo",
    "db.shop:5432,web.shop:80": "db.copy:5432,web.copy:80",
    "db-0.db.shop": "db-0.db.copy",
    "web.shop": "web.copy",
    "db.shop, web.shop": "db.copy, web.copy",
    "Server=db.shop;Database=shop": "Server=db.copy;Database=shop",
    "host=db.shop port=5432 dbname=shop": "host=db.copy port=5432 dbname=shop",
    "--host=db.shop": "--host=db.copy",
    "upstream { server web.shop:80; }\nset $b db.shop.svc;": "upstream { server web.copy:80; }\nset $b db.copy.svc;",
    "backend b\n  server s1 web.shop:80 check": "backend b\n  server s1 web.copy:80 check",
    "hosts:\n- db.shop\n- web.shop # main\nname: shop\n": "hosts:\n- db.copy\n- web.copy # main\nname: shop\n",
    '{"host":"db.shop","user":"shop"}': '{"host":"db.copy","user":"shop"}',
    '{"auths":{"web.shop:5000":{}}}': '{"auths":{"web.copy:5000":{}}}',
    r'{"inner":"{\"host\":\"db.shop\"}"}': r'{"inner":"{\"host\":\"db.copy\"}"}',
    r'{"text":"a\nweb.shop.svc\n"}': r'{"text":"a\nweb.copy.svc\n"}',
    r"^web\.shop\.svc\.cluster\.local$": r"^web\.copy\.svc\.cluster\.local$",
    r"{\"re\":\".*\\.shop\\.svc\\.cluster\\.local\"}": r"{\"re\":\".*\\.copy\\.svc\\.cluster\\.local\"}",
    "Host(`web.shop`)": "Host(`web.copy`)",
    "system:serviceaccount:shop:web": "system:serviceaccount:copy:web",
    "system:serviceaccount:shop:*": "system:serviceaccount:copy:*",
    "system:serviceaccounts:shop": "system:serviceaccounts:copy",
    "spiffe://cluster.local/ns/shop/sa/web": "spiffe://cluster.local/ns/copy/sa/web",
    "cluster.local/ns/shop/sa/*": "cluster.local/ns/copy/sa/*",
}


@pytest.mark.parametrize("text", FOUND)
def test_a_name_gets_its_new_namespace(text):
    assert rewritten(text) == FOUND[text]


NEAR = [
    "web",
    "shop",
    "default",
    "svc",
    "the web shop is the default",
    "web.default.svcs",
    "web.default.service",
    "web.shop-2.svc",
    "web.shop2.svc",
    "web.2-shop.svc",
    "web.myshop.svc",
    "web-shop.svc",
    "shop.web-1.svc",
    "shop.svc",
    "shop.svc:80",
    "web.shop.yaml",
    "web.shop.svc.yaml",
    "/etc/web.shop.svc.crt",
    "gone.shop.svc.k8s.example",
    "web.shop.example.com",
    "www.web.shop.com",
    "gone.shop:80",
    "http://gone.shop/",
    "gone.shop",
    "web.shop/part-of",
    "see web.shop for more",
    "import web.shop.svcs",
    "app = web.shop(1)",
    "x.web.shop:80",
    "bob@web.shop",
    "bob@web.shop.svc",
    "mailto:bob@web.shop.svc",
    "Bob <bob@web.shop.svc>, Al",
    "http://web.shop@other/",
    "http://web.shop:secret@other/",
    "http://other/web.shop",
    "http://other/?q=1#web.shop/",
    "web.shop:v1",
    "web.shop:8080.1",
    "kubernetes.default.svc",
    "https://kubernetes.default.svc.cluster.local:443",
    "https://kubernetes.default:443",
    "https://kubernetes.default",
    "a.default.pod.cluster.local",
    "web.shop.pod",
    "system:serviceaccount:shop-2:web",
    "system:serviceaccount:bank:shop",
    "my-system:serviceaccount:shop:web",
    "system:serviceaccounts",
    "/ns/shop/x",
    "/ns/shop-2/sa/shop",
    "web..shop.svc." + "a" * 600,
    "eyJhbGciOi.eyJpc3MiOi.c2hvcC5zdmM",
    "",
]


@pytest.mark.parametrize("text", NEAR)
def test_a_near_miss_stays(text):
    assert list(uses(text, HOSTS)) == []


@pytest.mark.parametrize("image", ["web.shop:1", "web.shop:5000", "web.shop", "shop/web:1"])
def test_an_image_of_such_a_name_is_no_host(image):
    assert rewritten(image, image=True) == image


def test_an_images_registry_is_a_host():
    assert rewritten("web.shop:5000/app:1", image=True) == "web.copy:5000/app:1"


def test_a_field_that_holds_a_name_of_an_object_is_no_host():
    assert rewritten("web.shop", whole=False) == "web.shop"
    assert rewritten("web.shop.svc", whole=False) == "web.copy.svc"


def test_another_cluster_domain_may_be_given():
    hosts = Hosts({"shop": "copy"}, {}, {"k8s.example"})
    assert rewritten("gone.shop.svc.k8s.example", hosts) == "gone.copy.svc.k8s.example"
    assert rewritten("shop.svc.k8s.example", hosts) == "copy.svc.k8s.example"
    assert rewritten("gone.shop.svc.cluster.local", hosts) == "gone.shop.svc.cluster.local"


def test_what_is_found_says_where_it_stands():
    (use,) = uses("to http://db.shop:80/", HOSTS)
    assert (use.namespace, use.rule, "to http://db.shop:80/"[slice(*use.whole)]) == ("shop", "host", "db.shop")


def test_swapped_names_are_replaced_in_one_pass():
    hosts = Hosts({"a": "b", "b": "a"}, {"a": {"x"}, "b": {"x"}})
    assert rewritten("x.a.svc,x.b.svc,http://x.a/,http://x.b/", hosts) == "x.b.svc,x.a.svc,http://x.b/,http://x.a/"


def test_more_names_than_are_searched_for_one_by_one_are_found_too():
    hosts = Hosts({f"n{i}": f"m{i}" for i in range(300)})
    assert rewritten("x.n0.svc x.n299.svc x.n300.svc", hosts) == "x.m0.svc x.m299.svc x.n300.svc"


PARTS = st.sampled_from(
    [
        *("a", "b", "web", "svc", "pod", ".", "..", "-", ":", "/", "//", "@", ",", " ", "\n", "\\", '"', "=", "*", "1"),
        *("cluster.local", "http://", "web.a.svc", "web.b", "10-0-0-1.a.pod", "system:serviceaccount:a:x", "/ns/b/sa/"),
    ]
)


@given(st.lists(PARTS, max_size=14).map("".join), st.permutations("abc"))
def test_there_and_back_again_is_the_same_text(text, to):
    there = dict(zip("abc", to, strict=True))
    known = {each: {"web", "x"} for each in "abc"}
    out = rewritten(text, Hosts(there, known))
    assert rewritten(out, Hosts({new: old for old, new in there.items()}, known)) == text
