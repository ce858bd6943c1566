"""Markers in templates of objects: what stands for a value that a cluster hands out, and what it is on each cluster.

`⟪clusterIP|web⟫` in a string is the address of the Service `web` of the same namespace, `⟪peer|clusterIP|web⟫` that of
the neighbour's. What a marker is worth is read from live objects here, and by nothing that Kubeferry does itself.
"""

import base64
import json
import re

from kubeferry.tasks.core.jsondoc.differences import PLAIN
from kubeferry.tasks.core.kube.objects import labels_of

MARKER = re.compile("⟪([^⟫]*)⟫")
FIXED = {"ns", "word"}
"""Markers that are known before anything is live: the namespace where it is referred to, and its name as a word."""


class Snapshot:
    """Live objects of a cluster by namespace, and of the cluster itself under ""."""

    def __init__(self, objects=()):
        self.namespaces = {}
        for obj in objects:
            self.add(obj)

    def add(self, obj):
        held = self.namespaces.setdefault(obj["metadata"].get("namespace", ""), {})
        held[obj["kind"], obj["metadata"]["name"]] = obj

    def pods(self, namespace, app):
        """Return the ready pods of a Deployment by name: its pods are labelled so, and have a ReplicaSet."""
        return [
            obj
            for (kind, _), obj in sorted(self.namespaces.get(namespace, {}).items())
            if kind == "Pod" and labels_of(obj).get("app") == app and owned_by(obj, "ReplicaSet") and ready(obj)
        ]


class Values:
    """What markers are worth in one namespace; raises LookupError for what is not live (yet)."""

    def __init__(self, snapshot, namespace, peer, before=None):
        self.snapshot, self.namespace, self.peer = snapshot, namespace, peer
        self.before = before or self
        """The values of the original namespace."""

    def __call__(self, marker):
        what, *rest = marker.split("|")
        if what == "peer":
            before = None if self.before is self else Values(self.before.snapshot, self.before.peer, "")
            return Values(self.snapshot, self.peer, "", before)("|".join(rest))
        if what == "frozen":
            return self.before("|".join(rest))
        return getattr(self, f"_{what}")(*rest)

    def _ns(self):
        return self.namespace

    def _word(self):
        return self.before.namespace

    def _get(self, kind, name, namespace=None):
        return self.snapshot.namespaces[self.namespace if namespace is None else namespace][kind, name]

    def _uid(self, kind, name):
        obj = self._get("Namespace", self.namespace, "") if kind == "Namespace" else self._get(kind, name)
        return obj["metadata"]["uid"]

    def _cluster(self):
        return self._get("Namespace", "kube-system", "")["metadata"]["uid"]

    def _api(self):
        return self._get("Service", "kubernetes", "default")["spec"]["clusterIP"]

    def _node(self, ordinal):
        nodes = sorted(name for kind, name in self.snapshot.namespaces[""] if kind == "Node")
        found = self._get("Node", nodes[int(ordinal)], "")["status"]["addresses"]
        return next(each["address"] for each in found if each["type"] == "InternalIP")

    def _clusterIP(self, name):  # noqa: N802 - the field's name
        return self._get("Service", name)["spec"]["clusterIP"]

    def _pod(self, kind, name, ordinal):
        if kind == "Deployment":
            found = self.snapshot.pods(self.namespace, name)
            if len(found) != self._get(kind, name)["spec"]["replicas"]:
                raise LookupError(f"not all pods of {name} are ready")
            return found[int(ordinal)]
        pod = self._get("Pod", name if kind == "Pod" else f"{name}-{ordinal}")
        if not ready(pod):
            raise LookupError(f"{name} is not ready")
        return pod

    def _podIP(self, *pod):  # noqa: N802 - the field's name
        return self._pod(*pod)["status"]["podIP"]

    def _podName(self, *pod):  # noqa: N802 - as above
        return self._pod(*pod)["metadata"]["name"]

    def _nodeName(self, *pod):  # noqa: N802 - as above
        return self._pod(*pod)["spec"]["nodeName"]


def ready(pod):
    found = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in found)


def owned_by(obj, kind):
    return any(owner["kind"] == kind for owner in obj["metadata"].get("ownerReferences", []))


def render(value, values):
    """Return a template with each marker replaced."""
    if isinstance(value, str):
        return MARKER.sub(lambda match: values(match[1]), value)
    if isinstance(value, dict):
        return {key: render(item, values) for key, item in value.items()}
    return [render(item, values) for item in value] if isinstance(value, list) else value


def as_sent(obj):
    """Return a rendered template as the API takes it: templates write a Secret's data as text."""
    if obj["kind"] != "Secret":
        return obj
    return obj | {"data": {key: base64.b64encode(each.encode()).decode() for key, each in obj["data"].items()}}


def marked(template, at=()):
    """Yield (place, text) of each string with markers."""
    if isinstance(template, str):
        if MARKER.search(template):
            yield at, template
    elif isinstance(template, dict | list):
        pairs = template.items() if isinstance(template, dict) else enumerate(template)
        for key, item in pairs:
            yield from marked(item, (*at, key))


def is_live(text):
    """Return whether a text waits for something live."""
    return any(found not in FIXED and found != "peer|ns" for found in MARKER.findall(text))


def at(obj, place):
    """Return the string at a place of a live object, as a template writes it."""
    value = obj
    for key in place:
        value = value[key]
    return base64.b64decode(value).decode() if obj["kind"] == "Secret" and place[0] == "data" else value


def path_of(place):
    """Return a place as `differences` gives it."""
    text = ""
    for key in place:
        if isinstance(key, int):
            text += f"[{key}]"
        elif PLAIN.fullmatch(key):
            text += f".{key}" if text else key
        else:
            text += f"[{json.dumps(key, ensure_ascii=False)}]"
    return text
