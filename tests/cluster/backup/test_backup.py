"""Backups of a real namespace: complete or Partial, of one point in time, and never half of one that looks like one."""

import asyncio
import base64
import hashlib
import json
import tarfile
import threading
import time
import zlib
from datetime import timedelta
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from tests.support.accounts import may_view
from tests.support.bench import A, B, name
from tests.support.limits import LIMIT
from tests.support.objects import api_without_server
from tests.support.prefect_api import headers

import kubeferry.flows.backup
from kubeferry.tasks.backup import discover, fetch, index, strip, upload
from kubeferry.tasks.backup.state import CLUSTER
from kubeferry.tasks.core.errors import (
    DamagedError,
    ExpiredError,
    NotFoundError,
    PermanentError,
    StoreError,
    UsageError,
)
from kubeferry.tasks.core.formats.layout import BackupKeys
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import BackupOptions
from kubeferry.tasks.maintain.verify import prove
from kubeferry.tasks.ports.local import clock, progress
from kubeferry.tasks.ports.records import reservations
from kubeferry.tasks.ports.records.backups import backups, open_backup
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.step import as_one

pytestmark = pytest.mark.exclusive

MARK = "marked-secret-value"
SHOP = """
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, labels: {app: web}}, data: {a: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: notes, annotations: {team: shop}}, data: {a: "2"}}
---
{apiVersion: v1, kind: Secret, metadata: {name: db, labels: {app: web}}, stringData: {password: marked-secret-value}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: runner}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {serviceAccountName: runner, containers: [{name: web, image: example.com/web}]}
"""


@pytest.fixture(scope="module")
def shop(bench):
    """A namespace with a little of everything, which tests only read."""
    ns = bench.namespace("shop")
    bench.make(SHOP, ns)
    bench.ready("Deployment", ns, "web")
    return ns


@pytest.fixture(scope="module")
def saved(bench, shop):
    return bench.backup(shop, whole=True)


def stored(bench, result):
    return open_backup(open_store(bench.where["store"]), result.name)


def names(backup, resource):
    return sorted(Path(path).stem for path in backup.manifest.objects if path.split("/")[1] == resource)


def unpacked(packed):
    return zlib.decompress(packed, wbits=31)


# --- complete, or reported as Partial


def test_every_object_is_saved_or_left_out_with_a_reason(bench, shop, saved):
    manifest = stored(bench, saved).manifest
    paths = set(manifest.objects)
    left_out = {(gap.type, gap.namespace, gap.name) for gap in manifest.left_out if gap.why}
    cluster = bench.clusters[A]
    missing, seen = [], 0
    for kind in cluster.discover().types:
        if not kind.namespaced or "list" not in kind.verbs or kind.kind in ("Event", "PodMetrics", "Lease"):
            continue
        for obj in cluster.list(kind, shop, query={"resourceVersion": saved.revision, "resourceVersionMatch": "Exact"}):
            seen += 1
            ref = Ref.of(obj)
            here = f"resources/{kind.group_resource}/namespaces/{shop}/{ref.name}.json" in paths
            if not here and (ref.type, ref.namespace, ref.name) not in left_out:
                missing.append(str(ref))
    assert missing == []
    assert seen > 8
    assert (saved.phase, saved.problems, saved.not_at_revision) == (Phase.COMPLETED, [], {})
    assert sum(saved.counts.values()) == len(paths)


def test_a_type_that_may_not_be_listed_is_named_and_the_backup_is_partial(bench, shop):
    result = bench.backup(shop, context=may_view(bench, shop))
    assert result.phase == Phase.PARTIAL
    problems = {problem.what: problem.why for problem in result.problems}
    assert problems[f"secrets in {shop}"].startswith(f"list secrets in {shop}: secrets is forbidden: User ")
    assert "forbidden" in problems["clusterroles.rbac.authorization.k8s.io"]
    assert f"configmaps in {shop}" not in problems
    assert names(stored(bench, result), "configmaps") == ["notes", "settings"]
    assert names(stored(bench, result), "secrets") == []
    backup = json.loads(open_store(bench.where["store"]).get(stored(bench, result).keys.metadata))
    assert backup["status"]["phase"] == "PartiallyFailed"


