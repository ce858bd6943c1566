"""Strip CA bundles and computed rules from CRDs, webhooks, APIServices and aggregated roles.

A CA bundle is kept unless an annotation says that it is injected: its author wrote it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import EACH, change, get, remove

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object, Path
    from kubeferry.tasks.core.transform.strip.case import Case, Step

INJECTORS = (
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
    "certmanager.k8s.io/inject-ca-from",
    "certmanager.k8s.io/inject-apiserver-ca",
    "service.beta.openshift.io/inject-cabundle",
    "service.alpha.openshift.io/inject-cabundle",
)
"""Annotations that request the injection of a CA bundle (cert-manager's cainjector, OpenShift)."""

PRESERVE = "x-kubernetes-preserve-unknown-fields"


def drop_injected_authority(*paths: Path) -> Step:
    """Return a step that drops `caBundle` at `paths` if an annotation says that a controller injects it."""

    def step(obj: Object, _case: Case) -> Object:
        annotations = get(obj, "metadata", "annotations")
        asked = isinstance(annotations, dict) and any(annotations.get(one, "false") != "false" for one in INJECTORS)
        return remove(obj, *((*path, "caBundle") for path in paths)) if asked else obj

    return step


def make_crd_valid(obj: Object, _case: Case) -> Object:
    """Rewrite `preserveUnknownFields: true`, which v1 refuses at create, into its v1 form.

    Every version then preserves unknown fields at the root of its schema, which means the same
    (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#field-pruning).
    """
    if obj["apiVersion"] != "apiextensions.k8s.io/v1" or get(obj, "spec", "preserveUnknownFields") is not True:
        return obj
    obj = change(obj, ("spec", "preserveUnknownFields"), lambda _: False)
    return change(obj, ("spec", "versions", EACH), _preserving)


def _preserving(version: Any) -> Any:
    if not isinstance(version, dict):
        return version
    schema = version.get("schema") or {}
    root = get(schema, "openAPIV3Schema") or {"type": "object"}
    if not isinstance(root, dict):
        return version
    return version | {"schema": schema | {"openAPIV3Schema": root | {PRESERVE: True}}}


def drop_aggregated_rules(obj: Object, _case: Case) -> Object:
    """Drop the rules that a controller aggregated into a ClusterRole with an aggregationRule; an empty list stays."""
    gathered = obj.get("aggregationRule") and obj.get("rules")
    return remove(obj, ("rules",)) if gathered else obj
