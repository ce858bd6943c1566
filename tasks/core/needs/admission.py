"""What a cluster asks about a new object before it takes it: admission webhooks and admission policies, by kind.

Sources: kubernetes.io, Dynamic Admission Control (rules, matchPolicy, selectors) and Validating Admission Policy. What
only a request can show (match conditions, selectors of objects, parameters) is taken to match.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.jsondoc.edit import get, values
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.label_selectors import selects
from kubeferry.tasks.core.needs.cluster_scoped import requirements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.label_selectors import Requirement
    from kubeferry.tasks.core.kube.resources import ResourceType

GROUP = "admissionregistration.k8s.io"
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
POLICIES = {
    "MutatingAdmissionPolicy": "MutatingAdmissionPolicyBinding",
    "ValidatingAdmissionPolicy": "ValidatingAdmissionPolicyBinding",
}
"""Kind of a policy → kind of its bindings: without any, it judges nothing."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A webhook or a policy that judges objects when they are created."""

    name: str
    """Of the webhook, or of the policy."""
    resources: frozenset[tuple[str, str]]
    """(group, resource); `*` is any."""
    namespaces: tuple[Requirement, ...] = ()
    """Which namespaces' objects it judges, by labels."""
    all_of_them: bool = False
    """Whether it judges every object of these, whatever is in it."""
    text: str = ""
    """Of a policy: its rules, to look for the names of fields in them."""

    def judges(self, kind: ResourceType, labels: Mapping[str, str] | None) -> bool:
        """Return whether it may judge objects of a type; `labels` are those of their namespace, None without one."""
        if not any(group in {"*", kind.group} and of in {"*", kind.resource} for group, of in self.resources):
            return False
        # Of cluster-scoped objects, Namespaces alone have labels that are compared: those of the object.
        return labels is None or selects(self.namespaces, labels)


def judges_of(configurations: Iterable[Object]) -> Iterator[Judge]:
    """Yield what judges new objects, from webhook configurations, and from policies with their bindings."""
    known = list(configurations)
    bound = {(each["kind"], get(each, "spec", "policyName")) for each in known if each["kind"] in POLICIES.values()}
    for each in known:
        name = each["metadata"]["name"]
        if each["kind"] in WEBHOOKS:
            for webhook in values(each, "webhooks[]"):
                conditions = webhook.get("objectSelector") or webhook.get("matchConditions")
                yield _judge(str(webhook["name"]), webhook.get("rules"), webhook, all_of_them=not conditions)
        elif each["kind"] in POLICIES and (POLICIES[each["kind"]], name) in bound:
            chosen = get(each, "spec", "matchConstraints") or {}
            text = orjson.dumps(each["spec"]).decode()
            yield _judge(name, chosen.get("resourceRules"), chosen, text=text)


def _judge(name: str, rules: Any, chosen: Mapping[str, Any], *, all_of_them: bool = False, text: str = "") -> Judge:
    resources = {
        (group, resource.partition("/")[0])
        for rule in rules or ()
        if {"*", "CREATE"} & {*(rule.get("operations") or ())}
        for group in rule.get("apiGroups") or ()
        for resource in rule.get("resources") or ()
        if resource.partition("/")[2] in {"", "*"}
    }
    spaces = tuple(requirements(chosen.get("namespaceSelector")))
    return Judge(name, frozenset(resources), spaces, all_of_them, text)


def labels_for(kind: ResourceType, namespace: Mapping[str, str]) -> Mapping[str, str] | None:
    """Return the labels by which a judge chooses objects of a type: their namespace's, None for those without one."""
    return namespace if kind.namespaced and (kind.group, kind.kind) != NAMESPACE else None
