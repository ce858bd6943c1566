"""Definitions whose versions differ from cluster to cluster."""

import uuid
from dataclasses import replace

import pytest
import yaml
from tests.support.bench import A


class Kind:
    """A custom kind in a group of its own; its definition may differ on each cluster."""

    def __init__(self, bench, scope="Namespaced"):
        self.bench, self.scope = bench, scope
        self.group = f"k{uuid.uuid4().hex[:6]}.example.com"

    def define(self, context, *, conversion=None, **versions):
        """Define it; a version is a schema of its spec, and perhaps words: stored, unserved, status."""
        listed = [self._version(name, *each) for name, each in versions.items()]
        names = {"kind": "Box", "plural": "boxes", "singular": "box"}
        spec = {"group": self.group, "scope": self.scope, "names": names, "versions": listed}
        spec |= {"conversion": conversion} if conversion else {}
        old = self.bench.find("CustomResourceDefinition", "", f"boxes.{self.group}", context)
        if old:
            uid, at = old["metadata"]["uid"], old["metadata"]["generation"]
            self.bench.patch("CustomResourceDefinition", "", f"boxes.{self.group}", {"spec": spec}, context)
            assert uid
            assert at
        else:
            obj = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
            self.bench.make(yaml.safe_dump(obj | {"metadata": {"name": f"boxes.{self.group}"}}), context=context)
        served = {each["name"] for each in listed if each["served"]}
        key = (self.group, "Box")
        self.bench.until(lambda: set(self.bench.clusters[context].discover().versions.get(key, ())) == served)

    def _version(self, name, spec, *words):
        schema = {"type": "object", "properties": {"spec": spec, "status": {"type": "object"}}}
        schema["properties"]["status"]["x-kubernetes-preserve-unknown-fields"] = True
        found = {"name": name, "served": "unserved" not in words, "storage": "stored" in words}
        found |= {"subresources": {"status": {}}} if "status" in words else {}
        return found | {"schema": {"openAPIV3Schema": schema}}

    def type(self, version, context=A):
        found = self.bench.clusters[context].discover().by_kind(self.group, "Box")
        return replace(found, version=version)

    def create(self, ns, version, name, spec, context=A, **more):
        what = {"apiVersion": f"{self.group}/{version}", "kind": "Box"}
        obj = what | {"metadata": {"name": name, "namespace": ns} | more, "spec": spec}
        return self.bench.clusters[context].create(self.type(version, context), ns, obj)[0]

    def get(self, ns, version, name, context=A):
        return self.bench.clusters[context].get(self.type(version, context), ns, name)


def fields(*names):
    """Return a schema with these fields; a name with a dot has a map above it."""
    schema = {"type": "object", "properties": {}}
    for name in names:
        part = schema
        *above, last = name.split(".")
        for each in above:
            part = part["properties"].setdefault(each, {"type": "object", "properties": {}})
        part["properties"][last] = {"x-kubernetes-int-or-string": True}
    return schema


@pytest.fixture
def kind(bench):
    return Kind(bench)
