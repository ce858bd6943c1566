"""The parameters of a policy's binding, whose kind only the policy knows."""

import pytest

from kubeferry.tasks.core.needs.references.admission_policies import PolicyParameters
from kubeferry.tasks.core.needs.references.fields import Need

GROUP = "admissionregistration.k8s.io/v1"


def policy(param_kind, kind="ValidatingAdmissionPolicy"):
    spec = {"paramKind": param_kind} if param_kind else {}
    return {"apiVersion": GROUP, "kind": kind, "metadata": {"name": "limits"}, "spec": spec}


def binding(param_ref, kind="ValidatingAdmissionPolicyBinding"):
    spec = {"policyName": "limits", "paramRef": param_ref}
    return {"apiVersion": GROUP, "kind": kind, "metadata": {"name": "here"}, "spec": spec}


def found(*objects):
    parameters = PolicyParameters()
    for obj in objects:
        parameters.look(obj)
    return [(str(user), str(each.target), each.need) for user, each in parameters.references()]


CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap"}
LIMIT = {"apiVersion": "rules.example/v1", "kind": "Limit"}
USER = "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io here"


@pytest.mark.parametrize(("action", "need"), [("Deny", Need.OUTSIDE), ("Allow", Need.NOTHING)])
def test_the_kind_is_that_of_the_policy_in_either_order(action, need):
    ref = {"name": "max", "namespace": "rules", "parameterNotFoundAction": action}
    expected = [(USER, "ConfigMap rules/max", need)]
    assert found(policy(CONFIG_MAP), binding(ref)) == found(binding(ref), policy(CONFIG_MAP)) == expected


def test_a_cluster_scoped_parameter_has_no_namespace():
    assert found(policy(LIMIT), binding({"name": "max"})) == [(USER, "Limit.rules.example max", Need.OUTSIDE)]


def test_parameters_of_each_requests_namespace_or_by_selector_are_no_reference():
    assert found(policy(CONFIG_MAP), binding({"name": "max"})) == []
    assert found(policy(CONFIG_MAP), binding({"selector": {}, "namespace": "rules"})) == []
    assert found(policy(None), binding({"name": "max", "namespace": "rules"})) == []
    assert found(binding({"name": "max", "namespace": "rules"})) == []


def test_a_mutating_policy_is_another_one():
    ref = {"name": "max", "namespace": "rules"}
    assert found(policy(LIMIT, "MutatingAdmissionPolicy"), binding(ref)) == []
    mutating = binding(ref, "MutatingAdmissionPolicyBinding")
    assert [target for _, target, _ in found(policy(LIMIT, "MutatingAdmissionPolicy"), mutating)] == [
        "Limit.rules.example rules/max"
    ]
