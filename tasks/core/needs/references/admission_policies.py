"""The parameters that the bindings of admission policies name: of which kind they are, only the policy says.

Source: kubernetes.io, Validating Admission Policy, Parameter resources: `spec.paramKind` of the policy, `spec.paramRef`
of the binding. Without a namespace, parameters of a kind that has one are looked up in the namespace of each request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import Object, get, group_of
from kubeferry.tasks.core.kube.kinds import BUILT_IN, CLUSTER_KINDS
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.references.fields import ADMISSION, Kind, Need
from kubeferry.tasks.core.needs.references.find import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "spec.paramRef.name"


class PolicyParameters:
    """Collects policies and bindings, in any order; complete when all were seen."""

    def __init__(self) -> None:
        """Start empty."""
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._bindings: list[tuple[Ref, tuple[str, str], str, str, Need]] = []

    def look(self, obj: Object) -> None:
        """Collect what one object says."""
        if group_of(obj["apiVersion"]) != ADMISSION:
            return
        kind, name = obj["kind"], obj["metadata"]["name"]
        version, param = get(obj, "spec", "paramKind", "apiVersion"), get(obj, "spec", "paramKind", "kind")
        if isinstance(version, str) and isinstance(param, str):
            self._kinds[kind, name] = (group_of(version), param)
        policy, asked = get(obj, "spec", "policyName"), get(obj, "spec", "paramRef", "name")
        if isinstance(policy, str) and isinstance(asked, str):
            namespace = get(obj, "spec", "paramRef", "namespace")
            allowed = get(obj, "spec", "paramRef", "parameterNotFoundAction") == "Allow"
            need = Need.NOTHING if allowed else Need.OUTSIDE
            of = (kind.removesuffix("Binding"), policy)
            self._bindings.append((Ref.of(obj), of, namespace if isinstance(namespace, str) else "", asked, need))

    def references(self) -> Iterator[tuple[Ref, Reference]]:
        """Yield the bindings whose policy was seen, each with its reference."""
        for binding, policy, namespace, name, need in self._bindings:
            kind = self._kinds.get(policy)
            if kind is None or (not namespace and kind in BUILT_IN and kind not in CLUSTER_KINDS):
                continue
            yield binding, Reference(Ref(*kind, namespace, name), PATH, need=need)
