"""Absent values of objects that are created before them, and absent values that nothing will ever give."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from string import Template

import pytest
import yaml
from tests.support.bench import B

PATIENT = 240
"""Seconds: what a test would take that waits in vain."""


SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: NAME}, spec: {TYPE ports: [{port: 80}]}}"

WIDGET = Template("""
spec:
  list: ["$far", "uid=$uid", "$lb", "$lb-plain", "uid=$uid"]
  entry: "tcp://$lb:80"
  items: [{name: a, url: "http://$lb/"}, {name: b, url: "http://$far/"}]
  plain: stays
""")


def service(name, of="ClusterIP"):
    return SERVICE.replace("NAME", name).replace("TYPE", f"type: {of},")


def balanced(bench, ns, name):
    """Make a Service with the address of a load balancer, which no cluster of the sandbox has; return the address."""
    address = ".".join(["100", "64", *(str(random.randrange(1, 255)) for _ in range(2))])  # noqa: S311 - no secret
    bench.make(service(name, "LoadBalancer"), ns)
    status = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
    bench.patch("Service", ns, name, status, subresource="status")
    return address


@pytest.fixture(scope="module")
def widget(bench):
    """A backup of a Widget that holds its own uid, an address of a Service that comes after it, and one of none."""
    ns, far = bench.namespace(), bench.namespace()
    group = bench.crd(ns)
    bench.crd(ns, context=B)  # served by now: only what is looked up in vain is waited for
    (elsewhere,) = bench.make(service("far"), far)
    lb = balanced(bench, ns, "lb")
    note = {"metadata": {"annotations": {"kubeferry.io/depends-on": f"Widget.{group}/w"}}}
    bench.patch("Service", ns, "lb", note)
    (made,) = bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: w}}}}", ns)
    spec = yaml.safe_load(WIDGET.substitute(far=elsewhere["spec"]["clusterIP"], lb=lb, uid=made["metadata"]["uid"]))
    bench.patch(f"Widget.{group}", ns, "w", spec)
    return ns, group, elsewhere["spec"]["clusterIP"], lb, bench.backup(ns)


@pytest.mark.parametrize("policy", ["keep", "drop", "empty"])
def test_what_was_created_before_an_absent_value_keeps_no_placeholder(bench, widget, policy):
    ns, group, far, lb, saved = widget
    copy = bench.name()
    absent = {"service-ip": policy, "load-balancer": policy}
    result = bench.restore(saved, map={ns: copy}, absent=absent, wait_seconds=2)
    made = bench.get(f"Widget.{group}", copy, "w", B)
    uid = f"uid={made['metadata']['uid']}"
    assert (
        made["spec"]
        == {
            "keep": {
                "list": [far, uid, lb, f"{lb}-plain", uid],
                "entry": f"tcp://{lb}:80",
                "items": [{"name": "a", "url": f"http://{lb}/"}, {"name": "b", "url": f"http://{far}/"}],
                "plain": "stays",
            },
            "drop": {"list": [uid, f"{lb}-plain", uid], "items": [{"name": "a"}, {"name": "b"}], "plain": "stays"},
            "empty": {
                "list": ["", uid, "", f"{lb}-plain", uid],
                "entry": "tcp://:80",
                "items": [{"name": "a", "url": "http:///"}, {"name": "b", "url": "http:///"}],
                "plain": "stays",
            },
        }[policy]
    )
    assert [each for each in result.notable if each.action == "changed"] == []
    assert result.problems == []


WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: REPLICAS
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
"""


def test_what_can_never_come_is_not_waited_for(bench):
    """Pods of a Deployment that wants none on the target, a Service that is nowhere, and one of another type there."""
    ns, far = bench.namespace(), bench.namespace()
    bench.make(WEB.replace("REPLICAS", "1"), ns)
    bench.ready("Deployment", ns, "web")
    (pod,) = bench.list("Pod", ns)
    (elsewhere,) = bench.make(service("far"), far)
    lb = balanced(bench, ns, "lb")
    data = {"pod": pod["status"]["podIP"], "far": elsewhere["spec"]["clusterIP"], "lb": lb, "plain": "stays"}
    bench.make(yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}), ns)
    saved = bench.backup(ns)
    copy = bench.namespace(context=B)
    bench.make(WEB.replace("REPLICAS", "0"), copy, B)
    bench.make(service("lb"), copy, B)
    limit = time.monotonic() + PATIENT
    absent = {"pod-ip": "drop", "service-ip": "keep", "load-balancer": "empty"}
    bench.restore(saved, map={ns: copy}, existing="skip", absent=absent, wait_seconds=PATIENT)
    assert time.monotonic() < limit
    assert bench.get("ConfigMap", copy, "c", B)["data"] == {"far": data["far"], "lb": "", "plain": "stays"}


def test_what_may_come_is_waited_for_whatever_is_done_without_it(bench):
    ns = bench.namespace()
    lb = balanced(bench, ns, "lb")
    bench.make(f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{lb: {lb}}}}}", ns)
    saved = bench.backup(ns)
    given = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.78"}]}}}

    def give():
        bench.until(lambda: bench.find("Service", ns, "lb", B))
        bench.patch("Service", ns, "lb", given, context=B, subresource="status")

    with ThreadPoolExecutor() as pool:
        giving = pool.submit(give)
        bench.restore(saved, absent={"load-balancer": "drop"}, wait_seconds=PATIENT)
        giving.result()
    assert bench.get("ConfigMap", ns, "c", B)["data"] == {"lb": "203.0.113.78"}
