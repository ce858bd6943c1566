"""The document of a plan and how it is built: `kubeferry.io/plan/v1`, which `kubeferry plan -o json` prints.

Fields are added, never renamed or given another meaning. Objects are identified by type, namespace and name, as on the
target. The document holds no content of any Secret: for a value in a Secret it shows the place only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter

from kubeferry.tasks.core.formats.losses import Loss
from kubeferry.tasks.core.formats.records import HIDDEN, LeftOut, Problem, ResultModel, hidden
from kubeferry.tasks.core.jsondoc.printable import Lazy
from kubeferry.tasks.core.kube.readiness.evaluate import ready_when
from kubeferry.tasks.core.lookup.bindings import policy_of
from kubeferry.tasks.core.plan.parts import level_phases

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kubeferry.tasks.core.formats.records import Rewrite as Rewritten
    from kubeferry.tasks.core.graph.closure import Missing
    from kubeferry.tasks.core.graph.order import Edge
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.lookup.bindings import Binding as Bound
    from kubeferry.tasks.core.lookup.bindings import Kind
    from kubeferry.tasks.core.lookup.substitute import Absent
    from kubeferry.tasks.core.plan.parts import Part, Parts


FORMAT: Literal["kubeferry.io/plan/v1"] = "kubeferry.io/plan/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An object by its identity on the target.

    It and what else there is for each object is no model: of 100,000 objects, models take 200 MB.
    """

    type: str
    """Kind and group: `Deployment.apps`, `Secret`."""
    namespace: str = ""
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need(Named):
    """What an object waits for."""

    because: str
    """The field, annotation or rule that needs it: `spec.volumes[].secret.secretName`."""
    strength: str
    """`reference`, `owner` and so on: cycles are broken at the weakest."""
    level: int
    """Level of the other object; 0 is before all levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A field whose value is looked up on the live target."""

    path: str
    layers: tuple[str, ...] = ()
    old: str
    chain: str
    kind: str
    """What the value is: `pod-ip`, `service-ip`, `uid` and so on."""
    policy: str
    """What to do with the field if the target has no such value: keep, drop, empty or fail."""
    late: bool = False
    """Whether a patch writes it after all levels are created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """A value that differs on the target, with its path and the reason."""

    path: str
    old: str
    new: str
    why: str
    rule: str = ""
    """The class that switches it off (--no-rewrite); "" if it cannot be switched off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedObject(Named):
    """One object to restore."""

    api_version: str
    source_namespace: str = ""
    source_name: str
    why: str
    """Why it is restored."""
    needs: tuple[Need, ...] = ()
    ready: str
    """What to wait for after it is created; empty: nothing, because it was not ready when it was backed up."""
    not_ready: str = ""
    """Why it was not ready when it was backed up."""
    unowned: tuple[str, ...] = ()
    """Owners in the source that it cannot have on any cluster, each with the reason: they are removed."""
    bindings: tuple[Binding, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()


class First(ResultModel):
    """What is created before all levels."""

    namespaces: list[PlannedObject]
    definitions: list[PlannedObject]


class Level(ResultModel):
    """Objects that are created in parallel, when all lower levels are ready."""

    number: int
    """From 1."""
    phase: str
    """policy, config, workload, traffic, custom or admission: the order of objects without dependencies on each
    other."""
    objects: list[PlannedObject]


class Broken(ResultModel):
    """An edge that was removed to break a cycle."""

    source: Named
    target: Named
    because: str
    strength: str
    instead: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted(Named):
    """A cluster-scoped object that the target must already have."""

    users: list[Named]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking(Named):
    """An object that is needed but excluded by the options."""

    why: str
    """Why it is excluded: `its kind is excluded`."""
    because: str
    """The field with which the first of `users` refers to it."""
    users: list[Named]


class Summary(ResultModel):
    """Counts."""

    objects: int
    """All restored objects, including namespaces and CRDs."""
    levels: int
    types: dict[str, int]
    needs: int
    broken: int
    bindings: int
    rewrites: dict[str, int]
    """By reason."""
    left_out: int


class PlanDocument(ResultModel):
    """A whole plan."""

    format: Literal["kubeferry.io/plan/v1"] = FORMAT
    backup: str
    store: str
    namespaces: dict[str, str]
    """Old name to new name."""
    summary: Summary
    first: First
    levels: list[Level]
    broken: list[Broken]
    left_out: list[LeftOut]
    target_must_have: list[Wanted]
    impossible: list[str] = []
    """What cannot be restored, one line each; a restore fails before it writes anything."""
    selection: str = ""
    """The selection from the backup, in one line; empty: all of it."""
    missing: list[Lacking] = []
    warnings: list[Problem] = []
    """Terms of the selection that match nothing."""
    problems: list[Problem] = []
    """What is not done as objects ask for it; the restore is partial then."""
    grants: list[Problem] = []
    """Rights that others get by what is restored, or would; and namespaces that were there before."""
    losses: list[Loss] = []
    """What will not be as it was."""


_OBJECT = TypeAdapter(PlannedObject)


def as_data(plan: PlanDocument) -> dict[str, Any]:
    """Return a document as JSON values for `json_pieces`, of which the objects are made while they are written."""
    data = plan.model_dump(mode="json", exclude={"levels"})
    data["levels"] = [
        {
            "number": each.number,
            "phase": each.phase,
            "objects": Lazy(each.objects, lambda one: _OBJECT.dump_python(one, mode="json")),
        }
        for each in plan.levels
    ]
    return {name: data[name] for name in PlanDocument.model_fields}


def document(parts: Parts) -> PlanDocument:
    """Return the document of a plan."""
    make = _Objects(parts)
    first = First(
        namespaces=[make.planned(ref) for ref in parts.first],
        definitions=[make.planned(ref) for ref in parts.definitions],
    )
    phases = zip(parts.order.levels, level_phases(parts.order), strict=True)
    levels = [
        Level(number=number, phase=phase, objects=[make.planned(ref) for ref in refs])
        for number, (refs, phase) in enumerate(phases, start=1)
    ]
    return PlanDocument(
        backup=parts.backup,
        store=parts.store,
        namespaces=dict(sorted(parts.namespaces.items())),
        summary=_summary(
            parts, [*first.namespaces, *first.definitions, *(one for each in levels for one in each.objects)]
        ),
        first=first,
        levels=levels,
        broken=[_broken(edge, parts.instead.get(edge, "created anyway")) for edge in parts.order.broken],
        left_out=sorted(parts.left_out, key=lambda each: (each.type, each.namespace, each.name)),
        target_must_have=[_wanted(ref, users) for ref, users in sorted(parts.wants.items())],
        impossible=list(parts.impossible),
        selection=parts.selection,
        missing=[_lacking(each) for each in parts.missing],
        warnings=list(parts.warnings),
        problems=list(parts.problems),
        grants=list(parts.grants),
        losses=list(parts.losses),
    )


def _summary(parts: Parts, objects: list[PlannedObject]) -> Summary:
    return Summary(
        objects=len(objects),
        levels=len(parts.order.levels),
        types=dict(sorted(Counter(each.type for each in objects).items())),
        needs=sum(len(each.needs) for each in objects),
        broken=len(parts.order.broken),
        bindings=sum(len(each.bindings) for each in objects),
        rewrites=dict(sorted(Counter(each.why for each in parts.rewrites).items())),
        left_out=len(parts.left_out),
    )


class _Objects:
    """Builds the objects of the document; knows the level of each."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.level = {ref: number for number, refs in enumerate(parts.order.levels, start=1) for ref in refs}
        self.rewrites: dict[str, list[Rewritten]] = {}
        for each in parts.rewrites:
            self.rewrites.setdefault(each.object, []).append(each)

    def planned(self, ref: Ref) -> PlannedObject:
        part = self.parts.items[ref]
        return PlannedObject(
            type=ref.type,
            namespace=ref.namespace,
            name=ref.name,
            api_version=part.api_version,
            source_namespace=part.source.namespace,
            source_name=part.source.name,
            why=part.why,
            needs=tuple(self._needs(ref)),
            ready="" if part.not_ready else ready_when(ref),
            not_ready=part.not_ready,
            unowned=part.unowned,
            bindings=tuple(_binding(part, each, self.parts.absent) for each in part.bindings),
            rewrites=tuple(_rewrite(ref, each) for each in self._rewritten(part)),
        )

    def _needs(self, ref: Ref) -> Iterable[Need]:
        definition = self.parts.kinds.get((ref.group, ref.kind))
        if definition:
            yield self._need(definition, "its kind", "definition")
        for edge in self.parts.order.needs.get(ref, ()):
            yield self._need(edge.target, edge.why, edge.strength.name.lower())

    def _need(self, target: Ref, because: str, strength: str) -> Need:
        return Need(**_named(target), because=because, strength=strength, level=self.level.get(target, 0))

    def _rewritten(self, part: Part) -> list[Rewritten]:
        """Return the rewrites of one object, which are recorded under its name in the backup."""
        return self.rewrites.get(str(part.source), [])


def _named(ref: Ref) -> Mapping[str, str]:
    return {"type": ref.type, "namespace": ref.namespace, "name": ref.name}


def _binding(part: Part, each: Bound, absent: Mapping[Kind, Absent]) -> Binding:
    return Binding(
        path=each.use.pointer,
        layers=tuple(each.use.layers),
        old=HIDDEN if hidden(part.ref, each.use.pointer) else each.old,
        chain=each.chain.text(),
        kind=each.kind,
        policy=policy_of(each.kind, absent).value,
        late=each in part.late,
    )


def _rewrite(ref: Ref, each: Rewritten) -> Rewrite:
    old, new = (HIDDEN, HIDDEN) if hidden(ref, each.path) else (each.old, each.new)
    return Rewrite(path=each.path, old=old, new=new, why=each.why, rule=each.rule)


def _broken(edge: Edge, instead: str) -> Broken:
    return Broken(
        source=Named(**_named(edge.source)),
        target=Named(**_named(edge.target)),
        because=edge.why,
        strength=edge.strength.name.lower(),
        instead=instead,
    )


def _wanted(ref: Ref, users: Iterable[Ref]) -> Wanted:
    return Wanted(**_named(ref), users=[Named(**_named(each)) for each in sorted(users)])


def _lacking(each: Missing) -> Lacking:
    users = [Named(**_named(user)) for user in each.users]
    return Lacking(**_named(each.ref), why=each.why, because=each.because, users=users)
