"""What tests of restores share: namespaces of their own, objects as YAML, backups and restores as flows."""

import json
import time
import urllib.request
import uuid
from contextlib import suppress

import yaml
from tests.support.prefect_api import headers

from kubeferry.flows.backup import backup
from kubeferry.flows.restore import restore
from kubeferry.tasks.core.errors import NotFoundError
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.evaluate import verdict
from kubeferry.tasks.core.models.options import BackupOptions, RestoreOptions
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.step import as_one

A, B = "kubeferry-a", "kubeferry-b"
SECONDS = 300
"""How long a restore waits for anything that a controller of the sandbox does."""
PATIENCE = 600
"""How long a test waits for it. It ends at once when it is done, and nothing follows from how long it took."""

SEEN = "example.com/seen"
"""The label by which `history` knows the end."""
IN_EACH = (("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt"))
"""What two controllers make in each namespace."""


class Bench:
    """Two clusters and a store, for one module's tests: everything made through it is taken away by `clear`.

    But, unless it is `alone` there, definitions; and namespaces unless it is to be `tidy`.
    """

    def __init__(self, run_flow, kubeconfig, store, *, alone=True, tidy=True):
        self.run_flow, self.alone, self.tidy = run_flow, alone, tidy
        self.folder = store
        self.where = {"kubeconfig": str(kubeconfig), "store": store.as_uri()}
        self.clusters = {context: connect(context, str(kubeconfig)) for context in (A, B)}
        self.made = []
        self.kinds = {}
        self.namespaces = set()

    # --- objects

    def name(self, prefix="r"):
        """Return a name that nothing has yet; a namespace of it is deleted in the end, wherever it is."""
        name = f"{prefix}-{uuid.uuid4().hex[:6]}"
        self.namespaces.add(name)
        return name

    def namespace(self, prefix="r", context=A):
        """Make a namespace with what controllers make in each; return its name."""
        return self.namespace_named(self.name(prefix), context)

    def namespace_named(self, name, context=A):
        """Make a namespace of this name, with what controllers make in each."""
        self.namespaces.add(name)
        self.make(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}", context=context)
        for kind, named in IN_EACH:
            self.until(lambda kind=kind, named=named: self.find(kind, name, named, context=context))
        return name

    def collected(self, context=A):
        """Wait until the garbage collector has gone over things that came after all that is there now."""
        ns = self.namespace("gc", context)
        (owner,) = self.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: owner}}", ns, context)
        tie = f"{{apiVersion: v1, kind: ConfigMap, name: owner, uid: {owner['metadata']['uid']}}}"
        self.make(
            f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: owned, ownerReferences: [{tie}]}}}}", ns, context
        )
        self.delete("ConfigMap", ns, "owner", context)
        self.until(lambda: self.find("ConfigMap", ns, "owned", context) is None)

    def make(self, text, namespace="", context=A):
        """Create objects written as YAML (into `namespace`, where they have one); return them as stored."""
        return [self._make(obj, namespace, context) for obj in yaml.safe_load_all(text) if obj]

    def _make(self, obj, namespace, context):
        kind = self.kind(obj["kind"], obj["apiVersion"], context)
        if kind.namespaced:
            obj["metadata"].setdefault("namespace", namespace)
        elif obj["kind"] != "Namespace":
            self.made.append((context, kind, obj["metadata"]["name"]))
        return self.clusters[context].create(kind, obj["metadata"].get("namespace", ""), obj)[0]

    def kind(self, kind, api_version="", context=A, namespace=""):
        """Return a type, `Kind` or `Kind.group`; one whose CRD was just made is waited for.

        Tests define kinds of the same name in groups called after their namespace: that of `namespace` is meant.
        """
        known = (kind, api_version, context)
        if known in self.kinds:
            return self.kinds[known]
        kind, _, named = kind.partition(".")
        group = api_version.rpartition("/")[0] or named

        def found():
            types = [t for t in self.clusters[context].discover().types if t.kind == kind]
            types = [t for t in types if t.group == group] if api_version or named else types
            own = [t for t in types if namespace and namespace.startswith(t.group.partition(".")[0] or "-")]
            return next(iter(own or types), None)

        answer = self.until(found)
        if is_builtin(answer.group):  # these never change: a look at all types costs more than most of what is asked
            self.kinds[known] = answer
        return answer

    def find(self, kind, namespace, name, context=A):
        """Return an object, or None."""
        try:
            return self.clusters[context].get(self.kind(kind, context=context, namespace=namespace), namespace, name)
        except NotFoundError:
            return None

    def get(self, kind, namespace, name, context=A):
        """Return an object that has to be there."""
        found = self.find(kind, namespace, name, context)
        assert found, f"{kind} {namespace}/{name} is not on {context}"
        return found

    def list(self, kind, namespace="", context=A):
        return self.clusters[context].list(self.kind(kind, context=context), namespace)

    def patch(self, kind, namespace, name, patch, context=A, **options):
        found = self.kind(kind, context=context, namespace=namespace)
        return self.clusters[context].patch(found, namespace, name, patch, **options)

    def delete(self, kind, namespace, name, context=A):
        """Delete an object and wait until it is gone."""
        uid = self.get(kind, namespace, name, context)["metadata"]["uid"]
        self.clusters[context].delete(self.kind(kind, context=context, namespace=namespace), namespace, name, uid=uid)
        self.until(lambda: self.find(kind, namespace, name, context) is None)

    def until(self, true, seconds=PATIENCE):
        """Wait for something that a controller does; return what `true` returns.

        A field that `true` reads and that is not there yet counts as not yet, as an empty status does.
        """
        limit, missing = time.monotonic() + seconds, None
        while True:
            try:
                if found := true():
                    return found
            except (KeyError, IndexError) as error:
                missing = error
            assert time.monotonic() < limit, f"waited in vain (last missing: {missing!r})"
            time.sleep(0.1)

    def ready(self, kind, namespace, name, context=A):
        """Wait until an object is ready; return it."""
        return self.until(lambda: self._ready(kind, namespace, name, context))

    def _ready(self, kind, namespace, name, context):
        found = self.find(kind, namespace, name, context)
        return found if found and verdict(found, clock.now()).state == "ready" else None

    def crd(self, name, context=A, kind="Widget", versions=("v1",)):
        """Make a CRD in a group of its own, `NAME.example.com`; return the group."""
        group = f"{name}.example.com"
        self.make(definition(group, kind, versions), context=context)
        self.until(lambda: (group, kind) in self.clusters[context].discover().versions)
        return group

    def history(self, kind, namespace, since, last, context=A):
        """Return (event, object) of all that happened to a kind from a revision until now.

        `last` is an object of it that gets a label, and loses it again: when the watch shows that, it has shown what
        came before.
        """
        for value in (uuid.uuid4().hex, None):
            changed = self.patch(kind, namespace, last, {"metadata": {"labels": {SEEN: value}}}, context)
        end = changed["metadata"]["resourceVersion"]
        found = self.kind(kind, context=context, namespace=namespace)
        events = []
        for event, obj in self.clusters[context].watch(found, namespace, revision=since, seconds=PATIENCE):
            if obj["metadata"]["resourceVersion"] == end:
                return events
            if SEEN not in obj["metadata"].get("labels", {}):
                events.append((event, obj))
        raise AssertionError(f"the watch of {kind} ended before its last change")

    # --- flows

    def backup(self, *namespaces, context=A, whole=False, **options):
        """Back up; return the result. `whole`: as a flow, as Prefect sees it."""
        asked = {"context": context, "name": name(), **self.where, **options}
        asked = BackupOptions(namespaces=namespaces, **asked)
        return self.run_flow(backup(asked)) if whole else self.as_one(backup, asked)

    def restore(self, saved, context=B, *, whole=False, **options):
        """Restore; return the result. `whole`: as a flow, as Prefect sees it."""
        named = saved if isinstance(saved, str) else saved.name
        asked = {"backup": named, "context": context, "wait_seconds": SECONDS, **self.where, **options}
        asked = RestoreOptions(**asked)
        return self.run_flow(restore(asked)) if whole else self.as_one(restore, asked)

    def as_one(self, flow, options):
        """Return what a flow answers, its steps done as one task run, as those of a migration's namespaces are.

        Most of the time of a small flow is Prefect's, for a run of each step. What Prefect sees of flows and their
        steps is the subject of other tests, which run the flows themselves.
        """
        return self.run_flow(as_one(flow.name, lambda: flow.fn(options)))

    # --- the end

    def clear(self):
        """Delete what was made, without waiting.

        Definitions stay on clusters that others use: a backup that lists a type while it is deleted is Partial.
        Namespaces may stay where the clusters go soon: to delete one costs their servers 0.15 s of CPU.
        """
        for context, kind, named in self.made:
            if self.alone or kind.kind != "CustomResourceDefinition":
                self._gone(context, kind, named)
        for context in self.clusters if self.tidy else ():
            for named in self.namespaces:
                self._gone(context, self.kind("Namespace", context=context), named)

    def forget(self, kind, named, context=B):
        """Delete something cluster-wide in the end that a restore made."""
        self.made.append((context, self.kind(kind, context=context), named))

    def _gone(self, context, kind, named):
        cluster = self.clusters[context]
        with suppress(NotFoundError):  # a test may have deleted it
            cluster.delete(kind, "", named, uid=cluster.get(kind, "", named)["metadata"]["uid"])


