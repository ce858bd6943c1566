"""Rollouts that were under way when a backup was taken: which revisions its workloads come back with.

What a controller makes from a template, it makes from the newest one. A Deployment that is paused makes nothing
(kubernetes#98457); one in the middle of a rollout, a StatefulSet with a partition, and a StatefulSet or DaemonSet with
the strategy OnDelete run pods of an older template, for as long as somebody wants it so. They come back so:

- ReplicaSets with pods are restored before their Deployment, which adopts them, if it is paused or one of them is of
  another template than its own.
- A StatefulSet or a DaemonSet whose older pods stay is created with the older template, from its ControllerRevision,
  and gets its own at the end. Its controller then replaces what its strategy allows, as on the source.

A StatefulSet that rolls out without a partition comes back with its new template: the old pods were about to go.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import orjson

from kubeferry.tasks.core.formats.links import owner_ref
from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.readiness.progress import PREVIOUS
from kubeferry.tasks.core.needs.ownership import ADOPTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.formats.links import Links
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref

HASH = "pod-template-hash"
"""The label that a Deployment's controller adds to the templates of its ReplicaSets, and ignores when it compares."""
WHY = "its pods at the time of the backup"


def _number(obj: Object, *path: str) -> int:
    value = get(obj, *path)
    return value if isinstance(value, int) else 0


def _template(obj: Object) -> bytes:
    """Return what tells a template, without the label of its ReplicaSet, from others: a digest."""
    template = get(obj, "spec", "template")
    labels = get(template, "metadata", "labels") if isinstance(template, dict) else None
    if isinstance(labels, dict):
        rest = {key: value for key, value in labels.items() if key != HASH}
        template = template | {"metadata": template["metadata"] | {"labels": rest}}
    return hashlib.sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).digest()


class _Deployment(NamedTuple):
    """What is kept of a Deployment: not the object, as a namespace has thousands."""

    template: bytes
    paused: bool
    wants_pods: bool


@dataclass
class Rollouts:
    """The workloads of an archive and their revisions: added in any order, queried when all are added."""

    _deployments: dict[Ref, _Deployment] = field(default_factory=dict)
    _sets: dict[Ref, tuple[Ref, bytes]] = field(default_factory=dict)
    """ReplicaSet with pods → its Deployment, the digest of its template."""
    _revisions: dict[Ref, tuple[Ref, int]] = field(default_factory=dict)
    _behind: dict[Ref, str] = field(default_factory=dict)

    def look(self, obj: Object, ref: Ref, links: Links) -> None:
        """Add an object of the archive, as it was saved; `ref` is its identity on the target, `links` are its own."""
        match ref.group, ref.kind:
            case ("apps", "Deployment"):
                wants_pods = get(obj, "spec", "replicas") != 0
                self._deployments[ref] = _Deployment(_template(obj), is_paused(obj), wants_pods)
            case ("apps", "ReplicaSet") if _number(obj, "spec", "replicas"):
                if owner := _controller(ref, links):
                    self._sets[ref] = (owner, _template(obj))
            case ("apps", "ControllerRevision"):
                if owner := _controller(ref, links):
                    self._revisions[ref] = (owner, _number(obj, "revision"))
            case ("apps", "StatefulSet" | "DaemonSet") if links.progress:
                self._behind[ref] = links.progress

    def kept(self) -> dict[Ref, Ref]:
        """Return the ReplicaSets and ControllerRevisions that are restored, each with its controller."""
        active: dict[Ref, list[Ref]] = {}
        for ref, (owner, template) in self._sets.items():
            deployment = self._deployments.get(owner)
            if deployment is not None and (deployment.paused or template != deployment.template):
                active.setdefault(owner, []).append(ref)
        of_deployments = {ref: owner for ref, (owner, _) in self._sets.items() if owner in active}
        behind = self.older().keys()
        return of_deployments | {ref: owner for ref, (owner, _) in self._revisions.items() if owner in behind}

    def older(self) -> dict[Ref, Ref]:
        """Return StatefulSets and DaemonSets whose older pods stay, each with the ControllerRevision of those."""
        found = {}
        for ref, name in self._behind.items():
            own = sorted((number, each) for each, (owner, number) in self._revisions.items() if owner == ref)
            if name != PREVIOUS:
                own = [(number, each) for number, each in own if each.name == name]
            elif len(own) > 1:
                own = own[:-1]  # the last one is that of its template
            else:
                own = []
            if own:
                found[ref] = own[-1][1]
        return found

    def behind(self) -> dict[Ref, str]:
        """Return the StatefulSets and DaemonSets whose older pods stay, whether their revision is there or not."""
        return dict(self._behind)

    def idle(self) -> set[Ref]:
        """Return the Deployments that are paused and want pods."""
        return {ref for ref, each in self._deployments.items() if each.paused and each.wants_pods}

    def edges(self) -> Iterator[Edge]:
        """Yield that a controller needs what is kept for it."""
        for ref, owner in self.kept().items():
            yield Edge(owner, ref, Strength.EXPLICIT, WHY, Via.ADOPTION)


def _controller(ref: Ref, links: Links) -> Ref | None:
    """Return the controller of a revision that adopts such."""
    owners = (owner_ref(owner, ref.namespace) for owner in links.owners if owner.controller)
    return next((each for each in owners if (each.group, each.kind) in ADOPTED[ref.group, ref.kind]), None)


def is_paused(deployment: Object) -> bool:
    """Return whether a Deployment is paused."""
    return get(deployment, "spec", "paused") is True


def older_body(obj: Object, revision: Object) -> Object:
    """Return a StatefulSet or DaemonSet with the template of one of its ControllerRevisions."""
    template = get(revision, "data", "spec", "template")
    if not isinstance(template, dict):
        return obj
    template = {key: value for key, value in template.items() if key != "$patch"}
    return obj | {"spec": obj["spec"] | {"template": template}}
