"""The admission policy that refuses to delete the definition of bundles while bundles own objects.

With the definition all bundles go, and with the bundles, by garbage collection, all that they own (kubernetes.io:
Owners and Dependents; Validating Admission Policy, parameter resources). A bundle is a parameter of the policy: the API
server evaluates it for each owning bundle of a namespace for which a binding exists. Without such a bundle nothing is
refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.target.bundle import API_VERSION, DEFINITION, GROUP, KIND, RESTORING, label
from kubeferry.tasks.core.kube.resources import ResourceType

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref

OWNS = f"{GROUP}/owns"
"""The label of a bundle that owns what its restore created."""

ADMISSION = "admissionregistration.k8s.io"
POLICIES = ResourceType(ADMISSION, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False)
POLICY_BINDINGS = ResourceType(
    ADMISSION, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False
)
GUARD_RIGHTS = (("create", POLICIES), ("get", POLICIES), ("create", POLICY_BINDINGS))
"""The permissions that a restore needs besides, if its bundles own objects."""

NAME = f"bundles.{GROUP}"


def is_guard(ref: Ref) -> bool:
    """Return whether an object is the policy or a binding of it: every restore creates its own."""
    return ref.group == ADMISSION and (ref.name == NAME or ref.name.startswith(f"{NAME}-"))


def policy() -> Object:
    """Return the policy."""
    rule = {
        "apiGroups": [DEFINITION.group],
        "apiVersions": ["*"],
        "operations": ["DELETE"],
        "resources": ["customresourcedefinitions"],
        "resourceNames": [DEFINITION.name],
    }
    message = (
        "'bundle ' + params.metadata.namespace + '/' + params.metadata.name + ' owns objects, which the garbage"
        " collector would delete with it: delete the bundle first, or remove its label'"
    )
    count, phase = "params.?status.?members.orValue(1)", "params.?status.?phase.orValue('')"
    return {
        "apiVersion": f"{ADMISSION}/v1",
        "kind": POLICIES.kind,
        "metadata": {"name": NAME},
        "spec": {
            "failurePolicy": "Fail",
            "paramKind": {"apiVersion": API_VERSION, "kind": KIND},
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": f"{count} == 0 && {phase} != '{RESTORING}'", "messageExpression": message}],
        },
    }


def binding(namespace: str) -> Object:
    """Return the binding for the bundles of a namespace: for a cluster-scoped object, a binding has to name one."""
    return {
        "apiVersion": f"{ADMISSION}/v1",
        "kind": POLICY_BINDINGS.kind,
        "metadata": {"name": f"{NAME}-{label(namespace)}"},
        "spec": {
            "policyName": NAME,
            "paramRef": {
                "namespace": namespace,
                "selector": {"matchLabels": {OWNS: "true"}},
                "parameterNotFoundAction": "Allow",
            },
            "validationActions": ["Deny"],
        },
    }
