"""The pod that a controller would create from an object's template, to ask a cluster whether it takes it.

The API server judges the pods of a template only when they are created: of a Deployment that Pod Security refuses it
says nothing but a warning (kubernetes.io: Pod Security Admission, workload resources and pod templates).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.objects import type_of
from kubeferry.tasks.core.needs.references.fields import POD_SPEC_AT

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object

CUSTOM: dict[tuple[str, str], str] = {
    ("apps.kruise.io", "CloneSet"): "spec.template.spec",
    ("apps.kruise.io", "DaemonSet"): "spec.template.spec",
    ("apps.kruise.io", "StatefulSet"): "spec.template.spec",
    ("apps.openshift.io", "DeploymentConfig"): "spec.template.spec",
    ("argoproj.io", "Rollout"): "spec.template.spec",
}
"""Custom kinds whose template is a PodTemplateSpec that their controller uses as it is (their API references)."""

NONE_YET = frozenset({("", "Pod"), ("", "PodTemplate")})
"""A Pod is asked about itself, and nothing makes pods of a PodTemplate."""


def pod_of(obj: Object) -> Object | None:
    """Return a pod as the controller of `obj` creates it, without what only the controller adds; None for no pods.

    An object that asks for none now (no replicas, suspended) has none.
    """
    kind = type_of(obj)
    path = POD_SPEC_AT.get(kind) or CUSTOM.get(kind)
    if path is None or kind in NONE_YET or get(obj, "spec", "replicas") == 0 or get(obj, "spec", "suspend") is True:
        return None
    template = get(obj, *path.split(".")[:-1])
    spec = get(template, "spec")
    if not isinstance(spec, dict):
        return None
    meta = obj["metadata"]
    labelled = {key: found for key in ("labels", "annotations") if (found := get(template, "metadata", key))}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": f"{meta['name']}-", "namespace": meta.get("namespace", ""), **labelled},
        "spec": _with_claims(obj, spec),
    }


def _with_claims(obj: Object, spec: dict[str, Any]) -> dict[str, Any]:
    """Return the pod spec with the volumes that a StatefulSet adds for its claims (pkg/controller/statefulset)."""
    names = [get(each, "metadata", "name") for each in get(obj, "spec", "volumeClaimTemplates") or ()]
    if not names:
        return spec
    claims = [
        {"name": name, "persistentVolumeClaim": {"claimName": f"{name}-{obj['metadata']['name']}-0"}} for name in names
    ]
    others = [each for each in spec.get("volumes") or () if each.get("name") not in names]
    return spec | {"volumes": [*others, *claims]}
