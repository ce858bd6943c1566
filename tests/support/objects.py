"""Objects that the tests of several files make, as YAML; `documents` joins some into one text for `bench.make`."""

import json

RBAC = "rbac.authorization.k8s.io"


def documents(*texts):
    """Return one YAML text of several."""
    return "\n---\n".join(texts)


def an(api_version, kind, name, **fields):
    """Return an object as a line of YAML; of `meta` is the rest of its metadata."""
    meta = {"name": name, **fields.pop("meta", {})}
    return json.dumps({"apiVersion": api_version, "kind": kind, "metadata": meta, **fields})


def pod_spec(app, **more):
    """Return a Pod's spec with one container, which has the name of the app."""
    return {"containers": [{"name": app, "image": app}], **more}


def workload(kind, name="web", *, pod=None, **spec):
    """Return a Deployment, StatefulSet, DaemonSet or ReplicaSet; `pod` is the rest of its Pods' spec."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod_spec(name, **(pod or {}))}
    return an("apps/v1", kind, name, spec={"selector": {"matchLabels": labels}, "template": template, **spec})


def bare_pod(name="bare", **meta):
    """Return a Pod without a controller."""
    return an("v1", "Pod", name, meta=meta, spec=pod_spec("web"))


def service(name="web", app="web", **spec):
    """Return a Service for the Pods of an app."""
    return an("v1", "Service", name, spec={"selector": {"app": app}, "ports": [{"port": 80}], **spec})


def claim(name="data"):
    """Return a PersistentVolumeClaim of the class that binds at once."""
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return an("v1", "PersistentVolumeClaim", name, spec={"storageClassName": "standard", **wanted})


def config_map(name, data=None, **meta):
    """Return a ConfigMap."""
    return an("v1", "ConfigMap", name, meta=meta, **({"data": data} if data else {}))


def secret(name, data, **fields):
    """Return a Secret, its data in clear."""
    return an("v1", "Secret", name, stringData=data, **fields)


def web_with_settings(data, password):
    """Return a Deployment `web` with its Service, the ConfigMap `settings` and the Secret `token` that it reads."""
    sources = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "token"}}]
    container = {"name": "web", "image": "nginx", "envFrom": sources}
    return documents(
        config_map("settings", data),
        secret("token", {"password": password}),
        workload("Deployment", pod={"containers": [container]}),
        service(),
    )


def cluster_role_for(ns, account="runner"):
    """Return a ClusterRole without rules, and its binding to an account of a namespace; both have its name."""
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": ns}
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": ns}]
    return documents(
        an(f"{RBAC}/v1", "ClusterRole", ns, rules=[]),
        an(f"{RBAC}/v1", "ClusterRoleBinding", ns, roleRef=role, subjects=subjects),
    )


def api_without_server(group, ns):
    """Return an APIService whose Service does not exist, so that discovery reports its group."""
    spec = {"group": group, "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}
    server = {"insecureSkipTLSVerify": True, "service": {"namespace": ns, "name": "nobody"}}
    return an("apiregistration.k8s.io/v1", "APIService", f"v1.{group}", spec=spec | server)


MINE = documents(
    config_map("mine"),
    config_map("settings", {"a": "1"}, labels={"app": "web"}),
    secret("token", {"password": "second"}),
)
"""What is in a namespace before a restore brings a ConfigMap `settings` and a Secret `token`."""


CASE_15 = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NS}
spec:
  type: ClusterIP
  clusterIP: 10.96.7.7
  clusterIPs: [10.96.7.7, "fd00:96::77"]
  ipFamilyPolicy: PreferDualStack
  ipFamilies: [IPv4, IPv6]
  selector: {app: web}
  ports: [{port: 80, protocol: TCP, targetPort: 8080}]
"""
"""Case 15-dual-stack-service: a Service of a cluster with both families, which prefers both."""
