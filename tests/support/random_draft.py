"""What random namespaces are drafted with: texts that use addresses, uids and names, and the pods of workloads."""

import random
import uuid
from dataclasses import dataclass, field

IP_FORMS = (
    "{0}",
    "{0}:5432",
    "{0},{1}",
    "http://{0}:8080/health",
    "postgres://user:pw@{0}:5432/app?fallback={1}",
    "--peers={0}:2380,{1}:2380",
    "listen 80;\nproxy_pass http://{0}:80;\nallow {1}/32;\n",
    "upstreams:\n- address: {0}\n  weight: 3\n- address: {1}:9000\nversion: 1.2.3.4\n",
    '{{"upstream": {{"addr": "{0}:80", "also": ["{1}"]}}, "tls": false}}',
    "{0} db.internal # was v⟪frozen|{2}⟫, in ⟪word⟫",
    "192.0.2.7 {0} 198.51.100.20",
)
UID_FORMS = (
    "{0}",
    "/data/{0}/wal",
    "{0},{1}",
    "owner={0};cluster={1}",
    '{{"id": "{0}", "of": {{"uid": "{1}"}}}}',
    "id: {0}\nnote: z⟪frozen|{2}⟫ is another\n",
)
NAME_FORMS = (
    "{0}.⟪ns⟫.svc",
    "http://{0}.⟪ns⟫.svc.cluster.local:8080/",
    "{0}.⟪peer|ns⟫.svc.cluster.local:80,{0}.⟪ns⟫.svc:80",
    "⟪word⟫ talks to {0}.⟪ns⟫.svc; nobody calls it ⟪word⟫-{0}",
)


@dataclass
class Draft:
    """One namespace, as templates; `waits` says which pods a marker of it may name."""

    rng: random.Random
    group: str
    objects: list = field(default_factory=list)
    addresses: list = field(default_factory=lambda: ["api", "node|0", "node|1", "node|2", "peer|clusterIP|web"])
    uids: list = field(default_factory=lambda: ["cluster", "uid|Namespace|", "peer|uid|Service|web"])
    pods: list = field(default_factory=list)

    def add(self, api_version, kind, name, **parts):
        obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **parts.pop("meta", {})}, **parts}
        self.objects.append(obj)
        self.uids.append(f"uid|{kind}|{name}")
        return obj

    def one_of(self, kind):
        """Return the name of a drafted object of a kind, or None."""
        return self.rng.choice([obj["metadata"]["name"] for obj in self.objects if obj["kind"] == kind] or [None])

    def chance(self, of=0.5):
        return self.rng.random() < of

    def text(self):
        """Return a text that uses addresses, uids or names."""
        forms, values = self.rng.choice([(IP_FORMS, self.addresses), (UID_FORMS, self.uids), (NAME_FORMS, None)])
        form = self.rng.choice(forms)
        if values is None:
            return form.format("web")
        some = [self.rng.choice(values) for _ in range(3)]
        return form.format(*(f"⟪{each}⟫" for each in some[:2]), some[2])

    def texts(self, most, prefix="key"):
        plain = {f"{prefix}-plain": f"nothing here: {uuid.UUID(int=self.rng.getrandbits(128))} 1.2.3.4"}
        return plain | {f"{prefix}-{number}.txt": self.text() for number in range(self.rng.randint(1, most))}


def pod_spec(draft, **more):
    env = [{"name": f"V{number}", "value": draft.text()} for number in range(draft.rng.randint(0, 3))]
    container = {"name": "main", "image": "registry.example.com/app:1.2.3.4", "env": env}
    if draft.chance(0.3):
        container["args"] = ["--quiet", draft.text()]
    volumes = []
    for kind, key, ref in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
        if draft.chance(0.4) and (name := draft.one_of(kind)):
            volumes.append({"name": key.lower(), key: {ref: name}})
    if volumes:
        container["volumeMounts"] = [{"name": each["name"], "mountPath": f"/{each['name']}"} for each in volumes]
    account = draft.one_of("ServiceAccount")
    extra = {"serviceAccountName": account} if account and draft.chance() else {}
    return {"containers": [container], "volumes": volumes, **extra, **more}


def workload(draft, name, **more):
    labels = {"app": name, "tier": draft.rng.choice(["front", "back"])}
    spec = {"metadata": {"labels": labels, "annotations": {"note": draft.text()}}, "spec": pod_spec(draft, **more)}
    return {"selector": {"matchLabels": {"app": name}}, "template": spec}
