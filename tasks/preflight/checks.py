"""Look for everything that the target lacks before anything is written: all of it at once, not only the first.

Checked: API versions, types of fields, cluster-wide objects that are named (StorageClass, PriorityClass, IngressClass,
RuntimeClass, PersistentVolume, ClusterRole), permissions, quota, volumes bound elsewhere, and objects that are there
already.

Look whether the target's schemas take what is to be restored, before anything is written.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError, NotFoundError, PreflightError
from kubeferry.tasks.core.formats.bundle import BUNDLES, CRDS, RIGHTS, STATUS
from kubeferry.tasks.core.formats.lease import LEASE_VERBS, LEASES
from kubeferry.tasks.core.kube.resources import defined, served
from kubeferry.tasks.core.lookup.substitute import Absent
from kubeferry.tasks.core.plan.existing import kind_faults, mode_of, verbs
from kubeferry.tasks.core.plan.quota import Demand, requested, shortage
from kubeferry.tasks.plan.unpacked import of_backup
from kubeferry.tasks.ports.cluster.cached import CachedTarget
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.preflight.conflicts import conflicts, give_up_node_ports, held, inside
from kubeferry.tasks.preflight.target import seen
from kubeferry.tasks.step import in_thread, step, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.plan.state import Item, Restoring


def schema_errors(restoring: Restoring) -> Iterator[str]:
    """Tell objects of which a field has a type that its kind does not have; the first such field of each."""
    items: dict[str, list[Item]] = defaultdict(list)
    for item in restoring.plan.items.values():
        items[item.api_version].append(item)
    versions = sorted(items)
    for version, schemas in zip(versions, in_threads(restoring.asked.schemas, versions, THREADS), strict=True):
        for item in items[version]:
            for odd in schemas.schema_errors(restoring.planned.read(item.whole or item.slot)):
                yield f"{item.ref} {odd.pointer}: {item.ref.kind} has {_a(odd.wanted)} there, not {_a(odd.has)}"
                break


def misplaced(restoring: Restoring) -> Iterator[str]:
    """Tell objects that stand in a namespace though the target has their kind cluster-wide only, or the other way."""
    for ref in restoring.plan.items:
        kind = restoring.discovery.by_kind(ref.group, ref.kind)
        if kind and kind.namespaced != bool(ref.namespace):
            yield f"{ref}: the cluster has this kind {'in namespaces' if kind.namespaced else 'cluster-wide'} only"


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aio" else f"a {kind}"


@step("preflight")
async def preflight(restoring: Restoring) -> None:
    """Look the target over.

    Raises:
        PreflightError: what is lacking, one line each; nothing has been written.
    """
    problems = await in_thread(_look, restoring)
    if problems:
        target = restoring.target()
        raise PreflightError(f"cluster {target.name} ({target.host}) cannot take this restore", problems)
    tell(f"preflight {restoring.name}: cluster {restoring.target().name} has what is needed")


def _look(restoring: Restoring) -> list[str]:
    if restoring.company is None:
        restoring.asked = CachedTarget(
            restoring.target
        )  # after an approval the target may answer otherwise than before it
    restoring.spaces.clear()
    restoring.discovery = restoring.asked.discovery()
    restoring.context = restoring.asked.context()
    give_up_node_ports(restoring)
    checks = (
        _modes,
        _types,
        misplaced,
        schema_errors,
        _rights,
        _spaces,
        held,
        _named,
        _volumes,
        _bound,
        _quota,
        conflicts,
    )
    problems: list[str] = [*restoring.plan.impossible]
    for number, check in enumerate(checks, start=1):
        try:
            with of_backup(restoring):
                problems += check(restoring)
        except ForbiddenError as error:  # a right that is lacking is told by _rights, and once is enough
            problems += [] if problems else [str(error)]
        progress.step(f"preflight {restoring.name}", number, len(checks))
    return sorted(set(problems))


def _bound(restoring: Restoring) -> Iterator[str]:
    """Tell values that nothing on the target will give: what gave them is neither there nor restored.

    What another restore of the same migration brings is waited for when its turn comes.
    """
    others = {*restoring.company.names.values()} if restoring.company else set[str]()
    asked = [
        (item.ref, each, each.chain.start)
        for item in restoring.plan.items.values()
        for each in item.bindings
        if each.chain.start not in restoring.plan.items
        and not (each.chain.start and each.chain.start.namespace in others)
        and restoring.options.absent.get(each.kind, Absent.FAIL) is Absent.FAIL
    ]
    starts = sorted({start for _, _, start in asked if start})
    there = dict(zip(starts, in_threads(lambda start: _is_there(restoring, start), starts, THREADS), strict=True))
    for ref, each, start in asked:
        if start and not there[start]:
            yield f"{ref} {each.use.pointer} needs {each.chain.text()}: {start} is not there; see --absent"


def _is_there(restoring: Restoring, ref: Ref) -> bool:
    kind = restoring.discovery.by_kind(ref.group, ref.kind)
    return kind is not None and restoring.target().find(kind, ref.namespace, ref.name) is not None


def _modes(restoring: Restoring) -> Iterator[str]:
    """Tell kinds that --existing names and nobody knows, and those of which it says two things."""
    coming = [defined(body) for body in _coming(restoring).values()]
    yield from kind_faults([*restoring.discovery.types, *coming], restoring.options.existing_kinds)


def _types(restoring: Restoring) -> Iterator[str]:
    """Tell kinds and versions that the target does not serve and that no CRD of the backup will define."""
    coming = {kind: served(body) for kind, body in _coming(restoring).items()}
    wanted = Counter((item.ref.group, item.ref.kind, item.api_version) for item in restoring.plan.items.values())
    for (group, kind, api_version), count in sorted(wanted.items()):
        version = api_version.rpartition("/")[2]
        has = [*restoring.discovery.versions.get((group, kind), ()), *coming.get((group, kind), ())]
        if version not in has:
            told = f"it serves {', '.join(has)}" if has else "it does not know this kind"
            yield f"{kind} in {api_version} ({count} objects): {told}"


def _coming(restoring: Restoring) -> dict[tuple[str, str], Object]:
    """Return the CRDs that the backup brings, by the kind they define; one that the target has stays as it is."""
    bodies = [restoring.planned.read(restoring.plan.items[ref].slot) for ref in restoring.plan.definitions]
    found = {(kind.group, kind.kind): body for body in bodies for kind in [defined(body)]}
    return {kind: body for kind, body in found.items() if kind not in restoring.discovery.versions}


def _spaces(restoring: Restoring) -> Iterator[str]:
    """Tell namespaces that are neither in the backup nor on the target."""
    inside = {ref.namespace for ref in restoring.plan.items} - {"", *(ref.name for ref in restoring.plan.namespaces)}
    for name in sorted(inside):
        if not seen(restoring, name):
            yield f"Namespace {name} is not there, and the backup does not hold it"


def _named(restoring: Restoring) -> Iterator[str]:
    """Tell cluster-wide objects that are named, are not on the target and do not come with the backup."""
    wanted = sorted(ref for ref in restoring.plan.wants if ref not in restoring.plan.items and ref.kind != "Namespace")
    yield from filter(None, in_threads(lambda ref: _missing(restoring, ref), wanted, THREADS))


def _missing(restoring: Restoring, ref: Ref) -> str:
    kind = restoring.discovery.by_kind(ref.group, ref.kind)
    users = sorted(str(user) for user in restoring.plan.wants[ref])
    by = f"{users[0]} names it" + (f", {len(users) - 1} more too" if len(users) > 1 else "")
    if kind is None:
        return f"{ref}: the cluster does not know this kind; {by}"
    try:
        restoring.target().get(kind, "", ref.name)
    except NotFoundError:
        return f"{ref} is not there; {by}"
    except ForbiddenError:
        return ""  # told with the permissions, if it is to be written
    return ""


def _volumes(restoring: Restoring) -> Iterator[str]:
    """Tell volumes that are bound to another claim than the one to restore."""
    kind = restoring.discovery.by_kind("", "PersistentVolume")
    for ref in sorted(ref for ref in restoring.plan.items if (ref.group, ref.kind) == ("", "PersistentVolume")):
        live = _get(restoring, kind, ref) if kind else None
        wanted = restoring.planned.read(restoring.plan.items[ref].slot)
        if live and _claim(live) and _claim(live) != _claim(wanted):
            yield f"{ref} is bound to claim {_claim(live)} already"


def _claim(volume: Object) -> str:
    claim = (volume.get("spec") or {}).get("claimRef") or {}
    return f"{claim.get('namespace')}/{claim.get('name')}" if claim else ""


def _rights(restoring: Restoring) -> Iterator[str]:
    """Tell what these credentials may not write, or not follow while it gets ready."""
    coming = {kind: defined(body) for kind, body in _coming(restoring).items()}
    asked: set[tuple[str, ResourceType, str]] = set()
    for ref in restoring.plan.items:
        kind = restoring.discovery.by_kind(ref.group, ref.kind) or coming.get((ref.group, ref.kind))
        if kind:
            asked |= {(verb, kind, ref.namespace) for verb in verbs(ref, mode_of(kind, restoring.options))}
        if ref.namespace:
            asked |= {(verb, LEASES, ref.namespace) for verb in LEASE_VERBS}
            asked |= {(verb, kind, ref.namespace) for verb, kind in RIGHTS if restoring.options.bundle}
    if restoring.options.bundle and restoring.discovery.by_kind(BUNDLES.group, BUNDLES.kind) is None:
        asked.add(("create", CRDS, ""))
    questions = sorted(asked, key=lambda each: (each[0], each[1].group_resource, each[2]))
    allowed = in_threads(lambda each: restoring.asked.allowed(*each), questions, THREADS)
    for (verb, kind, namespace), may in zip(questions, allowed, strict=True):
        if not may:
            where = f" in namespace {namespace}" if namespace else ""
            hint = "; --no-bundle does without" if kind in (BUNDLES, STATUS, CRDS) else ""
            what = f"{BUNDLES.group_resource}/status" if kind == STATUS else kind.group_resource
            yield f"not allowed to {verb} {what}{where}{hint}"


def _quota(restoring: Restoring) -> Iterator[str]:
    """Tell quotas of namespaces that exist and have too little left."""
    kind = restoring.discovery.by_kind("", "ResourceQuota")
    for ref in restoring.plan.namespaces if kind else ():
        if not (kind and seen(restoring, ref.name)):
            continue
        try:
            quotas = restoring.target().list(kind, ref.name)
        except ForbiddenError:
            continue  # who may not see it may still have room: the API server judges each object
        wanted = _demand(restoring, ref.name) if quotas else Demand(Decimal)
        for quota in quotas:
            for line in shortage(quota, wanted):
                yield f"ResourceQuota {ref.name}/{quota['metadata']['name']}: {line}"


def _demand(restoring: Restoring, namespace: str) -> Demand:
    total = Demand(Decimal)
    for item in inside(restoring, namespace):
        kind = restoring.discovery.by_kind(item.ref.group, item.ref.kind)
        if kind and not _get(restoring, kind, item.ref):
            adopted = item.ref in restoring.plan.adopters  # its pods are those of its controller
            for name, amount in requested(restoring.planned.read(item.slot), kind.group_resource).items():
                total[name] += amount if name.startswith("count/") or not adopted else 0
    return total


def _get(restoring: Restoring, kind: ResourceType, ref: Ref) -> Object | None:
    try:
        return restoring.target().get(kind, ref.namespace, ref.name)
    except NotFoundError:
        return None
