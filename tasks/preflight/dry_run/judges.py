"""The webhooks and policies of a target that judge new objects, as far as these credentials may list them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.objects import Ref, labels_of
from kubeferry.tasks.core.needs.admission import GROUP, POLICIES, WEBHOOKS, Judge, judges_of, labels_for
from kubeferry.tasks.core.needs.outside import METADATA_NAME
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.plan.state import Plan
    from kubeferry.tasks.preflight.target import Target


class Judges:
    """Who judges new objects of each type and namespace; those that may not be listed are taken for none."""

    def __init__(self, plan: Plan, target: Target) -> None:
        """List them."""
        self._plan, self._target = plan, target
        kinds = [*WEBHOOKS, *POLICIES, *POLICIES.values()]
        # What is judged by those that may not be listed is asked about by a sample, as any other kind.
        listed = zip(kinds, in_threads(lambda kind: target.visible(GROUP, kind), kinds, THREADS), strict=True)
        self._judges = list(judges_of({"kind": kind} | each for kind, some in listed for each in some))
        self._answers: dict[tuple[ResourceType, str], list[Judge]] = {}

    def of(self, kind: ResourceType, namespace: str) -> list[Judge]:
        """Return those that may judge objects of a type in a namespace."""
        key = (kind, namespace)
        if key not in self._answers:
            labels = labels_for(kind, self._labels(namespace)) if namespace else None
            self._answers[key] = [each for each in self._judges if each.judges(kind, labels)]
        return self._answers[key]

    def judge(self, kind: tuple[str, str], namespace: str) -> bool:
        """Return whether anything judges new objects of a (group, kind) in a namespace."""
        found = self._target.discovery.by_kind(*kind)
        return bool(found and self.of(found, namespace))

    def policy(self, name: str) -> Judge | None:
        """Return a policy by its name."""
        return next((each for each in self._judges if each.name == name and each.text), None)

    def _labels(self, name: str) -> Mapping[str, str]:
        live = self._target.namespace(name)
        planned = self._plan.items.get(Ref(*NAMESPACE, "", name))
        found = live or (self._plan.contents.read(planned.slot) if planned else {"metadata": {}})
        return labels_of(found) | {METADATA_NAME: name}
