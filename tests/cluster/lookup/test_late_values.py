"""Values that are known only after their object is created: its own, those of a cycle, a namespace's annotations."""

import json
from string import Template

import pytest
from tests.support.bench import A, B, rested, touch

from kubeferry.tasks.core.errors import PreflightError

SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: NAME}, spec: {ports: [{port: 80}]}}"
CONFIG = "{apiVersion: v1, kind: ConfigMap, metadata: {name: NAME}}"

NOTES = {
    "own": {"self": "http://$own_ip:80", "uid": "$own_uid"},
    "one": {"peer": "$two_ip"},
    "two": {"peer": "$one_ip"},
}
"""Service → its annotations: its own values, and those of one that waits for it."""

DATA = {"left": {"peer": "$right_uid", "plain": "stays"}, "right": {"peer": "$left_uid"}, "me": {"uid": "uid=$me_uid"}}
"""ConfigMap → its data: two that wait for each other, and one for itself."""

SPEC = {"ip": "$own_ip", "nested": {"list": [{"name": "a", "url": "widget://$w_uid/"}]}, "plain": 1}
"""A custom resource's, with its own uid; its address comes before it."""


def filled(value, old):
    return json.loads(Template(json.dumps(value)).substitute(old))


@pytest.fixture(scope="module")
def late(bench):
    """A namespace whose objects wait for themselves and each other: its group, values, and backup; restored on B."""
    ns = bench.namespace()
    group = bench.crd(ns)
    bench.crd(ns, context=B)  # as old as the history that the test asks for
    old = {}
    for kind, text, names in (("Service", SERVICE, NOTES), ("ConfigMap", CONFIG, DATA)):
        for name in names:
            (made,) = bench.make(text.replace("NAME", name), ns)
            old |= {f"{name}_uid": made["metadata"]["uid"]}
            old |= {f"{name}_ip": made["spec"]["clusterIP"]} if kind == "Service" else {}
    (made,) = bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: w}}}}", ns)
    old |= {"w_uid": made["metadata"]["uid"]}
    for name, notes in NOTES.items():
        bench.patch("Service", ns, name, {"metadata": {"annotations": filled(notes, old)}})
    for name, data in DATA.items():
        bench.patch("ConfigMap", ns, name, {"data": filled(data, old)})
    bench.patch(f"Widget.{group}", ns, "w", {"spec": filled(SPEC, old)})
    bench.patch("Namespace", "", ns, {"metadata": {"annotations": {"example.com/dns": f"{old['own_ip']},8.8.8.8"}}})
    saved = bench.backup(ns)
    since = bench.clusters[B].revision(f"/apis/{group}/v1/widgets")
    result = bench.restore(saved)
    last = {"Service": "own", "ConfigMap": "me", f"Widget.{group}": "w"}
    events = [each for kind, name in last.items() for each in bench.history(kind, ns, since, name, B)]
    # At once: a server forgets what is older than a minute or two.
    events += [each for each in bench.history("Namespace", "", since, ns, B) if each[1]["metadata"]["name"] == ns]
    return ns, group, old, saved, events, result


def now(bench, ns, group, context=B):
    """Return the values as they are on a cluster."""
    found = {f"{name}_ip": bench.get("Service", ns, name, context)["spec"]["clusterIP"] for name in NOTES}
    for kind, names in (("Service", NOTES), ("ConfigMap", DATA), (f"Widget.{group}", "w")):
        found |= {f"{name}_uid": bench.get(kind, ns, name, context)["metadata"]["uid"] for name in names}
    return found


def test_each_has_the_new_values(bench, late):
    ns, group, old, saved, _, result = late
    new = now(bench, ns, group)
    assert (saved.phase, result.phase) == ("Completed", "Completed")
    assert set(old.values()).isdisjoint(new.values())
    for name, notes in NOTES.items():
        assert bench.get("Service", ns, name, B)["metadata"]["annotations"] == filled(notes, new)
    for name, data in DATA.items():
        assert bench.get("ConfigMap", ns, name, B)["data"] == filled(data, new)
    assert bench.get(f"Widget.{group}", ns, "w", B)["spec"] == filled(SPEC, new)
    notes = bench.get("Namespace", "", ns, B)["metadata"]["annotations"]
    assert notes["example.com/dns"] == f"{new['own_ip']},8.8.8.8"


