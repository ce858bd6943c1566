"""Make the fetched objects portable: exclude, strip fields of the old cluster, and write the archive.

Works page by page from the spool, for a backup of whole namespaces; candidates.py and select.py do the same for a
selection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.backup.named import needs_of_parts
from kubeferry.tasks.backup.outside import find_outside
from kubeferry.tasks.backup.part import REPORT_EVERY, Exclusions, Part, written_object
from kubeferry.tasks.backup.state import CLUSTER, Scope, Stripped
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.references.find import references
from kubeferry.tasks.core.selection.resource_types import NAMESPACES
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.core.lookup.derive import Known
    from kubeferry.tasks.core.needs.references.mentions import Mentions


@step("strip {namespace}")
async def strip(scope: Scope, namespace: str, known: Known) -> Stripped:
    """Write a namespace's part of the archive and of the links file; return its summary."""
    return await in_thread(_strip, scope, namespace, known)


@step("strip (cluster)")
async def strip_related(scope: Scope, parts: list[Stripped], known: Known) -> Stripped:
    """Write the cluster-scoped objects that the namespaces in `parts` need."""
    return await in_thread(_strip_related, scope, parts, known)


def _strip(scope: Scope, namespace: str, known: Known) -> Stripped:
    wants: dict[Ref, tuple[Ref, str]] = {}
    mentions = scope.mentions()
    with Exclusions(scope, namespace) as exclusions, Part(scope.folder(namespace)) as part:
        for kind, obj in scope.typed(namespace, sorted([*scope.types, NAMESPACES])):
            for target, user in _write(kind, obj, exclusions, part, known, mentions):
                wants.setdefault(target, user)
            if exclusions.seen % REPORT_EVERY == 0:
                progress.step(f"strip {namespace}", exclusions.seen)
    progress.step(f"strip {namespace}", exclusions.seen, exclusions.seen)
    part.losses += mentions.losses()
    return part.result(namespace, wants)


def _strip_related(scope: Scope, parts: list[Stripped], known: Known) -> Stripped:
    found = find_outside(scope, needs_of_parts(scope, parts))
    mentions = scope.mentions()
    with Exclusions(scope, CLUSTER) as exclusions, Part(scope.folder(CLUSTER)) as part:
        part.losses += found.losses
        for kind, obj in scope.typed(CLUSTER, found.types):
            if (ref := Ref.of(obj)) in found.carried:
                before = sum(part.counts.values())
                _write(kind, obj, exclusions, part, known, mentions)
                part.outside += [found.carried[ref]] if sum(part.counts.values()) > before else []
    part.losses += mentions.losses(found.carried)
    return part.result(CLUSTER)


def _write(
    kind: ResourceType, obj: Object, exclusions: Exclusions, part: Part, known: Known, mentions: Mentions
) -> list[tuple[Ref, tuple[Ref, str]]]:
    """Write one object unless it is excluded; return the cluster-scoped objects that it refers to, and where."""
    if exclusions.never(obj):
        return []
    body = exclusions.portable(obj, kind)
    written, lost = written_object(kind, body, known, obj)[0], exclusions.losses(obj, body)
    part.write(written._replace(losses=lost) if lost else written)
    named = list(references(body))
    for each in named:
        mentions.note(written.ref, each.target, each.path)
    return [(each.target, (written.ref, each.path)) for each in named if not each.target.namespace]
