"""One backup becomes many namespaces, each with its own labels, replicas, hosts and patches, object by object."""

import json

import pytest
from tests.support.bench import B, name

from kubeferry.flows.populate import populate
from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.models.options_migration import PopulateOptions
from kubeferry.tasks.core.transform.modify.files import read_into, read_modifications
from kubeferry.tasks.core.transform.strip.portable import strip
from kubeferry.tasks.ports.store.local import LocalStore

SHOP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web, tier: front}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: registry.example.com/web:1, env: [{name: LEVEL, value: info}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, labels: {app: api}}
spec:
  replicas: 1
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api, image: registry.example.com/api:1}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  tls: [{hosts: [shop.example.com], secretName: cert}]
  rules:
  - host: shop.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {mode: template, keep: "1"}
---
apiVersion: v1
kind: Secret
metadata: {name: token}
stringData: {password: marked-secret}
"""

KINDS = ["Deployment.apps", "Service", "Ingress.networking.k8s.io", "ConfigMap", "Secret"]
RULES = """
rules:
- {kind: configmaps, name: 'set*', merge_patches: [{data: {mode: tenant, keep: null}}]}
- kind: deployments
  selector: tier=front
  patches: [{op: replace, path: /spec/template/spec/containers/0/image, value: 'mirror/web:1'}]
"""


@pytest.fixture(scope="module")
def shop(bench):
    """A template in a namespace of its own, backed up: its name and the backup's."""
    ns = bench.namespace("tpl")
    bench.make(SHOP, ns)
    for each in ("web", "api"):
        bench.ready("Deployment", ns, each)
    return ns, bench.backup(ns).name


@pytest.fixture
def make(bench, shop):
    """Populate namespaces on the other cluster; returns the result."""

    def run(into, **options):
        asked = {"context": B, "wait_seconds": 60, **bench.where, "backup": shop[1], "name": name(), **options}
        return bench.run_flow(populate(PopulateOptions(into=into, **asked)))

    return run


def held(bench, ns, context=B):
    """Return all that a namespace holds of the kinds of the template, portable, by type and name."""
    found = {}
    for kind in KINDS:
        for obj in bench.list(kind, ns, context):
            if obj["metadata"]["name"] != "kube-root-ca.crt":
                plain = strip(obj)
                plain["metadata"].pop("namespace")
                found[kind, plain["metadata"]["name"]] = plain
    return found


def in_bundle(objects):
    """Take off what a restore itself adds: the owner that is its bundle."""
    for each in objects.values():
        each["metadata"].pop("ownerReferences", None)
    return objects


def test_each_namespace_differs_in_exactly_its_parameters(bench, shop, make):
    one, two, three = (bench.name("ten") for _ in range(3))
    rows = read_into(
        f"name,replicas.web,hosts.shop.example.com,labels.tenant\n"
        f"{one},2,one.example.org,one\n{two},0,two.example.org,two\n{three},,,\n",
        "tenants.csv",
    )
    result = make(rows, modify=read_modifications(RULES, "rules.yaml"))
    assert (result.phase, result.phases, result.earlier) == (Phase.COMPLETED, {"Completed": 3}, [])
    template = in_bundle(held(bench, shop[0], "kubeferry-a"))
    for ns, replicas, host, label in [
        (one, 2, "one.example.org", "one"),
        (two, 0, "two.example.org", "two"),
        (three, 1, "shop.example.com", ""),
    ]:
        expected = json.loads(json.dumps(list(template.items())))
        expected = {tuple(key): obj for key, obj in expected}
        web, ingress = expected["Deployment.apps", "web"], expected["Ingress.networking.k8s.io", "web"]
        web["spec"]["replicas"] = replicas
        web["spec"]["template"]["spec"]["containers"][0]["image"] = "mirror/web:1"
        ingress["spec"]["rules"][0]["host"] = ingress["spec"]["tls"][0]["hosts"][0] = host
        expected["ConfigMap", "settings"]["data"] = {"mode": "tenant"}
        for each in expected.values():
            each["metadata"]["labels"] = each["metadata"].get("labels", {}) | ({"tenant": label} if label else {})
        found = in_bundle(held(bench, ns))
        for each in found.values():
            each["metadata"].setdefault("labels", {})
        assert found == expected
        labels = bench.get("Namespace", "", ns, B)["metadata"]["labels"]
        assert labels.get("tenant", "") == label


