"""The ClusterRoles that a backup and a restore need for the types of one cluster: each resource by name.

RBAC takes a resource `*` for all subresources too, and `get` on pods/exec, pods/attach, pods/portforward, nodes/proxy
or services/proxy opens a connection that executes. So there is no wildcard here, and a subresource only where it is
needed: `SUBRESOURCES`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.formats.target.bundle import BUNDLES, STATUS
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.selection.exclusions import type_left_out
from kubeferry.tasks.core.selection.resource_types import INDEXED_EVERYWHERE, RELATED, read_by_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType

NAMESPACES = ("", "namespaces")
API_SERVICES = ("apiregistration.k8s.io", "apiservices")
EVENTS = ("", "events")

FOLLOW = ("get", "list", "watch")
"""A restore reads single objects, and waits for some. A backup only lists."""
WRITE = ("create", "delete", "patch", "update")

SUBRESOURCES: Mapping[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    # Jobs that run are written into the status of their CronJob, which counts only those (concurrencyPolicy).
    ("batch", "cronjobs"): ("status", ("patch",)),
    # OpenShift: only with this right may a Route have a host name of its own.
    ("route.openshift.io", "routes"): ("custom-host", ("create", "update")),
}
"""(group, resource) → the subresource of it that a restore writes, besides the status of bundles."""

WITHHELD = frozenset({"admissionregistration.k8s.io", "apiregistration.k8s.io"})
"""API groups of what decides what a cluster accepts or serves: whoever creates a webhook reads and changes all that is
written. No role here may: a restore by such an account leaves it out, and says so (preflight/checks/elsewhere.py)."""

AGGREGATE = "kubeferry.io/aggregate-to-"
"""Prefix of the label by which the shipped ClusterRoles `kubeferry-backup` and `kubeferry-restore` take in others."""

Rights = dict[tuple[str, str], tuple[str, ...]]
"""(group, resource) → verbs."""


def cluster_roles(types: Iterable[ResourceType], suffix: str) -> list[Object]:
    """Return the ClusterRoles for a backup and for a restore of all namespaces of a cluster that serves `types`."""
    known = list(types)
    return [_role("backup", suffix, backup_rights(known)), _role("restore", suffix, restore_rights(known))]


def backup_rights(types: Iterable[ResourceType]) -> Rights:
    """Return what a backup, an export and a diff need: to list what is backed up, and what tells about it."""
    wanted = RELATED | INDEXED_EVERYWHERE | {API_SERVICES}
    found: Rights = {NAMESPACES: ("get", "list")}
    for each in types:
        inside = each.namespaced or read_by_name(each)
        if (key := _key(each)) in wanted or (inside and _backed_up(each)):
            found[key] = ("list",)
    return found


def restore_rights(types: Iterable[ResourceType]) -> Rights:
    """Return what a restore, an undo and a deletion need: to read all objects, and to write those of a backup."""
    found: Rights = {_key(BUNDLES): (*FOLLOW, *WRITE), _key(STATUS): ("patch",)}
    for each in types:
        key = _key(each)
        written = _backed_up(each) and (each.namespaced or key in RELATED or read_by_name(each))
        if key == NAMESPACES or (written and each.group not in WITHHELD):
            found |= {key: (*FOLLOW, *WRITE), (key[0], f"{key[1]}/finalizers"): ("update",)}
            if "status" in each.subresources and not is_built_in(each.group):
                found[key[0], f"{key[1]}/status"] = ("patch",)  # --status
        elif _backed_up(each) or key in {*INDEXED_EVERYWHERE, EVENTS}:
            found[key] = FOLLOW
        if key in SUBRESOURCES:
            part, verbs = SUBRESOURCES[key]
            found[key[0], f"{key[1]}/{part}"] = verbs
    return found


def _key(kind: ResourceType) -> tuple[str, str]:
    return kind.group, kind.resource


def _backed_up(kind: ResourceType) -> bool:
    return not type_left_out(kind.group, kind.resource, kind.verbs)


def _role(work: str, suffix: str, rights: Rights) -> Object:
    rules = _rules(rights)
    if work == "restore":
        # It restores Roles and bindings that grant more than it has itself.
        rbac = ["clusterroles", "roles"]
        rules.append({"apiGroups": ["rbac.authorization.k8s.io"], "resources": rbac, "verbs": ["bind", "escalate"]})
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"kubeferry-{work}-{suffix}", "labels": {f"{AGGREGATE}{work}": "true"}},
        "rules": rules,
    }


def _rules(rights: Rights) -> list[dict[str, Any]]:
    """Return a rule for each group and list of verbs."""
    resources: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource), verbs in rights.items():
        resources[group, verbs].append(resource)
    return [
        {"apiGroups": [group], "resources": sorted(found), "verbs": list(verbs)}
        for (group, verbs), found in sorted(resources.items())
    ]