def is_builtin(group):
    return "." not in group or group.endswith(".k8s.io")


def name():
    """Return the name of a backup."""
    return f"b-{uuid.uuid4().hex[:8]}"


def definition(group, kind, versions=("v1",), plural=""):
    """Return a CRD as YAML; the first version is stored."""
    plural = plural or f"{kind.lower()}s"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    listed = [{"name": v, "served": True, "storage": v == versions[0], "schema": schema} for v in versions]
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    return yaml.safe_dump(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": listed},
        }
    )


def did(result, kind, named):
    """Return what a restore did with one object (`created` is not shown) and why, as one text."""
    found = [each for each in result.notable if (each.type, each.name) == (kind, named)]
    return "; ".join(f"{each.action} {each.why}".strip() for each in found) or "created"


def foreign(bench, group):
    """Return whether only other files have objects of this group: each is called after a name of its file's bench."""
    return group.endswith(".example.com") and group.removesuffix(".example.com") not in bench.namespaces


def rested(bench, context, *namespaces):
    """Return the same as `touch`, once controllers have come to rest.

    They have when nothing of theirs is seen to be missing, and two looks in a row have found the same.
    """
    seen = []

    def same():
        objects = list(_objects(bench, context, namespaces))
        seen.append(_touched(objects))
        return seen[-1] if seen[-1] in seen[-2:-1] and at_rest(objects) else None

    return bench.until(same)


