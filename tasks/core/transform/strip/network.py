"""Strip allocated addresses and ports, and uids of targets, from Services and manual endpoints.

`externalIPs`, `loadBalancerIP` and the class stay, and so does a cluster IP that its author chose: whether the target
can grant them is asked there (transform/addresses.py).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import EACH, GONE, change, get, remove, without

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.transform.strip.case import Case

NO_ADDRESS = "None"
"""The clusterIP of a headless service: its author's choice, not an address."""

ONE_FAMILY = "SingleStack"
"""The policy of address families that an API server fills in."""


def free_cluster_ips(obj: Object, case: Case) -> Object:
    """Drop the addresses that the source cluster allocated; one that the author chose stays, as does headless.

    An address was chosen if last-applied has it, or if a field manager owns it: the server allocates after the owners
    are recorded (KEP-555). The second address of a dual-stack Service may be allocated where the first was chosen.
    """
    if not case.live or get(obj, "spec", "clusterIP") == NO_ADDRESS:
        return obj
    first, both = _addresses_were_set(case)
    if not first:
        return remove(obj, ("spec", "clusterIP"), ("spec", "clusterIPs"))
    return obj if both else change(obj, ("spec", "clusterIPs"), lambda some: some[:1] if _many(some) else some)


def free_families(obj: Object, case: Case) -> Object:
    """Drop the address families and their policy that the source's API server filled in, as the addresses.

    What is not its default is the author's, and without any field manager nothing is known: both stay.
    """
    if not case.live or not case.has_managers:
        return obj
    applied = case.applied or {}
    if get(applied, "spec", "ipFamilies") is None and not case.set_by_manager("f:spec", "f:ipFamilies"):
        obj = remove(obj, ("spec", "ipFamilies"))
    chosen = get(applied, "spec", "ipFamilyPolicy") or case.set_by_manager("f:spec", "f:ipFamilyPolicy")
    default = get(obj, "spec", "ipFamilyPolicy") == ONE_FAMILY
    return remove(obj, ("spec", "ipFamilyPolicy")) if default and not chosen else obj


def _many(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1


def _addresses_were_set(case: Case) -> tuple[bool, bool]:
    """Return whether the author chose the first address of a live Service, and all of them."""
    address, all_of_them = get(case.original, "spec", "clusterIP"), get(case.original, "spec", "clusterIPs")
    listed = get(case.applied, "spec", "clusterIPs")
    named = [get(case.applied, "spec", "clusterIP"), *(listed if isinstance(listed, list) else ())]
    many = case.set_by_manager("f:spec", "f:clusterIPs") or (listed is not None and listed == all_of_them)
    first = many or case.set_by_manager("f:spec", "f:clusterIP") or (bool(address) and address in named)
    return first, many


def free_node_ports(obj: Object, case: Case) -> Object:
    """Drop node ports that the source cluster allocated; those that a user set stay.

    A port was set if last-applied has the same number, or if a field manager owns it: the server allocates after the
    owners are recorded. (Velero's service action checks the same two, but the second only without the first.)
    """
    if case.keep.node_ports or not case.live:
        return obj

    def free(port: Any) -> Any:
        if get(port, "nodePort") is None or _port_was_set(port, case):
            return port
        return {key: value for key, value in port.items() if key != "nodePort"}

    return change(obj, ("spec", "ports", EACH), free)


def free_health_check_port(obj: Object, case: Case) -> Object:
    """Drop `healthCheckNodePort` unless a user set it, by the same evidence as for node ports."""
    if case.keep.node_ports or not case.live:
        return obj
    number = get(obj, "spec", "healthCheckNodePort")
    applied = get(case.applied, "spec", "healthCheckNodePort")
    if number is None or applied == number or case.set_by_manager("f:spec", "f:healthCheckNodePort"):
        return obj
    return remove(obj, ("spec", "healthCheckNodePort"))


def forget_endpoint_targets(obj: Object, _case: Case) -> Object:
    """Drop uid and resourceVersion of the objects behind manual addresses; their names stay."""
    for path in (
        ("subsets", EACH, "addresses", EACH, "targetRef"),
        ("subsets", EACH, "notReadyAddresses", EACH, "targetRef"),
        ("endpoints", EACH, "targetRef"),
    ):
        obj = change(obj, path, without("uid", "resourceVersion"))
    return obj


def _port_was_set(port: dict[str, Any], case: Case) -> bool:
    number, protocol = port.get("port"), port.get("protocol", "TCP")
    # Ports are keyed by port and protocol: k:{"port":80,"protocol":"TCP"}.
    key = "k:" + json.dumps({"port": number, "protocol": protocol}, separators=(",", ":"))
    if case.set_by_manager("f:spec", "f:ports", key, "f:nodePort"):
        return True
    applied = get(case.applied, "spec", "ports")
    return any(
        (get(one, "port"), get(one, "protocol") or "TCP") == (number, protocol)
        and get(one, "nodePort") == _live_number(number, protocol, case)
        for one in (applied if isinstance(applied, list) else ())
    )


def _live_number(number: Any, protocol: Any, case: Case) -> Any:
    """Return the live object's node port for a port: last-applied is evidence only if it agrees."""
    ports = get(case.original, "spec", "ports")
    same = (
        get(one, "nodePort")
        for one in (ports if isinstance(ports, list) else ())
        if (get(one, "port"), get(one, "protocol") or "TCP") == (number, protocol)
    )
    return next(same, GONE)
