"""Backups and restores through proxies, and the proof of what is there afterwards."""

import contextlib
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from tests.faults.proxy import proxying
from tests.support.bench import SECONDS, A, B, foreign, name, touch

from kubeferry.deployments.sample.live import read
from kubeferry.flows.backup import backup
from kubeferry.flows.demo import left_out
from kubeferry.flows.restore import restore
from kubeferry.flows.undo import undo
from kubeferry.tasks.core.compare.restored import WHOLE, findings
from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.kube.objects import Ref, controller_of
from kubeferry.tasks.core.models.options import BackupOptions, RestoreOptions, UndoOptions
from kubeferry.tasks.core.plan.existing import content
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.records.backups import backups, open_backup
from kubeferry.tasks.ports.store.open import open_store

OBJECTS = """
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: a}}, data: {{text: "{text}"}}}}
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: b}}, data: {{web: "http://web.{ns}.svc:80"}}}}
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}}}
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: d}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: db}}, stringData: {{password: marked-secret-value}}}}
---
{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: runner}}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader}}
rules: [{{apiGroups: [""], resources: [configmaps], verbs: [get]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reader}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{kind: ServiceAccount, name: runner, namespace: {ns}}}]
---
{{apiVersion: v1, kind: Service, metadata: {{name: web}}, spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}}}
---
{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: boss}}, spec: {{size: 1}}}}
"""

BOUND = """
apiVersion: v1
kind: Secret
metadata:
  name: owned
  ownerReferences: [{{apiVersion: {group}/v1, kind: Widget, name: boss, uid: {boss}, controller: true}}]
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: bound}}, data: {{web: "{ip}:80"}}}}
"""
"""What names a uid and an address of the first."""

