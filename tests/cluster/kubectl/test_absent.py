"""The kubectl script does about absent values what a restore does: both are run, and make the same objects."""

import base64
import json
import os
import random
import shutil
import subprocess

import pytest
import yaml
from tests.support.bench import B
from tests.support.cli import COMMAND
from tests.support.limits import LIMIT
from tests.support.tiers import fast

from kubeferry.tasks.core.errors import PreflightError

POLICIES = ["keep", "drop", "empty"]

USES = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: uses, annotations: {{far: {far}, both: "{far},{near}"}}}}
data: {{only: "{far}", url: "tcp://{far}:1", both: "{near} {far}", near: "{near}", json: '{{"at":"{far}"}}', a: b}}
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: all}}, data: {{a: "{far}", b: "x={far}", c: "{far}"}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: uses}}
stringData: {{far: "http://{far}/?\\"x\\"", whole: "{far}", both: "{near}\\n{far}\\n", plain: stays}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: uses}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: uses}}}}
  template:
    metadata: {{labels: {{app: uses}}}}
    spec:
      containers:
      - name: uses
        image: uses
        args: ["--far={far}", "--near={near}", "{far}", "--plain", "{far},{near}"]
        env: [{{name: FAR, value: "{far}"}}, {{name: NEAR, value: "{near}"}}]
"""

WIDGET = """
list: ["{far}", "uid={uid}", "{lb}", "plain", "uid={uid}", "{far}"]
entry: "tcp://{lb}:80"
items: [{{name: a, url: "http://{lb}/"}}, {{name: b, url: "http://{far}/"}}, {{name: c, url: "http://{near}/"}}]
plain: stays
"""

SERVICE = "{{apiVersion: v1, kind: Service, metadata: {{name: {}}}, spec: {{type: {}, ports: [{{port: 80}}]}}}}"


@pytest.fixture(scope="module")
def saved(bench):
    """A backup that uses a Service of a namespace that B does not have, and an address that no load balancer gives."""
    ns, far = bench.namespace(), bench.namespace()
    group = bench.crd(ns)
    bench.crd(ns, context=B)  # served by now: only what is looked up in vain is waited for
    old = {}
    for name, of, where in (("far", "ClusterIP", far), ("near", "ClusterIP", ns), ("balanced", "LoadBalancer", ns)):
        (made,) = bench.make(SERVICE.format(name, of), where)
        old[name] = made["spec"]["clusterIP"]
    old["lb"] = f"100.65.{random.randrange(1, 255)}.{random.randrange(1, 255)}"  # noqa: S311 - no secret
    status = {"status": {"loadBalancer": {"ingress": [{"ip": old["lb"]}]}}}
    bench.patch("Service", ns, "balanced", status, subresource="status")
    later = {"kubeferry.io/depends-on": f"Widget.{group}/w", "example.com/lb": old["lb"], "example.com/own": "x"}
    bench.patch("Service", ns, "balanced", {"metadata": {"annotations": later}})
    bench.make(USES.format(**old), ns)
    (made,) = bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: w}}}}", ns)
    old["uid"] = made["metadata"]["uid"]
    bench.patch(f"Widget.{group}", ns, "w", {"spec": yaml.safe_load(WIDGET.format(**old))})
    return ns, group, old, bench.backup(ns)


def script(bench, name, ns, copy, policy, folder):
    """Write the script of a plan; return its path."""
    path = folder / f"{policy}.sh"
    absent = [f"service-ip={policy}", f"load-balancer={policy}"]
    argv = [COMMAND, "plan", name, "--store", bench.where["store"], "--map", f"{ns}={copy}", "--kubectl"]
    argv += [word for each in absent for word in ("--absent", each)]
    subprocess.run([*argv, "--file", path], check=True, timeout=LIMIT)
    text = path.read_text()
    lookups = "local last=$((SECONDS + WAIT_SECONDS))"
    assert lookups in text
    path.write_text(text.replace(lookups, "local last=$((SECONDS + 4))"))  # they end in vain
    return path


def run(path):
    env = os.environ | {"WAIT_SECONDS": str(LIMIT)}
    argv = [shutil.which("bash"), str(path), B]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=LIMIT)


OBJECTS = (
    ("ConfigMap", "uses"),
    ("ConfigMap", "all"),
    ("Secret", "uses"),
    ("Deployment", "uses"),
    ("Service", "balanced"),
)


def contents(bench, ns, group):
    """Return what was made of each object that uses values, with the values that are there by name."""
    found = {}
    for kind, name in (*OBJECTS, (f"Widget.{group}", "w")):
        obj = bench.get(kind, ns, name, B)
        notes = obj["metadata"].get("annotations") or {}
        notes = {key: value for key, value in notes.items() if not key.startswith("deployment.kubernetes.io/")}
        data, spec = obj.get("data") or {}, obj.get("spec") if kind != "Service" else None
        if kind == "Secret":
            data = {key: base64.b64decode(value).decode() for key, value in data.items()}
        found[f"{kind} {name}"] = {"notes": notes, "data": data, "spec": spec}
    text = json.dumps(found)
    text = text.replace(bench.get("Service", ns, "near", B)["spec"]["clusterIP"], "NEAR")
    return json.loads(text.replace(bench.get(f"Widget.{group}", ns, "w", B)["metadata"]["uid"], "UID"))


@pytest.mark.parametrize("policy", fast(POLICIES, "drop"))
def test_the_script_makes_what_a_restore_makes(bench, saved, policy, tmp_path):
    ns, group, old, backup = saved
    ours, theirs = bench.name(), bench.name()
    bench.restore(backup, map={ns: ours}, absent={"service-ip": policy, "load-balancer": policy}, wait_seconds=4)
    done = run(script(bench, backup.name, ns, theirs, policy, tmp_path))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    wanted, made = contents(bench, ours, group), contents(bench, theirs, group)
    assert made == wanted
    text = json.dumps(made)
    assert [name for name in ("near", "uid") if old[name] in text] == []
    assert (old["far"] in text, old["lb"] in text) == (policy == "keep", policy == "keep")
    assert "192.0.2.1" not in text, "no placeholder stays"
    assert made[f"Widget.{group} w"]["spec"]["plain"] == "stays"
    if policy == "drop":
        assert made["ConfigMap all"]["data"] == {}
        assert made[f"Widget.{group} w"]["spec"]["list"] == ["uid=UID", "plain", "uid=UID"]
    again = run(tmp_path / f"{policy}.sh")
    assert (again.returncode, again.stderr) == (0, ""), again.stdout
    assert contents(bench, theirs, group) == wanted


def test_both_fail_where_they_are_to(bench, saved, tmp_path):
    ns, _, _, backup = saved
    ours, theirs = bench.name(), bench.name()
    absent = {"service-ip": "fail", "load-balancer": "fail"}
    with pytest.raises(PreflightError, match=r"Service \S+/far is not there"):
        bench.restore(backup, map={ns: ours}, absent=absent)
    done = run(script(bench, backup.name, ns, theirs, "fail", tmp_path))
    assert done.returncode == 1
    assert "nothing found by Service " in done.stderr
