"""The script that `kubeferry plan --kubectl` prints finds the new value of every address and uid, level after level."""

import base64
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.cli import COMMAND
from tests.support.kubectl import run_script
from tests.support.limits import LIMIT

A, B = "kubeferry-a", "kubeferry-b"

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: nginx, env: [{{name: HOST, value: '{host}'}}]}}]}}
---
{{apiVersion: v1, kind: Service, metadata: {{name: front}}, spec: {{ports: [{{port: 80}}]}}}}
---
{{apiVersion: v1, kind: Service, metadata: {{name: itself}}, spec: {{ports: [{{port: 80}}]}}}}
"""

USES = """
apiVersion: v1
kind: Endpoints
metadata: {{name: front}}
subsets: [{{addresses: [{{ip: {pod}}}], ports: [{{port: 80}}]}}]
---
apiVersion: v1
kind: Secret
metadata: {{name: where}}
stringData: {{url: 'http://{service}:80/?q="x"', env: "HOST={host}\\n"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: uses}}
data:
  list: '{pod},{service}'
  dashed: 'https://{dashed}.default.pod.cluster.local/'
  cluster: {cluster}
  shouted: {shouted}
  uid: {uid}
---
apiVersion: {group}/v1
kind: Widget
metadata: {{name: reads}}
spec: {{address: '{service}:80'}}
"""


@dataclass
class Trip:
    """What holds the old values, and the namespace that the script made."""

    bench: object
    namespace: str
    old: dict
    new: dict
    script: Path
    tools: Path
    done: subprocess.CompletedProcess

    def get(self, kind, name):
        return self.bench.get(kind, self.namespace, name, context=B)


def values(bench, namespace, context):
    """What a cluster handed out to the Deployment and the Services, and to itself."""
    pods = [each for each in bench.list("Pod", namespace, context) if each["metadata"]["name"].startswith("web-")]
    pod = min(pods, key=lambda each: each["metadata"]["name"])["status"]["podIP"]
    uid = bench.get("Deployment", namespace, "web", context)["metadata"]["uid"]
    return {
        "pod": pod,
        "dashed": pod.replace(".", "-"),
        "host": host(bench, context),
        "service": bench.get("Service", namespace, "front", context)["spec"]["clusterIP"],
        "itself": bench.get("Service", namespace, "itself", context)["spec"]["clusterIP"],
        "cluster": bench.get("Namespace", "", "kube-system", context)["metadata"]["uid"],
        "uid": uid,
        "shouted": uid.upper(),
    }


def host(bench, context):
    return bench.get("Node", "", f"{context}-node-2", context)["status"]["addresses"][0]["address"]


@pytest.fixture(scope="module")
def trip(bench, tmp_path_factory):
    source, target = bench.namespace("chain"), bench.name("chain")
    group = bench.crd(source)
    bench.make(WEB.format(host=host(bench, A)), source)
    bench.ready("Deployment", source, "web")
    old = values(bench, source, A)
    bench.make(USES.format(group=group, **old), source)
    note = {"metadata": {"annotations": {"example.com/own": f"tcp://{old['itself']}:80"}}}
    bench.patch("Service", source, "itself", note)
    saved = bench.backup(source)
    folder = tmp_path_factory.mktemp("script")
    script, tools = folder / "restore.sh", folder / "tools"
    tools.mkdir()
    for name in ("kubectl", "base64"):
        (tools / name).symlink_to(shutil.which(name))
    store = bench.where["store"]
    argv = [COMMAND, "plan", saved.name, "--store", store, "--map", f"{source}={target}", "--kubectl", "--file", script]
    subprocess.run(argv, check=True, timeout=LIMIT)
    done = run_script(script, tools)
    bench.forget("CustomResourceDefinition", f"widgets.{group}")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return Trip(bench, target, old, values(bench, target, B), script, tools, done)


def test_no_value_is_the_old_one(trip):
    assert not set(trip.old.values()) & set(trip.new.values())


def test_three_levels(trip):
    """A custom resource has a Service's address, whose endpoint is a pod of a Deployment, whose env has a node's."""
    container = trip.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "HOST", "value": trip.new["host"]}]
    assert trip.get("Endpoints", "front")["subsets"][0]["addresses"] == [{"ip": trip.new["pod"]}]
    assert trip.get("Widget", "reads")["spec"] == {"address": f"{trip.new['service']}:80"}


def test_values_are_written_as_they_stood_there(trip):
    assert trip.get("ConfigMap", "uses")["data"] == {
        "list": f"{trip.new['pod']},{trip.new['service']}",
        "dashed": f"https://{trip.new['dashed']}.default.pod.cluster.local/",
        "cluster": trip.new["cluster"],
        "shouted": trip.new["shouted"],
        "uid": trip.new["uid"],
    }


def test_a_secret_is_decoded_and_encoded_again(trip):
    data = {name: base64.b64decode(value).decode() for name, value in trip.get("Secret", "where")["data"].items()}
    assert data == {"url": f'http://{trip.new["service"]}:80/?q="x"', "env": f"HOST={trip.new['host']}\n"}


def test_an_objects_own_address_is_patched_in(trip):
    assert trip.get("Service", "itself")["metadata"]["annotations"] == {
        "example.com/own": f"tcp://{trip.new['itself']}:80"
    }
    assert f"patched   Service {trip.namespace}/itself" in trip.done.stdout


def test_each_value_is_looked_up_once(trip):
    found = [line for line in trip.done.stdout.splitlines() if line.startswith("found ")]
    assert len(found) == len(set(found)) == 6, found


def test_it_can_be_run_again(trip):
    again = run_script(trip.script, trip.tools)
    assert (again.returncode, again.stderr) == (0, ""), again.stdout
    assert "== 0 created, " in again.stdout
    assert values(trip.bench, trip.namespace, B) == trip.new
    test_an_objects_own_address_is_patched_in(trip)