def test_an_aggregated_api_that_does_not_answer_is_named_and_the_backup_is_partial(bench):
    ns = bench.namespace("stale", B)
    group = f"{ns}.example.com"
    bench.make(api_without_server(group, ns), context=B)
    try:
        bench.until(lambda: f"{group}/v1" in bench.clusters[B].discover().problems)
        result = bench.backup(ns, context=B)
    finally:
        bench.delete("APIService", "", f"v1.{group}", B)
    assert result.phase == Phase.PARTIAL
    assert "does not answer" in {problem.what: problem.why for problem in result.problems}[f"{group}/v1"]


# --- one point in time


def test_what_is_written_during_a_backup_is_not_in_it(bench):
    """A thread writes all the while; the backup is exactly what stood at its revision."""
    ns, stop, made = bench.namespace("busy"), threading.Event(), []

    def write():
        while not stop.is_set():
            (obj,) = bench.make(f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{len(made):05}}}}}", ns)
            made.append(obj["metadata"])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        bench.until(lambda: len(made) > 3)
        result = bench.backup(ns)
        after = len(made)
        bench.until(lambda: len(made) > after)
    finally:
        stop.set()
        writer.join()
    wanted = sorted(meta["name"] for meta in made if int(meta["resourceVersion"]) <= int(result.revision))
    assert names(stored(bench, result), "configmaps") == wanted
    assert 0 < len(wanted) < len(made)


class Recorder:
    def __init__(self):
        self.notes = []

    def step(self, *_):
        pass

    def note(self, text):
        self.notes.append(text)


def test_a_revision_that_is_compacted_away_is_chosen_again_and_reported(bench, sandbox_env, monkeypatch):
    ns, cluster, real, first = bench.namespace("gone", B), bench.clusters[B], kubeferry.flows.backup.discover, []
    ports = json.loads((sandbox_env.home / B / "ports.json").read_text())

    def ask(path, **body):
        url = f"http://127.0.0.1:{ports['etcd']}{path}"
        urlopen(Request(url, json.dumps(body).encode(), method="POST"), timeout=LIMIT).close()

    async def discovered(options, work):
        scope = await real(options, work)
        if not first:
            first.append(scope.revision)
            bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: later}}", ns, B)
            revision = cluster.revision()
            key, value = (base64.b64encode(text.encode()).decode() for text in ("compact_rev_key", revision))
            ask("/v3/kv/put", key=key, value=value)  # by which API servers know each other
            ask("/v3/kv/compaction", revision=revision, physical=True)
            bench.until(lambda: expired(cluster, bench.kind("ConfigMap", context=B), ns, scope.revision))
        return scope

    monkeypatch.setattr(kubeferry.flows.backup, "discover", discovered)
    recorded = Recorder()

    async def listened():
        with progress.listening(recorded):
            return await kubeferry.flows.backup.backup(
                BackupOptions(namespaces=[ns], context=B, name=name(), **bench.where)
            )

    result = bench.run_flow(listened())
    assert any(f"revision {first[0]} was compacted away" in note for note in recorded.notes)
    assert int(result.revision) > int(first[0])
    assert result.phase == Phase.COMPLETED
    assert names(stored(bench, result), "configmaps") == ["later"]


def expired(cluster, kind, ns, revision):
    try:
        list(cluster.pages(kind, ns, revision=revision))
    except ExpiredError:
        return True
    return False


# --- nothing half-written looks like a backup


def prepared(bench, work, ns, asked):
    """Do all steps before the upload."""
    options = BackupOptions(namespaces=[ns], context=A, name=asked, **bench.where)
    scope = discover._discover(options, str(work))
    fetched = [fetch._fetch(scope, ns), fetch._fetch(scope, CLUSTER)]
    known = index._index(scope)
    parts = [strip._strip(scope, ns, known)]
    return scope, fetched, [*parts, strip._strip_related(scope, parts, known)], clock.now()


