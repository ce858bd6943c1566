"""Values that change after they were written: pods are replaced while later levels of a restore are at work."""

import pytest
from tests.support.bench import B

import kubeferry.tasks.restore.after.follow_again
import kubeferry.tasks.restore.resolve
from kubeferry.tasks.core.lookup.follow import is_ready

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
"""

HELD = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}}}
data: {{one: "tcp://{0}:80", both: "{1},{0}", two: "{1}"}}
"""


def pods(bench, ns, context):
    """Return the ready pods of the Deployment, by name."""
    found = [each for each in bench.list("Pod", ns, context) if is_ready(each)]
    found = [each for each in found if not each["metadata"].get("deletionTimestamp")]
    return sorted(found, key=lambda each: each["metadata"]["name"])


def ips(bench, ns, context):
    return {each["metadata"]["name"]: each["status"]["podIP"] for each in pods(bench, ns, context)}


def replace(bench, ns, ip):
    """Delete the pod that has an address, until no pod has it any more: a free address is given out again."""

    def replaced():
        for name, its in ips(bench, ns, B).items():
            if its == ip:
                bench.delete("Pod", ns, name, B)
        now = ips(bench, ns, B)
        return len(now) == 2 and ip not in now.values()

    bench.until(replaced)


@pytest.fixture
def held(bench):
    """A backup of a Deployment, a ConfigMap that holds the addresses of its pods, and one that is immutable."""
    ns = bench.namespace()
    bench.make(WEB, ns)
    bench.ready("Deployment", ns, "web")
    old = list(ips(bench, ns, "kubeferry-a").values())
    bench.make(HELD.format(*old, name="free"), ns)
    bench.make(HELD.format(*old, name="fixed") + "immutable: true\n", ns)
    return ns, bench.backup(ns)


@pytest.fixture
def after(monkeypatch):
    """Do something as soon as values were written into what will be created: `after(kind, action)`."""
    resolve = kubeferry.tasks.restore.resolve._resolve

    def do(kind, action):
        def resolved(source, plan, target, lookups, *more):
            resolve(source, plan, target, lookups, *more)
            *_, refs, _ = more
            if any(ref.kind == kind for ref in refs):
                action(lookups)

        monkeypatch.setattr(kubeferry.tasks.restore.resolve, "_resolve", resolved)

    return do


def test_an_address_that_is_no_more_is_rewritten_or_reported(bench, held, after):
    ns, saved = held
    written = {}

    def replace_one(lookups):
        written.update({chain.text(): value for chain, value in lookups.values.items()})
        replace(bench, ns, min(written.items())[1])

    after("ConfigMap", replace_one)
    result = bench.restore(saved)
    (first, gone), (second, stays) = sorted(written.items())
    assert ("#0" in first, "#1" in second) == (True, True)
    (new,) = set(ips(bench, ns, B).values()) - {stays}
    assert new != gone
    assert bench.get("ConfigMap", ns, "free", B)["data"] == {
        "one": f"tcp://{new}:80",
        "both": f"{stays},{new}",
        "two": stays,
    }
    assert bench.get("ConfigMap", ns, "fixed", B)["data"]["one"] == f"tcp://{gone}:80"
    problems = {each.what: each.why for each in result.problems}
    assert sorted(problems) == [f"ConfigMap {ns}/fixed /data/both", f"ConfigMap {ns}/fixed /data/one"]
    assert all(why.startswith(f"holds {gone}, now {new}: ") and first in why for why in problems.values())
    assert result.phase == "Partial"
    rewrites = {(each.path, each.new) for each in result.rewrites if each.object == f"ConfigMap {ns}/free"}
    assert rewrites == {("/data/one", new), ("/data/both", new), ("/data/both", stays), ("/data/two", stays)}
    assert [each for each in result.notable if each.action == "changed"] == []


def test_what_does_not_change_is_looked_up_by_a_few_lists(bench, held, monkeypatch):
    """However many bindings there are: one request for each kind and namespace that they lead through."""
    ns, saved = held
    asked, follow = [], kubeferry.tasks.restore.after.follow_again._follow_again

    def counted(source, plan, target, *more):
        made = type(target.cluster())
        send = made.request
        with monkeypatch.context() as patch:
            patch.setattr(
                made, "request", lambda self, *args, **more: (asked.append(args[:2]), send(self, *args, **more))[1]
            )
            return follow(source, plan, target, *more)

    monkeypatch.setattr(kubeferry.tasks.restore.after.follow_again, "_follow_again", counted)
    result = bench.restore(saved)
    assert (result.phase, len(result.rewrites)) == ("Completed", 8)
    assert sorted(each for each in asked if "/leases/" not in each[1]) == [
        ("GET", f"/api/v1/namespaces/{ns}/pods"),
        ("GET", f"/apis/apps/v1/namespaces/{ns}/deployments/web"),
        ("GET", f"/apis/apps/v1/namespaces/{ns}/replicasets"),
    ]


OWN = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: reader}}
spec:
  selector: {{matchLabels: {{app: reader}}}}
  template:
    metadata: {{labels: {{app: reader}}}}
    spec: {{containers: [{{name: reader, image: reader, env: [{{name: PEER, value: "{0}"}}]}}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: chained}}
data: {{reader: "{1}"}}
"""


def test_pods_that_restart_for_a_new_address_are_followed_in_turn(bench, after):
    """The address of a pod changes; another Deployment restarts with it, and whose address another object holds."""
    ns = bench.namespace()
    bench.make(WEB.replace("replicas: 2", "replicas: 1"), ns)
    bench.ready("Deployment", ns, "web")
    (web,) = ips(bench, ns, "kubeferry-a").values()
    reader, config = OWN.format(web, "none").split("---")
    bench.make(reader, ns)
    bench.ready("Deployment", ns, "reader")
    (of_reader,) = set(ips(bench, ns, "kubeferry-a").values()) - {web}
    bench.make(config.replace("none", of_reader), ns)
    saved = bench.backup(ns)
    written = []

    def replace_web(lookups):
        written.append(next(value for chain, value in lookups.values.items() if "Deployment.apps" in chain.text()))
        if len(written) == 1:  # before the reader is created
            (name,) = ips(bench, ns, B)
            bench.until(lambda: _other(bench, ns, written[0]))
            assert name not in ips(bench, ns, B)

    after("Deployment", replace_web)
    result = bench.restore(saved)
    now = {name.partition("-")[0]: ip for name, ip in ips(bench, ns, B).items()}
    (container,) = bench.get("Deployment", ns, "reader", B)["spec"]["template"]["spec"]["containers"]
    assert now["web"] != written[0]
    assert container["env"][0]["value"] == now["web"]
    assert bench.get("ConfigMap", ns, "chained", B)["data"]["reader"] == now["reader"]
    assert result.problems == []


def _other(bench, ns, ip):
    """Replace the only pod; return whether the one that is there has another address."""
    for name, its in ips(bench, ns, B).items():
        if its == ip:
            bench.delete("Pod", ns, name, B)
    return len(ips(bench, ns, B)) == 1 and ip not in ips(bench, ns, B).values()
