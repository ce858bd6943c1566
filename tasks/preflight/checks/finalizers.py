"""Keep the finalizers that something on the target, or in the restore, can remove; note the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError
from kubeferry.tasks.core.kube.resources import defined
from kubeferry.tasks.core.models.options import Finalizers
from kubeferry.tasks.core.needs.removers import READ, Accounts
from kubeferry.tasks.plan.apart import drop_finalizers
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.preflight.checks.versions import coming

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.preflight.target import Target

NOBODY = "nothing on the target is known to remove it (--finalizers keep restores it)"


def choose_finalizers(source: Source, plan: Plan, target: Target) -> None:
    """Take the finalizers that nothing could remove from the plan: deleting their objects would never end."""
    asked = [ref for ref, item in plan.items.items() if item.finalizers]
    if not asked or source.options.finalizers is not Finalizers.AUTO:
        return
    accounts, unread = _accounts(plan, target)
    new = {kind: defined(body).resource for kind, body in coming(plan, target).items()}
    kept: dict[tuple[str, str, str], bool] = {}
    for ref in asked:
        kind = target.discovery.by_kind(ref.group, ref.kind)
        resource = kind.resource if kind else new.get((ref.group, ref.kind), "")
        item, why = plan.items[ref], f"{NOBODY}; not read: {unread}" if unread else NOBODY
        for each in item.finalizers:
            place = (each, ref.group, resource)
            if place not in kept:
                kept[place] = accounts.can_remove(*place)
        drop_finalizers(plan, ref, why, [each for each in item.finalizers if not kept[each, ref.group, resource]])


def _accounts(plan: Plan, target: Target) -> tuple[Accounts, str]:
    """Return the accounts of the target as it will be, and what could not be read."""
    accounts = Accounts()
    unread: dict[str, None] = {}

    def listed(kind: tuple[str, str]) -> list[Object] | str:
        try:
            return target.cached.everywhere(*kind)
        except ForbiddenError:
            return kind[1]

    for found in in_threads(listed, READ, THREADS):
        if isinstance(found, str):
            unread[found] = None
        else:
            accounts.add(found)
    accounts.add(plan.contents.read(item.slot) for ref, item in plan.items.items() if (ref.group, ref.kind) in READ)
    return accounts, ", ".join(unread)
