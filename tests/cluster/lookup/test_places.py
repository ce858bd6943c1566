"""Uses of the old cluster's values in every kind of place, of values from every kind of owner; near misses stay."""

import base64
import json
import threading
from string import Template

import pytest
import yaml
from tests.support.bench import A, B, rested, touch
from tests.support.objects import bare_pod, documents, service, workload

from kubeferry.tasks.core.lookup.follow import is_ready

OWNERS = documents(
    service("web", "app"),
    service("lb", "app", type="LoadBalancer"),
    workload("Deployment", "app"),
    workload("StatefulSet", "db", serviceName="db", replicas=2),
    workload("DaemonSet", "agent"),
    """
apiVersion: batch/v1
kind: Job
metadata: {name: long}
spec:
  template:
    metadata: {labels: {app: long}, annotations: {sandbox.kubeferry.io/stay: running}}
    spec: {restartPolicy: Never, containers: [{name: job, image: job}]}
""",
    bare_pod(labels={"app": "bare"}),
)
FAR = "{apiVersion: v1, kind: Service, metadata: {name: far}, spec: {ports: [{port: 1}]}}"

USES = {
    "url": "http://$web:80/path?next=$api",
    "hostport": "$web:80",
    "list": "$app,$db1:5432, $agent1;$long",
    "json": '{"hosts": ["$web", "$bare"],  "uid": "$uid"}',
    "json-in-json": r'{"inner": "{\"ip\": \"$web\"}\n$lb"}',
    "yaml": "upstream:\n  - ip: $web # the site\n  - {ip: '$lb'}\n",
    "shell": 'LB=$lb DB="$db1"\nexport API=https://$api:443',
    "other-namespace": "tcp://$far:1",
    "cluster": "cluster-$cluster.example.com",
    "one-host": "$web/32",
    "pod-dns": "$dashed.$ns.pod.cluster.local",
    "wildcard-dns": "shop.$lb.nip.io",
    "host": "$host",
}
NEAR = {
    "tag": "registry/nginx:$web",
    "version": "v$web",
    "yaml-version": "version: $web",
    "release": "$web-alpine",
    "longer": "$web.1 and 9.$web",
    "digits": "${web}0",
    "name": "$web.example.com",
    "range": "$web-10.255.255.255",
    "uid": "a$uid",
    "uid-part": "$uid-0305",
}


def filled(texts, values):
    return {key: Template(text).substitute(values) for key, text in texts.items()}


def configs(old):
    """Return the objects that use values, in every kind of place."""
    uses, near = filled(USES, old), filled(NEAR, old)
    notes = {f"example.com/{key}": text for key, text in (uses | {f"near-{key}": near[key] for key in near}).items()}
    applied = {"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": {}, "name": "applied"}}
    applied |= {"data": {"ip": base64.b64encode(old["web"].encode()).decode()}}
    last = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(applied, separators=(",", ":")) + "\n"}
    container = {"name": "user", "image": f"nginx:{old['web']}", "args": [*uses.values(), *near.values()]}
    container["env"] = [{"name": key.upper().replace("-", "_"), "value": text} for key, text in uses.items()]
    spec = {"selector": {"matchLabels": {"app": "user"}}}
    spec["template"] = {"metadata": {"labels": {"app": "user"}}, "spec": {"containers": [container]}}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "uses"}, "data": uses},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "near"}, "data": near},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "uses"}, "stringData": uses | {"n": near["tag"]}},
        applied | {"metadata": {"name": "applied", "annotations": last}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "noted", "annotations": notes, "labels": {"owner": old["uid"], "ip": old["web"]}},
        },
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "user"}, "spec": spec},
    ]


def balance(bench, context, ns, ip):
    """Give a Service the address of a load balancer, as a cloud's controller does; return the address."""
    patch = {"status": {"loadBalancer": {"ingress": [{"ip": ip}]}}}
    bench.patch("Service", ns, "lb", patch, context, subresource="status")
    return ip


def values(bench, context, ns, far):
    """Return the value of every name that the texts use, as it is on a cluster now."""
    pods = sorted(bench.list("Pod", ns, context), key=lambda each: each["metadata"]["name"])
    by_app = {}
    for pod in pods:
        assert is_ready(pod), pod["metadata"]["name"]
        by_app.setdefault(pod["metadata"]["labels"]["app"], []).append(pod["status"])
    web, lb = (bench.get("Service", ns, name, context) for name in ("web", "lb"))
    return {
        "ns": ns,
        "web": web["spec"]["clusterIP"],
        "uid": web["metadata"]["uid"],
        "lb": lb["status"]["loadBalancer"]["ingress"][0]["ip"],
        "app": by_app["app"][0]["podIP"],
        "dashed": by_app["app"][0]["podIP"].replace(".", "-"),
        "db1": by_app["db"][1]["podIP"],
        "agent1": by_app["agent"][1]["podIP"],
        "long": by_app["long"][0]["podIP"],
        "bare": by_app["bare"][0]["podIP"],
        "host": bench.list("Node", context=context)[2]["status"]["addresses"][0]["address"],
        "api": bench.get("Service", "default", "kubernetes", context)["spec"]["clusterIP"],
        "far": bench.get("Service", far, "far", context)["spec"]["clusterIP"],
        "cluster": bench.get("Namespace", "", "kube-system", context)["metadata"]["uid"],
    }