def test_no_old_value_was_ever_there(bench, late):
    """The history of each kind since before the restore: created without the key, or with what reaches nothing."""
    ns, group, old, _, events, _ = late
    created = {}
    for event, obj in events:
        assert [name for name, value in old.items() if value in json.dumps(obj)] == []
        created |= {(obj["kind"], obj["metadata"]["name"]): obj} if event == "ADDED" else {}
    assert created["Service", "own"]["metadata"].get("annotations", {}) == {}
    assert created["ConfigMap", "me"].get("data", {}) == {}
    assert "example.com/dns" not in created["Namespace", ns]["metadata"].get("annotations", {})
    widget = created["Widget", "w"]
    assert widget["apiVersion"] == f"{group}/v1"
    assert widget["spec"]["ip"] == now(bench, ns, group)["own_ip"]
    assert widget["spec"]["nested"]["list"] == [{"name": "a", "url": "widget://00000000-0000-4000-8000-000000000000/"}]
    pairs = [created["ConfigMap", name].get("data", {}) for name in ("left", "right")]
    assert sum("peer" in data for data in pairs) == 1, "a cycle is broken at one place"


def test_every_late_value_is_reported_once(bench, late):
    ns, group, old, _, _, result = late
    new = now(bench, ns, group)
    rewrites = [(each.object, each.path, each.old, each.new) for each in result.rewrites]
    assert len(set(rewrites)) == len(rewrites)
    for expected in (
        (f"Service {ns}/own", "/metadata/annotations/self", old["own_ip"], new["own_ip"]),
        (f"Service {ns}/one", "/metadata/annotations/peer", old["two_ip"], new["two_ip"]),
        (f"ConfigMap {ns}/left", "/data/peer", old["right_uid"], new["right_uid"]),
        (f"Widget.{group} {ns}/w", "/spec/nested/list/0/url", old["w_uid"], new["w_uid"]),
        (f"Namespace {ns}", "/metadata/annotations/example.com~1dns", old["own_ip"], new["own_ip"]),
    ):
        assert expected in rewrites


def test_it_is_verified_as_it_was_to_be(late):
    result = late[-1]
    assert [each for each in result.notable if each.action == "changed"] == []
    assert result.problems == []


def test_restored_again_all_is_unchanged(bench, late):
    ns, _, _, saved, _, _ = late
    before = rested(bench, B, ns)
    again = bench.restore(saved)
    assert set(again.actions) <= {"unchanged", "kept"}, again.notable
    assert touch(bench, B, ns) == before


def test_it_can_be_restored_beside_the_first_too(bench, late):
    ns, group, old, saved, _, _ = late
    copy = bench.name()
    before = rested(bench, A, ns)
    bench.restore(saved, context=A, map={ns: copy})
    new = now(bench, copy, group, A)
    assert set(old.values()).isdisjoint(new.values())
    assert bench.get("ConfigMap", copy, "left", A)["data"] == filled(DATA["left"], new)
    assert touch(bench, A, ns) == before


OWN = Template("""
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: app, env: [{name: OWNER, value: $uid}]}]}
""")


def test_pods_that_restart_with_a_late_value_are_looked_up_after(bench):
    """A Deployment has its own uid in its template: the patch replaces the pod whose address a ConfigMap holds."""
    ns = bench.namespace()
    (made,) = bench.make(OWN.substitute(uid="none-yet"), ns)
    uid = made["metadata"]["uid"]
    own = {"name": "app", "image": "app", "env": [{"name": "OWNER", "value": uid}]}
    bench.patch("Deployment", ns, "app", {"spec": {"template": {"spec": {"containers": [own]}}}})
    bench.ready("Deployment", ns, "app")
    bench.until(lambda: len(bench.list("Pod", ns)) == 1)
    (pod,) = bench.list("Pod", ns)
    ip = pod["status"]["podIP"]
    bench.make(f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{ip: {ip}}}}}", ns)
    result = bench.restore(bench.backup(ns))
    new = bench.ready("Deployment", ns, "app", B)
    (container,) = new["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "OWNER", "value": new["metadata"]["uid"]}]
    newest = [each for each in bench.list("Pod", ns, B) if each["spec"]["containers"][0]["env"] == container["env"]]
    assert [each["status"]["podIP"] for each in newest] == [bench.get("ConfigMap", ns, "c", B)["data"]["ip"]]
    assert [each for each in result.notable if each.action == "changed"] == []


def test_what_can_never_be_patched_is_reported_before_anything_is_written(bench):
    ns = bench.namespace()
    (made,) = bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: fixed}}", ns)
    uid = made["metadata"]["uid"]
    bench.patch("ConfigMap", ns, "fixed", {"data": {"me": uid}, "immutable": True})
    saved = bench.backup(ns)
    with pytest.raises(PreflightError, match=f"ConfigMap {ns}/fixed /data/me: .*this field is immutable"):
        bench.restore(saved)
    assert bench.find("Namespace", "", ns, B) is None
