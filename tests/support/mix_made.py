"""Make the realistic mix on a cluster, and read what a restore made of it, without what no two restores share."""

from __future__ import annotations

import base64
import gzip
import json
import re
from contextlib import suppress
from functools import reduce
from typing import TYPE_CHECKING

from tests.support import mix
from tests.support.bench import A

from kubeferry.tasks.core.errors import AlreadyExistsError
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from kubeferry.tasks.ports.cluster.client import Cluster

    Object = dict[str, Any]

CONTROLLERS = {"kube-controller-manager", "kube-scheduler", "kwok"}
"""Field managers that write when they come to it."""
OF_CONTROLLERS = {"Deployment", "ReplicaSet", "StatefulSet", "CronJob", "Job", "Endpoints", "Service"}
"""Kinds of owners whose controllers make the objects that they own."""
OF_A_RUN = re.compile(r"\b(kubeferry-)[0-9a-f]{12}\b")
"""The field manager of a restore has a token of it."""
COUNTED = ("creationTimestamp", "generation", "resourceVersion", "deletionTimestamp")


def make(cluster: Cluster, namespace: str, apps: int, replicas: int = 1) -> int:
    """Make a namespace of so many applications; return how many objects it has. What is cluster-wide may be there."""
    _create(cluster, "", [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}])
    _create_wide(cluster, namespace)
    first = [*mix.without_live(namespace, apps, replicas)]
    accounts = [each for each in first if each["kind"] == "ServiceAccount"]  # a Pod is refused without its account
    made = _create(cluster, namespace, accounts)
    made |= _create(cluster, namespace, [each for each in first if each["kind"] != "ServiceAccount"])
    _until_served(cluster)
    made |= _create(cluster, namespace, mix.with_live(namespace, apps, lambda kind, name: made[kind, name]))
    owned = [each for (kind, app), obj in made.items() if kind == "Machine" for each in mix.owned_by(obj, app)]
    made |= _create(cluster, namespace, owned)
    machines = [obj["metadata"] for (kind, _), obj in made.items() if kind == "Machine"]
    kind = cluster.discover().by_kind(mix.GROUP, "Machine")
    for meta in machines:
        status = {"status": {"phase": "Running", "seen": meta["uid"]}}
        cluster.patch(kind, namespace, meta["name"], status, subresource="status", manager="operator")
    return len(made)


def _create_wide(cluster: Cluster, namespace: str) -> None:
    for obj in mix.cluster_wide(namespace):
        with suppress(AlreadyExistsError):
            _create(cluster, "", [obj])


def _create(cluster: Cluster, namespace: str, objects: Iterable[Object]) -> dict[tuple[str, str], Object]:
    kinds = cluster.discover()

    def one(obj: Object) -> Object:
        kind = kinds.by_kind(group_of(obj["apiVersion"]), obj["kind"])
        return cluster.create(kind, namespace, obj)[0]

    return {(each["kind"], each["metadata"]["name"]): each for each in in_threads(one, objects, THREADS)}


def _until_served(cluster: Cluster) -> None:
    from tests.support.random_making import until

    until(lambda: cluster.discover().by_kind(mix.GROUP, "Machine"), "the definition is not served")


def paths(namespace: str) -> list[str]:
    """Return the paths of the collections that the mix has objects in."""
    kinds = connect(A).discover()
    objects = [*mix.without_live(namespace, 1), *mix.with_live(namespace, 1, _any)]
    found = {(group_of(each["apiVersion"]), each["kind"]) for each in objects}
    return sorted(kinds.by_kind(*each).path(namespace) for each in found)


def serve(context: str, namespace: str) -> None:
    """Make what is cluster-wide, where it is not there yet, and wait until its definition is served."""
    cluster = connect(context)
    _create_wide(cluster, namespace)
    _until_served(cluster)


def requests(source: str, old: str, new: str, apps: int) -> tuple[list[tuple[str, bytes]], ...]:
    """Return path and body of what the mix is made of, as if for namespace `new`: accounts, and all others.

    Addresses are those of the live namespace `old`, and owners are left out: who only sends bytes knows no new ones.
    """
    cluster = connect(source)
    kinds = cluster.discover()
    services = {each["metadata"]["name"]: each for each in cluster.list(kinds.by_kind("", "Service"), old)}
    machines = cluster.list(kinds.by_kind(mix.GROUP, "Machine"), old)
    objects = [*mix.without_live(new, apps), *mix.with_live(new, apps, lambda _, name: services[name])]
    objects += [each for one in machines for each in mix.owned_by(one, one["metadata"]["name"])]
    found: tuple[list[tuple[str, bytes]], ...] = ([], [])
    for obj in objects:
        obj["metadata"].pop("ownerReferences", None)
        path = kinds.by_kind(group_of(obj["apiVersion"]), obj["kind"]).path(new)
        found[obj["kind"] != "ServiceAccount"].append((path, json.dumps(obj).encode()))
    return found