PODS = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec: {accessModes: [ReadWriteOnce], storageClassName: standard, resources: {requests: {storage: 1Gi}}}
---
{apiVersion: v1, kind: Service, metadata: {name: behind}, spec: {ports: [{port: 80}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: runner
      containers: [{name: web, image: web, envFrom: [{configMapRef: {name: a}}]}]
"""

BEHIND = """
apiVersion: v1
kind: Endpoints
metadata: {{name: behind}}
subsets: [{{addresses: [{{ip: {pod}}}], ports: [{{port: 80}}]}}]
"""
"""What names a pod's address, which is known only when the Deployment is ready."""


@dataclass(frozen=True)
class Shop:
    """A namespace on A, and a clean backup of it."""

    ns: str
    group: str
    saved: object


def shop_in(bench, *, pods=True):
    """Make a Shop."""
    ns = bench.namespace("shop" if pods else "kiosk")
    group = bench.crd(ns)
    bench.forget("CustomResourceDefinition", f"widgets.{group}")
    bench.make(OBJECTS.format(ns=ns, group=group, text="text" * 500), ns)
    boss = bench.get(f"Widget.{group}", ns, "boss")["metadata"]["uid"]
    bench.make(BOUND.format(group=group, boss=boss, ip=bench.get("Service", ns, "web")["spec"]["clusterIP"]), ns)
    # Its own uid: patched in after it is created.
    bench.patch("ConfigMap", ns, "c", {"data": {"me": bench.get("ConfigMap", ns, "c")["metadata"]["uid"]}})
    bench.until(lambda: bench.find("Endpoints", ns, "web") and bench.list("EndpointSlice", ns))
    if pods:
        bench.make(PODS, ns)
        bench.ready("Deployment", ns, "web")
        bench.ready("PersistentVolumeClaim", ns, "disk")
        (pod,) = bench.list("Pod", ns)
        bench.make(BEHIND.format(pod=pod["status"]["podIP"]), ns)
    return Shop(ns, group, bench.backup(ns))


def seen(bench, *namespaces):
    """Return what namespaces of the target hold, without what controllers make and count."""
    cluster, found = bench.clusters[B], {}
    for kind in cluster.discover().types:
        if foreign(bench, kind.group):
            continue
        if kind.namespaced and {"list", "create"} <= kind.verbs and kind.kind not in ("Event", "Endpoints"):
            for ns in namespaces:
                for obj in cluster.list(kind, ns):
                    if not controller_of(obj):
                        found[Ref.of(obj)] = without_revision(obj)
    return found


def without_revision(obj):
    found = content(obj)
    marks = found["metadata"].get("annotations") or {}
    marks = {key: value for key, value in marks.items() if key != "deployment.kubernetes.io/revision"}
    found["metadata"] = {**found["metadata"], "annotations": marks}
    return found


class Recorder:
    """What a flow reported while it ran."""

    def __init__(self):
        self.notes = []

    def step(self, *_):
        """Ignore it."""

    def note(self, text):
        self.notes.append(text)


class Rig:
    """A bench (tests/support/bench.py) whose API servers, and the S3 server, are reached through proxies."""

    def __init__(self, bench, sandbox, folder):
        self.bench, self.sandbox, self.kubeconfig = bench, sandbox, folder / "kubeconfig"
        self.stack, self.recorded = contextlib.ExitStack(), Recorder()
        self.result = None

    def __enter__(self):
        config = yaml.safe_load(self.sandbox.kubeconfig.read_text())
        self.proxies = {}
        for entry in config["clusters"]:
            authority = self.sandbox.home / entry["name"] / "pki" / "ca.crt"
            proxy = self.stack.enter_context(proxying(entry["cluster"]["server"], authority))
            self.proxies[entry["name"]], entry["cluster"] = proxy, {"server": proxy.url}
        self.kubeconfig.write_text(yaml.safe_dump(config))
        bucket = urlsplit(self.sandbox.s3.store)
        endpoint = parse_qs(bucket.query)["endpoint"][0]
        self.s3 = self.stack.enter_context(proxying(endpoint))
        self.bucket = bucket._replace(path=f"/{name()}").geturl()
        self.bucket_through = self.bucket.replace(endpoint, self.s3.url)
        return self

    def __exit__(self, *_):
        for proxy in self.proxies.values():
            # Its pool keeps connections to the proxy, which would wait for them.
            proxy.rules = []
        self.stack.close()

    @property
    def a(self):
        """The proxy before the source."""
        return self.proxies[A]

    @property
    def b(self):
        """The proxy before the target."""
        return self.proxies[B]

    def quiet(self):
        """Break nothing, and forget what was broken."""
        for proxy in (*self.proxies.values(), self.s3):
            assert proxy.mistakes == []
            proxy.rules = []
            proxy.injected.clear()
            proxy.seen.clear()
        self.recorded = Recorder()

    # --- flows

    @property
    def where(self):
        """The store, and the kubeconfig of the proxies."""
        return {**self.bench.where, "kubeconfig": str(self.kubeconfig)}

    def run(self, flow):
        async def listened():
            with progress.listening(self.recorded):
                return await flow

        return self.bench.run_flow(listened())

    def backup(self, *namespaces, **options):
        """Back up through the proxy before A."""
        asked = {"context": A, "name": name(), **self.where, **options}
        return self.run(backup(BackupOptions(namespaces=namespaces, **asked)))

    def restore(self, saved, **options):
        """Restore through the proxy before B."""
        asked = {"backup": saved.name, "context": B, "wait_seconds": SECONDS, **self.where, **options}
        return self.run(restore(RestoreOptions(**asked)))

    def undo(self, result, **where):
        """Take a restore back; nothing of it is left."""
        asked = {"restore": result.name, "context": B, "privileged": True, "wait_seconds": SECONDS, **self.where}
        assert self.run(undo(UndoOptions(**{**asked, **where}))).taken_back.left == []

    # --- proofs

    def stored(self, result, store=None):
        """Return the manifest of a backup."""
        return open_backup(open_store(store or result.store), result.name).manifest

    def same_backup(self, clean, result, store=None):
        """Prove that a backup holds, byte for byte, what one without faults does."""
        wanted, found = self.stored(clean), self.stored(result, store)
        assert (found.phase, found.problems, found.not_at_revision) == (Phase.COMPLETED, [], {})
        assert found.objects == wanted.objects
        assert (found.bindings, found.counts) == (wanted.bindings, wanted.counts)
        assert {each.type for each in found.left_out} == {each.type for each in wanted.left_out}

    def same_namespace(self, shop, result, context=B):
        """Prove that a restored namespace is the original, but for what has a reason to be different."""
        (copy,) = result.namespaces.values()
        assert (result.phase, result.problems, result.not_ready) == (Phase.COMPLETED, [], [])
        before, after = read(self.bench.clusters[A], shop.ns), read(self.bench.clusters[context], copy)
        found = findings(before.objects, after.objects, {shop.ns: copy}, left_out(shop.saved, result), result.rewrites)
        assert [f"{each.ref}: {each.text}" for each in found if each.why is None] == []
        lost = {each.ref.kind for each in found if each.field == WHOLE}
        assert lost <= {"Pod", "ReplicaSet", "Endpoints", "EndpointSlice", "PersistentVolume"}, "controllers make them"
        assert sum(ref.namespace == copy for ref in after.objects) >= shop.saved.objects - 1

    @contextlib.contextmanager
    def refused(self, message, kind=KubeferryError):
        """The block ends with an error of our tree, in one clear line that matches `message`."""
        with pytest.raises(kind) as caught:
            yield caught
        line = str(caught.value)
        assert re.search(message, line), line
        assert "\n" not in line
        assert "marked-secret-value" not in line

    @contextlib.contextmanager
    def in_vain(self, message, kind=KubeferryError, copy=None):
        """Give a namespace of B; the block fails to restore into it. It is as before, or the error says so."""
        copy = copy or self.bench.namespace(context=B)
        before = self.there(copy)
        with self.refused(message, kind) as caught:
            yield copy
        self.as_before_or_reported(caught.value, copy, before)

    def once_more(self, shop, copy):
        """Restore again with nothing broken: it is all there."""
        self.quiet()
        self.same_namespace(shop, self.restore(shop.saved, map={shop.ns: copy}))

    def there(self, ns):
        """Return what is in a namespace of B, with uids, but for what its controllers put into every one."""
        found = touch(self.bench, B, ns)
        return {ref: uid for ref, (uid, _) in found.items() if ref.name != "kube-root-ca.crt"}

    def as_before_or_reported(self, error, ns, before):
        """Prove that a namespace of B is as before, or that the restore which failed has named what stays."""
        rolled_back = getattr(error, "result", None) and error.result.taken_back
        if rolled_back and rolled_back.left:
            (note,) = [note for note in self.recorded.notes if " failed; until then: " in note]
            assert all(each.what in note for each in rolled_back.left), note
        elif before:
            self.bench.until(lambda: self.there(ns) == before)
        else:
            self.bench.until(lambda: self.bench.find("Namespace", "", ns, B) is None)

    def no_backup(self, named, store=None):
        """Prove that nothing in the store looks like this backup."""
        found = open_store(store or self.bench.where["store"])
        assert named not in [each.name for each in backups(found)]
