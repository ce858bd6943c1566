"""Strip nodes, tokens, uids and the additions of admission from Pods, Jobs and pod templates.

The target derives all of it again, or refuses it at create. Pod templates lose only the `creationTimestamp: null` that
encoders write: everything else in them may be their author's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import EACH, GONE, Path, change, get, only, remove, without
from kubeferry.tasks.core.kube.namespace_defaults import DEFAULT_ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.transform.strip.case import Case, Step

SUFFIX = "-[bcdfghjklmnpqrstvwxz2456789]{5}"
"""Suffix of a name that the API server generates (apimachinery util/rand): five of these letters, no vowels."""

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - where a token is mounted, not a token

POD_FIELDS: Mapping[str, str] = {
    "nodeName": "a node of the source cluster; the target's scheduler chooses",
    "priority": "computed from priorityClassName; the API server refuses another number",
    "preemptionPolicy": "taken from the priority class; the API server refuses another one",
    "overhead": "taken from the runtime class; the API server refuses another one",
    "ephemeralContainers": "added while debugging; the API server refuses them at create",
}
"""Field of a Pod's spec → why it is removed."""

POD_ANNOTATIONS: Mapping[str, str] = {
    "cni.projectcalico.org/containerID": "the sandbox that the network plugin assigned",
    "cni.projectcalico.org/podIP": "the address that the network plugin assigned",
    "cni.projectcalico.org/podIPs": "the addresses that the network plugin assigned",
    "k8s.ovn.org/pod-networks": "assigned addresses; the target's network plugin would use them as a request",
    "k8s.v1.cni.cncf.io/network-status": "the addresses that the network plugin assigned",
    "k8s.v1.cni.cncf.io/networks-status": "the addresses that the network plugin assigned",
}
"""Annotation of a Pod → what it holds of the source cluster."""

ZONE_LABELS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")
"""Labels that the API server copies from the node when it binds a Pod (KEP-4742)."""

ADDED_TOLERATIONS = tuple(
    {"key": f"node.kubernetes.io/{state}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for state in ("not-ready", "unreachable")
)
"""What the DefaultTolerationSeconds admission plugin adds to every Pod without its own setting."""

JOB_LABELS = ("controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name")
"""Labels that the API server generates from uid and name of a Job, and that must match (strategy.go)."""


def drop_pod_fields(obj: Object, _case: Case) -> Object:
    """Drop what the cluster computed for a Pod, and `serviceAccount`, the deprecated alias of `serviceAccountName`."""
    obj = remove(obj, *(("spec", field) for field in POD_FIELDS))
    return remove(obj, ("spec", "serviceAccount")) if get(obj, "spec", "serviceAccountName") else obj


def drop_pod_annotations(obj: Object, case: Case) -> Object:
    """Drop what the source cluster's network plugin wrote on a Pod, and the zone labels of its node."""
    obj = change(obj, ("metadata", "annotations"), without(*POD_ANNOTATIONS))
    bound = case.live and get(case.original, "spec", "nodeName")
    return change(obj, ("metadata", "labels"), without(*ZONE_LABELS)) if bound else obj


def drop_token_volume(obj: Object, case: Case) -> Object:
    """Drop the service account token volume that admission added to a live Pod, with its mounts.

    A volume that is mounted at another path than the token's default belongs to the author and stays.
    """
    if not case.live:
        return obj
    account = get(obj, "spec", "serviceAccountName") or DEFAULT_ACCOUNT[2]
    # Before 1.22 the token came from a Secret of the account.
    generated = re.compile(f"(kube-api-access|{re.escape(str(account))}-token){SUFFIX}")
    volumes = get(obj, "spec", "volumes")
    names = {
        name
        for volume in (volumes if isinstance(volumes, list) else ())
        if isinstance(name := get(volume, "name"), str) and generated.fullmatch(name)
    } - _mounted_elsewhere(obj)
    if not names:
        return obj
    others = only(lambda item: not (isinstance(get(item, "name"), str) and item["name"] in names))
    obj = change(obj, ("spec", "volumes"), others)
    for containers in ("containers", "initContainers"):
        obj = change(obj, ("spec", containers, EACH, "volumeMounts"), others)
    return obj


def _mounted_elsewhere(obj: Object) -> set[Any]:
    lists = (get(obj, "spec", containers) for containers in ("containers", "initContainers"))
    containers = [container for some in lists if isinstance(some, list) for container in some]
    mounts = (get(container, "volumeMounts") for container in containers)
    return {
        get(mount, "name")
        for some in mounts
        if isinstance(some, list)
        for mount in some
        if get(mount, "mountPath") != TOKEN_PATH and isinstance(get(mount, "name"), str)
    }


def drop_added_tolerations(obj: Object, case: Case) -> Object:
    """Drop the two tolerations that admission added to a live Pod; those with other seconds or effects stay."""
    if not case.live:
        return obj
    return change(obj, ("spec", "tolerations"), only(lambda one: one not in ADDED_TOLERATIONS))


def drop_generated_selector(obj: Object, _case: Case) -> Object:
    """Drop a Job's generated selector and labels, unless its author manages the selector.

    The API server generates them at create from the new uid and the name, and refuses values that differ
    (pkg/registry/batch/job/strategy.go generateSelector, validateGeneratedSelector); the Job's own labels get them by
    defaulting from the template.
    """
    if get(obj, "spec", "manualSelector") is True:
        return obj
    obj = change(obj, ("spec", "selector"), _selector)
    for path in (("metadata", "labels"), ("spec", "template", "metadata", "labels")):
        obj = change(obj, path, without(*JOB_LABELS))
    return change(obj, ("metadata", "annotations"), without("batch.kubernetes.io/job-tracking"))


def _selector(selector: Any) -> Any:
    matched = get(selector, "matchLabels")
    if not isinstance(matched, dict) or not any(label in matched for label in JOB_LABELS):
        return selector
    rest = {label: value for label, value in matched.items() if label not in JOB_LABELS}
    kept = {key: value for key, value in selector.items() if key != "matchLabels"} | (
        {"matchLabels": rest} if rest else {}
    )
    return kept or GONE


def suspend(obj: Object, case: Case) -> Object:
    """Suspend a CronJob if the policy says so."""
    if not case.keep.suspend_cron_jobs or not isinstance(obj.get("spec"), dict):
        return obj
    return obj | {"spec": obj["spec"] | {"suspend": True}}


def clean_templates(*paths: Path) -> Step:
    """Return a step that drops `creationTimestamp: null` of the objects' metadata embedded at `paths`."""

    def step(obj: Object, _case: Case) -> Object:
        for path in paths:
            obj = change(obj, (*path, "metadata"), _without_null_time)
        return obj

    return step


def _without_null_time(meta: Any) -> Any:
    empty = isinstance(meta, dict) and "creationTimestamp" in meta and meta["creationTimestamp"] is None
    return without("creationTimestamp")(meta) if empty else meta


def pod_template(*path: str) -> Step:
    """Return a step that cleans the pod template at `path` and the claim templates of its ephemeral volumes."""
    return clean_templates(path, (*path, "spec", *CLAIM_OF_VOLUME))


CLAIM_OF_VOLUME: Path = ("volumes", EACH, "ephemeral", "volumeClaimTemplate")

pod_claims = clean_templates(("spec", *CLAIM_OF_VOLUME))
"""The same for the ephemeral volumes of a bare Pod."""
