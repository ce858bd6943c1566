"""A base and an overlay for Kustomize. Rendered, both have the objects of the plain files; the overlay is to be edited.

The base is the plain files with a kustomization that lists them in the order that works. ConfigMaps whose values are
whole files become generators, so that the files are files; without a name suffix, so that they keep their names. The
overlay names what differs between environments: namespace, images, replicas, hosts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import found, get
from kubeferry.tasks.core.kube.objects import type_of
from kubeferry.tasks.core.needs.references.fields import POD_SPEC_AT
from kubeferry.tasks.core.plan.export.hosts import HOSTS
from kubeferry.tasks.core.plan.export.names import segment
from kubeferry.tasks.core.plan.export.yaml_files import dump, is_block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.plan.export.objects import Exported

API = "kustomize.config.k8s.io/v1beta1"
BASE, OVERLAY = "base", "overlays/default"

SCALED = frozenset({"Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"})
"""Kinds whose replicas Kustomize sets, by name alone (kustomize, api/filters/replicacount)."""

POD_LISTS = ("containers", "initContainers")
"""Lists whose images Kustomize finds (kustomize, builtinpluginconsts/images.go)."""

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")


@dataclass
class Kustomization:
    """Collects what the kustomizations say while the objects are written."""

    resources: list[str] = field(default_factory=list)
    generators: list[Object] = field(default_factory=list)
    images: set[str] = field(default_factory=set)
    replicas: dict[str, set[int]] = field(default_factory=dict)
    hosts: list[tuple[str, Ref, list[tuple[str, str]]]] = field(default_factory=list)
    """API version, object, and its host names, each with its JSON pointer."""
    namespaces: set[str] = field(default_factory=set)
    fixed: bool = False
    """Whether the namespace has to stay: Kustomize would change a subject that is in another one."""

    def files(self, each: Exported) -> Iterator[tuple[str, str]]:
        """Yield the files of one object, as path and text, and note what the overlay says of it."""
        self._note(each)
        if is_generated(each.body):
            yield from self._generated(each)
            return
        self.resources.append(each.path)
        yield f"{BASE}/{each.path}", dump(each.body)

    def _generated(self, each: Exported) -> Iterator[tuple[str, str]]:
        obj, place = each.body, f"{each.path.rpartition('/')[0]}/{segment(each.ref.name)}.files"
        meta = obj["metadata"]
        entry: dict[str, Any] = {"name": each.ref.name, "namespace": each.ref.namespace}
        files = []
        for key, text in obj["data"].items():
            yield f"{BASE}/{place}/{key}", text
            files.append(f"{key}={place}/{key}")
        entry["files"] = files
        options: dict[str, Any] = {"disableNameSuffixHash": True}
        options |= {name: meta[name] for name in ("labels", "annotations") if meta.get(name)}
        options |= {"immutable": True} if obj.get("immutable") is True else {}
        self.generators.append(entry | {"options": options})

    def _note(self, each: Exported) -> None:
        obj, ref = each.body, each.ref
        if ref.namespace:
            self.namespaces.add(ref.namespace)
        spec = pod_spec(obj)
        for name in POD_LISTS:
            self.images |= {image for image in (_image(one) for one in _list(get(spec, name))) if image}
        if ref.kind in SCALED and isinstance(get(obj, "spec", "replicas"), int):
            self.replicas.setdefault(ref.name, set()).add(obj["spec"]["replicas"])
        elif ref.kind in SCALED:
            self.replicas.setdefault(ref.name, set()).add(-1)
        if (ref.group, ref.kind) in HOSTS:
            named = [
                host
                for path in HOSTS[ref.group, ref.kind]
                for host in found(obj, path)
                if host[1] and isinstance(host[1], str)
            ]
            self.hosts.append((obj["apiVersion"].rpartition("/")[2], ref, named))
        for subject in _list(obj.get("subjects")):
            if not isinstance(subject, dict):
                continue
            # Kustomize names a namespace for a subject without one, too: RBAC reads it so, but it is another object.
            bare = subject.get("kind") == "ServiceAccount" and "namespace" not in subject
            other = subject.get("name") == "default" and subject.get("namespace", "") not in self.namespaces
            self.fixed = self.fixed or bare or other

    def base(self) -> str:
        """Return the kustomization of the base."""
        body: dict[str, Any] = {"apiVersion": API, "kind": "Kustomization", "sortOptions": {"order": "fifo"}}
        body["resources"] = self.resources
        if self.generators:
            body["configMapGenerator"] = self.generators
        return dump(body)

    def overlay(self) -> str:
        """Return the kustomization of the overlay: it changes nothing until somebody edits it."""
        body: dict[str, Any] = {"apiVersion": API, "kind": "Kustomization", "sortOptions": {"order": "fifo"}}
        body["resources"] = ["../../base"]
        if len(self.namespaces) == 1 and not self.fixed:
            body["namespace"] = next(iter(self.namespaces))
        if self.images:
            body["images"] = [_as_it_is(image) for image in sorted(self.images)]
        counts = {name: next(iter(some)) for name, some in sorted(self.replicas.items()) if len(some) == 1}
        if any(count >= 0 for count in counts.values()):
            body["replicas"] = [{"name": name, "count": count} for name, count in counts.items() if count >= 0]
        patches = [patch for version, ref, hosts in self.hosts for patch in _host_patches(version, ref, hosts)]
        if patches:
            body["patches"] = patches
        return HEAD + dump(body)


HEAD = """\
# What differs between environments. It says what the base says: change it here, for example the tag of an image
# (newTag), and add labels:
#
# labels:
# - pairs: {team: shop}
"""


def is_generated(obj: Object) -> bool:
    """Return whether a ConfigMap is written as files: all its values are texts of several lines under legal names."""
    data = obj.get("data")
    return (
        (obj["apiVersion"], obj["kind"]) == ("v1", "ConfigMap")
        and isinstance(data, dict)
        and bool(data)
        and "binaryData" not in obj
        and all(isinstance(text, str) and is_block(text) and _FILE.fullmatch(key) for key, text in data.items())
        and len({key.lower() for key in data}) == len(data)
    )


def pod_spec(obj: Object) -> Any:
    """Return the spec of an object's Pods, or of a Pod itself; None if it has none."""
    return get(obj, *POD_SPEC_AT.get(type_of(obj), "spec.template.spec").split("."))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _image(container: Any) -> str:
    image = get(container, "image") if isinstance(container, dict) else ""
    return name_of(image) if isinstance(image, str) and image else ""


def name_of(image: str) -> str:
    """Return the name of an image, without tag and digest: `registry:5000/shop/web:1.2` → `registry:5000/shop/web`."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def _as_it_is(image: str) -> dict[str, str]:
    return {"name": image, "newName": image}


def _host_patches(version: str, ref: Ref, hosts: list[tuple[str, str]]) -> Iterator[Object]:
    operations = [{"op": "replace", "path": pointer, "value": host} for pointer, host in hosts]
    if operations:
        target = {"group": ref.group, "version": version, "kind": ref.kind, "name": f"^{re.escape(ref.name)}$"}
        yield {"target": target, "patch": dump_operations(operations)}


def dump_operations(operations: list[dict[str, str]]) -> str:
    """Return a JSON patch as YAML text."""
    return "".join(
        f"- op: {each['op']}\n  path: {each['path']}\n  value: {dump({'v': each['value']})[3:].strip()}\n"
        for each in operations
    )