def at_rest(objects):
    """Return whether controllers have seen all changes, made what is in each namespace, and deleted what is owned."""
    there, uids = {Ref.of(obj)[1:] for obj in objects}, {obj["metadata"]["uid"] for obj in objects}
    spaces = {obj["metadata"]["namespace"] for obj in objects}
    return (
        there.issuperset((kind, space, name) for space in spaces for kind, name in IN_EACH)
        and all(uids.issuperset(_controllers(obj)) for obj in objects if obj["kind"] in FOLLOWERS)
        and all(_observed(obj) for obj in objects if obj["kind"] in OBSERVED)
    )


def _controllers(obj):
    return [each["uid"] for each in obj["metadata"].get("ownerReferences", []) if each.get("controller")]


def _observed(obj):
    return obj.get("status", {}).get("observedGeneration", 0) >= obj["metadata"]["generation"]


CONTROLLERS = {"kube-controller-manager", "kube-scheduler", "kwok"}
FOLLOWS_PODS = ("Endpoints", "EndpointSlice")
FOLLOWERS = {"ReplicaSet", "ControllerRevision", "Pod", "EndpointSlice"}
"""Kinds that the garbage collector deletes after the controller's object that they belong to."""
OBSERVED = {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"}
"""Kinds whose controllers note which generation they have seen."""


def touch(bench, context, *namespaces):
    """Return identity → uid and a mark of every object in namespaces, to see later whether one was touched.

    Controllers go on to count and to batch their updates after all is ready, so the mark is not the resourceVersion:
    it is what the object says besides its status, and each writer of it that is no controller, with the time.
    """
    return _touched(_objects(bench, context, namespaces))


def _objects(bench, context, namespaces):
    for kind in bench.clusters[context].discover().types:
        if foreign(bench, kind.group):
            continue
        if kind.namespaced and {"list", "create"} <= kind.verbs and kind.kind not in ("Event", "Lease"):
            with suppress(NotFoundError):  # another file has just deleted its definition
                yield from [obj for ns in namespaces for obj in bench.clusters[context].list(kind, ns)]


def _touched(objects):
    return {Ref.of(obj): (obj["metadata"]["uid"], mark(obj)) for obj in objects}


def mark(obj):
    """Return what changes when somebody who is no controller writes an object, or changes its content."""
    kind = obj["kind"]
    writers = sorted(
        [each["manager"], each["operation"], each.get("subresource", ""), each.get("time", "")]
        for each in obj["metadata"].get("managedFields", [])
        if each["manager"] not in CONTROLLERS
    )
    counted = {"resourceVersion", "managedFields", "generation"}
    meta = {key: value for key, value in obj["metadata"].items() if key not in counted}
    content = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    own = [] if kind in FOLLOWS_PODS else [meta, content]
    return json.dumps([writers, own], sort_keys=True)


def artifact(server, key):
    """Return the one artifact with a key."""
    asked = json.dumps({"artifacts": {"key": {"any_": [key]}}}).encode()
    request = urllib.request.Request(f"{server}/artifacts/filter", asked, headers(server))  # noqa: S310 - the session's own
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
        (found,) = json.load(answer)
    return found
