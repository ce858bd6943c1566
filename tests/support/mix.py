"""A realistic mix of objects: applications as people run them, twenty-seven objects each, with what they refer to.

An application is a release with Helm's labels: workloads, Services, settings that name each other and hold addresses
and uids of the cluster, an account with its rights, an Ingress, an autoscaler, a budget, a NetworkPolicy, a claim,
custom resources and what these own. `without_live` are the objects that need nothing from the cluster, `with_live`
those that hold what it assigned. Nothing is random: the same number of applications is the same objects.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING

from tests.support.objects import RBAC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Object = dict[str, Any]
    Live = Callable[[str, str], Object]
    """Returns the live object of a kind and a name."""

GROUP = "mix.example.com"
ROLE, PRIORITY = "mix-reader", "mix-critical"
"""What is cluster-wide, besides the definition."""


def cluster_wide(namespace: str) -> Iterator[Object]:
    """Yield what a namespace needs from outside of it; it is made first."""
    text = {"type": "string"}
    spec = {"type": "object", "properties": {"peer": text, "size": {"type": "integer", "default": 3}, "at": text}}
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": spec, "status": free}}
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}
    names = {"kind": "Machine", "plural": "machines", "singular": "machine", "listKind": "MachineList"}
    body = {"group": GROUP, "scope": "Namespaced", "names": names}
    body["versions"] = [version | {"schema": {"openAPIV3Schema": schema}}]
    yield _whole("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"machines.{GROUP}", spec=body)
    rules = [{"apiGroups": [GROUP], "resources": ["machines"], "verbs": ["get", "list"]}]
    yield _whole(f"{RBAC}/v1", "ClusterRole", ROLE, rules=rules)
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": ROLE}
    subjects = [{"kind": "ServiceAccount", "name": "app-000", "namespace": namespace}]
    yield _whole(f"{RBAC}/v1", "ClusterRoleBinding", ROLE, roleRef=role, subjects=subjects)
    yield _whole("scheduling.k8s.io/v1", "PriorityClass", PRIORITY, value=1000, description="of the realistic mix")


def without_live(namespace: str, apps: int, replicas: int = 1) -> Iterator[Object]:
    """Yield the objects of so many applications that need nothing from the cluster."""
    for number in range(apps):
        app = f"app-{number:03}"
        for part in (_access, _settings, _network, _storage):
            yield from (_labelled(obj, app) for obj in part(app, namespace))
        yield from (_labelled(obj, app) for obj in _workloads(app, namespace, replicas))


def with_live(namespace: str, apps: int, live: Live) -> Iterator[Object]:
    """Yield the objects that hold an address or a uid of what `without_live` made; machines are no owners yet."""
    for number in range(apps):
        app = f"app-{number:03}"
        peer = f"app-{(number + 1) % apps:03}"
        yield from (_labelled(obj, app) for obj in _derived(app, peer, namespace, live))


def cluster_kinds() -> tuple[tuple[str, str], ...]:
    """Return (kind, name) of all that is cluster-wide, the last first."""
    return (
        ("ClusterRoleBinding", ROLE),
        ("ClusterRole", ROLE),
        ("PriorityClass", PRIORITY),
        ("CustomResourceDefinition", f"machines.{GROUP}"),
    )


def _whole(api_version: str, kind: str, name: str, meta: Object | None = None, **fields: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **(meta or {})}, **fields}


def _labelled(obj: Object, app: str) -> Object:
    """Return an object with the labels that charts give theirs."""
    labels = {
        "app.kubernetes.io/name": "app",
        "app.kubernetes.io/instance": app,
        "app.kubernetes.io/managed-by": "Helm",
        "helm.sh/chart": "app-1.4.2",
    }
    notes = {"meta.helm.sh/release-name": app}
    meta = obj["metadata"]
    return obj | {
        "metadata": meta
        | {"labels": labels | meta.get("labels", {}), "annotations": notes | meta.get("annotations", {})}
    }


def _access(app: str, namespace: str) -> Iterator[Object]:
    pull = {".dockerconfigjson": _text('{"auths": {"registry.example.com": {"auth": "bWFkZTp1cA=="}}}')}
    yield _whole("v1", "Secret", f"{app}-pull", type="kubernetes.io/dockerconfigjson", data=pull)
    yield _whole("v1", "ServiceAccount", app, imagePullSecrets=[{"name": f"{app}-pull"}])
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [f"{app}-settings"], "verbs": ["get"]}]
    yield _whole(f"{RBAC}/v1", "Role", app, rules=rules)
    group = {"apiGroup": RBAC, "kind": "Group", "name": f"system:serviceaccounts:{namespace}"}
    account = {"kind": "ServiceAccount", "name": app, "namespace": namespace}
    role = {"apiGroup": RBAC, "kind": "Role", "name": app}
    yield _whole(f"{RBAC}/v1", "RoleBinding", app, roleRef=role, subjects=[account, group])


def _settings(app: str, namespace: str) -> Iterator[Object]:
    url = f"http://{app}.{namespace}.svc.cluster.local:80/"
    text = f"[server]\nname = {app}\nurl = {url}\nlisten = 0.0.0.0:8080\n# {'an option with its explanation ' * 12}\n"
    yield _whole("v1", "ConfigMap", f"{app}-settings", data={"app.ini": text, "SELF": url, "LEVEL": "info"})
    login = {
        "username": _text(app),
        "password": _text(f"made-up-{app}"),
        "url": _text(f"postgres://{app}-db:5432/{app}"),
    }
    yield _whole("v1", "Secret", f"{app}-login", type="Opaque", data=login)
    release = {"name": app, "namespace": namespace, "version": 1, "info": {"status": "deployed"}}
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode(), mtime=0)).decode()
    named = {"labels": {"owner": "helm", "name": app, "status": "deployed", "version": "1"}}
    kind = "helm.sh/release.v1"
    yield _whole("v1", "Secret", f"sh.helm.release.v1.{app}.v1", named, type=kind, data={"release": _text(packed)})


def _network(app: str, namespace: str) -> Iterator[Object]:
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    yield _whole("v1", "Service", app, spec={"selector": {"app": app}, "ports": ports})
    headless = [{"name": "sql", "port": 5432, "protocol": "TCP"}]
    yield _whole(
        "v1", "Service", f"{app}-db", spec={"clusterIP": "None", "selector": {"app": f"{app}-db"}, "ports": headless}
    )
    yield _whole("v1", "Service", f"{app}-legacy", spec={"ports": ports})
    yield _whole("v1", "Service", f"{app}-out", spec={"type": "ExternalName", "externalName": f"{app}.{namespace}.svc"})
    backend = {"service": {"name": app, "port": {"number": 80}}}
    host = f"{app}.example.com"
    rules = [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    tls = [{"hosts": [host], "secretName": f"{app}-tls"}]
    yield _whole("networking.k8s.io/v1", "Ingress", app, spec={"rules": rules, "tls": tls})
    yield _whole(
        "v1", "Secret", f"{app}-tls", type="kubernetes.io/tls", data={"tls.crt": _text("made up"), "tls.key": ""}
    )
    same = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    ingress = [{"from": [same, {"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 8080, "protocol": "TCP"}]}]
    spec = {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Ingress"], "ingress": ingress}
    yield _whole("networking.k8s.io/v1", "NetworkPolicy", app, spec=spec)


def _storage(app: str, namespace: str) -> Iterator[Object]:  # noqa: ARG001 - as the other parts
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    yield _whole("v1", "PersistentVolumeClaim", f"{app}-data", spec=spec | {"storageClassName": "standard"})


def _workloads(app: str, namespace: str, replicas: int) -> Iterator[Object]:
    template = _pods(app, app, priorityClassName=PRIORITY, serviceAccountName=app)
    container = template["spec"]["containers"][0]
    container["envFrom"] = [{"configMapRef": {"name": f"{app}-settings"}}, {"secretRef": {"name": f"{app}-login"}}]
    container["env"] = [{"name": "DATABASE", "value": f"{app}-db-0.{app}-db.{namespace}.svc:5432"}]
    container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    template["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": f"{app}-data"}}]
    selector = {"matchLabels": {"app": app}}
    yield _whole("apps/v1", "Deployment", app, spec={"replicas": replicas, "selector": selector, "template": template})
    database = {"serviceName": f"{app}-db", "selector": {"matchLabels": {"app": f"{app}-db"}}, "replicas": replicas}
    yield _whole("apps/v1", "StatefulSet", f"{app}-db", spec=database | {"template": _pods(f"{app}-db", "postgres")})
    once = _pods(f"{app}-report", "report", restartPolicy="OnFailure")
    spec = {"schedule": "0 4 29 2 *", "suspend": True, "jobTemplate": {"spec": {"template": once}}}
    yield _whole("batch/v1", "CronJob", f"{app}-report", spec=spec)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": app}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3}
    spec["metrics"] = [{"type": "Resource", "resource": cpu}]
    yield _whole("autoscaling/v2", "HorizontalPodAutoscaler", app, spec=spec)
    yield _whole("policy/v1", "PodDisruptionBudget", app, spec={"minAvailable": 1, "selector": selector})


def _pods(app: str, name: str, **more: Any) -> Object:
    container = {"name": name, "image": f"registry.example.com/{name}:1.4.2", "ports": [{"containerPort": 8080}]}
    container["resources"] = {"requests": {"cpu": "1m", "memory": "1Mi"}}
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [container], **more}}


def _derived(app: str, peer: str, namespace: str, live: Live) -> Iterator[Object]:
    own, other = live("Service", app), live("Service", peer)
    at, beside = own["spec"]["clusterIP"], other["spec"]["clusterIP"]
    hosts = f"{at} {app}\n{beside} {peer}.{namespace}.svc\n192.0.2.7 outside\n"
    note = {"annotations": {"example.com/reads": f"{own['metadata']['uid']}"}}
    yield _whole("v1", "ConfigMap", f"{app}-hosts", note, data={"hosts": hosts, "peer": f"http://{beside}:80/health"})
    proxy = {"upstream": _text(f"tcp://{beside}:80"), "name": _text(f"{peer}.{namespace}.svc.cluster.local")}
    yield _whole("v1", "Secret", f"{app}-proxy", type="Opaque", data=proxy)
    port = {"name": "http", "port": 8080, "protocol": "TCP"}
    behind = {"labels": {"kubernetes.io/service-name": f"{app}-legacy"}}
    ends = [{"addresses": ["192.0.2.9"], "conditions": {"ready": True}}]
    yield _whole(
        *("discovery.k8s.io/v1", "EndpointSlice", f"{app}-legacy-1", behind),
        addressType="IPv4",
        endpoints=ends,
        ports=[port],
    )
    machine = {"peer": f"{peer}.{namespace}.svc", "size": 5, "at": beside}
    yield _whole(f"{GROUP}/v1", "Machine", app, spec=machine)


def owned_by(machine: Object, app: str) -> Iterator[Object]:
    """Yield what a live Machine owns."""
    meta = machine["metadata"]
    owner = {"apiVersion": machine["apiVersion"], "kind": "Machine", "name": meta["name"], "uid": meta["uid"]}
    tie = {"ownerReferences": [owner | {"controller": True, "blockOwnerDeletion": True}]}
    yield _labelled(_whole("v1", "ConfigMap", f"{app}-machine", tie, data={"id": meta["uid"], "of": app}), app)
    yield _labelled(_whole("v1", "Secret", f"{app}-machine", tie, type="Opaque", data={"key": _text(app)}), app)


def _text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
