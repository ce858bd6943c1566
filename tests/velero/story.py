"""What the tests look at: two clusters with Velero on both, one bucket, and what both tools saved and restored."""

import json
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from pyrage import x25519
from tests.support.bench import A, B
from tests.support.cli import COMMAND

from kubeferry.deployments.sample.install import install
from kubeferry.deployments.sample.live import Live, read
from kubeferry.deployments.sample.objects import objects
from kubeferry.deployments.sample.remove import remove
from kubeferry.deployments.velero.server import Velero
from kubeferry.flows.backup import backup
from kubeferry.flows.restore import restore
from kubeferry.tasks.core.compare.restored import findings
from kubeferry.tasks.core.errors import PreflightError
from kubeferry.tasks.core.formats.layout import BackupKeys
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.evaluate import verdict
from kubeferry.tasks.core.models.options import BackupOptions, RestoreOptions
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.ports.store.open import open_store

SHOP = "shop"
KIOSK, KIOSK_COPY = "kiosk", "kiosk-copy"
SECONDS = 150
"""Velero looks into its bucket once a minute."""

OURS, SEALED, EXPIRED, SEALED_EXPIRED, THEIRS = "ours", "sealed", "ours-expired", "sealed-expired", "theirs"
HALF = "half-written"


@contextmanager
def pointed_at(sandbox):
    """The environment is as after `eval "$(kubeferry sandbox env)"`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in sandbox.env().items():
            patch.setenv(name, value)
        for name in (
            "AWS_PROFILE",
            "AWS_SESSION_TOKEN",
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_S3",
            "KUBEFERRY_CONTEXT",
        ):
            patch.delenv(name, raising=False)
        yield


@dataclass
class Copy:
    """A restored namespace, and all in which it differs from the original."""

    live: Live
    findings: list
    result: object = None
    """What Kubeferry answered, or Velero's Restore object."""

    def restored(self, kind, name, group=""):
        """Return an object of the namespace."""
        return self.live.objects[Ref(group, kind, self.live.namespace, name)]

    def unexplained(self):
        """Return what differs and is not known to differ between a namespace and its copy."""
        return [each for each in self.findings if each.why is None]


