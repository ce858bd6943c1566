"""Keep the objects of a Bundle on a cluster as a backup, which a restore then carries out like any other.

A chart of the shape `bundle` (kubeferry export --as helm --shape bundle) installs one Bundle whose spec holds the
rendered objects, each with its bindings in an annotation. Who may create a Bundle in a namespace decides nothing beyond
it: every object has to be of that namespace. The backup is what the restore is resumed and undone from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.backup.fetch import make_folder
from kubeferry.tasks.backup.part import Exclusions, Part, written_object
from kubeferry.tasks.backup.state import CLUSTER, Fetched, Scope
from kubeferry.tasks.backup.upload import upload
from kubeferry.tasks.core.errors import DamagedError, NotFoundError, PermanentError
from kubeferry.tasks.core.formats.layout import backup_name
from kubeferry.tasks.core.formats.manifest import Source
from kubeferry.tasks.core.formats.target.bundle import BINDINGS, BUNDLES, GROUP
from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.objects import Ref, annotations_of
from kubeferry.tasks.core.lookup.bindings import from_json, to_json
from kubeferry.tasks.core.lookup.derive import Known
from kubeferry.tasks.core.models.options import BackupOptions
from kubeferry.tasks.core.selection.resource_types import NAMESPACES
from kubeferry.tasks.ports.cluster.cached import cluster_uid
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from pathlib import Path

    from kubeferry.tasks.backup.state import Stripped
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import Discovery
    from kubeferry.tasks.core.models.options import RestoreOptions
    from kubeferry.tasks.ports.cluster.client import Cluster


async def keep_bundle(options: RestoreOptions, work: Path) -> RestoreOptions:
    """Write the objects of the bundle into a backup; return the options of its restore.

    Raises:
        NotFoundError: there is no such bundle.
        PermanentError: it holds no objects, or one that it may not hold.
    """
    started = clock.now()
    scope, stripped = await read_bundle(options, str(work / "bundle"))
    manifest = await upload(scope, [Fetched(0, (), (), ())], [stripped], started)
    return options.model_copy(update={"backup": manifest.name})


@step("read bundle {options.from_bundle}")
async def read_bundle(options: RestoreOptions, work: str) -> tuple[Scope, Stripped]:
    """Write the objects of a bundle as a part of a backup. Raises as `keep_bundle`."""
    return await in_thread(_read, options, work)


def _read(options: RestoreOptions, work: str) -> tuple[Scope, Stripped]:
    space, _, name = options.from_bundle.partition("/")
    cluster = connect(options.context or None, options.kubeconfig or None)
    try:
        live = cluster.get(BUNDLES, space, name)
    except NotFoundError as error:
        raise NotFoundError(f"namespace {space} of cluster {cluster.name} has no bundle {name}") from error
    objects = get(live, "spec", "objects")
    if not isinstance(objects, list) or not objects:
        raise PermanentError(
            f"bundle {space}/{name} holds no objects: it lists what a restore created, or its definition is older"
        )
    scope = _scope(options, work, cluster, space, name, str(live["metadata"].get("resourceVersion", "")))
    make_folder(scope, space)
    make_folder(scope, CLUSTER)
    found = cluster.discover()
    with Exclusions(scope, space) as exclusions, Part(scope.folder(space)) as part:
        home = exclusions.portable(cluster.get(NAMESPACES, "", space))
        part.write(written_object(NAMESPACES, home, Known())[0])
        for number, obj in enumerate(objects):
            _write(_checked(obj, space, number), found, exclusions, part)
    return scope, part.result(space)


def _scope(options: RestoreOptions, work: str, cluster: Cluster, space: str, name: str, revision: str) -> Scope:
    asked = BackupOptions(
        name=options.backup,
        namespaces=[space],
        context=options.context,
        kubeconfig=options.kubeconfig,
        store=options.store,
    )
    return Scope(
        name=backup_name(options.backup, [f"{name}-bundle"], clock.now()),
        options=asked,
        work=work,
        namespaces=(space,),
        source=Source(uid=cluster_uid(cluster), version=cluster.version(), context=cluster.name, host=cluster.host),
        revision=revision,
        types=(),
        related=(),
        indexed=(),
        everywhere=(),
        own_revisions=frozenset(),
        problems=(),
    )


def _checked(obj: Any, space: str, number: int) -> Object:
    """Return an object of a bundle if it is of its namespace. Raises PermanentError."""
    if not isinstance(obj, dict) or not isinstance(get(obj, "metadata", "name"), str) or not obj.get("kind"):
        raise PermanentError(f"object {number} of the bundle is none: it needs apiVersion, kind and metadata.name")
    ref = Ref.of(obj)
    if ref.namespace != space:
        raise PermanentError(f"{ref} is not of the bundle's namespace {space}: a bundle holds objects of its own only")
    if ref.group == GROUP:
        raise PermanentError(f"{ref}: a bundle holds no bundles")
    checked: Object = obj
    return checked


def _write(obj: Object, found: Discovery, exclusions: Exclusions, part: Part) -> None:
    ref = Ref.of(obj)
    kind = found.by_kind(ref.group, ref.kind)
    if kind is None or not kind.namespaced:
        raise PermanentError(f"{ref}: the cluster serves no namespaced kind {ref.type}")
    lines, bare = _bindings(obj)
    if exclusions.never(bare):
        return
    written, _ = written_object(kind, exclusions.portable(bare), Known())
    kinds = tuple(each["kind"] for each in lines)
    encoded = tuple(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in lines)
    part.write(written._replace(lines=written.lines + encoded, bound=written.bound + kinds))


def _bindings(obj: Object) -> tuple[list[dict[str, Any]], Object]:
    """Return the bindings of an object as lines, and the object without their annotation."""
    notes = annotations_of(obj)
    text = notes.get(BINDINGS)
    if text is None:
        return [], obj
    ref = Ref.of(obj)
    try:
        values = orjson.loads(text)
        made = [from_json(each) for each in values]
    except (ValueError, TypeError, DamagedError) as error:
        raise PermanentError(f"{ref}: annotation {BINDINGS} is damaged") from error
    if any(each.object != ref for each in made):
        raise PermanentError(f"{ref}: annotation {BINDINGS} names another object")
    left = {key: value for key, value in notes.items() if key != BINDINGS}
    meta = {key: value for key, value in obj["metadata"].items() if key != "annotations"}
    return [to_json(each) for each in made], obj | {"metadata": meta | ({"annotations": left} if left else {})}
