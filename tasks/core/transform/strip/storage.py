"""Strip what the source cluster wrote into claims, volumes, token Secrets, service accounts and namespaces.

The caller decides which volumes a restore includes (ClusterContext.static_volumes).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import change, get, only, remove, without
from kubeferry.tasks.core.kube.kinds import TOKEN_TYPE
from kubeferry.tasks.core.transform.strip.workloads import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeferry.tasks.core.jsondoc.edit import Edit, Object
    from kubeferry.tasks.core.transform.strip.case import Case, Step

CLAIM_ANNOTATIONS: Mapping[str, str] = {
    "pv.kubernetes.io/bind-completed": "a claim with it is Lost while its volume does not exist yet",
    "pv.kubernetes.io/bound-by-controller": "written when the source cluster bound it",
    "pv.kubernetes.io/migrated-to": "written by the source cluster's volume controller",
    "volume.kubernetes.io/storage-provisioner": "written by the source cluster's volume controller",
    "volume.beta.kubernetes.io/storage-provisioner": "written by the source cluster's volume controller",
    "volume.kubernetes.io/storage-resizer": "written by the source cluster's resizer",
    "volume.kubernetes.io/selected-node": "a node of the source cluster",
}
"""Annotation of a claim → why it is removed; the target's controllers write their own."""

VOLUME_ANNOTATIONS: Mapping[str, str] = {
    "pv.kubernetes.io/bound-by-controller": "written when the source cluster bound it",
    "pv.kubernetes.io/migrated-to": "written by the source cluster's volume controller",
}
"""Annotation of a volume → why it is removed. `provisioned-by` stays: it marks dynamically provisioned volumes."""

TOKEN_DATA = ("token", "ca.crt", "namespace", "service-ca.crt")
TOKEN_LABELS = ("kubernetes.io/legacy-token-last-used", "kubernetes.io/legacy-token-invalid-since")
TOKEN_UID = "kubernetes.io/service-account.uid"  # noqa: S105 - the name of an annotation

UID_RANGES = (
    "openshift.io/sa.scc.mcs",
    "openshift.io/sa.scc.supplemental-groups",
    "openshift.io/sa.scc.uid-range",
)
"""Annotations in which OpenShift allocates uids, groups and SELinux labels to a namespace."""


def drop_annotations(annotations: Mapping[str, str]) -> Step:
    """Return a step that drops these annotations (name → why) from an object."""
    edit: Edit = without(*annotations)

    def step(obj: Object, _case: Case) -> Object:
        return change(obj, ("metadata", "annotations"), edit)

    return step


def unbind_claim(obj: Object, case: Case) -> Object:
    """Drop the volume that the source cluster bound to a live claim; a static volume stays bound by name."""
    volume = get(obj, "spec", "volumeName")
    static = isinstance(volume, str) and volume in case.around.static_volumes
    return obj if static or not case.live else remove(obj, ("spec", "volumeName"))


SOURCES = ("dataSourceRef", "dataSource")
"""Fields with what a claim is to be filled from."""


def drop_source(obj: Object, case: Case) -> Object:
    """Drop what a bound claim was filled from when it was provisioned: the source may be gone since.

    With a source that is not there a new claim would wait for ever. One that is not bound keeps its source.
    """
    filled = case.live and was_bound(case.original)
    return remove(obj, *(("spec", field) for field in SOURCES)) if filled else obj


def was_bound(claim: Object) -> bool:
    """Return whether a live claim has, or had, a volume."""
    done = get(claim, "metadata", "annotations", "pv.kubernetes.io/bind-completed") == "yes"
    return done or get(claim, "status", "phase") in ("Bound", "Lost")


def forget_claim(obj: Object, _case: Case) -> Object:
    """Drop what ties a volume to the source cluster's claim; by name it stays reserved for the restored claim."""
    return change(obj, ("spec", "claimRef"), without("uid", "resourceVersion"))


def empty_token(obj: Object, _case: Case) -> Object:
    """Empty a service account's token Secret: type and account name stay, so that the target issues a new token."""
    if obj.get("type") != TOKEN_TYPE:
        return obj
    for field in ("data", "stringData"):
        obj = change(obj, (field,), without(*TOKEN_DATA))
    obj = change(obj, ("metadata", "labels"), without(*TOKEN_LABELS))
    return change(obj, ("metadata", "annotations"), without(TOKEN_UID))


def drop_generated_secrets(obj: Object, _case: Case) -> Object:
    """Drop the references of a service account to Secrets that were generated for it: tokens, OpenShift's dockercfg."""
    generated = re.compile(f"{re.escape(str(obj['metadata'].get('name')))}-(token|dockercfg){SUFFIX}")

    def chosen(reference: Any) -> bool:
        name = get(reference, "name")
        return not (isinstance(name, str) and generated.fullmatch(name))

    obj = change(obj, ("secrets",), only(chosen))
    return change(obj, ("imagePullSecrets",), only(chosen))


def free_namespace(obj: Object, case: Case) -> Object:
    """Drop the finalizer of the API server, the label with the old name, and (unless kept) OpenShift's uid ranges.

    The API server sets `kubernetes.io/metadata.name` itself; without it a rename need not change it.
    """
    obj = change(obj, ("spec",), without("finalizers"))
    obj = change(obj, ("metadata", "labels"), without("kubernetes.io/metadata.name"))
    if case.keep.namespace_uid_ranges:
        return obj
    return change(obj, ("metadata", "annotations"), without(*UID_RANGES))