def test_a_name_that_another_run_is_writing_is_refused_until_that_run_is_long_dead(tmp_path, monkeypatch):
    store, keys = open_store((tmp_path / "store").as_uri()), BackupKeys("shop-1")
    reservations.reserve(store, keys, "one")
    with pytest.raises(UsageError, match="backup shop-1 is being written"):
        reservations.reserve(store, keys, "two")
    monkeypatch.setattr(reservations, "ABANDONED", timedelta(0))
    reservations.reserve(store, keys, "two")
    assert list(backups(store)) == []


class Failing:
    """A store that refuses one of its writes."""

    def __init__(self, store, at):
        self.store, self.left = store, at

    def __getattr__(self, name):
        found = getattr(self.store, name)
        return self.counted(found) if name.startswith("put") else found

    def counted(self, put):
        def maybe(*args):
            self.left -= 1
            if self.left < 0:
                raise StoreError("the disk is full")
            return put(*args)

        return maybe


def test_a_store_that_fails_at_any_write_has_no_backup_and_takes_it_later(bench, shop, tmp_path, monkeypatch):
    store = open_store((tmp_path / "store").as_uri())
    steps = prepared(bench, tmp_path, shop, "shop-1")
    failed = 0
    with monkeypatch.context() as patch:
        for at in range(100):
            patch.setattr(upload, "open_store", lambda _, at=at: Failing(store, at))
            try:
                upload._upload(*steps)
            except StoreError:
                failed += 1
                assert list(backups(store)) == []
            else:
                break
    assert failed == len(list(store.list("backups/"))), "each file's write was refused once"
    assert [each.name for each in backups(store)] == ["shop-1"]
    assert prove(store.url, "shop-1", deep=True).objects > 4
    monkeypatch.setattr(upload, "open_store", lambda _: store)
    with pytest.raises(UsageError, match="backup shop-1 exists already"):
        upload._upload(*steps)


def test_the_layout_is_veloros(bench, saved):
    store, backup = open_store(bench.where["store"]), stored(bench, saved)
    folder, called = backup.keys.folder, saved.name
    files = {entry.key.removeprefix(folder) for entry in store.list(folder)}
    optional = ("podvolumebackups.json", "volumesnapshots.json", "itemoperations.json", "volumeinfo.json")
    assert files == {
        "velero-backup.json",
        f"{called}.tar.gz",
        f"{called}-logs.gz",
        f"{called}-results.gz",
        f"{called}-resource-list.json.gz",
        *(f"{called}-{what}.gz" for what in optional),
        "kubeferry-manifest.json.gz",
        "kubeferry-bindings.jsonl.gz",
        "kubeferry-links.jsonl.gz",
    }
    for what in optional:
        assert json.loads(unpacked(store.get(backup.keys.velero(what)))) == []
    assert json.loads(unpacked(store.get(backup.keys.velero("results")))) == {"errors": {}, "warnings": {}}
    listed = json.loads(unpacked(store.get(backup.keys.velero("resource-list.json"))))
    assert listed["apps/v1/Deployment"] == [f"{saved.namespaces[0]}/web"]
    assert sum(map(len, listed.values())) == saved.objects


def test_every_digest_of_the_manifest_matches_what_is_stored(bench, saved, tmp_path):
    store, backup = open_store(bench.where["store"]), stored(bench, saved)
    for key, wanted in backup.manifest.files.items():
        data = store.get(key)
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (wanted.sha256, wanted.size)
    store.get_file(backup.keys.tarball, tmp_path / "t")
    with tarfile.open(tmp_path / "t", "r:gz") as tar:
        found = {info.name: hashlib.sha256(tar.extractfile(info).read()).hexdigest() for info in tar}
    assert found.pop("metadata/version") == hashlib.sha256(b"1\n").hexdigest()
    assert found == backup.manifest.objects


def test_verify_finds_each_file_that_is_damaged(bench, shop):
    result = bench.backup(shop)
    store, backup = open_store(bench.where["store"]), stored(bench, result)
    for entry in list(store.list(backup.keys.folder)):
        whole = store.get(entry.key)
        # No digest covers the Backup object itself: it is at the beginning of the chain.
        flipped = [] if entry.key == backup.keys.metadata else [whole[:12] + bytes([whole[12] ^ 1]) + whole[13:]]
        for spoiled in (whole[:-1], *flipped):
            store.put(entry.key, spoiled)
            with pytest.raises(DamagedError):
                prove(store.url, result.name)
        store.put(entry.key, whole)
    assert prove(store.url, result.name, deep=True).proved


