"""Random namespaces: objects, references, owners, selectors, and uses of addresses and uids in all kinds of places.

Everything follows from a seed. Objects are templates with markers (random_markers.py). A hard part (env, args, owners,
addresses of endpoints) names only what was drafted before it; a soft one (data, annotations, a custom resource's notes)
names anything, its own object included, so that cycles are made too.
"""

import json
import random

from tests.support.random_draft import Draft, pod_spec, workload

APPLIER = "random.example.com/applier"
"""The label of an object that is applied server-side, by the manager that it names."""


def config(draft, name):
    draft.add("v1", "ConfigMap", name, data={})


def secret(draft, name):
    draft.add("v1", "Secret", name, data={})


def account(draft, name):
    draft.add("v1", "ServiceAccount", name)
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    draft.add("rbac.authorization.k8s.io/v1", "Role", name, rules=rules)
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:serviceaccounts:⟪ns⟫"}
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": draft.rng.choice(["⟪ns⟫", "⟪peer|ns⟫"])}, group]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    draft.add("rbac.authorization.k8s.io/v1", "RoleBinding", name, roleRef=role, subjects=subjects)


def claim(draft, name):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    draft.add("v1", "PersistentVolumeClaim", name, spec=spec)


def policy(draft, name):
    label = "kubernetes.io/metadata.name"
    peers = [
        {"namespaceSelector": {"matchLabels": {label: draft.rng.choice(["⟪ns⟫", "⟪peer|ns⟫"])}}},
        {"namespaceSelector": {"matchExpressions": [{"key": label, "operator": "In", "values": ["⟪ns⟫", "default"]}]}},
        {"ipBlock": {"cidr": f"⟪{draft.rng.choice(draft.addresses)}⟫/32"}},
        {"ipBlock": {"cidr": "10.0.0.0/8"}},
    ]
    egress = [{"to": draft.rng.sample(peers, 2)}]
    selector = {"matchLabels": {"app": draft.one_of("Deployment") or "none"}}
    spec = {"podSelector": selector, "policyTypes": ["Egress"], "egress": egress}
    draft.add("networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)


def ingress(draft, name):
    backend = {"service": {"name": draft.one_of("Service"), "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    tls = [{"hosts": ["shop.example.com"], "secretName": draft.one_of("Secret") or "none"}]
    rules = [{"host": "shop.example.com", "http": {"paths": paths}}]
    draft.add("networking.k8s.io/v1", "Ingress", name, spec={"rules": rules, "tls": tls})


def scaled(draft, name):
    target = draft.one_of("Deployment")
    if target:
        ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
        metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}
        metric["resource"]["target"]["averageUtilization"] = 80
        spec = {"scaleTargetRef": ref, "minReplicas": 1, "maxReplicas": 3, "metrics": [metric]}
        draft.add("autoscaling/v2", "HorizontalPodAutoscaler", name, spec=spec)
        spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": target}}}
        draft.add("policy/v1", "PodDisruptionBudget", name, spec=spec)


def service(draft, name, **spec):
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    draft.add("v1", "Service", name, spec={"ports": ports, **spec})
    if spec.get("clusterIP") != "None":
        draft.addresses.append(f"clusterIP|{name}")


def deployment(draft, name):
    replicas = draft.rng.choice([1, 1, 2])
    draft.add("apps/v1", "Deployment", name, spec={"replicas": replicas, **workload(draft, name)})
    pods(draft, "Deployment", name, replicas)


def stateful(draft, name):
    service(draft, f"{name}-peers", clusterIP="None", selector={"app": name})
    replicas = draft.rng.choice([1, 2])
    spec = {"replicas": replicas, "serviceName": f"{name}-peers", **workload(draft, name)}
    draft.add("apps/v1", "StatefulSet", name, spec=spec)
    pods(draft, "StatefulSet", name, replicas)


def bare(draft, name):
    draft.add("v1", "Pod", name, meta={"labels": {"app": name}}, spec=pod_spec(draft))
    pods(draft, "Pod", name, 1)


def pods(draft, kind, name, replicas):
    draft.pods += [f"{kind}|{name}|{ordinal}" for ordinal in range(replicas)]
    draft.addresses += [f"podIP|{kind}|{name}|{ordinal}" for ordinal in range(replicas)] * 2


def job(draft, name):
    template = {"spec": pod_spec(draft, restartPolicy="Never")}
    draft.add("batch/v1", "Job", name, spec={"suspend": True, "template": template})
    template = {"spec": pod_spec(draft, restartPolicy="Never")}
    spec = {"schedule": "0 4 29 2 *", "suspend": draft.chance(), "jobTemplate": {"spec": {"template": template}}}
    draft.add("batch/v1", "CronJob", name, spec=spec)


def by_hand(draft, name):
    """Draft a Service without a selector, and what is behind it: pods by address, or what the pods do not know of."""
    sliced = draft.chance()  # the API server sorts the addresses of Endpoints: one each, so that it stays in its place
    behind = draft.rng.sample(draft.pods, min(len(draft.pods), 2 if sliced else 1))
    foreign = draft.rng.choice(["192.0.2.9", f"⟪{draft.rng.choice(draft.addresses[3:])}⟫"])
    service(draft, name)
    entries = [(f"⟪podIP|{pod}⟫", pod) for pod in behind] or [(foreign, None)]
    known = [draft.chance() for _ in entries]
    targets = [
        {"targetRef": {"kind": "Pod", "name": f"⟪podName|{pod}⟫", "namespace": "⟪ns⟫"}, "nodeName": f"⟪nodeName|{pod}⟫"}
        if pod and named
        else {}
        for (_, pod), named in zip(entries, known, strict=True)
    ]
    port = {"name": "http", "port": 8080, "protocol": "TCP"}
    pairs = list(zip(entries, targets, strict=True))
    if not sliced:
        subsets = [{"addresses": [{"ip": ip, **more} for (ip, _), more in pairs], "ports": [port]}]
        draft.add("v1", "Endpoints", name, subsets=subsets)
        return
    endpoints = [{"addresses": [ip], "conditions": {"ready": True}, **more} for (ip, _), more in pairs]
    meta = {"labels": {"kubernetes.io/service-name": name}}
    parts = {"meta": meta, "addressType": "IPv4", "endpoints": endpoints, "ports": [port]}
    draft.add("discovery.k8s.io/v1", "EndpointSlice", f"{name}-by-hand", **parts)


def custom(draft, name):
    spec = {"notes": {}, "at": f"⟪{draft.rng.choice(draft.addresses)}⟫", "size": draft.rng.randint(1, 9)}
    more = {"status": {"plain": draft.rng.randint(1, 9)}} if draft.chance() else {}
    draft.add(f"{draft.group}/v1", "Widget", name, spec=spec, **more)


def owned(draft, name):
    """Draft what a custom resource or a Deployment owns."""
    kind = draft.rng.choice(["Widget", "Deployment"])
    owner = next((obj for obj in draft.objects if obj["kind"] == kind), None)
    if owner is None:
        return
    child = draft.rng.choice([config, secret, custom] if kind == "Widget" else [config])
    child(draft, name)
    link = {"apiVersion": owner["apiVersion"], "kind": kind, "name": owner["metadata"]["name"]}
    link |= {"uid": f"⟪uid|{kind}|{link['name']}⟫", "controller": draft.chance(), "blockOwnerDeletion": draft.chance()}
    draft.objects[-1]["metadata"]["ownerReferences"] = [link]


def applied(draft, name):
    """Draft what a manager applies server-side: the label says which."""
    draft.add("v1", "ConfigMap", name, meta={"labels": {APPLIER: draft.rng.choice(["release", "gitops"])}}, data={})


def finalized(draft, name):
    """Draft what a controller has to clean up, which is on no cluster."""
    finalizers = ["example.com/clean-up", *(["kubernetes.io/pvc-protection"] if draft.chance() else [])]
    draft.add("v1", "ConfigMap", name, meta={"finalizers": finalizers}, data={})


def gadget(draft, name):
    """Draft a custom resource whose status its operator writes."""
    status = {"phase": draft.rng.choice(["Ready", "Failed"]), "seen": draft.rng.randint(1, 99)}
    notes = {"velero.io/restore-status": "true"} if draft.chance(0.3) else {}
    meta = {"annotations": notes} if notes else {}
    draft.add(f"{draft.group}/v1", "Gadget", name, meta=meta, spec={"size": 1}, status=status)


MAKERS = (
    (config, 2),
    (secret, 2),
    (account, 1),
    (claim, 1),
    (service, 1),
    (deployment, 1),
    (bare, 0.6),
    (stateful, 0.5),
    (policy, 1),
    (ingress, 1),
    (scaled, 1),
    (job, 0.8),
    (by_hand, 1.5),
    (custom, 1.5),
    (owned, 2),
    (applied, 1),
    (finalized, 0.5),
    (gadget, 1),
)
"""What a namespace is made of, in this order, and how many of it there are on average."""

NOTED = {"ConfigMap": ("data",), "Secret": ("data",), "Widget": ("spec", "notes")}
"""Kind → its soft part; every object may have annotations."""


def drafted(seed, number, group):
    """Return the objects of one random namespace as templates, each before what names it in its hard part."""
    draft = Draft(random.Random(f"{seed}/{number}"), group)  # noqa: S311 - no secret is made of it
    service(draft, "web", selector={"app": "deployment-0"})
    for make, many in MAKERS:
        for each in range(int(many * 2 * draft.rng.random() + 0.5)):
            make(draft, f"{make.__name__.replace('_', '-')}-{each}")
    for obj in draft.objects:
        if obj["kind"] in NOTED:
            part = obj
            for key in NOTED[obj["kind"]]:
                part = part[key]
            part.update(draft.texts(4))
        if draft.chance(0.3):
            obj["metadata"]["annotations"] = draft.texts(2, "note.example.com/key")
    return json.loads(json.dumps(draft.objects))
