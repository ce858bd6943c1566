"""Real applications for tests: their manifests from a Go module, installed with kubectl into a namespace of a test.

What the manifests say is changed in one point: the namespace that they fix becomes that of the test.
"""

import re
from dataclasses import dataclass, field

import yaml
from tests.support.go_modules import download
from tests.support.yaml_documents import Loader

from kubeferry.tasks.core.jsondoc.edit import group_of

DEFINITION = "CustomResourceDefinition"
LATE = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService")
"""What has the API server ask a server of the application, which nothing is on kwok."""
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")


@dataclass
class Application:
    """One row of the table applications.yaml, which says what each field means."""

    name: str
    module: str
    version: str
    sum: str
    what: str
    namespaces: list
    files: list
    samples: list = field(default_factory=list)
    objects: list = field(default_factory=list)
    differs: dict = field(default_factory=dict)
    rendered: dict = field(default_factory=dict)
    fault: str = ""

    def manifests(self, folder, namespace, helm, kubectl):
        """Return its objects in a namespace, those of the samples last; `folder` is an empty one."""
        root = download(self.module, self.version, self.sum, folder)
        found = [obj for each in [*self.files, *self.samples] for obj in objects(root, each, namespace, helm, kubectl)]
        found = [moved(each, self.namespaces, namespace) for each in [*found, *self.objects]]
        return list({identity(each): each for each in found}.values())


def load(path):
    """Return the applications of a table."""
    return [Application(**row) for row in yaml.safe_load(path.read_text())]


def identity(obj):
    return obj["apiVersion"], obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def objects(root, entry, namespace, helm, kubectl):
    """Yield the objects of an entry of `files`: a pattern, a folder for Kustomize, or a chart."""
    if isinstance(entry, dict):
        chart, where = root / entry["chart"], f"{entry['set']}={namespace}"
        texts = [helm("template", chart.name, chart, "--namespace", namespace, "--set", where)]
    elif (root / entry).is_dir():
        texts = [kubectl("kustomize", str(root / entry))]
    else:
        texts = [path.read_text() for path in sorted(root.glob(entry)) if path.name != "kustomization.yaml"]
    assert texts, f"{entry} is nowhere in {root}"
    for text in texts:
        yield from (each for each in yaml.load_all(text, Loader) if each and "kind" in each)


def moved(value, old, new):
    """Return a manifest with `new` for each namespace of `old`: as a namespace, and in names of the DNS."""
    if isinstance(value, dict):
        body = {key: moved(each, old, new) for key, each in value.items()}
        body |= {"namespace": new} if body.get("namespace") in old else {}
        if body.get("kind") == "Namespace" and "metadata" in body and body["metadata"]["name"] in old:
            body["metadata"] |= {"name": new}
        return body
    if isinstance(value, list):
        return [moved(each, old, new) for each in value]
    if isinstance(value, str):
        for name in old:
            value = re.sub(rf"\.{name}\.svc\b", f".{new}.svc", value)
    return value


def stages(manifests):
    """Return the objects in the order in which a person installs them, webhooks after all that they would refuse."""
    custom = custom_kinds(manifests)

    def stage(obj):
        if obj["kind"] in ("Namespace", DEFINITION):
            return 0
        return 3 if obj["kind"] in LATE else 1 + (kind_of(obj) in custom)

    return [some for number in range(4) if (some := [each for each in manifests if stage(each) == number])]


def custom_kinds(manifests):
    """Return the kinds that an application defines."""
    specs = [each["spec"] for each in manifests if each["kind"] == DEFINITION]
    return {(spec["group"], spec["names"]["kind"]) for spec in specs}


def kind_of(obj):
    return group_of(obj["apiVersion"]), obj["kind"]
