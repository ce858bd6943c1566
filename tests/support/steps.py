"""The steps of a backup and a restore one by one, without Prefect: to stop between two of them, and go on as another.

What a step does is called as the step itself calls it; nothing is retried.
"""

from contextlib import contextmanager
from dataclasses import fields
from inspect import signature

from tests.support.bench import A, B, Bench, name

import kubeferry.tasks.restore.begin
from kubeferry.tasks.backup.discover import _discover
from kubeferry.tasks.backup.fetch import _fetch
from kubeferry.tasks.backup.index import _index
from kubeferry.tasks.backup.state import CLUSTER
from kubeferry.tasks.backup.strip import _strip, _strip_related
from kubeferry.tasks.backup.upload import _reserved
from kubeferry.tasks.core.errors import ExpiredError
from kubeferry.tasks.core.models.options import BackupOptions, RestoreOptions
from kubeferry.tasks.plan.bindings import late_turns
from kubeferry.tasks.plan.build import _plan
from kubeferry.tasks.plan.download import _download
from kubeferry.tasks.ports.cluster import client
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.preflight.run import _look
from kubeferry.tasks.restore.apply import write
from kubeferry.tasks.restore.bundle import _make
from kubeferry.tasks.restore.namespaces import _create
from kubeferry.tasks.restore.resolve import _resolve, _resolve_late
from kubeferry.tasks.restore.state import close, prepared

CONFIG = "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {0}}}, data: {{a: '{1}'}}}}"
"""A ConfigMap of one value: its name and the value."""


class Steps:
    """A bench (restores.py) and a folder for what is spooled."""

    def __init__(self, sandbox, folder):
        (folder / "store").mkdir()
        self.bench, self.folder = Bench(None, sandbox.kubeconfig, folder / "store"), folder
        self.where = self.bench.where

    def work(self):
        """Return a new folder."""
        made = self.folder / name()
        made.mkdir()
        return made

    def backup(self, *namespaces, context=A, **options):
        """Back up; return the backup's name."""
        asked = {"context": context, "name": name(), **self.where, **options}
        scope = _discover(BackupOptions(namespaces=namespaces, **asked), str(self.work()))
        fetched = [_fetch(scope, each) for each in (*scope.namespaces, CLUSTER)]
        known = _index(scope)
        stripped = [_strip(scope, each, known) for each in scope.namespaces]
        stripped.append(_strip_related(scope, stripped, known))
        _reserved(scope, fetched, stripped, clock.now(), None)
        return scope.name

    @contextmanager
    def restore(self, backup, context=B, **options):
        """Yield a restore that may write now: planned, looked over, its journal open. What it did is left."""
        with self.planned(backup=backup, context=context, name=name(), **options) as restoring:
            assert do(_look, restoring) == []
            do(kubeferry.tasks.restore.begin._begin, restoring)
            yield restoring

    @contextmanager
    def resume(self, named, context=B, **options):
        """Yield a restore that was taken up."""
        with self.planned(resume=named, context=context, **options) as restoring:
            do(kubeferry.tasks.restore.begin._take_up, restoring)
            yield restoring

    @contextmanager
    def planned(self, **options):
        """Yield a restore that is planned."""
        found = _download(RestoreOptions(**{**self.where, "wait_seconds": 20, **options}), self.work())
        restoring = prepared(found.source, found.plan, found.resumed)
        try:
            _plan(found.source, found.plan)
            yield restoring
        finally:
            close(restoring)

    def stored(self, named):
        """Return what the store holds of a restore."""
        return open_restore(open_store(self.where["store"]), named)


def do(work, restoring, *arguments, **more):
    """Call `work` with those of a restore's objects that it takes, and the arguments that come after them."""
    held = {each.name: getattr(restoring, each.name) for each in fields(restoring)}
    held["made"] = restoring.transaction.made
    return work(*(held[name] for name in signature(work).parameters if name in held), *arguments, **more)


def make_namespaces(restoring, *, bundle=False):
    """Make the namespaces of a restore, and its bundles if need be."""
    for each in restoring.plan.namespaces:
        do(_create, restoring, each)
    if bundle:
        do(_make, restoring)


def levels(restoring):
    """Write all levels, with the values that come late; nothing is waited for."""
    written, stands = late_turns(restoring.plan)
    for number, level in enumerate(restoring.plan.order.levels, start=1):
        do(_resolve, restoring, level, "resolve")
        do(write, restoring, level, "apply")
        for refs in (written.get(number, []), stands.get(number, [])):
            do(_resolve_late, restoring, refs, "late")


def expiring_once(monkeypatch, cluster, page=2):
    """Have the first list of ConfigMaps expire after its first page; return a list that is filled when it did."""
    monkeypatch.setattr(client, "PAGE", page)
    real, done = cluster.pages, []

    def pages(kind, *args, **options):
        for each in real(kind, *args, **options):
            yield each
            if kind.kind == "ConfigMap" and each.next and not done:
                done.append(True)
                raise ExpiredError("the token is too old")

    monkeypatch.setattr(cluster, "pages", pages)
    return done