# --- what is asked for


def test_a_taken_name_is_refused_before_anything_is_read(bench, shop, saved):
    with pytest.raises(UsageError, match=f"backup {saved.name} exists already"):
        bench.backup(shop, name=saved.name)


def test_backups_of_one_namespace_that_begin_in_the_same_second_get_names_of_their_own(bench, monkeypatch):
    ns = bench.namespace("second")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: '1'}}", ns)
    at = clock.now()
    monkeypatch.setattr(discover.clock, "now", lambda: at)
    asked = BackupOptions(namespaces=[ns], context=A, **bench.where)

    async def both():
        """Discover twice before one of them is uploaded, then a third time when both are."""
        return [*await asyncio.gather(*(flow.fn(asked) for _ in range(2))), await flow.fn(asked)]

    flow = kubeferry.flows.backup.backup
    found = bench.run_flow(as_one("backups", both))
    first = f"{ns}-{at:%Y%m%d-%H%M%S}"
    assert sorted(each.name for each in found) == [first, f"{first}-2", f"{first}-3"]
    for each in found:
        assert each.phase == Phase.COMPLETED
        assert prove(bench.where["store"], each.name, deep=True).objects == each.objects
    with pytest.raises(UsageError, match=f"{first} exists already"):
        bench.backup(ns, name=first)


def test_a_namespace_that_does_not_exist_is_named(bench, shop):
    with pytest.raises(
        NotFoundError, match=r"^namespace nothing-here does not exist on cluster kubeferry-a \(https://"
    ):
        bench.backup(shop, "nothing-here")


def test_a_namespace_that_is_being_deleted_is_refused(bench):
    ns = bench.namespace("going")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: held, finalizers: [example.com/held]}}", ns)
    cluster, kind = bench.clusters[A], bench.kind("Namespace")
    cluster.delete(kind, "", ns, uid=bench.get("Namespace", "", ns)["metadata"]["uid"])
    try:
        with pytest.raises(PermanentError, match=f"namespace {ns} on cluster kubeferry-a is being deleted"):
            bench.backup(ns)
    finally:
        bench.patch("ConfigMap", ns, "held", {"metadata": {"finalizers": None}})


@pytest.mark.parametrize(
    ("asked", "configs", "secrets", "deployments"),
    [
        ({"selector": "app=web"}, ["settings"], ["db"], ["web"]),
        ({"selector": "app!=web"}, ["notes"], [], []),
        ({"annotation_selector": "team in (shop)"}, ["notes"], [], []),
        ({"include": ["cm", "Deployment.apps"]}, ["notes", "settings"], [], ["web"]),
        ({"exclude": ["secrets"]}, ["notes", "settings"], [], ["web"]),
        ({"include": ["configmaps"], "selector": "app"}, ["settings"], [], []),
    ],
)
def test_only_what_is_asked_for_is_saved(bench, shop, asked, configs, secrets, deployments):
    found = stored(bench, bench.backup(shop, **asked))
    assert names(found, "configmaps") == configs
    assert names(found, "secrets") == secrets
    assert names(found, "deployments.apps") == deployments
    assert names(found, "namespaces") == [shop]


@pytest.mark.parametrize(
    "asked", [{"include": ["deploymens"]}, {"exclude": ["x.y"]}, {"selector": "a in b"}, {"namespace_selector": "!"}]
)
def test_a_typing_error_never_makes_a_backup_smaller(bench, shop, asked):
    with pytest.raises(UsageError):
        bench.backup(shop, name=name(), **asked)


def test_namespaces_are_chosen_by_label(bench):
    one, two = bench.namespace("one"), bench.namespace("two")
    label = bench.name("team")
    for ns in (one, two):
        bench.patch("Namespace", "", ns, {"metadata": {"labels": {label: "x"}}})
    assert bench.backup(namespace_selector=f"{label}=x").namespaces == sorted([one, two])
    with pytest.raises(UsageError, match="no namespace of cluster kubeferry-a matches"):
        bench.backup(namespace_selector=f"{label}=y")


