"""Give up what the target cannot grant of what objects ask for: node ports, addresses, and families of addresses.

What is given up is a loss of the plan. It has weight where the author's own manifest (kubectl's copy of it) asks for
exactly that, and none where the original itself has it, as beside a clone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError
from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED, parsed
from kubeferry.tasks.core.kube.objects import Ref, annotations_of
from kubeferry.tasks.core.models.options import Existing
from kubeferry.tasks.core.plan.existing import mode_of
from kubeferry.tasks.core.plan.faults import Fault
from kubeferry.tasks.core.transform import addresses, node_ports
from kubeferry.tasks.core.transform.addresses import Ranges, Taken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.transform.addresses import Refused
    from kubeferry.tasks.plan.state import Item, Plan, Source
    from kubeferry.tasks.preflight.target import Target

KINDS = (("", "Service"), ("gateway.networking.k8s.io", "Gateway"))

ANOTHER = "the target allocates another"


def give_up_requests(source: Source, plan: Plan, target: Target, *, existing: bool = True) -> list[Fault]:
    """Change the plan of what asks for addresses and ports that the target cannot grant.

    Args:
        source: what is restored.
        plan: what is changed.
        target: the cluster.
        existing: an address gives way to the one that the same Service has on the target already.

    Returns:
        What cannot be given up, one line each: families that a Service requires.
    """
    problems: list[Fault] = []
    for kind in KINDS:
        bodies = _asking(plan, kind)
        if not bodies:
            continue
        live = _live(target, kind)
        ranges = _ranges(target) if kind == KINDS[0] else Ranges()
        problems += [_requires(ref, ranges) for ref, body in bodies.items() if addresses.needs_both(body, ranges)]
        taken, ports = Taken.by(live), node_ports.held(live)
        for ref, body in bodies.items():
            item = plan.items[ref]
            _give_up_ports(plan, item, body, {port: holder for port, holder in ports.items() if holder != ref})
            met = taken.own.get(ref) if existing and _stays(source, target, item) else None
            gone = addresses.refused(body, ranges, taken, met)
            _give_up_addresses(plan, item, body, gone)
            plan.losses += _one_family(item, body, ranges, gone)
    return problems


def _asking(plan: Plan, kind: tuple[str, str]) -> dict[Ref, Object]:
    bodies = {ref: plan.contents.read(item.slot) for ref, item in plan.items.items() if (ref.group, ref.kind) == kind}
    return {ref: body for ref, body in bodies.items() if addresses.asks(body) or node_ports.wanted(body)}


def _live(target: Target, kind: tuple[str, str]) -> list[Object]:
    """Return the objects of a kind on the target, [] where these credentials may not see those of others.

    The API server then names what is taken when it refuses it.
    """
    found = target.discovery.by_kind(*kind)
    try:
        return target.cluster().list(found) if found else []
    except ForbiddenError:
        return []


def _ranges(target: Target) -> Ranges:
    return Ranges.of(target.cached.service_ranges())


def _requires(ref: Ref, ranges: Ranges) -> Fault:
    there = " and ".join(sorted(ranges.families))
    text = f"{ref} requires two address families (spec.ipFamilyPolicy), and the target has {there} only; see --modify"
    return Fault(text, (ref,))


def _stays(source: Source, target: Target, item: Item) -> bool:
    """Return whether an object that the target has stays the same object."""
    kind = target.discovery.by_kind(item.ref.group, item.ref.kind)
    return kind is not None and mode_of(kind, source.options) not in (Existing.RECREATE, Existing.SKIP)


def _give_up_ports(plan: Plan, item: Item, body: Object, taken: Mapping[int, Ref]) -> None:
    _, rewrites = node_ports.give_up(body, taken)
    if not rewrites:
        return
    applied = parsed(annotations_of(body).get(LAST_APPLIED))
    named = node_ports.wanted(applied) if applied else set()
    plan.rewrites += rewrites
    for each in rewrites:
        holder = taken[int(each.old)]
        weighty = int(each.old) in named and not _is_original(item, holder)
        plan.losses.append(_loss(item, each.path, f"node port {each.old} is used by {holder}: {ANOTHER}", weighty))
    plan.edit(item, lambda obj: node_ports.give_up(obj, taken)[0])


def _give_up_addresses(plan: Plan, item: Item, body: Object, gone: list[Refused]) -> None:
    if not gone:
        return
    for each in gone:
        weighty = addresses.named_by_author(body, each) and not _is_original(item, each.holder)
        plan.losses.append(_loss(item, each.at, f"{each.what}, {each.why}{_instead(each)}", weighty))
    plan.edit(item, lambda obj: addresses.given_up(obj, gone))


def _instead(refusal: Refused) -> str:
    return "" if refusal.at == "/spec/ipFamilies" else f": {ANOTHER}"


def _is_original(item: Item, holder: Ref | None) -> bool:
    """Return whether the original has the address: who asked for a copy beside it cannot want the same."""
    return holder is not None and holder == item.source != item.ref


def _one_family(item: Item, body: Object, ranges: Ranges, gone: list[Refused]) -> list[Loss]:
    """Return the loss of a Service that prefers two families, had both, and gets the one that the target has."""
    policy = (body.get("spec") or {}).get("ipFamilyPolicy")
    had = {":" in address for at, address in item.links.addresses.items() if at.startswith("/spec/clusterIPs/")}
    if policy != "PreferDualStack" or len(had) < 2 or len(ranges.families) != 1 or gone:  # noqa: PLR2004 - IPv4, IPv6
        return []
    (family,) = ranges.families
    return [_loss(item, "/spec/ipFamilyPolicy", f"two address families, the target has {family} only", weighty=False)]


def _loss(item: Item, at: str, detail: str, weighty: bool) -> Loss:  # noqa: FBT001 - the one thing to say of it
    code = LossCode.REQUEST_GIVEN_UP if weighty else LossCode.REQUEST_NOT_KEPT
    return Loss.of(item.ref, code, detail, path=at)
