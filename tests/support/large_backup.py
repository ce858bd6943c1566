"""A backup of many objects, written by Kubeferry's own steps from made-up LIST pages: no cluster is needed."""

import base64
import random
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.backup.index import _index
from kubeferry.tasks.backup.state import CLUSTER, Scope
from kubeferry.tasks.backup.strip import _strip
from kubeferry.tasks.backup.upload import _upload
from kubeferry.tasks.core.formats.manifest import Source
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.models.options import BackupOptions
from kubeferry.tasks.core.selection.resource_types import NAMESPACES
from kubeferry.tasks.ports.local import clock

if TYPE_CHECKING:
    from datetime import datetime

NAMESPACE = "large"
PAGE = 500
APP = 10
"""Objects of one application."""

_VERBS = frozenset({"get", "list", "create", "delete", "patch", "update", "watch"})


def _type(group, kind, plural, *, api_version):
    return ResourceType(group, api_version.rpartition("/")[2], kind, plural, namespaced=True, verbs=_VERBS)


TYPES = tuple(
    sorted(
        [
            _type("", "Secret", "secrets", api_version="v1"),
            _type("", "ConfigMap", "configmaps", api_version="v1"),
            _type("", "Service", "services", api_version="v1"),
            _type("", "Pod", "pods", api_version="v1"),
            _type("apps", "Deployment", "deployments", api_version="apps/v1"),
        ]
    )
)


def live_objects(count, size=3000, seed=1):
    """Yield `count` live objects of about `size` bytes: applications of Secrets, ConfigMaps, a Deployment, a Service
    and a Pod, with owners, references, a host name with the namespace, and a use of an address."""
    draw = random.Random(seed)  # noqa: S311 - made-up content, the same each time
    for number in range(count):
        yield _live(number // APP, number % APP, size, draw)


def _live(app, part, size, draw):
    uid = _uid(app, part)
    meta = {
        "namespace": NAMESPACE,
        "uid": uid,
        "resourceVersion": str(app * APP + part + 1000),
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"app.kubernetes.io/name": f"app-{app:06}", "app.kubernetes.io/part-of": "large"},
        "managedFields": [
            {
                "manager": "kubectl-client-side-apply",
                "operation": "Update",
                "apiVersion": "v1",
                "time": "2026-01-01T00:00:00Z",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app.kubernetes.io/name": {}}}},
            }
        ],
    }
    text = base64.b64encode(draw.randbytes(max(0, size - 900) * 3 // 8)).decode()
    filler = text + text[: max(0, size - 900 - len(text))]
    name = f"app-{app:06}"
    match part:
        case 0:
            pod = _pod(name, filler)
            spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": pod}
            return {"metadata": meta | {"name": name}, "spec": spec, "status": {"observedGeneration": 1}}, "Deployment"
        case 1:
            ip = _ip(app)
            ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]
            spec = {"clusterIP": ip, "clusterIPs": [ip], "selector": {"app": name}, "ports": ports, "type": "ClusterIP"}
            noted = meta | {"name": name, "annotations": {"example.com/notes": filler}}
            return {"metadata": noted, "spec": spec, "status": {"loadBalancer": {}}}, "Service"
        case 2:
            pod = _pod(name, filler)
            status = {"phase": "Running", "podIP": f"10.{app >> 16}.{app >> 8 & 255}.{app & 255}"}
            ready = {"conditions": [{"type": "Ready", "status": "True"}]}
            return {"metadata": meta | {"name": f"{name}-tool"}, "spec": pod["spec"], "status": status | ready}, "Pod"
        case 3 | 4 | 5:
            owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": _uid(app, 0)}
            owned = meta | {"name": f"{name}-{part}", "ownerReferences": [owner]}
            data = {"text": filler, "host": f"db.{NAMESPACE}.svc.cluster.local"}
            return {"metadata": owned, "data": data | ({"address": _ip(app)} if part == 3 else {})}, "ConfigMap"
        case _:
            data = {"password": base64.b64encode(filler.encode()[: len(filler) * 3 // 4]).decode()}
            return {"metadata": meta | {"name": f"{name}-{part}"}, "type": "Opaque", "data": data}, "Secret"


def _uid(app, part):
    return str(uuid.UUID(int=(app << 8 | part) * 0x9E3779B97F4A7C15 % 2**128))


def _ip(app):
    return f"10.{96 + (app >> 16)}.{app >> 8 & 255}.{app & 255}"


def _pod(name, filler):
    env = [{"name": "HOST", "value": f"db.{NAMESPACE}.svc"}, {"name": "TEXT", "value": filler}]
    env.append({"name": "KEY", "valueFrom": {"secretKeyRef": {"name": f"{name}-6", "key": "password"}}})
    volumes = [{"name": "settings", "configMap": {"name": f"{name}-3", "defaultMode": 420}}]
    mounts = [{"name": "settings", "mountPath": "/etc/settings"}]
    container = {"name": "main", "image": "registry.example.com/app:1", "env": env, "volumeMounts": mounts}
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], "volumes": volumes}}


def write_pages(scope, count, size=3000):
    """Write the LIST pages that a fetch would have written."""
    pages: dict[str, list] = {kind.kind: [] for kind in TYPES}
    numbers = dict.fromkeys(pages, 0)
    kinds = {kind.kind: kind for kind in TYPES}
    for folder in (CLUSTER, NAMESPACE):
        (scope.folder(folder) / "pages").mkdir(parents=True)

    def flush(kind):
        numbers[kind] += 1
        path = scope.page(NAMESPACE, kinds[kind], numbers[kind])
        path.write_bytes(orjson.dumps({"items": pages[kind]}))
        pages[kind] = []

    for obj, kind in live_objects(count, size):
        pages[kind].append(obj)
        if len(pages[kind]) == PAGE:
            flush(kind)
    for kind in pages:
        flush(kind)
    space = {"metadata": {"name": NAMESPACE, "uid": str(uuid.UUID(int=7)), "labels": {}}, "spec": {}}
    scope.page(NAMESPACE, NAMESPACES, 1).write_bytes(orjson.dumps({"items": [space]}))


def scope_of(store, work, name):
    """Return the scope of a backup of the namespace."""
    return Scope(
        name=name,
        options=BackupOptions(namespaces=[NAMESPACE], store=store, name=name),
        work=str(work),
        namespaces=(NAMESPACE,),
        source=Source(uid=str(uuid.UUID(int=9)), version="v1.36.1", context="made-up", host="https://127.0.0.1"),
        revision="1000",
        types=TYPES,
        related=(),
        indexed=(),
        everywhere=(),
        own_revisions=frozenset(),
        problems=(),
    )


def write_backup(store, work, count, name="large", size=3000):
    """Write a backup of `count` objects and their namespace into a store; return its name."""
    scope = scope_of(store, work, name)
    write_pages(scope, count, size)
    started: datetime = clock.now()
    known = _index(scope)
    _upload(scope, [], [_strip(scope, NAMESPACE, known)], started)
    return name


if __name__ == "__main__":
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        print(write_backup(sys.argv[1], Path(folder), int(sys.argv[2]), sys.argv[3]))
