"""What may be reverted: the journal in the store says what a restore did, and the live object has to prove it.

Who may write to the store can make a journal say anything, and an undo has an administrator's rights. So:

- any object: it is of a namespace of the restore, or cluster-scoped, or a Role, RoleBinding or ReferenceGrant of
  another namespace that the journal names; a field manager of it is the restore's own, which
  for a deletion has to be the one by which it creates; and that does not name a bundle of another restore (a token can
  be read off any object, a bundle has one name);
- RBAC, webhooks, admission policies, APIServices and definitions: the operator says so, too (`--privileged`);
- an object that somebody changed since: the operator says so, too (`--force`);
- an object that is not there is made again only if this run deleted what the restore had put in its place, or with
  `--force`.

In the process that did it, the rollback needs no word of the operator for what this process itself announced.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.formats.journal import changed_by, changer, made_by
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.objects import field_managers
from kubeferry.tasks.core.needs.outside import ELSEWHERE
from kubeferry.tasks.core.plan.existing import content

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref

PRIVILEGED = frozenset(
    {
        ("rbac.authorization.k8s.io", "Role"),
        ("rbac.authorization.k8s.io", "RoleBinding"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("apiregistration.k8s.io", "APIService"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
)
"""Kinds that give rights, or decide what the cluster accepts or serves."""

OWN = "kubeferry"
"""The field manager of what Kubeferry does without the mark of a restore (ports/cluster/client.py)."""

CONTROLLERS = ("kube-", "kubelet", "kwok", "cloud-controller-manager", "cluster-autoscaler")
"""What the field managers of Kubernetes' own components begin with: what they write is no edit of somebody."""


UNPROVEN = "the journal names it, but it does not show that this restore wrote it"


@dataclass(frozen=True, slots=True)
class Mandate:
    """What a rollback or an undo of one restore may revert."""

    manager: str
    """The restore's own field manager."""
    namespaces: frozenset[str]
    """The namespaces of the target that it wrote to."""
    name: str = ""
    bundles: Mapping[str, str] = field(default_factory=dict)
    """uid → name of the live bundles of these namespaces."""
    privileged: bool = False
    force: bool = False
    announced: Collection[str] = ()
    """What this very process announced: it needs no word of the operator."""
    elsewhere: frozenset[str] = frozenset()
    """Other namespaces in which it created what gives rights to these, and nothing else."""

    def why_not(self, ref: Ref, live: Object, wrote: str = "", former: Object | None = None) -> str:
        """Return why a live object may not be reverted, "" if it may.

        Args:
            ref: its identity.
            live: the object; one that this very process wrote is not looked at for edits of others.
            wrote: the digest of what the restore wrote.
            former: what it was before; None for an object that is to be deleted.
        """
        proven = made_by(live, self.manager) or (former is not None and changed_by(live, self.manager))
        why = self.out_of_reach(ref) or ("" if proven else UNPROVEN) or self._of_others(live)
        if why or str(ref) in self.announced or self.force:
            return why
        who = edited_by(live, self.manager, wrote, former)
        return f"was changed since, by {who}: say --force to revert it all the same" if who else ""

    def out_of_reach(self, ref: Ref) -> str:
        """Return why no object of this identity may be reverted, "" if one may."""
        where = ref.name if (ref.group, ref.kind) == NAMESPACE else ref.namespace
        granted = where in self.elsewhere and (ref.group, ref.kind) in ELSEWHERE
        if where and where not in self.namespaces and not granted:
            return "the journal names it, but the restore did not write to its namespace"
        if is_privileged(ref) and not self.privileged and str(ref) not in self.announced:
            return "gives rights, or decides what the cluster accepts: say --privileged to revert it"
        return ""

    def may_make_again(self, ref: Ref) -> bool:
        """Return whether an object that is not there may be created with its former content."""
        return self.force or str(ref) in self.announced

    def _of_others(self, live: Object) -> str:
        others = {self.bundles.get(uid, self.name) for uid in _bundles(live, self.manager)} - {self.name}
        return f"the journal names it, but it is of bundle {min(others)}" if others else ""


def is_privileged(ref: Ref) -> bool:
    """Return whether an object gives rights, or decides what the cluster accepts or serves."""
    return (ref.group, ref.kind) in PRIVILEGED


def digest(live: Object) -> str:
    """Return what tells whether the content of an object has changed: without status, and what only the server sets."""
    return hashlib.sha256(orjson.dumps(content(live), option=orjson.OPT_SORT_KEYS)).hexdigest()


def edited_by(live: Object, manager: str, wrote: str = "", former: Object | None = None) -> str:
    """Return who changed an object after the restore did, "" for nobody but controllers of Kubernetes.

    The times of field managers have a resolution of one second. Within the same one, the digest decides, and who was
    there with the former content already.
    """
    if wrote and digest(live) == wrote:
        return ""
    before = set(_entries(former)) if former else set[tuple[str, str]]()
    entries = [each for each in _entries(live) if each not in before]
    ours = max((time for name, time in entries if _is_ours(name, manager)), default="")
    ours = ours or _created(live, (time for _, time in entries))
    others = {
        name
        for name, time in entries
        if not _is_ours(name, manager)
        and not name.startswith(CONTROLLERS)
        and (time > ours or (wrote and time == ours))
    }
    return ", ".join(sorted(others))


def _created(live: Object, times: Iterable[str]) -> str:
    """Return the time of the entry that came with the creation, whose mark has none (formats/target/managers.py).

    The API server takes the time twice, for the object and for the entry: a second may begin between the two.
    """
    created = datetime.fromisoformat(live["metadata"]["creationTimestamp"])
    soon = {f"{created + timedelta(seconds=more):%Y-%m-%dT%H:%M:%SZ}" for more in (0, 1)}
    return min(soon & set(times), default=min(soon))


def _is_ours(name: str, manager: str) -> bool:
    return name in (OWN, changer(manager)) or name.partition("@")[0] == manager


def _bundles(live: Object, manager: str) -> Iterator[str]:
    for name, _ in _entries(live):
        token, _, bundle = name.partition("@")
        if token == manager:
            yield bundle


def _entries(live: Object) -> Iterator[tuple[str, str]]:
    """Yield name and time of each field manager of an object, but those of its status."""
    for each in field_managers(live):
        if each.get("subresource") != "status":
            yield str(each.get("manager")), str(each.get("time") or "")
