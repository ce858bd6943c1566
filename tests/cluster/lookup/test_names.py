"""Names and addresses side by side: two namespaces change places in one restore, and each text stays true."""

import base64
from dataclasses import dataclass
from string import Template

import orjson
import pytest
from tests.support.bench import A, B, rested, touch

WEB = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}"

USES = {
    "full": "web.$other.svc.cluster.local:80",
    "svc": "http://web.$other.svc/path",
    "own": "web.$me.svc.cluster.local.",
    "pod": "db-0.db.$other.svc.cluster.local:5432,db-1.db.$other.svc:5432",
    "host": "http://web.$other:8080/",
    "both": "web.$other.svc=$other_ip web.$me.svc=$me_ip",
    "json": '{"peer": "web.$other.svc.cluster.local", "ip": "$other_ip", "uid": "$other_uid"}',
    "pair": "$me_ip,$other_ip,$me_ip",
    "account": "system:serviceaccount:$other:app",
}
NEAR = {
    "word": "the $other team, ?of=$me",
    "longer": "web.$other-x.svc and web.x-$other.svc.cluster.local",
    "mail": "someone@$other.example.com",
    "file": "web.$other.yaml",
    "type": "web.$other.svcs",
}
DATA = USES | {f"near-{key}": text for key, text in NEAR.items()}


def filled(values, near):
    """Return the texts with `values`, the near misses with those that were there before."""
    texts = {key: Template(text).substitute(values) for key, text in USES.items()}
    return texts | {f"near-{key}": Template(text).substitute(near) for key, text in NEAR.items()}


@dataclass
class Pair:
    """Two namespaces on A that name each other and hold each other's addresses, and a backup of both."""

    one: str
    two: str
    old: dict
    saved: object

    @property
    def swapped(self):
        return {self.one: self.two, self.two: self.one}


def values(bench, me, other, context):
    found = {"me": me, "other": other}
    for name, ns in list(found.items()):
        service = bench.get("Service", ns, "web", context)
        found |= {f"{name}_ip": service["spec"]["clusterIP"], f"{name}_uid": service["metadata"]["uid"]}
    return found


def objects(data):
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hosts"}, "data": data}
    yield {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hosts"}, "stringData": data}


@pytest.fixture(scope="module")
def pair(bench):
    one, two = bench.namespace("first"), bench.namespace("second")
    for ns in (one, two):
        bench.make(WEB, ns)
    old = {me: values(bench, me, other, A) for me, other in ((one, two), (two, one))}
    for ns in (one, two):
        for obj in objects(filled(old[ns], old[ns])):
            bench.make(orjson.dumps(obj).decode(), ns)
    return Pair(one, two, old, bench.backup(one, two))


def texts(bench, ns, context):
    """Return the texts of a namespace, the same in a ConfigMap and a Secret."""
    data = bench.get("ConfigMap", ns, "hosts", context)["data"]
    secret = bench.get("Secret", ns, "hosts", context)["data"]
    assert {key: base64.b64decode(text).decode() for key, text in secret.items()} == data
    return data


@pytest.fixture(scope="module")
def across(bench, pair):
    return bench.restore(pair.saved, map=pair.swapped)


@pytest.mark.parametrize("which", ["one", "two"])
def test_namespaces_that_change_places_name_each_other_still(bench, pair, across, which):
    assert across.phase == "Completed"
    was = getattr(pair, which)
    me, other = pair.swapped[was], was
    assert texts(bench, me, B) == filled(values(bench, me, other, B), pair.old[was])


def test_each_rewrite_of_a_name_is_reported_with_its_class(pair, across):
    rewrites = {(each.object, each.path, each.old, each.new, each.rule) for each in across.rewrites if each.rule}
    config, (one, two) = f"ConfigMap {pair.one}/hosts", (pair.one, pair.two)
    full = f"web.{two}.svc.cluster.local", f"web.{one}.svc.cluster.local"
    assert (config, "/data/full", *full, "dns") in rewrites
    assert (config, "/data/host", f"web.{two}", f"web.{one}", "host") in rewrites
    assert not [each for each in rewrites if "/data/near-" in each[1]]


def test_restored_again_all_is_unchanged(bench, pair, across):
    assert across.phase == "Completed"
    before = rested(bench, B, pair.one, pair.two)
    again = bench.restore(pair.saved, map=pair.swapped)
    assert set(again.actions) <= {"unchanged", "kept"}, again.notable
    assert touch(bench, B, pair.one, pair.two) == before


def test_classes_and_places_are_switched_off(bench, pair):
    names = {pair.one: bench.name(), pair.two: bench.name()}
    globs = [f"ConfigMap {pair.one}/hosts /data/full", f"Secret {pair.one}/* *"]
    bench.restore(pair.saved, map=names, no_rewrite=["host", *globs])
    me, other = names[pair.one], names[pair.two]
    old, new = pair.old[pair.one], values(bench, me, other, B)
    data = bench.get("ConfigMap", me, "hosts", B)["data"]
    as_it_was = filled(old, old)
    assert data == filled(new, old) | {key: as_it_was[key] for key in ("full", "host")}
    secret = bench.get("Secret", me, "hosts", B)["data"]
    addresses = {key: new[key] for key in new if key.endswith(("_ip", "_uid"))}
    assert {key: base64.b64decode(text).decode() for key, text in secret.items()} == filled(old | addresses, old)
    assert texts(bench, other, B)["full"] == filled(values(bench, other, me, B), old)["full"]


def test_addresses_that_change_places_are_written_in_one_pass(bench, pair):
    """Onto the source cluster the new value of each address is the old value of the other one."""
    one, two = bench.namespace("third"), bench.namespace("fourth")
    for ns in (one, two):
        bench.make(WEB, ns)
    old = {me: values(bench, me, other, A) for me, other in ((one, two), (two, one))}
    for ns in (one, two):
        for obj in objects(filled(old[ns], old[ns])):
            bench.make(orjson.dumps(obj).decode(), ns)
    saved = bench.backup(one, two)
    bench.restore(saved, context=A, map={one: two, two: one}, existing="update")
    for was, me in ((one, two), (two, one)):
        assert texts(bench, me, A) == filled(values(bench, me, was, A), old[was])
    assert pair.old[pair.one]["me_ip"] == bench.get("Service", pair.one, "web", A)["spec"]["clusterIP"]