def test_a_namespace_that_fails_stops_no_other_and_the_same_again_does_what_is_missing(bench, make):
    good, bad = bench.name("ten"), bench.name("ten")
    bench.namespace_named(bad, B)
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {mode: other}}", bad, B)
    run = name()
    first = make([{"name": good}, {"name": bad}], name=run)
    ends = {end.into: end for end in first.namespaces}
    assert (first.phase, ends[good].phase, ends[bad].phase) == (Phase.PARTIAL, Phase.COMPLETED, Phase.FAILED)
    assert f"ConfigMap {bad}/settings" in ends[bad].error
    uid = bench.get("Deployment", good, "web", B)["metadata"]["uid"]
    bench.delete("ConfigMap", bad, "settings", B)
    again = make([{"name": good}, {"name": bad}], name=run)
    assert (again.phase, again.earlier) == (Phase.COMPLETED, [good])
    assert bench.get("Deployment", good, "web", B)["metadata"]["uid"] == uid
    assert bench.get("ConfigMap", bad, "settings", B)["data"]["mode"] == "template"
    third = make([{"name": good, "labels": {"other": "x"}}], name=run)
    assert third.phase is Phase.FAILED
    assert "made it with other parameters: kubeferry undo" in third.namespaces[0].error


def test_a_patch_that_does_not_fit_is_reported_before_anything_is_written(bench, make):
    ns = bench.name("ten")
    rule = {"kind": "services", "patches": [{"op": "remove", "path": "/spec/nothing"}]}
    result = make([{"name": ns, "rules": [rule]}])
    assert result.phase is Phase.FAILED
    assert "rule 1 does not apply to Service" in result.namespaces[0].error
    assert bench.find("Namespace", "", ns, B) is None


def test_the_archive_is_fetched_once_for_all(bench, make, monkeypatch):
    fetched = []
    get_file = LocalStore.get_file

    def counted(self, key, path):
        fetched.append(key)
        get_file(self, key, path)

    monkeypatch.setattr(LocalStore, "get_file", counted)
    assert make([{"name": bench.name("ten")} for _ in range(2)]).phase is Phase.COMPLETED
    assert len([key for key in fetched if key.endswith(".tar.gz")]) == 1


SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}"

SHARED = """
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {{name: {shared}}}
value: 10
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{priorityClassName: {shared}, containers: [{{name: web, image: web}}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data: {{followed: "tcp://{ip}:1", fixed: "tcp://{ip}:2"}}
"""


def test_what_is_cluster_wide_comes_with_the_first_that_succeeds(bench):
    """And what a user writes over an address of the old cluster stays, while the others follow."""
    ns = bench.namespace("tpl")
    (service,) = bench.make(SERVICE, ns)
    bench.make(SHARED.format(shared=ns, ip=service["spec"]["clusterIP"]), ns)
    bench.forget("PriorityClass", ns)
    bad, one, two = (bench.name("ten") for _ in range(3))
    bench.namespace_named(bad, B)
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {mode: other}}", bad, B)
    asked = {"context": B, "wait_seconds": 60, **bench.where, "backup": bench.backup(ns).name, "name": name()}
    rule = {"kind": "cm", "name": "settings", "merge_patches": [{"data": {"fixed": "tcp://mine:2"}}]}
    options = PopulateOptions(into=[{"name": each} for each in (bad, one, two)], modify={"rules": [rule]}, **asked)
    result = bench.run_flow(populate(options))
    phases = {end.into: end.phase for end in result.namespaces}
    assert phases == {bad: Phase.FAILED, one: Phase.COMPLETED, two: Phase.COMPLETED}
    made = {end.into: end.counts.get("PriorityClass.scheduling.k8s.io", 0) for end in result.namespaces}
    actions = {end.into: end.actions.get("created", 0) for end in result.namespaces}
    assert (made[one], made[two], actions[one] - actions[two]) == (1, 1, 1)  # the second finds it unchanged
    for each in (one, two):
        ip = bench.get("Service", each, "web", B)["spec"]["clusterIP"]
        data = bench.get("ConfigMap", each, "settings", B)["data"]
        assert data == {"followed": f"tcp://{ip}:1", "fixed": "tcp://mine:2"}


def test_a_namespace_that_was_cut_off_is_resumed(bench, make, monkeypatch):
    ns, run = bench.name("ten"), name()

    async def cut_off(*_):
        raise PermanentError("cut off here")

    with monkeypatch.context() as patch:
        patch.setattr("kubeferry.flows.restore.wait", cut_off)
        first = make([{"name": ns, "replicas": 1}], name=run, rollback=False)
    assert (first.phase, first.namespaces[0].error) == (Phase.FAILED, "cut off here")
    uid = bench.get("Namespace", "", ns, B)["metadata"]["uid"]
    again = make([{"name": ns, "replicas": 1}], name=run)
    assert (again.phase, again.namespaces[0].restore) == (Phase.COMPLETED, f"{run}.{ns}")
    assert bench.get("Namespace", "", ns, B)["metadata"]["uid"] == uid
    assert bench.get("Deployment", ns, "web", B)["spec"]["replicas"] == 1
