"""The kubectl script asks for what an author asked for, and does without where the target cannot grant it."""

import json
import os
import shutil
import subprocess

from tests.support.bench import A, B
from tests.support.cli import COMMAND
from tests.support.limits import LIMIT
from tests.support.objects import documents, workload

SERVICE = "{{apiVersion: v1, kind: Service, metadata: {{name: web}}, spec: {{clusterIP: '{}', ports: [{{port: 80}}]}}}}"


def test_an_address_that_is_not_to_be_had_and_a_rule_that_comes_late(bench, tmp_path):
    ns, before = bench.namespace(), bench.namespace()
    (made,) = bench.make(SERVICE.format(""), before)
    address = made["spec"]["clusterIP"]
    bench.delete("Service", before, "web")
    bench.make(SERVICE.format(address), ns)
    bench.make(f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: uses}}, data: {{at: '{address}:80'}}}}", ns)
    bench.make(documents(workload("Deployment")), ns)
    bench.ready("Deployment", ns, "web")
    (pod, *_) = bench.until(lambda: [each for each in bench.list("Pod", ns) if each["status"].get("podIP")])
    rule = [{"from": [{"ipBlock": {"cidr": f"{pod['status']['podIP']}/32"}}, {"ipBlock": {"cidr": "10.9.0.0/16"}}]}]
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "only-web"}}
    bench.make(json.dumps(policy | {"spec": {"podSelector": {}, "ingress": rule}}), ns)
    needs = {"metadata": {"annotations": {"kubeferry.io/depends-on": "NetworkPolicy.networking.k8s.io/only-web"}}}
    bench.patch("Deployment", ns, "web", needs)
    saved = bench.backup(ns)
    path = tmp_path / "plan.sh"
    argv = [COMMAND, "plan", saved.name, "--store", bench.where["store"], "--kubectl", "--file", path]
    subprocess.run(argv, check=True, timeout=LIMIT)
    argv = [shutil.which("bash"), str(path), B]
    ended = subprocess.run(argv, env=os.environ, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert ended.returncode == 0, ended.stderr
    assert "the target cannot grant the address that it asks for: it allocates another" in ended.stdout
    new = bench.get("Service", ns, "web", B)["spec"]["clusterIP"]
    assert bench.get("ConfigMap", ns, "uses", B)["data"] == {"at": f"{new}:80"}
    (first, second) = bench.get("NetworkPolicy", ns, "only-web", B)["spec"]["ingress"][0]["from"]
    pods = [f"{each['status']['podIP']}/32" for each in bench.list("Pod", ns, B)]
    assert first["ipBlock"]["cidr"] in pods
    assert second == {"ipBlock": {"cidr": "10.9.0.0/16"}}
    assert bench.get("Service", ns, "web", A)["spec"]["clusterIP"] == address