def _any(kind: str, name: str) -> Object:
    return {"kind": kind, "metadata": {"name": name, "uid": "0"}, "spec": {"clusterIP": "192.0.2.1"}}


def restored(cluster: Cluster, namespace: str, names: dict[str, str]) -> list[str]:
    """Return the objects of a namespace, and what is cluster-wide of the mix, each as a line of JSON, sorted.

    `names`: what a text holds → what stands for it, for namespaces and names that a run made up. Uids and addresses of
    the objects that are read are replaced by the names of their objects, wherever a text or Secret has them: an address
    of another cluster stays, and is a difference.
    """
    kinds = [each for each in cluster.discover().types if {"list", "create"} <= each.verbs and each.kind != "Event"]
    found = [obj for kind in kinds if kind.namespaced for obj in cluster.list(kind, namespace)]
    wide = {kind for kind, _ in mix.cluster_kinds()} | {"Namespace"}
    found += [obj for kind in kinds if kind.kind in wide for obj in cluster.list(kind) if _ours(obj, namespace)]
    known = {value: mark for obj in found for value, mark in _values(obj)}
    pattern = re.compile("|".join(rf"(?<![\w.]){re.escape(each)}(?![\w])" for each in sorted(known, key=len)[::-1]))

    def named(text: str) -> str:
        text = OF_A_RUN.sub(r"\1<token>", pattern.sub(lambda match: known[match[0]], text))
        return reduce(lambda done, name: done.replace(name, names[name]), names, text)

    return sorted(_line(obj, named) for obj in found if _kept(obj))


def _ours(obj: Object, namespace: str) -> bool:
    """Return whether something cluster-wide is of the mix: by its name, or as the copy that is for this namespace."""
    name = obj["metadata"]["name"]
    return (obj["kind"], name) in (*mix.cluster_kinds(), ("Namespace", namespace)) or name.endswith(f"-{namespace}")


def _values(obj: Object) -> Iterable[tuple[str, str]]:
    """Yield what a cluster assigned to an object, and what stands for it."""
    of = f"{obj['kind']}/{obj['metadata']['name']}"
    yield obj["metadata"]["uid"], f"<uid of {of}>"
    if obj["kind"] == "Service" and obj["spec"].get("clusterIP") not in (None, "", "None"):
        yield obj["spec"]["clusterIP"], f"<address of {of}>"


def _kept(obj: Object) -> bool:
    """Return whether no controller makes an object."""
    owners = obj["metadata"].get("ownerReferences", [])
    by_name = {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}
    if (obj["kind"], obj["metadata"]["name"]) in by_name or obj["kind"] in ("Endpoints", "Lease"):
        return False
    return not any(each.get("controller") and each["kind"] in OF_CONTROLLERS for each in owners)


def _line(obj: Object, named: Callable[[str], str]) -> str:
    meta = {key: value for key, value in obj["metadata"].items() if key not in COUNTED}
    writers = [each for each in meta.pop("managedFields", []) if each["manager"] not in CONTROLLERS]
    writers = [{key: value for key, value in each.items() if key != "time"} for each in writers]
    meta["managedFields"] = sorted(writers, key=lambda each: (each["manager"], each["operation"]))
    left = {key: value for key, value in obj.items() if key != "status" or obj["kind"] == "Machine"}
    plain = left | {"metadata": meta}
    if obj["kind"] == "Secret":
        plain["data"] = {key: base64.b64decode(value).decode() for key, value in obj.get("data", {}).items()}
        if obj["type"] == "helm.sh/release.v1":
            plain["data"]["release"] = gzip.decompress(base64.b64decode(plain["data"]["release"])).decode()
    if obj["kind"] == "Bundle":
        plain["spec"] = obj["spec"] | {"started": "<time>", "store": "<store>"}
    return json.dumps(_named(plain, named), sort_keys=True, ensure_ascii=False)


def _named(value: Any, named: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return named(value)
    if isinstance(value, dict):
        return {named(key): _named(item, named) for key, item in value.items()}
    return [_named(item, named) for item in value] if isinstance(value, list) else value
