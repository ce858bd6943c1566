"""Objects of a backup from outside of its namespaces: what a restore may take of them, and how it treats them.

An object of another namespace is treated as a cluster-wide one is: it is created where nothing has its name, and what
is there is never changed; its namespace gets no lease and no bundle. Only kinds of which backups have such objects
count as such: an object of any other kind is one of a namespace of the backup, as in every archive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.formats.outside import OutsideCode
from kubeferry.tasks.core.formats.reasons import Reason, ReasonCode
from kubeferry.tasks.core.formats.records import LeftOut
from kubeferry.tasks.core.kube.kinds import NAMESPACE, is_built_in
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.cluster_scoped import CRD
from kubeferry.tasks.core.needs.outside import WEBHOOKS
from kubeferry.tasks.core.needs.references.fields import ADMISSION, RBAC
from kubeferry.tasks.core.selection.resource_types import ELSEWHERE
from kubeferry.tasks.core.transform.rename.copies import copy_name

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from kubeferry.tasks.core.formats.layout import Member
    from kubeferry.tasks.core.formats.manifest import Manifest
    from kubeferry.tasks.core.formats.outside import Outside
    from kubeferry.tasks.plan.state import Plan

_RESOURCES = frozenset(f"{resource}.{group}" for group, resource in ELSEWHERE)
_POLICY_BINDINGS = frozenset({(ADMISSION, f"{kind}AdmissionPolicyBinding") for kind in ("Mutating", "Validating")})
NOT_EXPORTED = Reason(ReasonCode.NAMESPACE_NOT_SELECTED, detail="is of another namespace than what is exported")
NOT_FOR_KUSTOMIZE = Reason(
    ReasonCode.NAMESPACE_NOT_SELECTED, detail="kustomize would put it into a namespace, as it does not know its kind"
)
CALLING = frozenset({ADMISSION, "apiregistration.k8s.io"})
"""API groups of what decides what the cluster accepts or serves: the shipped roles leave it to administrators."""
_EARLY = frozenset({CRD[0], RBAC})
_NEEDED = frozenset({OutsideCode.NAMED.value, OutsideCode.DEFINES.value})


class OutsideObjects:
    """What the manifest of a backup says of objects from outside; nothing for archives of others."""

    def __init__(self, manifest: Manifest | None) -> None:
        """Read the manifest."""
        self._entries: Mapping[str, Outside] = {each.text: each for each in manifest.outside} if manifest else {}
        self._places = {(each.namespace, each.name) for each in self._entries.values() if each.namespace}
        self._wide = {
            (each.type.partition(".")[2], each.name): each for each in self._entries.values() if not each.namespace
        }
        self._own = frozenset(manifest.namespaces) if manifest else frozenset[str]()

    def entry(self, ref: Ref) -> Outside | None:
        """Return why an object was carried, by its identity in the backup."""
        return self._entries.get(str(ref))

    def why(self, ref: Ref) -> str:
        """Return why an object is restored that nothing in the namespaces needs, "" if that is no reason."""
        entry = self.entry(ref)
        return entry.why if entry and entry.code not in _NEEDED else ""

    def is_elsewhere(self, member: Member) -> bool:
        """Return whether a member of the archive is an object of a namespace that the backup is not of."""
        return (
            member.group_resource in _RESOURCES
            and member.namespace not in self._own
            and (member.namespace, member.name) in self._places
        )

    def last_with(self, member: Member, names: Container[str]) -> str:
        """Return the namespace with which a cluster-wide object is restored, "" for none: before all of them.

        What calls Services, or is of an operator's own kinds, has no use, or does harm, before the pods run.
        """
        group = member.group_resource.partition(".")[2]
        entry = self._wide.get((group, member.name))
        late = group in CALLING or (entry and entry.code == OutsideCode.OPERATOR and group not in _EARLY)
        spaces = [each for each in entry.spaces if each in names] if entry and late else []
        return spaces[0] if spaces else ""

    def serving(self, ref: Ref, spaces: frozenset[str]) -> bool:
        """Return whether an object was carried for one of some namespaces of the backup."""
        entry = self.entry(ref)
        return entry is not None and not spaces.isdisjoint(entry.spaces)

    def copies(self, names: Mapping[str, str]) -> dict[Ref, str]:
        """Return the objects that become copies when namespaces are renamed, with the names of these.

        ClusterRoleBindings and webhook configurations become such by what they name (transform/rename/rewrite.py).
        """
        found: dict[Ref, str] = {}
        for each in self._entries.values():
            ref = Ref(each.type.partition(".")[2], each.type.partition(".")[0], each.namespace, each.name)
            new = [names[space] for space in each.spaces if names.get(space, space) != space]
            if new and (each.namespace or (ref.group, ref.kind) in _POLICY_BINDINGS):
                found[ref] = copy_name(each.name, new)
        return found


def is_outside(ref: Ref, *, elsewhere: bool) -> bool:
    """Return whether an object is from outside of the namespaces: cluster-wide, or of another one."""
    return elsewhere or (not ref.namespace and (ref.group, ref.kind) != NAMESPACE)


def copied(source: Ref, target: Ref, namespaces: Mapping[str, str]) -> Iterator[Loss]:
    """Yield what of a webhook configuration is not as it was when it became a copy."""
    if (source.group, source.kind) in WEBHOOKS and source != target:
        new = ", ".join(sorted(new for old, new in namespaces.items() if new != old))
        yield Loss.of(target, LossCode.COPY_LIMITED, new)


def leave_elsewhere(plan: Plan) -> None:
    """Take from a plan what is of other namespaces: an export is of the namespaces alone, and lists what it leaves."""
    gone = plan.elsewhere
    plan.left_out += [LeftOut.of(plan.items[ref].source, NOT_EXPORTED) for ref in sorted(gone)]
    plan.remove(gone)


def leave_for_kustomize(plan: Plan) -> None:
    """Take from a plan the cluster-wide custom resources: kustomize gives a namespace to each kind it does not know.

    Source: kubernetes-sigs/kustomize, namespace transformer (only built-in kinds are known as cluster-wide).
    """
    gone = {ref for ref in plan.items if not ref.namespace and not is_built_in(ref.group)}
    plan.left_out += [LeftOut.of(plan.items[ref].source, NOT_FOR_KUSTOMIZE) for ref in sorted(gone)]
    plan.remove(gone)


def drop_refused(plan: Plan, refs: Container[Ref]) -> None:
    """Take from a plan what these credentials may not create of what decides what the cluster accepts, and say so."""
    gone = [ref for ref in plan.items if ref in refs]
    for ref in gone:
        plan.losses.append(Loss.of(ref, LossCode.NOT_ALLOWED, ref.type))
    plan.remove(gone)


def drop_impossible(plan: Plan, has_namespace: Mapping[str, bool], has_role: Mapping[Ref, bool]) -> None:
    """Take from a plan the objects of other namespaces that the target cannot have, and say so.

    Args:
        plan: what is restored.
        has_namespace: the other namespaces, with whether the target has them.
        has_role: the Roles that bindings there need and that are not restored, with whether the target has them.
    """
    gone: dict[Ref, LossCode] = {}
    for ref in plan.elsewhere:
        if not has_namespace[ref.namespace]:
            gone[ref] = LossCode.NO_NAMESPACE
    for ref, role in plan.roles_elsewhere().items():
        if ref not in gone and (role in gone or not has_role.get(role, True)):
            gone[ref] = LossCode.NO_ROLE
    for ref, code in gone.items():
        plan.losses.append(Loss.of(ref, code, ref.namespace))
    plan.remove(gone)
