"""An archive as Velero writes it, stored for a test."""

import io
import tarfile

import orjson
from tests.support.bench import name


def store(bench, entries):
    """Store an archive as Velero writes it: (path, bytes) each; return the backup's name."""
    named = name()
    folder = bench.folder / "backups" / named
    folder.mkdir(parents=True)
    with tarfile.open(folder / f"{named}.tar.gz", "w:gz") as tar:
        for path, data in [("metadata/version", b"1.1.0\n"), *entries]:
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    backup = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": named, "namespace": "velero"}}
    backup |= {"spec": {"includedNamespaces": ["*"]}, "status": {"phase": "Completed", "version": 1}}
    (folder / "velero-backup.json").write_bytes(orjson.dumps(backup))
    return named