class Scene:
    """The namespace with all of it, backed up, and restored beside the first and on the other cluster."""

    LATE = 2
    """Seconds after which the load balancer of a restored Service has its address."""

    def __init__(self, bench):
        self.bench, self.ns = bench, bench.namespace()
        self.far = bench.namespace()
        bench.make(FAR, self.far)
        bench.namespace_named(self.far, B)
        bench.make(FAR, self.far, B)
        bench.make(OWNERS, self.ns)
        balance(bench, A, self.ns, "203.0.113.10")
        for kind, name in (("Deployment", "app"), ("StatefulSet", "db"), ("DaemonSet", "agent"), ("Pod", "bare")):
            bench.ready(kind, self.ns, name)
        bench.until(lambda: all(is_ready(each) for each in bench.list("Pod", self.ns)))
        self.old = values(bench, A, self.ns, self.far)
        bench.make(yaml.safe_dump_all(configs(self.old)), self.ns)
        bench.ready("Deployment", self.ns, "user")
        self.saved = bench.backup(self.ns)
        self.places = {"beside": (A, bench.name()), "across": (B, self.ns)}
        self.results = {where: self.restore(where, f"203.0.113.{20 + at}") for at, where in enumerate(self.places)}

    def restore(self, where, ip):
        context, ns = self.places[where]
        late = threading.Thread(target=self._late, args=(context, ns, ip))
        late.start()
        try:
            return self.bench.restore(self.saved, context=context, map={self.ns: ns})
        finally:
            late.join()

    def _late(self, context, ns, ip):
        self.bench.until(lambda: self.bench.find("Service", ns, "lb", context))
        threading.Event().wait(self.LATE)
        balance(self.bench, context, ns, ip)

    def now(self, where):
        context, ns = self.places[where]
        return values(self.bench, context, ns, self.far)


@pytest.fixture(scope="module")
def scene(bench):
    return Scene(bench)


@pytest.fixture(params=["beside", "across"])
def where(request):
    return request.param


@pytest.fixture
def found(bench, scene, where):
    """Look an object up where it was restored."""
    context, ns = scene.places[where]
    return lambda kind, name: bench.get(kind, ns, name, context)


def test_the_values_are_new_ones(scene, where):
    old, new = scene.old, scene.now(where)
    same = {name for name in old if old[name] == new[name]}
    assert same == ({"ns"} if where == "across" else {"host", "api", "far", "cluster"})


def test_the_data_of_a_config_map(scene, where, found):
    assert found("ConfigMap", "uses")["data"] == filled(USES, scene.now(where))


def test_the_data_of_a_secret(scene, where, found):
    data = {key: base64.b64decode(text).decode() for key, text in found("Secret", "uses")["data"].items()}
    assert data == filled(USES, scene.now(where)) | {"n": filled(NEAR, scene.old)["tag"]}


def test_near_misses_stay_byte_for_byte(scene, found):
    assert found("ConfigMap", "near")["data"] == filled(NEAR, scene.old)


def test_annotations_and_labels(scene, where, found):
    new, meta = scene.now(where), found("ConfigMap", "noted")["metadata"]
    uses = {f"example.com/{key}": text for key, text in filled(USES, new).items()}
    near = {f"example.com/near-{key}": text for key, text in filled(NEAR, scene.old).items()}
    assert meta["annotations"] == uses | near
    assert meta["labels"] == {"owner": new["uid"], "ip": new["web"]}


def test_the_object_that_kubectl_applied_is_the_one_that_is_there(scene, where, found):
    secret = found("Secret", "applied")
    applied = json.loads(secret["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"])
    assert base64.b64decode(secret["data"]["ip"]).decode() == scene.now(where)["web"]
    assert applied["data"] == secret["data"]


def test_arguments_and_environment(scene, where, found):
    (container,) = found("Deployment", "user")["spec"]["template"]["spec"]["containers"]
    new = filled(USES, scene.now(where))
    assert container["args"] == [*new.values(), *filled(NEAR, scene.old).values()]
    assert [each["value"] for each in container["env"]] == list(new.values())
    assert container["image"] == f"nginx:{scene.old['web']}"


def test_no_rewrite_shows_what_a_secret_holds(scene, where):
    rewrites = [each for each in scene.results[where].rewrites if each.object.startswith("Secret ")]
    assert rewrites
    names = {name for pair in scene.results[where].namespaces.items() for name in pair}
    assert {each.old for each in rewrites} | {each.new for each in rewrites} <= {"(not shown: in a Secret)", *names}


def test_restored_again_all_is_unchanged(bench, scene, where):
    context, ns = scene.places[where]
    before = rested(bench, context, ns)
    again = bench.restore(scene.saved, context=context, map={scene.ns: ns})
    assert set(again.actions) <= {"unchanged", "kept"}, again.notable
    assert touch(bench, context, ns) == before
