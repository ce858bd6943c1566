"""Make the namespaces of a restore, wait until they can be used, and ask what would be refused in them.

Apply the definitions of custom resources, and wait until the API server really serves what they define.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kubeferry.tasks.core.deletion.finalizers import held_up
from kubeferry.tasks.core.errors import PermanentError, PreflightError
from kubeferry.tasks.core.kube.namespace_defaults import DEFAULT_ACCOUNT
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.verdict import Context
from kubeferry.tasks.core.models.options import OnFailure
from kubeferry.tasks.ports.cluster.namespaces import existing
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.preflight.dry_run.ask import askable, dry_run_faults
from kubeferry.tasks.preflight.run import decide_on
from kubeferry.tasks.restore.apply import write
from kubeferry.tasks.restore.wait import Wait, failure_text, left_of
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import Discovery
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.ports.cluster.cancellation import Cancellation
    from kubeferry.tasks.ports.cluster.client import Cluster
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.outcome import Outcome
    from kubeferry.tasks.restore.transaction import Transaction


GONE_SECONDS = 120
"""How long a namespace that is being deleted may take to go."""

ACCOUNT_SECONDS = 60
"""How long the service-account controller may take to make the account `default`; Pods are refused before."""


@step("create namespace {namespace.name}")
async def create_namespace(
    source: Source, plan: Plan, target: Target, transaction: Transaction, outcome: Outcome, namespace: Ref
) -> None:
    """Create one namespace and wait for its `default` account.

    Raises:
        PermanentError: it is being deleted and does not go, or never becomes usable.
    """
    await in_thread(_create, source, plan, target, transaction, outcome, namespace)


def _create(
    source: Source, plan: Plan, target: Target, transaction: Transaction, outcome: Outcome, namespace: Ref
) -> None:
    try:
        _made(source, plan, target, transaction, outcome, namespace)
    except PermanentError as error:
        if transaction.hold:
            transaction.hold.check()
        _refuse(source, plan, outcome, [namespace], str(error))


def _made(
    source: Source, plan: Plan, target: Target, transaction: Transaction, outcome: Outcome, namespace: Ref
) -> None:
    cluster = target.cluster()
    # One that was not there a moment ago is made; if it is there by now, it is reported then.
    if target.namespace(namespace.name) and _once_gone(cluster, namespace.name):
        target.old_namespaces.add(namespace.name)
    write(source, plan, target, transaction, outcome, [namespace], f"create namespace {namespace.name}")
    if namespace not in plan.items:
        return  # it was refused
    if namespace not in transaction.made:  # somebody was faster
        target.old_namespaces.add(namespace.name)
    group, account, name = DEFAULT_ACCOUNT
    kind = target.type_of(Ref(group, account, namespace.name, name))
    limit = time.monotonic() + ACCOUNT_SECONDS
    if Wait(cluster, kind, namespace.name, frozenset({name}), Context(), limit).until_ready():
        raise PermanentError(f"namespace {namespace.name}: no account `default` within {ACCOUNT_SECONDS} s")


def _once_gone(cluster: Cluster, name: str) -> Object | None:
    """Return a namespace, or None where there is none; one that is being deleted is waited for to go."""
    limit, noted = time.monotonic() + GONE_SECONDS, ""
    while (live := existing(cluster, name)) and live["metadata"].get("deletionTimestamp"):
        why = held_up(live)
        text = f"namespace {name} is being deleted: waiting until it is gone" + (f": {why}" if why else "")
        if text != noted:
            progress.note(text)
        noted = text
        if time.monotonic() > limit:
            cause = why or "see its finalizers"
            raise PermanentError(f"namespace {name} is still being deleted after {GONE_SECONDS} s: {cause}")
        time.sleep(1)
    return live


@step("dry run")
async def dry_run(source: Source, plan: Plan, target: Target, transaction: Transaction) -> None:
    """Ask what the target would refuse in the namespaces that this restore has made; preflight has asked of the others.

    Raises:
        PreflightError: all refusals at once; the namespaces are to be removed again, whatever --on-failure says.
    """
    await in_thread(_dry_run, source, plan, target, transaction)


def _dry_run(source: Source, plan: Plan, target: Target, transaction: Transaction) -> None:
    asked = [ref for ref in askable(plan, target, there=False) if ref not in transaction.made]
    if not asked:
        return
    faults = dry_run_faults(source, plan, target, asked)
    try:
        decide_on(source, plan, target, faults)
    except PreflightError:
        transaction.refused = transaction.made <= {*plan.namespaces}
        raise


SERVED_SECONDS = 60
"""How long discovery may lag behind an established CRD; it is a fraction of a second on a quiet server."""


@step("apply CRDs")
async def apply_crds(source: Source, plan: Plan, target: Target, transaction: Transaction, outcome: Outcome) -> None:
    """Create the CRDs that the target lacks; one that it has stays as it is, since others use it."""
    await in_thread(write, source, plan, target, transaction, outcome, plan.definitions, "apply CRDs")


@step("wait until served")
async def wait_until_served(
    source: Source, plan: Plan, target: Target, outcome: Outcome, cancellation: Cancellation
) -> None:
    """Wait until CRDs are established and discovery lists their kinds.

    Raises:
        PermanentError: a CRD's names are taken, or its kind is not served in time.
    """
    await in_thread(_wait, source, plan, target, outcome, cancellation)


def _wait(source: Source, plan: Plan, target: Target, outcome: Outcome, cancellation: Cancellation) -> None:
    left = left_of(source, target, outcome, cancellation, plan.definitions, "wait until served")
    if left:
        _refuse(source, plan, outcome, left, failure_text(source, target, left))
    wanted = plan.defined()
    limit = time.monotonic() + SERVED_SECONDS
    while True:
        target.discovery = target.cached.refreshed()
        missing = sorted(kind for kind in wanted if not _served(target.discovery, kind))
        if not missing:
            return
        if time.monotonic() > limit:
            named = ", ".join(f"{kind}.{group}" for group, kind in missing)
            text = f"established and not served within {SERVED_SECONDS} s: {named}"
            _refuse(source, plan, outcome, [wanted[kind] for kind in missing], text)
            return
        time.sleep(0.1)


def _refuse(source: Source, plan: Plan, outcome: Outcome, refs: Iterable[Ref], why: str) -> None:
    """Go on without some objects and all that needs them, or not at all.

    Raises:
        PermanentError: not --on-failure continue.
    """
    if source.options.on_failure is not OnFailure.CONTINUE:
        raise PermanentError(why)
    outcome.refuse(plan, dict.fromkeys(refs, why))


def _served(discovery: Discovery, kind: tuple[str, str]) -> bool:
    return discovery.by_kind(*kind) is not None
