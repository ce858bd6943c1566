"""A rule of the network whose address is not known yet is not there with another one, not for a second."""

import json

from tests.support.bench import B
from tests.support.objects import documents, workload

POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "only-web"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{}]},
}


def test_a_policy_that_its_own_pods_wait_for_comes_closed_and_gets_their_address(bench):
    ns = bench.namespace()
    bench.make(documents(workload("Deployment")), ns)
    bench.ready("Deployment", ns, "web")
    (pod, *_) = bench.until(lambda: [each for each in bench.list("Pod", ns) if each["status"].get("podIP")])
    address = pod["status"]["podIP"]
    rule = [{"from": [{"ipBlock": {"cidr": "198.51.100.0/24"}}, {"ipBlock": {"cidr": f"{address}/32"}}]}]
    bench.make(json.dumps(POLICY | {"spec": POLICY["spec"] | {"ingress": rule}}), ns)
    needs = {"metadata": {"annotations": {"kubeferry.io/depends-on": "NetworkPolicy.networking.k8s.io/only-web"}}}
    bench.patch("Deployment", ns, "web", needs)
    saved = bench.backup(ns)
    since = bench.clusters[B].revision("/apis/networking.k8s.io/v1/networkpolicies")
    result = bench.restore(saved)
    assert result.phase == "Completed"
    events = bench.history("NetworkPolicy", ns, since, "only-web", B)
    states = [obj["spec"].get("ingress") for event, obj in events if event != "BOOKMARK"]
    new = [each["status"]["podIP"] for each in bench.list("Pod", ns, B)]
    assert states[0] is None
    (first, second) = states[-1][0]["from"]
    assert first == {"ipBlock": {"cidr": "198.51.100.0/24"}}
    assert second["ipBlock"]["cidr"].removesuffix("/32") in new
    assert all(each in (None, states[-1]) for each in states)