class Story:
    """The sandbox with Velero on both clusters, and what was done."""

    def __init__(self, sandbox, run_flow, keys):
        self.sandbox = sandbox
        self.run_flow = run_flow
        self.where = {"kubeconfig": str(sandbox.kubeconfig), "store": sandbox.env()["KUBEFERRY_STORE"]}
        self.store = open_store(self.where["store"])
        self.clusters = {context: connect(context, str(sandbox.kubeconfig)) for context in (A, B)}
        self.velero = {context: Velero(sandbox, context) for context in (A, B)}
        self.identity = keys / "age.txt"
        identity = x25519.Identity.generate()
        self.identity.write_text(f"{identity}\n")
        self.public = str(identity.to_public())
        self.saved, self.copies = {}, {}

    def run_all(self):
        """Do all of it."""
        install(self.clusters[A], SHOP)
        self.make(A, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": KIOSK}})
        self.make(A, config_map(KIOSK, "sign", {"open": "yes"}))
        self.before()
        list(in_threads(self.up, (A, B), 2))
        self.run(A, "backup", "create", THEIRS, "--include-namespaces", SHOP, "--wait")
        self.original = read(self.clusters[A], SHOP)
        self.addresses = self.original.objects[Ref("", "ConfigMap", SHOP, "addresses")]["data"]
        self.by_kubeferry(A, THEIRS, "ferry-beside", {SHOP: "shop-ferry"})
        self.refused = self.try_across()
        self.by_kubeferry(B, THEIRS, "ferry-across", {})
        self.clear_away(B)
        rest = [(A, OURS, "velero-beside", {SHOP: "shop-velero"}), (B, OURS, "velero-across", {})]
        list(in_threads(lambda each: self.by_velero(*each), rest, 2))

    def up(self, context):
        """Start Velero on a cluster; return when it has looked at its bucket and found it in order."""
        self.velero[context].up()
        assert until(lambda: self.location(context).get("phase") == "Available"), self.location(context)

    def before(self):
        """Save with Kubeferry, and restore once, before Velero has ever seen the bucket."""
        self.saved[OURS] = self.back_up(OURS, SHOP)
        self.saved[SEALED] = self.back_up(SEALED, SHOP, encrypt_to=[self.public])
        for name, more in ((EXPIRED, {}), (SEALED_EXPIRED, {"encrypt_to": [self.public]})):
            self.back_up(name, KIOSK, **more)
            self.expire(name)
        self.store.put(BackupKeys(HALF).reservation, b"{}")
        self.restored = self.restore(A, EXPIRED, map={KIOSK: KIOSK_COPY})
        self.change(A, KIOSK_COPY, "sign", {"open": "no"})
        self.updated = self.restore(A, EXPIRED, map={KIOSK: KIOSK_COPY}, existing="update")

    # --- what each tool does

    def back_up(self, name, *namespaces, **options):
        return self.run_flow(
            backup(BackupOptions(context=A, name=name, namespaces=namespaces, **self.where, **options))
        )

    def restore(self, context, name, **options):
        return self.run_flow(restore(RestoreOptions(context=context, backup=name, **self.where, **options)))

    def by_kubeferry(self, context, name, copy, names):
        result = self.restore(context, name, map=names)
        live = read(self.clusters[context], names.get(SHOP, SHOP))
        found = findings(self.original.objects, live.objects, names, gone(result), result.rewrites)
        self.copies[copy] = Copy(live, found, result)

    def try_across(self):
        """Return why Velero's backup cannot be restored on the other cluster yet, then give that what is missing."""
        with pytest.raises(PreflightError) as refused:
            self.restore(B, THEIRS)
        (edge,) = [obj for obj in objects() if obj["kind"] == "IngressClass"]
        self.make(B, edge)
        return str(refused.value)

    def by_velero(self, context, name, copy, names):
        self.synced(context, name)
        mapped = [f"--namespace-mappings={old}:{new}" for old, new in names.items()]
        self.run(context, "restore", "create", copy, f"--from-backup={name}", *mapped, "--wait")
        result = json.loads(self.run(context, "restore", "get", copy, "-o", "json"))
        live = self.ready(context, names.get(SHOP, SHOP))
        found = findings(self.original.objects, live.objects, names, gone(self.saved[OURS]))
        self.copies[copy] = Copy(live, found, result)

    def run(self, context, *arguments):
        """Return what `velero ARGUMENTS` prints."""
        return self.velero[context].run(*arguments)

    def kubeferry(self, *arguments):
        """Return the exit code and the output of `kubeferry ARGUMENTS`."""
        done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=180)
        return done.returncode, done.stdout, done.stderr

    # --- the clusters

    def make(self, context, obj):
        kind = self.clusters[context].discover().by_kind(group_of(obj["apiVersion"]), obj["kind"])
        self.clusters[context].create(kind, obj["metadata"].get("namespace", ""), obj)

    def change(self, context, namespace, name, data):
        kind = self.clusters[context].discover().by_kind("", "ConfigMap")
        self.clusters[context].patch(kind, namespace, name, {"data": data})

    def clear_away(self, context):
        """Take the shop from a cluster, with all that it needs of the cluster."""
        cluster = self.clusters[context]
        remove(cluster, SHOP)
        kinds = cluster.discover()
        for obj in objects():
            ref = Ref.of(obj)
            kind = kinds.by_kind(ref.group, ref.kind)
            found = cluster.find(kind, "", ref.name) if kind and not kind.namespaced else None
            if found:
                cluster.delete(kind, "", ref.name, uid=found["metadata"]["uid"])

    def ready(self, context, namespace):
        """Return a namespace once all of it is ready, as it is then, or as it is after a while."""
        return until(lambda: self._all_ready(context, namespace)) or read(self.clusters[context], namespace)

    def _all_ready(self, context, namespace):
        live = read(self.clusters[context], namespace)
        return None if unready(live) else live

    # --- the bucket

    def expire(self, name):
        """Let a backup have expired a minute ago."""
        key = BackupKeys(name).metadata
        backup = orjson.loads(self.store.get(key))
        past = datetime.now(UTC) - timedelta(minutes=1)
        backup["status"]["expiration"] = past.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.store.put(key, orjson.dumps(backup))

    def synced(self, context, name):
        """Wait until Velero has taken a backup in by itself."""
        assert until(lambda: name in self.offered(context)), self.location(context)

    def offered(self, context):
        """Return Velero's backups by name."""
        return {each["metadata"]["name"]: each for each in self.objects(context, "backup")}

    def location(self, context):
        """Return what Velero says of its location."""
        (found,) = self.objects(context, "backup-location")
        return found.get("status", {})

    def objects(self, context, what):
        found = json.loads(self.run(context, what, "get", "-o", "json"))
        return found["items"] if found["kind"].endswith("List") else [found]

    def errors(self, context):
        """Return what Velero's sync logged as an error, but for its first look, which comes before the location's."""
        lines = (self.velero[context].folder / "logs" / "velero.log").read_text().splitlines()
        errors = [line for line in lines if "level=error" in line and "controller=backup-sync" in line]
        return [line for line in errors if "in unavailable state, skip syncing" not in line]


def config_map(namespace, name, data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def gone(result):
    """Return what a backup or a restore reported as left out, and why."""
    return {
        Ref(each.type.partition(".")[2], each.type.partition(".")[0], each.namespace, each.name): each.why
        for each in result.left_out
    }


def unready(live):
    """Return why what is not ready is not."""
    judged = {ref: verdict(obj, clock.now(), live.context) for ref, obj in live.objects.items()}
    return {str(ref): each.why for ref, each in judged.items() if each.state != "ready"}


def until(true, seconds=SECONDS):
    """Return what `true` returns once it is something, or what it is after so long."""
    limit = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < limit:
        time.sleep(0.3)
    return found
