"""The command line run in this very process, and stores with backups that no cluster is needed for."""

import shutil
from datetime import UTC, datetime

import orjson
import pytest

from kubeferry.flows.cli import main
from kubeferry.tasks.core.formats.layout import BackupKeys, Member
from kubeferry.tasks.core.formats.manifest import Manifest, Source, digest, divided, joined
from kubeferry.tasks.core.formats.records import LeftOut, Phase, Problem
from kubeferry.tasks.core.formats.velero_backup import backup_object
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.kinds import plural_of
from kubeferry.tasks.ports.archive import gzip
from kubeferry.tasks.ports.archive import tarball as archive
from kubeferry.tasks.ports.archive.encryption import Sealer
from kubeferry.tasks.ports.records.backups import digest_of, open_backup
from kubeferry.tasks.ports.store.local import LocalStore

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": "shop"}, "data": {"a": "b"}}


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    """Run a command: `cli("list", "-o", "json")` returns its exit code, stdout and stderr."""
    for name in ("CONTEXT", "KUBECONFIG", "STORE", "OUTPUT", "DEBUG", "IDENTITY", "ENCRYPT_TO"):
        monkeypatch.delenv(f"KUBEFERRY_{name}", raising=False)
    monkeypatch.setenv("KUBEFERRY_HOME", str(tmp_path / "home"))

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


class Shelf:
    """A store in a folder, in which backups are made by the same code that a flow uses."""

    def __init__(self, root):
        self.root = root
        self.store = LocalStore(root / "store")
        self.url = self.store.url

    def path(self, key):
        return self.root / "store" / key

    def add(self, name="first", objects=(CONFIG,), claimed=None, **changes):
        """Store a backup of `objects`, by default one ConfigMap; `changes` go into its manifest.

        The manifest has the digests `claimed`, by default those of the objects.
        """
        keys = BackupKeys(name)
        tarball, digests = self.tarball(objects)
        manifest = Manifest(
            name=name,
            kubeferry="0.1.0",
            created=NOW,
            source=Source(uid="u", version="v1.36.1", context="kubeferry-a", host="https://127.0.0.1:1"),
            revision="77",
            namespaces=["shop"],
            phase=Phase.COMPLETED,
            counts={"ConfigMap": 1},
            objects=claimed or digests,
            files={keys.tarball: digest_of(tarball)},
            left_out=[LeftOut(type="Pod", namespace="shop", name=f"web-{n}", why="left to web") for n in range(3)],
        ).model_copy(update=changes)
        packed = gzip.compress(manifest.model_dump_json().encode())
        self.store.put_file(keys.tarball, tarball)
        self.store.put(keys.manifest, packed)
        self.store.put(keys.metadata, orjson.dumps(backup_object(manifest, digest(packed).sha256, NOW, NOW)))
        return keys

    def add_encrypted(self, recipient, name="sealed"):
        """Store the same backup encrypted to a recipient; what a plain one has in its place is deleted."""
        plain = self.add(name)
        whole, keys, to = open_backup(self.store, name).manifest, BackupKeys(name, sealed=True), Sealer([recipient])
        readable, hidden = divided(whole, to.recipients)
        sealed = {
            keys.tarball: to.seal(self.store.get(plain.tarball)),
            keys.contents: to.seal(gzip.compress(hidden.model_dump_json().encode())),
        }
        for key, data in sealed.items():
            self.store.put(key, data)
        self.store.delete([plain.tarball])
        readable = readable.model_copy(update={"files": {key: digest(data) for key, data in sealed.items()}})
        packed = gzip.compress(readable.model_dump_json().encode())
        self.store.put(keys.manifest, packed)
        backup = backup_object(joined(readable, hidden), digest(packed).sha256, NOW, NOW)
        self.store.put(keys.metadata, orjson.dumps(backup))
        return keys

    def add_velero(self, name="theirs", objects=(CONFIG,), **spec):
        """Store an archive as Velero would: without a manifest of ours."""
        keys = BackupKeys(name)
        self.store.put_file(keys.tarball, self.tarball(objects)[0])
        backup = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": name}}
        self.store.put(keys.metadata, orjson.dumps(backup | {"spec": spec, "status": {"phase": "PartiallyFailed"}}))
        return keys

    def tarball(self, objects):
        """Return an archive of objects, and the digest of each by its path."""
        part, tarball = self.root / "part", self.root / "tarball"
        with archive.FragmentWriter(part) as writer:
            digests = {path: writer.add(path, orjson.dumps(obj)) for obj in objects for path in [place(obj)]}
        archive.join([part], tarball)
        return tarball, digests


def place(obj):
    """Return where an object of Kubernetes' own kinds, or of one that adds an s for its plural, stands."""
    meta, group = obj["metadata"], group_of(obj["apiVersion"])
    resource = f"{plural_of(obj['kind'])}.{group}".rstrip(".")
    return Member(resource, meta.get("namespace", ""), meta["name"]).path


@pytest.fixture
def shelf(tmp_path):
    yield Shelf(tmp_path)
    shutil.rmtree(tmp_path / "store", ignore_errors=True)


@pytest.fixture
def moment():
    return NOW


@pytest.fixture
def problem():
    return Problem(what="widgets.example.com in shop", why="forbidden")
