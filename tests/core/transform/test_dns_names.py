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
    "web.shop",
    "db-0.db.shop",
    "db.shop, web.shop",
    "topic=web.shop",
    '{"table": "web.shop", "host": "x"}',
    "host: x\ntable: web.shop",
    "hosts:\n- x\ntables:\n- web.shop\n",
    "select * from web.shop",
    "psql -c 'select * from web.shop'",
    "s3://web.shop/key",
    "file:///web.shop",
    "com.shop.svc",
    "logging.level.com.shop.svc=DEBUG",
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


HOST_KEYS = [
    *(
        "host",
        "HOST",
        "DB_HOST",
        "dbHost",
        "db-host",
        "db.host",
        "host_1",
        "hosts",
        "hostname",
        "hostNames",
        "externalName",
    ),
    *(
        "address",
        "ADDRESSES",
        "server",
        "servers",
        "url",
        "endpoint",
        "ENDPOINTS",
        "broker",
        "bootstrap.servers",
        "dnsNames",
    ),
    *("commonName", "serverName", "proxy", "NO_PROXY", "external-dns.alpha.kubernetes.io/hostname", "domain"),
]


@pytest.mark.parametrize("key", HOST_KEYS)
def test_under_a_name_that_means_a_host_a_bare_name_is_one(key):
    for text in ("web.shop", "db.shop, web.shop", "db-0.db.shop"):
        assert rewritten(text, key=key) == text.replace("shop", "copy")
        assert rewritten(f"{key}={text}") == f"{key}={text.replace('shop', 'copy')}"
        assert rewritten(f"a: 1\n{key}: {text}\n") == f"a: 1\n{key}: {text.replace('shop', 'copy')}\n"
    assert rewritten(f'{{"x": 1, "{key}": ["web.shop", "db.shop"]}}') == f'{{"x": 1, "{key}": ["web.copy", "db.copy"]}}'
    assert rewritten(f"{key}:\n  - db.shop\n  - web.shop\n") == f"{key}:\n  - db.copy\n  - web.copy\n"


@pytest.mark.parametrize(
    "key",
    ["topic", "table", "name", "file", "CONFIG", "hostPath", "schema", "HOST_TABLE", "bucket", "DB", "value", "ghost"],
)
def test_under_another_name_it_is_none(key):
    for text in (
        "web.shop",
        "db.shop, web.shop",
        f"{key}={'web.shop'}",
        f'{{"{key}": "web.shop"}}',
        f"{key}:\n- web.shop",
    ):
        assert rewritten(text, key=key) == text
    assert rewritten("web.shop.svc", key=key) == "web.copy.svc"


def test_a_long_list_of_hosts_is_one_list():
    text = "hosts:\n" + "".join(f"  - web.shop  # {i}\n" for i in range(500))
    assert rewritten(text) == text.replace("shop", "copy")


def test_a_program_that_asks_for_a_host_is_followed_by_one():
    text = "until nc -z db.shop 5432; do sleep 1; done; psql -h db.shop -c 'select * from web.shop'; ping web.shop"
    assert rewritten(text) == text.replace("db.shop", "db.copy").replace("ping web.shop", "ping web.copy")


def test_the_domain_of_a_mail_moves_where_it_is_one_of_the_cluster():
    assert rewritten("bob@web.shop.svc.cluster.local") == "bob@web.copy.svc.cluster.local"


def test_an_identity_of_linkerd_names_two_namespaces():
    text = "op.shop.serviceaccount.identity.{}.cluster.local"
    assert rewritten(text.format("shop")) == "op.copy.serviceaccount.identity.copy.cluster.local"
    assert rewritten(text.format("linkerd")) == "op.copy.serviceaccount.identity.linkerd.cluster.local"
    assert (
        rewritten(text.format("shop").replace("op.shop", "op.x")) == "op.x.serviceaccount.identity.copy.cluster.local"
    )


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
