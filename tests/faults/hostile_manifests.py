"""Manifests of ours, and Backup objects, that are not what they say; above them there is no digest to fit."""

import orjson
from tests.faults.hostile import digest
from tests.faults.hostile_tables import ours, velero

from kubeferry.tasks.core.formats.layout import BackupKeys

DIGEST = "kubeferry.io/manifest-sha256"


def manifest(name, message, change):
    """A manifest that was changed, its digest right; `change(manifest, name)` changes it or returns another."""
    ours(f"manifest: {name}", message, change=lambda _, b: lambda found: change(found, b))


def put(*path, value):
    def change(found, _):
        place = found
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


manifest(
    "format 2", "format 'kubeferry.io/v2', this Kubeferry reads kubeferry.io/v1", put("format", value="kubeferry.io/v2")
)
manifest("a format that is a list", "is of format", put("format", value=["kubeferry.io/v1"]))
manifest("no JSON", "manifest is not JSON", lambda *_: b"{")
manifest("a list", "is of format", lambda *_: [1])
manifest(
    "a key twice", "manifest has a duplicate key", lambda *_: b'{"format":"kubeferry.io/v1","name":"a","name":"b"}'
)
manifest("900 levels", "manifest is nested", lambda *_: b"[" * 900 + b"]" * 900)
manifest("another backup's", "is that of backup 'other'", put("name", value="other"))
manifest("a field that is not known", "is damaged at 'more'", put("more", value=1))
for key in ("kubeferry", "created", "source", "revision", "namespaces", "phase", "counts", "objects", "files"):
    manifest(f"no {key}", f"is damaged at '{key}'", lambda found, _, key=key: found.pop(key) and None)
    for what, value in {"a number": -7.5, "a flag": True, "null": None, "a text": "\x1b[2J", "a list": [[]]}.items():
        if (key, what) not in {("kubeferry", "a text"), ("revision", "a text"), ("created", "a number")}:
            manifest(f"{key} is {what}", f"is damaged at '{key}", put(key, value=value))
for key in ("left_out", "problems", "not_at_revision", "not_indexed", "bindings", "encryption"):
    manifest(f"{key} is a text", f"is damaged at '{key}", put(key, value="x"))


def digests(value, *paths):
    return lambda found, _: found["objects"].update(dict.fromkeys(paths or found["objects"], value))


manifest("a negative count", "is damaged at 'counts", put("counts", value={"ConfigMap": -1}))
manifest("a count that is a text", "is damaged at 'counts", put("counts", value={"ConfigMap": "1"}))
manifest(
    "a digest in capitals",
    "is damaged at 'objects",
    digests("A" * 64),
)
manifest(
    "a digest of 63 digits",
    "is damaged at 'objects",
    digests("a" * 63),
)
manifest(
    "a wrong digest",
    "is not what the manifest says",
    digests("a" * 64),
)
manifest(
    "an object more",
    "in the manifest and not in the archive",
    digests("a" * 64, "resources/x/cluster/y.json"),
)
manifest("an object less", "is not what the manifest says", lambda f, _: f["objects"].popitem() and None)
FOREIGN = "its manifest does not name the files of this backup"
for what, key in {
    "..": "backups/NAME/../other/x",
    "another backup": "backups/other/x",
    "a deeper folder": "backups/NAME/a/b",
    "an absolute path": "/etc/passwd",
    "the folder itself": "backups/NAME/",
    "a backslash": "backups/NAME/..\\x",
    "a control character": "backups/NAME/a\x1b",
    "2000 characters": f"backups/NAME/{'x' * 2000}",
    "no characters": "",
}.items():
    manifest(
        f"a file of {what}", FOREIGN, lambda f, b, key=key: f["files"].update({key.replace("NAME", b): digest(b"")})
    )
manifest("no tarball", FOREIGN, lambda f, b: f["files"].pop(BackupKeys(b).tarball) and None)
manifest("a wrong size", "is not what the manifest says", lambda f, b: f["files"][BackupKeys(b).tarball].update(size=1))
manifest(
    "a size that is a text", "is damaged at 'files", lambda f, b: f["files"][BackupKeys(b).tarball].update(size="1")
)
manifest("a file that is no digest", "is damaged at 'files", lambda f, b: f["files"].update({BackupKeys(b).links: "x"}))
ours(
    "manifest: its digest is taken away",
    "does not name the manifest that is there",
    signed=lambda *_: lambda backup: backup["metadata"].update(annotations={}),
)
ours(
    "manifest: another digest",
    "is not what velero-backup.json says",
    signed=lambda *_: (
        lambda backup: backup["metadata"]["annotations"].update({"kubeferry.io/manifest-sha256": "0" * 64})
    ),
)


for what, value in {"a list": [], "a text": "x", "null": None, "a number": 7, "an empty map": {}}.items():
    velero(f"Backup: {what}", "is not the Backup object", lambda _, value=value: orjson.dumps(value))
velero("Backup: no JSON", "velero-backup.json is not JSON", lambda _: b"\x1b[2J")
velero("Backup: no bytes", "velero-backup.json is not JSON", lambda _: b"")
velero("Backup: a key twice", "a duplicate key", lambda _: b'{"kind":"Backup","kind":"Restore"}')
velero("Backup: 900 levels", "nested deeper", lambda _: b"[" * 900 + b"]" * 900)
velero("Backup: 17 MiB", "is larger than", lambda _: b" " * (17 << 20))
velero("Backup: another kind", "is not the Backup object", lambda found: found | {"kind": "Restore"})
velero("Backup: another name", "is not the Backup object", lambda found: found | {"metadata": {"name": "other"}})
velero("Backup: format 2", "is of format '2.0.0'", lambda found: found["status"].update(formatVersion="2.0.0"))
velero("Backup: version 2", "is of format", lambda found: found["status"].update(version=2))
for where in ("spec", "status"):
    for what, value in {"a list": [], "a text": "x", "a number": 7}.items():
        velero(f"Backup: {where} is {what}", f"is damaged at '{where}'", lambda found, w=where, v=value: found | {w: v})
for field_, value in {
    "phase": ["Completed"],
    "formatVersion": 1,
    "version": "1",
    "startTimestamp": 5,
    "completionTimestamp": {},
    "expiration": [],
    "errors": "none",
    "progress": "half",
}.items():
    message = f"is damaged at 'status/{field_}"
    velero(
        f"Backup: status.{field_} is {value!r}",
        message,
        lambda found, f=field_, v=value: found["status"].update({f: v}),
    )
velero(
    "Backup: namespaces as a text", "'spec/includedNamespaces", lambda f: f["spec"].update(includedNamespaces="shop")
)
velero("Backup: namespaces of numbers", "'spec/includedNamespaces", lambda f: f["spec"].update(includedNamespaces=[1]))
velero("Backup: annotations as a list", "'metadata/annotations", lambda f: f["metadata"].update(annotations=[]))
velero(
    "Backup: a digest that is a number",
    "'metadata/annotations",
    lambda f: f["metadata"].update(annotations={DIGEST: 7}),
)
velero(
    "Backup: a digest of nothing",
    "its manifest is missing",
    lambda f: f["metadata"].update(annotations={DIGEST: "../../x"}),
)