def test_what_a_namespace_needs_around_it_is_saved_and_nothing_else(bench):
    ns = bench.namespace("around")
    group = bench.crd(ns)
    other = f"{ns}-other"
    rbac = "apiVersion: rbac.authorization.k8s.io/v1"
    for each, account in ((ns, ns), (other, other)):
        bench.make(
            f"""
{{{rbac}, kind: ClusterRole, metadata: {{name: {each}}}, rules: []}}
---
{rbac}
kind: ClusterRoleBinding
metadata: {{name: {each}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {each}}}
subjects: [{{kind: ServiceAccount, name: default, namespace: {account}}}]
---
{{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {{name: {each}}}, value: 3}}
---
{{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {{name: {each}}}, provisioner: example.com/none}}
---
{{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {{name: {each}}}, spec: {{controller: e.com/x}}}}
"""
        )
    bench.crd(other)
    bench.make(
        f"""
{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: w}}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: disk}}
spec: {{storageClassName: {ns}, accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: edge}}
spec: {{ingressClassName: {ns}, defaultBackend: {{service: {{name: web, port: {{number: 80}}}}}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: alone}}
spec: {{priorityClassName: {ns}, containers: [{{name: c, image: example.com/c}}]}}
""",
        ns,
    )
    found = stored(bench, bench.backup(ns))
    cluster_wide = sorted(path for path in found.manifest.objects if path.split("/")[2] == "cluster")
    assert cluster_wide == [
        f"resources/clusterrolebindings.rbac.authorization.k8s.io/cluster/{ns}.json",
        f"resources/clusterroles.rbac.authorization.k8s.io/cluster/{ns}.json",
        f"resources/customresourcedefinitions.apiextensions.k8s.io/cluster/widgets.{group}.json",
        f"resources/ingressclasses.networking.k8s.io/cluster/{ns}.json",
        f"resources/namespaces/cluster/{ns}.json",
        f"resources/priorityclasses.scheduling.k8s.io/cluster/{ns}.json",
        f"resources/storageclasses.storage.k8s.io/cluster/{ns}.json",
    ]


def test_a_secrets_value_is_in_the_archive_and_nowhere_else(bench, saved, prefect_server, tmp_path):
    marks = (MARK, base64.b64encode(MARK.encode()).decode())
    store, backup = open_store(bench.where["store"]), stored(bench, saved)
    store.get_file(backup.keys.tarball, tmp_path / "t")
    assert any(marks[1] in data.decode() for _, data in backup.objects(tmp_path / "t")), "the mark is really there"
    texts = {"result": saved.model_dump_json()}
    for entry in store.list(backup.keys.folder):
        if entry.key != backup.keys.tarball:
            data = store.get(entry.key)
            texts[entry.key] = (unpacked(data) if entry.key.endswith(".gz") else data).decode()
    texts |= {
        what: recorded_by_prefect(prefect_server, what, saved.name)
        for what in ("artifacts", "logs", "flow_runs", "task_runs")
    }
    assert {what: [mark in text for mark in marks] for what, text in texts.items()} == {
        what: [False, False] for what in texts
    }


def recorded_by_prefect(url, what, mentioned):
    """Return all that Prefect keeps of one kind; it comes a little later than the run ends."""
    limit = time.monotonic() + 20
    while True:
        pages, offset = [], 0
        while True:
            wanted = json.dumps({"limit": 200, "offset": offset}).encode()
            asked = Request(f"{url}/{what}/filter", wanted, headers(url))  # noqa: S310 - our own server, on loopback
            with urlopen(asked, timeout=LIMIT) as answer:  # noqa: S310 - as above
                page = json.load(answer)
            pages += page
            offset += 200
            if len(page) < 200:
                break
        text = json.dumps(pages)
        if mentioned in text:
            return text
        assert time.monotonic() < limit, f"Prefect has no {what} of {mentioned}"
        time.sleep(0.2)
