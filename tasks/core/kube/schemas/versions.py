"""In which version a kind is read and written: that of its storage, and one that the target serves.

A custom resource is pruned by the version that is asked for, so only the storage version shows all that is stored
(Kubernetes documentation: "Versions in CustomResourceDefinitions"). Built-in kinds are read in the preferred version:
the versions that one release serves convert into each other without loss (Kubernetes Deprecation Policy, rule 2).

Without a webhook, converting a custom resource changes `apiVersion` and nothing else (`conversion.strategy: None`). The
versions of a built-in kind are conversions of code: here is a table of those that have the same fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from kubeferry.tasks.core.jsondoc.edit import Object, get
from kubeferry.tasks.core.kube.schemas.structural import REST, fields, unknown_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kubeferry.tasks.core.jsondoc.edit import Place
    from kubeferry.tasks.core.kube.schemas.structural import Schema


@dataclass(frozen=True)
class Definition:
    """What a CustomResourceDefinition says about its versions; what is not of the shape of one counts as not there."""

    storage: str
    """The version in which the API server stores; "" if none is named."""
    served: tuple[str, ...]
    schemas: Mapping[str, Schema | None]
    """Version → structural schema; None where it prunes nothing (`spec.preserveUnknownFields` of v1beta1)."""
    status: frozenset[str]
    """Versions with the status subresource."""
    converts: bool
    """Whether a webhook converts between its versions."""

    def keeps(self, version: str) -> frozenset[Place]:
        """Return the fields that a version keeps; see `structural.fields`."""
        return fields(schema_or_all(self, version))


KEEPS_ALL: Schema = {"x-kubernetes-preserve-unknown-fields": True}


def schema_or_all(definition: Definition, version: str) -> Schema | None:
    """Return the structural schema of a version; one that keeps all where the definition does not prune."""
    found = definition.schemas.get(version, {})
    return KEEPS_ALL if found is None else found


def definition_of(crd: Object) -> Definition:
    """Return what a CustomResourceDefinition says about its versions."""
    listed = get(crd, "spec", "versions")
    versions = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    named = {str(each.get("name")): each for each in versions}
    keeps_all = get(crd, "spec", "preserveUnknownFields") is True
    return Definition(
        storage=next((name for name, each in named.items() if each.get("storage") is True), ""),
        served=tuple(name for name, each in named.items() if each.get("served") is True),
        schemas={name: None if keeps_all else _schema(each) for name, each in named.items()},
        status=frozenset(name for name, each in named.items() if get(each, "subresources", "status") is not None),
        converts=get(crd, "spec", "conversion", "strategy") == "Webhook",
    )


def _schema(version: dict[str, Any]) -> Schema:
    found = get(version, "schema", "openAPIV3Schema")
    return found if isinstance(found, dict) else {}


class Reading(NamedTuple):
    """The version in which a custom resource is read, and what that does not show."""

    version: str
    storage: str
    """The storage version."""
    unread: tuple[Place, ...] = ()
    """Fields of the storage version that this version may lack; none where a webhook converts them."""


def reading(definition: Definition, served: Sequence[str]) -> Reading:
    """Return the version in which to read a custom resource of which an API server serves some, the preferred first.

    It is the storage version; where that is not served, the one that keeps most of its fields.
    """
    storage = definition.storage
    if storage in served or not storage:
        return Reading(storage or served[0], storage)
    best = richest({version: definition.keeps(version) for version in served}, definition.keeps(storage))
    unread = () if definition.converts else tuple(unknown_to(definition.keeps(best), definition.keeps(storage)))
    return Reading(best, storage, unread)


def richest(versions: Mapping[str, frozenset[Place]], wanted: frozenset[Place] = frozenset()) -> str:
    """Return the version that lacks fewest of the fields `wanted`, and has most; the first of several."""
    return min(versions, key=lambda each: (len(unknown_to(versions[each], wanted)), -len(versions[each])))


# --- writing


class Writing(NamedTuple):
    """The version in which to write an object that was saved in another one, or why there is none."""

    version: str = ""
    why: str = ""


def writing_custom(version: str, has: Sequence[str], saved: Definition | None, target: Definition | None) -> Writing:
    """Return the version to write, where a target does not serve `version` of a custom kind, but those in `has`.

    Changing `apiVersion` is the whole of a conversion between versions that one definition has without a webhook. Two
    versions that no definition has together are taken for the same where the new one has every field of the old one.
    """
    if any(each and each.converts for each in (saved, target)):
        return Writing(
            why=f"only a webhook converts {version}: install a release on the target that serves {version}, or make "
            f"the backup when {has[0]} is the storage version of its cluster"
        )
    fitting = [each for each in has if _is_same(version, each, saved, target)]
    if not fitting:
        return Writing(why=f"no definition says that it has the fields of {version}: bring the definitions in line")
    if target is None:
        return Writing(fitting[0])
    return Writing(
        target.storage if target.storage in fitting else richest({each: target.keeps(each) for each in fitting})
    )


def _is_same(version: str, other: str, saved: Definition | None, target: Definition | None) -> bool:
    if any(each and {version, other} <= each.schemas.keys() for each in (saved, target)):
        return True
    if not (saved and target and version in saved.schemas and other in target.schemas):
        return False
    wanted = {place for place in saved.keeps(version) if place[0] != "status"}  # which its controller writes again
    return bool(wanted) and not any(REST in place for place in wanted) and wanted <= target.keeps(other)


def writing_built_in(group: str, kind: str, version: str, has: Iterable[str], objects: Iterable[Object]) -> Writing:
    """Return the version to write, where a target does not serve the `version` of built-in `objects`."""
    for same in SAME_FIELDS.get((group, kind), ()):
        found = next((each for each in has if each in same), "")
        if version in same and found:
            odd = DIFFERENT_MEANING.get((group, kind))
            why = next((why for obj in objects if odd and (why := odd(obj))), "")
            return Writing("" if why else found, why)
    return Writing(
        why=f"its fields are not those of {version}: convert it before the backup, for instance by kubectl convert"
    )


_BETA = frozenset({"v1beta1", "v1"})
_ALL_BETAS = frozenset({"v1alpha1", "v1beta1", "v1"})

SAME_FIELDS: Mapping[tuple[str, str], tuple[frozenset[str], ...]] = {
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"): (_ALL_BETAS,),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"): (_ALL_BETAS,),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): (_BETA,),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): (_BETA,),
    ("autoscaling", "HorizontalPodAutoscaler"): (frozenset({"v2beta2", "v2"}),),
    ("batch", "CronJob"): (_BETA,),
    ("certificates.k8s.io", "ClusterTrustBundle"): (_BETA,),
    ("coordination.k8s.io", "Lease"): (_BETA,),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): (frozenset({"v1beta1", "v1beta2", "v1beta3", "v1"}),),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): (
        frozenset({"v1beta1", "v1beta2"}),
        frozenset({"v1beta3", "v1"}),
    ),
    ("networking.k8s.io", "IPAddress"): (_BETA,),
    ("networking.k8s.io", "IngressClass"): (_BETA,),
    ("networking.k8s.io", "ServiceCIDR"): (_BETA,),
    ("node.k8s.io", "RuntimeClass"): (_BETA,),
    ("policy", "PodDisruptionBudget"): (_BETA,),
    ("rbac.authorization.k8s.io", "ClusterRole"): (_BETA,),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): (_BETA,),
    ("rbac.authorization.k8s.io", "Role"): (_BETA,),
    ("rbac.authorization.k8s.io", "RoleBinding"): (_BETA,),
    ("resource.k8s.io", "DeviceClass"): (frozenset({"v1beta1", "v1beta2", "v1"}),),
    ("resource.k8s.io", "ResourceClaim"): (frozenset({"v1beta2", "v1"}),),
    ("resource.k8s.io", "ResourceClaimTemplate"): (frozenset({"v1beta2", "v1"}),),
    ("resource.k8s.io", "ResourceSlice"): (frozenset({"v1beta2", "v1"}),),
    ("scheduling.k8s.io", "PriorityClass"): (_BETA,),
    ("storage.k8s.io", "CSIDriver"): (_BETA,),
    ("storage.k8s.io", "CSIStorageCapacity"): (_BETA,),
    ("storage.k8s.io", "StorageClass"): (_BETA,),
    ("storage.k8s.io", "VolumeAttributesClass"): (_ALL_BETAS,),
}
"""Built-in (group, kind) → versions of which each has the fields of the older ones: the Go types of k8s.io/api v0.33
and v0.37 (tests/soak/test_same_fields.py compares them). Not among them, as their fields differ: Ingress v1beta1,
EndpointSlice v1beta1, HorizontalPodAutoscaler v1 and v2beta1, ResourceClaim v1beta1, and webhook configurations v1beta1
(other defaults); see the Deprecated API Migration Guide of Kubernetes."""


def _empty_selector(obj: Object) -> str:
    if get(obj, "spec", "selector") == {}:
        return "an empty selector selects no pod in policy/v1beta1 and all pods in policy/v1: write a selector"
    return ""


def _no_shares(obj: Object) -> str:
    if get(obj, "spec", "limited", "nominalConcurrencyShares") == 0:
        return "nominalConcurrencyShares of 0 means 30 in v1beta3 and none in v1: set a number"
    return ""


DIFFERENT_MEANING: Mapping[tuple[str, str], Callable[[Object], str]] = {
    ("policy", "PodDisruptionBudget"): _empty_selector,
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): _no_shares,
}
"""Built-in (group, kind) → why an object means something else in the other version, "" where it does not (Deprecated
API Migration Guide: "PodDisruptionBudget", "Flow control resources")."""
