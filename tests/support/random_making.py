"""Make drafted namespaces on a cluster, in bulk: each object when what its hard part names is live, then the rest."""

import time
from dataclasses import dataclass

import yaml
from tests.support.bench import A, definition
from tests.support.random_markers import Snapshot, Values, as_sent, is_live, render
from tests.support.random_namespaces import APPLIER, NOTED

from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.objects import Ref, labels_of
from kubeferry.tasks.core.selection.exclusions import type_left_out
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local.threads import in_threads

SECONDS = 600


@dataclass
class RandomNamespace:
    """One drafted namespace: its name, its neighbour's, and its templates."""

    name: str
    peer: str
    templates: list


def snapshot(cluster):
    """Return all that a cluster has, but what no backup ever reads; its nodes too."""
    found = cluster.discover()
    kinds = [each for each in found.types if not type_left_out(each.group, each.resource, each.verbs)]
    kinds.append(found.by_kind("", "Node"))
    return Snapshot(obj for found in in_threads(cluster.list, kinds, THREADS) for obj in found)


class Maker:
    """Writes to one cluster, from templates that are rendered."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.discovery = cluster.discover()

    def kind_of(self, obj):
        return self.discovery.by_kind(group_of(obj["apiVersion"]), obj["kind"])

    def create(self, ns, obj):
        kind, whole = self.kind_of(obj), obj | {"metadata": obj["metadata"] | {"namespace": ns.name}}
        if applier := labels_of(obj).get(APPLIER):
            return self.cluster.apply(kind, ns.name, whole, manager=applier)
        made, _ = self.cluster.create(kind, ns.name, whole)
        if "status" in obj and "status" in kind.subresources:
            name, status = obj["metadata"]["name"], {"status": obj["status"]}
            return self.cluster.patch(kind, ns.name, name, status, subresource="status", manager="operator")
        return made

    def patch(self, ns, template, values):
        change = as_sent({"kind": template["kind"], "data": {}} | render(soft(template), values))
        change = {key: each for key, each in change.items() if key != "kind" and each}
        self.cluster.patch(self.kind_of(template), ns.name, template["metadata"]["name"], change)

    def namespaces(self, names):
        """Make namespaces, with their accounts `default`."""
        kind = self.discovery.by_kind("", "Namespace")
        new = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names]
        list(in_threads(lambda obj: self.cluster.create(kind, "", obj), new, THREADS))
        until(lambda: set(names) <= self._with_account(), "namespaces have no account")

    def _with_account(self):
        return {
            each["metadata"]["namespace"] for each in self.cluster.list(self.discovery.by_kind("", "ServiceAccount"))
        }

    def objects(self, namespaces, live):
        """Make the hard parts of all objects, each when what it names is in `live`, which grows."""
        waiting = [(ns, template) for ns in namespaces for template in ns.templates]
        while waiting:
            now, waiting = until(
                lambda waiting=waiting: self._possible(waiting, live), "an object names what is not live"
            )
            # A Pod is refused while its account is not there, and not only because it names it.
            accounts = [each for each in now if each[1]["kind"] == "ServiceAccount"]
            for some in (accounts, [each for each in now if each not in accounts]):
                for obj in in_threads(lambda each: self.create(*each), some, THREADS):
                    live.add(obj)

    def _possible(self, waiting, live):
        """Return what can be made now and what cannot; None where that is nothing, after a look at the pods."""
        now, later = possible(waiting, live)
        if now:
            return now, later
        for obj in self.cluster.list(self.discovery.by_kind("", "Pod")):
            live.add(obj)
        return None


def until(true, message):
    """Wait for something that a controller does; return what `true` returns."""
    deadline = time.monotonic() + SECONDS
    while not (found := true()):
        assert time.monotonic() < deadline, message
        time.sleep(0.1)
    return found


def possible(waiting, live):
    """Return what can be made now, rendered, and what cannot yet."""
    now, later = [], []
    for ns, template in waiting:
        try:
            now.append((ns, as_sent(render(hard(template), Values(live, ns.name, ns.peer)))))
        except LookupError:
            later.append((ns, template))
    return now, later


def make(cluster, namespaces):
    """Make all namespaces with their objects; return the cluster's snapshot when every pod is ready."""
    maker = Maker(cluster)
    maker.namespaces([ns.name for ns in namespaces])
    maker.objects(namespaces, snapshot(cluster))
    live = until(lambda: settled(cluster, namespaces), "some pod is not ready")
    softs = [
        (ns, template, Values(live, ns.name, ns.peer))
        for ns in namespaces
        for template in ns.templates
        if soft(template)
    ]
    list(in_threads(lambda each: maker.patch(*each), softs, THREADS))
    return snapshot(cluster)


def settled(cluster, namespaces):
    """Return a snapshot in which all pods that the templates ask for are ready, else None."""
    live = snapshot(cluster)
    return None if any(each for ns in namespaces for each in missing(live, ns)) else live


def missing(live, ns):
    values = Values(live, ns.name, ns.peer)
    for template in ns.templates:
        if template["kind"] in ("Deployment", "StatefulSet", "Pod"):
            for ordinal in range(template["spec"].get("replicas", 1)):
                marker = f"podIP|{template['kind']}|{template['metadata']['name']}|{ordinal}"
                try:
                    values(marker)
                except LookupError:
                    yield ns.name, marker


def hard(template):
    """Return a template without the entries of its soft parts that wait for something live."""
    meta = dict(template["metadata"])
    if "annotations" in meta:
        meta["annotations"] = still(meta["annotations"])
    obj = template | {"metadata": meta}
    where = NOTED.get(template["kind"], ())
    if where == ("data",):
        return obj | {"data": still(obj["data"])}
    return obj | {"spec": obj["spec"] | {"notes": still(obj["spec"]["notes"])}} if where else obj


def still(texts):
    return {key: text for key, text in texts.items() if not is_live(text)}


def soft(template):
    """Return what `hard` left out, as a merge patch; {} for nothing."""
    found = {}
    notes = moving(template["metadata"].get("annotations", {}))
    if notes:
        found["metadata"] = {"annotations": notes}
    where = NOTED.get(template["kind"], ())
    texts = moving(template["data"] if where == ("data",) else template["spec"]["notes"]) if where else {}
    if texts:
        found |= {"data": texts} if where == ("data",) else {"spec": {"notes": texts}}
    return found


def moving(texts):
    return {key: text for key, text in texts.items() if is_live(text)}


def refs(snapshot_, namespace):
    """Return the objects of a namespace, and itself, by identity."""
    own = snapshot_.namespaces[""]["Namespace", namespace]
    return {Ref.of(obj): obj for obj in [own, *snapshot_.namespaces[namespace].values()]}


def define_gadgets(bench, group):
    """Make the definition of what has a status subresource."""
    obj = yaml.safe_load(definition(group, "Gadget"))
    obj["spec"]["versions"][0]["subresources"] = {"status": {}}
    bench.make(yaml.safe_dump(obj))
    bench.until(lambda: (group, "Gadget") in bench.clusters[A].discover().versions)


def free(bench, namespaces):
    """Remove the finalizers, so that the namespaces can go."""
    for ns in namespaces:
        for each in ns.templates:
            if "finalizers" in each["metadata"]:
                bench.patch(each["kind"], ns.name, each["metadata"]["name"], {"metadata": {"finalizers": []}})
