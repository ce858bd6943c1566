"""Join the parts into one archive and upload it; the Backup object goes last and makes it a backup.

A run that dies before that leaves files that readers ignore; a later backup of the same name replaces them.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, Any

import orjson
from pydantic_core import to_json

from kubeferry.tasks.backup.state import CLUSTER
from kubeferry.tasks.core.errors import NameTakenError
from kubeferry.tasks.core.formats.layout import SEALED, BackupKeys, alike
from kubeferry.tasks.core.formats.losses import OF_OUTSIDE, weighty, without_repetition
from kubeferry.tasks.core.formats.manifest import Digest, Manifest, digest, divided, joined
from kubeferry.tasks.core.formats.records import LeftOut, Phase
from kubeferry.tasks.core.formats.velero_backup import backup_object, log_of, optional_files
from kubeferry.tasks.core.jsondoc.duration import Span, until
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.models.options import ClusterWide
from kubeferry.tasks.core.selection.namespaces import asked_for
from kubeferry.tasks.core.transform.strip.apart import is_plain_status
from kubeferry.tasks.ports.archive import gzip
from kubeferry.tasks.ports.archive import tarball as archive
from kubeferry.tasks.ports.archive.encryption import Sealer
from kubeferry.tasks.ports.local import clock, progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.ports.records.backups import digest_of
from kubeferry.tasks.ports.records.reservations import reserved
from kubeferry.tasks.ports.store.base import go_on
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from kubeferry.tasks.backup.state import Fetched, Scope, Stripped
    from kubeferry.tasks.core.formats.manifest import Contents, Selected
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.ports.records.reservations import Writing
    from kubeferry.tasks.ports.store.base import Store

THREADS = 4
"""Concurrent uploads; one of them, the tarball, is nearly all of the bytes."""


@step("upload {scope.name}")
async def upload(
    scope: Scope,
    fetched: list[Fetched],
    stripped: list[Stripped],
    started: datetime,
    selected: Selected | None = None,
) -> Manifest:
    """Upload the backup; return its manifest, with the selection if the backup is selective.

    Raises:
        NameTakenError: another run writes a backup of the name that was asked for, or has finished one meanwhile. A
            name that we made up gets a number instead, as for runs that begin in the same second.
        PermanentError: another run has taken the name, after this one could not renew its reservation for an hour.
        StoreError: the store refused; no backup of this name exists there.
    """
    return await in_thread(_reserved, scope, fetched, stripped, started, selected)


def _reserved(
    scope: Scope, fetched: list[Fetched], stripped: list[Stripped], started: datetime, selected: Selected | None
) -> Manifest:
    """Reserve the backup's name while its files are written."""
    store, asked = open_store(scope.options.store), scope.options.name
    for name in [asked] if asked else alike(scope.name):
        named, keys = replace(scope, name=name), BackupKeys(name)
        try:
            with reserved(store, keys, scope.work) as writing:
                return _finished(named, store, keys) or _upload(named, fetched, stripped, started, selected, writing)
        except NameTakenError:
            if asked:
                raise
    raise AssertionError("unreachable: a name is free in the end")


def _finished(scope: Scope, store: Store, keys: BackupKeys) -> Manifest | None:
    """Return the manifest if an earlier try has finished the backup, but the store's answer was lost.

    Its files must not be written again: their digests would not match the manifest.

    Raises:
        NameTakenError: another run has finished it.
    """
    if not store.exists(keys.metadata):
        return None
    last, manifest = _kept(scope)
    if not last.exists() or store.get(keys.metadata) != last.read_bytes():
        raise _taken(store, keys)
    return Manifest.model_validate_json(manifest.read_bytes())


def _kept(scope: Scope) -> tuple[Path, Path]:
    """Return the local copies of what completes the backup: the Backup object and the whole manifest."""
    return Path(scope.work, "velero-backup.json"), Path(scope.work, "manifest.json")


def _upload(
    scope: Scope,
    fetched: list[Fetched],
    stripped: list[Stripped],
    started: datetime,
    selected: Selected | None = None,
    writing: Writing | None = None,
) -> Manifest:
    """Write the files of a backup; before each, `writing` says whether its name is still this run's."""
    check = writing.check if writing else go_on
    store, work = open_store(scope.options.store), Path(scope.work)
    if scope.options.lock_until:
        store = store.locking(until(scope.options.lock_until, started))
    keys = BackupKeys(scope.name, sealed=bool(scope.recipients))
    parts = [scope.folder(each.namespace) for each in stripped]
    tarball = work / "backup.tar.gz"
    archive.join((part / "objects.tar.gz" for part in parts), tarball)
    links, bound = _joined(parts, "links.jsonl", work), _joined(parts, "bindings.jsonl", work)
    objects, kinds = _entries(parts)
    manifest = _manifest(scope, fetched, stripped, objects, started)
    if selected:
        held = [each.namespace for each in stripped if each.namespace != CLUSTER and each.counts]
        manifest = manifest.model_copy(update={"selection": selected, "namespaces": held or manifest.namespaces})
    plain = {keys.tarball: tarball, keys.links: links, keys.bindings: bound}
    files: dict[str, Path | bytes] = {**plain}
    public, hidden = divided(manifest, scope.recipients) if scope.recipients else (manifest, None)
    if hidden:
        files = _sealed(plain, hidden, keys, Sealer(scope.recipients))
    else:
        extra = _velero_files(manifest, kinds)
        files |= {keys.velero(what): data for what, data in extra.items()}
    public = public.model_copy(update={"files": {key: _digest(content) for key, content in files.items()}})
    # Concurrently: a store takes milliseconds for each, which add up one after the other.
    for done, _ in enumerate(in_threads(lambda each: _put(store, *each, check), files.items(), THREADS), start=1):
        progress.step(f"upload {scope.name}", done, len(files) + 2)
    described = gzip.compress(to_json(public, by_alias=False))
    check()
    store.put(keys.manifest, described)
    manifest = joined(public, hidden) if hidden else public
    backup = backup_object(manifest, digest(described).sha256, started, clock.now(), _expires(scope, started))
    if writing:
        writing.check(ask=True)
    _finish(scope, store, keys, backup, manifest)
    progress.step(f"upload {scope.name}", len(files) + 2, len(files) + 2)
    return manifest


