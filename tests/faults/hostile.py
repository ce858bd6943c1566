"""Backups that somebody forged: built byte by byte, with digests that fit, as one who may write to a store can."""

import copy
import gzip
import hashlib
import shutil
import tarfile
from datetime import UTC, datetime

import orjson

from kubeferry.deployments.sample.objects import objects
from kubeferry.tasks.core.formats.layout import BackupKeys, Member
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.kinds import plural_of
from kubeferry.tasks.core.kube.objects import Ref

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
CLOSING = bytes(2 * tarfile.BLOCKSIZE)


def member(obj):
    """The place of an object in an archive."""
    ref = Ref.of(obj)
    group = group_of(obj["apiVersion"])
    return Member(plural_of(ref.kind) + (f".{group}" if group else ""), ref.namespace, ref.name)


def config(ns, name="web", **more):
    """A ConfigMap, the plainest object there is."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": ns},
        "data": {"a": "b"},
    } | more


def namespace(ns):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}}


def entry(obj, path=""):
    """An object as (path, bytes), the way an archive has it."""
    return (path or member(obj).path), orjson.dumps(obj)


def header(name, size=0, kind=tarfile.REGTYPE, link="", form=tarfile.PAX_FORMAT, **fields):
    """One header of a tar (with the extended ones that it needs), whatever it says."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(form, "utf-8", "surrogateescape")


def file(name, data, **fields):
    """A plain file of a tar."""
    return header(name, len(data), **fields) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def tar(entries, *, version=b"1.1.0\n", closing=CLOSING):
    """A tar of (path, bytes); bytes alone are put in as they are."""
    parts = [] if version is None else [file("metadata/version", version)]
    parts += [each if isinstance(each, bytes) else file(*each) for each in entries]
    return b"".join(parts) + closing


def forged_header(block):
    """A header with the checksum that its bytes have, so that more than the checksum is looked at."""
    total = sum(block[:148]) + 8 * ord(" ") + sum(block[156:])
    return block[:148] + b"%06o\0 " % total + block[156:]


def digest(data):
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def lines(values):
    """A file of JSON lines; bytes are a line as they are."""
    return b"".join((each if isinstance(each, bytes) else orjson.dumps(each)) + b"\n" for each in values)


class Forge:
    """A store in a folder, in which backups are put together by hand."""

    def __init__(self, root):
        self.root = root

    def _anew(self, name):
        keys = BackupKeys(name)
        shutil.rmtree(self.root / keys.folder, ignore_errors=True)
        return keys

    def put(self, key, data):
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def velero(self, name, entries=(), *, tarball=None, change=None):
        """Store what Velero would; `tarball` are its bytes instead of `entries`, `change` is made to the Backup."""
        keys = self._anew(name)
        self.put(keys.tarball, gzip.compress(tar(entries), 1) if tarball is None else tarball)
        self.put(keys.metadata, self.backup(name, {}, change))
        return name

    def ours(self, name, entries=(), *, tarball=None, links=(), bindings=(), change=None, signed=None):
        """Store what Kubeferry would, every digest right.

        `links` and `bindings` are JSON lines, or the bytes of the whole file; `change` is made to the manifest (or
        gives its bytes), `signed` to the Backup object.
        """
        keys = self._anew(name)
        packed = gzip.compress(tar(entries), 1) if tarball is None else tarball
        content = {keys.tarball: packed}
        for key, given in ((keys.links, links), (keys.bindings, bindings)):
            content[key] = given if isinstance(given, bytes) else gzip.compress(lines(given))
        for key, data in content.items():
            if ".." not in key:
                self.put(key, data)
        plain = [each for each in entries if not isinstance(each, bytes) and each[0].startswith("resources/")]
        # Of two of one name the first; a name that is no text can be in no JSON.
        digests = {path: digest(data)["sha256"] for path, data in reversed(plain) if "\udcff" not in path}
        manifest = self.manifest(name, digests)
        manifest["files"] = {key: digest(data) for key, data in content.items()}
        changed = change(manifest) if change else None
        described = gzip.compress(changed if isinstance(changed, bytes) else orjson.dumps(changed or manifest))
        self.put(keys.manifest, described)
        notes = {"kubeferry.io/manifest-sha256": digest(described)["sha256"], "kubeferry.io/version": "0.1.0"}
        self.put(keys.metadata, self.backup(name, notes, signed))
        return name

    def manifest(self, name, digests):
        return {
            "format": "kubeferry.io/v1",
            "name": name,
            "kubeferry": "0.1.0",
            "created": NOW.isoformat(),
            "source": {"uid": "u", "version": "v1.36.1", "context": "a", "host": "https://127.0.0.1:1"},
            "revision": "7",
            "namespaces": ["shop"],
            "phase": "Completed",
            "counts": {"ConfigMap": len(digests)},
            "objects": digests,
        }

    def backup(self, name, notes, change):
        made = {
            "apiVersion": "velero.io/v1",
            "kind": "Backup",
            "metadata": {"name": name, "namespace": "velero", "annotations": notes},
            "spec": {"includedNamespaces": ["shop"]},
            "status": {"phase": "Completed", "version": 1, "formatVersion": "1.1.0", "startTimestamp": f"{NOW:%FT%TZ}"},
        }
        changed = change(made) if change else None
        return changed if isinstance(changed, bytes) else orjson.dumps(changed or made)


def shop(ns):
    """The sample shop as an archive holds it, without its largest object."""
    return [obj for obj in copy.deepcopy(objects(ns)) if len(orjson.dumps(obj)) < 20_000]
