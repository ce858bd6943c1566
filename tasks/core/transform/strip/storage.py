"""What the old cluster wrote into claims, volumes, token Secrets, service accounts and namespaces.

Refuses to decide which volumes a restore brings along: it is told (Surroundings.static_volumes).
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
    "pv.kubernetes.io/bind-completed": "a claim that says so is lost while its volume is not there yet",
    "pv.kubernetes.io/bound-by-controller": "written when the old cluster bound it",
    "pv.kubernetes.io/migrated-to": "written by the old cluster's volume controller",
    "volume.kubernetes.io/storage-provisioner": "written by the old cluster's volume controller",
    "volume.beta.kubernetes.io/storage-provisioner": "written by the old cluster's volume controller",
    "volume.kubernetes.io/storage-resizer": "written by the old cluster's resizer",
    "volume.kubernetes.io/selected-node": "a node of the old cluster",
}
"""Annotation of a claim → why it goes; the target's controllers write their own."""

VOLUME_ANNOTATIONS: Mapping[str, str] = {
    "pv.kubernetes.io/bound-by-controller": "written when the old cluster bound it",
    "pv.kubernetes.io/migrated-to": "written by the old cluster's volume controller",
}
"""Annotation of a volume → why it goes. `provisioned-by` stays: it tells static volumes from dynamic ones."""

TOKEN_DATA = ("token", "ca.crt", "namespace", "service-ca.crt")
TOKEN_LABELS = ("kubernetes.io/legacy-token-last-used", "kubernetes.io/legacy-token-invalid-since")
TOKEN_UID = "kubernetes.io/service-account.uid"  # noqa: S105 - the name of an annotation

UID_RANGES = (
    "openshift.io/sa.scc.mcs",
    "openshift.io/sa.scc.supplemental-groups",
    "openshift.io/sa.scc.uid-range",
)
"""Annotations in which OpenShift allots uids, groups and labels of SELinux to a namespace."""


def drop_annotations(annotations: Mapping[str, str]) -> Step:
    """Return a step that drops these annotations (name → why) from an object."""
    edit: Edit = without(*annotations)

    def step(obj: Object, _case: Case) -> Object:
        return change(obj, ("metadata", "annotations"), edit)

    return step


def unbind_claim(obj: Object, case: Case) -> Object:
    """Drop the volume that the old cluster bound to a live claim; a static volume stays bound by name."""
    volume = get(obj, "spec", "volumeName")
    static = isinstance(volume, str) and volume in case.around.static_volumes
    return obj if static or not case.live else remove(obj, ("spec", "volumeName"))


def forget_claim(obj: Object, _case: Case) -> Object:
    """Drop what made a volume's claim the one of the old cluster; by name it stays reserved for its successor."""
    return change(obj, ("spec", "claimRef"), without("uid", "resourceVersion"))


def empty_token(obj: Object, _case: Case) -> Object:
    """Empty a service account's token Secret: type and account name stay, by which the target fills it anew."""
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
    """Drop the lock of the API server, the label with the old name, and (unless kept) OpenShift's uid ranges.

    The API server sets `kubernetes.io/metadata.name` itself; without it a rename needs no second place.
    """
    obj = change(obj, ("spec",), without("finalizers"))
    obj = change(obj, ("metadata", "labels"), without("kubernetes.io/metadata.name"))
    if case.keep.namespace_uid_ranges:
        return obj
    return change(obj, ("metadata", "annotations"), without(*UID_RANGES))