def _entries(parts: list[Path]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what is in the archive by its path: SHA-256, and type, such as `apps/v1/Deployment`."""
    objects, kinds = dict[str, str](), dict[str, str]()
    for part in parts:
        for path, sha256, kind in _lines(part / "entries.jsonl"):
            objects[path], kinds[path] = sha256, intern(kind)
    return objects, kinds


def _joined(parts: list[Path], name: str, work: Path) -> Path:
    """Return one gzip file with the files `name` of all parts."""
    target = work / f"{name}.gz"
    with gzip.writer(target) as out:
        for part in parts:
            with (part / name).open("rb") as lines:
                shutil.copyfileobj(lines, out)
    return target


def _sealed(plain: dict[str, Path], hidden: Contents, keys: BackupKeys, to: Sealer) -> dict[str, Path | bytes]:
    """Return the files of an encrypted backup, without Velero's optional files, which name objects."""
    files: dict[str, Path | bytes] = {keys.contents: to.seal(gzip.compress(to_json(hidden, by_alias=False)))}
    for key, path in plain.items():
        files[key] = sealed = path.with_name(f"{path.name}{SEALED}")
        to.seal_file(path, sealed)
    return files


def _digest(content: Path | bytes) -> Digest:
    return digest_of(content) if isinstance(content, Path) else digest(content)


def _expires(scope: Scope, started: datetime) -> datetime | None:
    return Span.parse(scope.options.ttl).after(started) if scope.options.ttl else None


def _finish(scope: Scope, store: Store, keys: BackupKeys, backup: Object, manifest: Manifest) -> None:
    data, (last, whole) = orjson.dumps(backup), _kept(scope)
    last.write_bytes(data)
    whole.write_bytes(to_json(manifest, by_alias=False))
    if not store.put_new(keys.metadata, data):
        raise _taken(store, keys)


def _taken(store: Store, keys: BackupKeys) -> NameTakenError:
    return NameTakenError(f"backup {keys.name} exists already in {store.url}: another run finished it meanwhile")


def _put(store: Store, key: str, content: Path | bytes, check: Callable[[], None]) -> None:
    check()
    if isinstance(content, Path):
        store.put_file(key, content, check)
    else:
        store.put(key, content)


def _manifest(
    scope: Scope, fetched: list[Fetched], stripped: list[Stripped], objects: dict[str, str], started: datetime
) -> Manifest:
    problems = [*scope.problems, *(problem for each in fetched for problem in each.problems)]
    problems += [problem for each in stripped for problem in each.problems]
    kinds = frozenset[tuple[str, str]]().union(*(each.kinds for each in stripped))
    silent = OF_OUTSIDE if scope.options.cluster_wide is ClusterWide.NONE else frozenset[str]()
    losses = [*scope.losses, *(loss for kind, loss in scope.losses_by_kind.items() if kind in kinds)]
    losses += [loss for each in fetched for loss in each.losses]
    losses += [loss for each in stripped for loss in each.losses]
    losses = without_repetition(each for each in losses if each.code not in silent)
    counts = _summed(pair for each in stripped for pair in each.counts)
    return Manifest(
        name=scope.name,
        kubeferry=version("kubeferry"),
        created=started,
        source=scope.source,
        revision=scope.revision,
        not_at_revision={kind: why for each in fetched for kind, why in each.not_at_revision},
        not_indexed={kind: why for each in fetched for kind, why in each.not_indexed},
        plain_status=_plain_status(scope, counts),
        namespaces=list(scope.namespaces),
        asked=asked_for(scope.options),
        deployment=scope.deployment,
        phase=Phase.PARTIAL if problems or weighty(losses) else Phase.COMPLETED,
        counts=counts,
        bindings=_summed(pair for each in stripped for pair in each.bindings),
        objects=objects,
        files={},
        left_out=[
            LeftOut.model_validate(gap)
            for each in stripped
            for gap in _lines(scope.folder(each.namespace) / "left-out.jsonl")
        ],
        problems=problems,
        losses=losses,
        outside=sorted((one for each in stripped for one in each.outside), key=lambda one: one.text),
    )


def _plain_status(scope: Scope, counts: dict[str, int]) -> list[str]:
    types = [each for each in {*scope.types, *scope.related} if is_plain_status(each) and not is_built_in(each.group)]
    return sorted(f"{each.api_version}/{each.kind}" for each in types if f"{each.kind}.{each.group}" in counts)


def _summed(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for name, count in pairs:
        total[name] += count
    return dict(sorted(total.items()))


def _velero_files(manifest: Manifest, kinds: dict[str, str]) -> dict[str, bytes]:
    files = {what: orjson.dumps(content) for what, content in optional_files(manifest, kinds).items()}
    return {what: gzip.compress(data) for what, data in {**files, "logs": log_of(manifest).encode()}.items()}


def _lines(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)
