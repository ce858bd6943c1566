"""Look for everything that the target lacks before anything is written: all of it at once, not only the first.

Checked: API versions, types of fields, objects outside of the namespaces that are named (classes, volumes, roles,
issuers, Secrets of drivers), sources of claims, permissions, quota, volumes bound elsewhere, and objects that are there
already.

Look whether the target's schemas take what is to be restored, before anything is written.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError, NotFoundError, PreflightError
from kubeferry.tasks.core.formats.target.bundle import BUNDLES, CRDS, RIGHTS, STATUS
from kubeferry.tasks.core.formats.target.bundle_guard import GUARD_RIGHTS, POLICIES, POLICY_BINDINGS
from kubeferry.tasks.core.formats.target.lease import LEASE_VERBS, LEASES
from kubeferry.tasks.core.kube.admission_answers import quota_of
from kubeferry.tasks.core.kube.resources import defined
from kubeferry.tasks.core.lookup.bindings import policy_of
from kubeferry.tasks.core.lookup.substitute import Absent
from kubeferry.tasks.core.models.options import BundleMode, OnFailure
from kubeferry.tasks.core.plan.existing import VERBS, kind_faults, mode_of, verbs
from kubeferry.tasks.core.plan.faults import Fault
from kubeferry.tasks.core.plan.quota import Demand, requested, shortage
from kubeferry.tasks.plan.apart import rest_custom
from kubeferry.tasks.plan.grants import limit_subjects
from kubeferry.tasks.plan.unpacked import of_backup
from kubeferry.tasks.ports.cluster.cached import CachedTarget
from kubeferry.tasks.ports.cluster.cancellation import Cancellation
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.preflight.checks.beside import note_beside
from kubeferry.tasks.preflight.checks.conflicts import conflicts, held, inside
from kubeferry.tasks.preflight.checks.defaults import one_default
from kubeferry.tasks.preflight.checks.elsewhere import drop_elsewhere, drop_not_allowed
from kubeferry.tasks.preflight.checks.fields import field_faults
from kubeferry.tasks.preflight.checks.finalizers import choose_finalizers
from kubeferry.tasks.preflight.checks.host_ports import ports_taken
from kubeferry.tasks.preflight.checks.occupied import occupied
from kubeferry.tasks.preflight.checks.requests import give_up_requests
from kubeferry.tasks.preflight.checks.versions import coming, other_versions
from kubeferry.tasks.preflight.checks.volumes import as_they_are, volume_conflicts
from kubeferry.tasks.preflight.dry_run.ask import askable, dry_run_faults
from kubeferry.tasks.preflight.lookup import Lookups
from kubeferry.tasks.preflight.refused import leave_out, log_left_out
from kubeferry.tasks.preflight.target import Target
from kubeferry.tasks.step import in_thread, log, step

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.plan.state import Plan, Source


def misplaced(plan: Plan, target: Target) -> Iterator[Fault]:
    """Yield objects that are in a namespace though the target has their kind cluster-wide only, or the other way."""
    for ref in plan.items:
        kind = target.discovery.by_kind(ref.group, ref.kind)
        if kind and kind.namespaced != bool(ref.namespace):
            where = "in namespaces" if kind.namespaced else "cluster-wide"
            yield Fault(f"{ref}: the cluster has this kind {where} only", (ref,))


@step("preflight")
async def preflight(
    source: Source, plan: Plan, target: Target, lookups: Lookups, cancellation: Cancellation, made: Container[Ref]
) -> None:
    """Look the target over.

    Raises:
        PreflightError: what is lacking, one line each; nothing has been written.
    """
    faults = await in_thread(_look, source, plan, target, lookups, cancellation, made)
    await in_thread(decide_on, source, plan, target, faults)
    log(f"preflight {source.name}: cluster {target.cluster().name} has what is needed")


def decide_on(source: Source, plan: Plan, target: Target, faults: list[Fault]) -> None:
    """Refuse a restore for what was found against it, or leave out of the plan what that stops.

    Raises:
        PreflightError: there are faults, and not --on-failure continue; or one stops all of it; or nothing is left.
    """
    going_on = source.options.on_failure is OnFailure.CONTINUE
    stopping = [each for each in faults if not (going_on and each.refs)]
    if not stopping and faults:
        lost = leave_out(plan, {ref: each.why for each in reversed(faults) for ref in each.refs})
        plan.losses += lost
        log_left_out(lost)
    if stopping or (faults and not plan.items):
        cluster = target.cluster()
        texts = [each.text for each in stopping or faults]
        raise PreflightError(f"cluster {cluster.name} ({cluster.host}) cannot take this restore", texts)


def faults_of(source: Source, plan: Plan) -> list[Fault]:
    """Return what the target has against a restore, and change the plan as a restore would; nothing is written."""
    return _look(source, plan, Target(source.options), Lookups(), Cancellation(), ())


def _look(
    source: Source, plan: Plan, target: Target, lookups: Lookups, cancellation: Cancellation, made: Container[Ref]
) -> list[Fault]:
    if source.company is None:
        target.cached = CachedTarget(target.cluster)  # after an approval the target may answer otherwise than before it
    target.namespaces.clear()
    target.discovery = target.cached.discovery()
    target.context = target.cached.context()
    unmet = give_up_requests(source, plan, target)
    one_default(plan, target)
    as_they_are(source, plan, target, made)
    _limit(source, plan, target, made)
    drop_elsewhere(plan, target)
    drop_not_allowed(plan, target)
    choose_finalizers(source, plan, target)
    if source.options.at_rest:
        rest_defined(plan, target)
    note_beside(plan, target)
    checks = (
        partial(_modes, source, plan, target),
        partial(other_versions, plan, target),
        partial(misplaced, plan, target),
        partial(field_faults, source, plan, target),
        partial(_rights, source, plan, target),
        partial(_spaces, plan, target),
        partial(held, source, plan, target),
        partial(_named, source, plan, target),
        partial(volume_conflicts, plan, target),
        partial(_bound, source, plan, target),
        partial(_quota, source, plan, target),
        partial(ports_taken, source, plan, target, made),
        partial(conflicts, source, plan, target, lookups, cancellation, made),
    )
    faults: list[Fault] = [*map(Fault, plan.impossible), *unmet]
    for number, check in enumerate(checks, start=1):
        try:
            with of_backup(source):
                faults += check()
        except ForbiddenError as error:  # _rights reports a missing right, and once is enough
            faults += [] if faults else [Fault(str(error))]
        progress.step(f"preflight {source.name}", number, len(checks))
    known = {ref for each in faults for ref in each.refs} | {ref for ref in plan.items if ref in made}
    asked = dry_run_faults(source, plan, target, askable(plan, target, there=True), known)
    faults += [each for each in asked if not _is_said(each, faults)]
    return sorted(set(faults))


def _is_said(fault: Fault, faults: list[Fault]) -> bool:
    """Return whether a quota that refuses an object is reported already, with all that it lacks."""
    quotas = {f"ResourceQuota {ref.namespace}/{quota_of(fault.text)}: " for ref in fault.refs}
    return any(each.text.startswith(tuple(quotas)) for each in faults if not each.refs)


def rest_defined(plan: Plan, target: Target) -> None:
    """Put custom resources to rest whose definition only the target has."""

    def definition(of: tuple[str, str]) -> Object | None:
        kind = target.discovery.by_kind(*of)
        return target.cached.definition(kind) if kind else None

    rest_custom(plan, definition)


def _limit(source: Source, plan: Plan, target: Target, made: Container[Ref]) -> None:
    """Take the subjects from ClusterRoleBindings that are not restored; note who gets what, and what was there."""
    manifest = source.backup.manifest
    same = manifest is not None and bool(manifest.source.uid) and manifest.source.uid == target.cached.uid()
    limit_subjects(source, plan, same=same)
    plan.occupied = list(occupied(plan, target, made))


def _bound(source: Source, plan: Plan, target: Target) -> Iterator[Fault]:
    """Yield values that nothing on the target will give: what gave them is neither there nor restored.

    What another restore of the same migration brings is waited for when its turn comes.
    """
    others = {*source.company.names.values()} if source.company else set[str]()
    asked = [
        (item.ref, each, each.chain.start)
        for item in plan.items.values()
        for each in item.bindings
        if each.chain.start not in plan.items
        and not (each.chain.start and each.chain.start.namespace in others)
        and policy_of(each.kind, source.options.absent) is Absent.FAIL
    ]
    starts = sorted({start for _, _, start in asked if start})
    there = dict(zip(starts, in_threads(target.find, starts, THREADS), strict=True))
    for ref, each, start in asked:
        if start and there[start] is None:
            text = f"{ref} {each.use.pointer} needs {each.chain.text()}: {start} is not there; see --absent"
            yield Fault(text, (ref,))


def _modes(source: Source, plan: Plan, target: Target) -> Iterator[Fault]:
    """Yield kinds that --existing names and nobody knows, and those of which it says two things."""
    new = [defined(body) for body in coming(plan, target).values()]
    yield from map(Fault, kind_faults([*target.discovery.types, *new], source.options.existing_kinds))


def _spaces(plan: Plan, target: Target) -> Iterator[Fault]:
    """Yield namespaces that are neither in the backup nor on the target."""
    others = {*plan.spaces().values()} - {ref.name for ref in plan.namespaces}
    for name in sorted(others):
        if not target.namespace(name):
            gone = (item.ref for item in inside(plan, name))
            yield Fault.of(f"Namespace {name} is not there, and the backup does not hold it", gone)


def _named(source: Source, plan: Plan, target: Target) -> Iterator[Fault]:
    """Yield what is named, is not on the target and does not come: cluster-wide, or in a namespace of others.

    What another restore of the same migration brings is not looked for: it may come later.
    """
    others = {*source.company.names.values()} - {*plan.spaces().values()} if source.company else set[str]()
    wanted = sorted(ref for ref in plan.wants if ref not in plan.items and ref.namespace not in others)
    new = {kind: defined(body) for kind, body in coming(plan, target).items()}
    found = in_threads(lambda ref: _missing(plan, target, ref, new), wanted, THREADS)
    yield from (Fault.of(text, plan.wants[ref]) for ref, text in zip(wanted, found, strict=True) if text)


def _missing(plan: Plan, target: Target, ref: Ref, new: Mapping[tuple[str, str], ResourceType]) -> str:
    served = target.discovery.by_kind(ref.group, ref.kind)
    kind = served or new.get((ref.group, ref.kind))
    users = sorted(str(user) for user in plan.wants[ref])
    by = f"{users[0]} names it" + (f", {len(users) - 1} more too" if len(users) > 1 else "")
    if kind is None:
        return f"{ref}: the cluster does not know this kind; {by}"
    if kind.namespaced and not ref.namespace:
        return ""  # in the namespace of what names it, where it was missing before
    try:
        there = served and target.cluster().find(kind, ref.namespace, ref.name)
    except ForbiddenError:
        return ""  # reported with the permissions, if it is to be written
    return "" if there else f"{ref} is not there; {by}"


def _rights(source: Source, plan: Plan, target: Target) -> Iterator[Fault]:
    """Yield what these credentials may not write, or not follow while it gets ready."""
    new = {kind: defined(body) for kind, body in coming(plan, target).items()}
    asked: dict[tuple[str, ResourceType, str], set[Ref]] = defaultdict(set)
    bundled = source.options.bundle is not BundleMode.NONE
    for ref in plan.items:
        kind = target.discovery.by_kind(ref.group, ref.kind) or new.get((ref.group, ref.kind))
        if kind:
            written = VERBS if plan.shared(ref) else verbs(ref, mode_of(kind, source.options))
            for verb in written:
                asked[verb, kind, ref.namespace].add(ref)
            if plan.items[ref].status is not None:
                asked["patch", replace(kind, resource=f"{kind.resource}/status"), ref.namespace].add(ref)
    own = {ref.namespace for ref in plan.items if not plan.shared(ref)}
    needed = {(verb, LEASES, name) for name in own for verb in LEASE_VERBS}
    needed |= {(verb, kind, name) for name in own for verb, kind in RIGHTS if bundled}
    if source.options.bundle is BundleMode.OWN:
        if "v1" not in target.discovery.versions.get((POLICIES.group, POLICIES.kind), ()):
            yield Fault(
                f"--bundle own needs {POLICIES.kind} in v1, which the cluster does not serve: say --bundle list"
            )
        needed |= {(verb, kind, "") for verb, kind in GUARD_RIGHTS}
    if bundled and target.discovery.by_kind(BUNDLES.group, BUNDLES.kind) is None:
        needed.add(("create", CRDS, ""))
    questions = sorted({*asked, *needed}, key=lambda each: (each[0], each[1].group_resource, each[2]))
    allowed = in_threads(lambda each: target.cached.allowed(*each), questions, THREADS)
    for (verb, kind, namespace), may in zip(questions, allowed, strict=True):
        if not may:
            where = f" in namespace {namespace}" if namespace else ""
            hint = "; --no-bundle does without" if kind in (BUNDLES, STATUS, CRDS) else ""
            hint = "; --bundle list does without" if kind in (POLICIES, POLICY_BINDINGS) else hint
            what = f"{BUNDLES.group_resource}/status" if kind == STATUS else kind.group_resource
            stops = () if (verb, kind, namespace) in needed else asked[verb, kind, namespace]
            yield Fault.of(f"not allowed to {verb} {what}{where}{hint}", stops)


def _quota(source: Source, plan: Plan, target: Target) -> Iterator[Fault]:
    """Yield quotas of namespaces that exist and have too little left.

    A quota is for all: which object it refuses, where the rest is to be restored, the API server decides.
    """
    kind = target.discovery.by_kind("", "ResourceQuota")
    if source.options.on_failure is OnFailure.CONTINUE:
        return
    for ref in plan.namespaces if kind else ():
        if not (kind and target.namespace(ref.name)):
            continue
        try:
            quotas = target.cluster().list(kind, ref.name)
        except ForbiddenError:
            continue  # who may not see it may still have room: the API server judges each object
        wanted = _demand(plan, target, ref.name) if quotas else Demand(Decimal)
        for quota in quotas:
            for line in shortage(quota, wanted):
                yield Fault(f"ResourceQuota {ref.name}/{quota['metadata']['name']}: {line}")


def _demand(plan: Plan, target: Target, namespace: str) -> Demand:
    total = Demand(Decimal)
    for item in inside(plan, namespace):
        kind = target.discovery.by_kind(item.ref.group, item.ref.kind)
        if kind and not _get(target, kind, item.ref):
            adopted = item.ref in plan.adopters  # its pods are those of its controller
            for name, amount in requested(plan.contents.read(item.slot), kind.group_resource).items():
                total[name] += amount if name.startswith("count/") or not adopted else 0
    return total


def _get(target: Target, kind: ResourceType, ref: Ref) -> Object | None:
    try:
        return target.cluster().get(kind, ref.namespace, ref.name)
    except NotFoundError:
        return None
