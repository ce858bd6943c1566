"""The objects of a plan as they are exported, each with its path, in the order that works; what is not as it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.records import HIDDEN, Problem, hidden
from kubeferry.tasks.core.jsondoc.confidential import is_confidential
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options_export import ExportFormat, SecretMode
from kubeferry.tasks.core.models.results import DynamicValue, ExportedSecret
from kubeferry.tasks.core.plan.export.content import control_character, exported, not_for_kustomize
from kubeferry.tasks.core.plan.export.names import levels, path
from kubeferry.tasks.core.plan.export.secrets import OPAQUE, SecretStore, confidential, external_secret, keys
from kubeferry.tasks.core.plan.parts import level_phases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.lookup.bindings import Binding
    from kubeferry.tasks.core.plan.parts import Part, Parts

KEPT = "it is the value of the source cluster: set it for the cluster that this is applied to"

HOW = {
    SecretMode.OMIT: "omitted",
    SecretMode.INCLUDE: "included",
    SecretMode.EXTERNAL: "external",
    SecretMode.AGE: "encrypted",
}
"""What a mode does with a Secret, as results call it."""


@dataclass(frozen=True, slots=True)
class Exported:
    """One object to write."""

    ref: Ref
    path: str
    body: Object
    level: int = 0
    """The level it is created in; 0 is before all levels."""
    bindings: tuple[Binding, ...] = ()
    """Its values of the source cluster."""


@dataclass(frozen=True)
class Secrets:
    """How Secrets are exported."""

    mode: SecretMode
    store: SecretStore | None = None
    seal: Callable[[Object], Object] = lambda obj: obj
    """Encrypts a Secret, for `AGE`."""


@dataclass
class Findings:
    """What is not exported as it was."""

    secrets: list[ExportedSecret] = field(default_factory=list)
    dynamic: list[DynamicValue] = field(default_factory=list)
    unowned: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    """Objects that cannot be exported."""
    warnings: list[Problem] = field(default_factory=list)
    releases: list[Problem] = field(default_factory=list)
    """Releases of Helm whose objects are not in a chart."""


class Export:
    """The objects of a plan; `findings` is complete when all of them were read."""

    def __init__(
        self,
        parts: Parts,
        body: Callable[[Ref], Object],
        secrets: Secrets,
        format_: ExportFormat = ExportFormat.YAML,
        skip: Callable[[Object], bool] = lambda _: False,
    ) -> None:
        """Take what is exported, and how.

        Args:
            parts: the plan.
            body: returns an object of it with all its values.
            secrets: what to do with Secrets.
            format_: what is written.
            skip: returns whether an object is left out.
        """
        self._skip = skip
        self.parts, self._body, self._secrets, self._format = parts, body, secrets, format_
        self.findings = Findings()
        self.spaces = len({ref.namespace for ref in parts.items if ref.namespace}) > 1
        """Whether there are objects of several namespaces."""

    def __iter__(self) -> Iterator[Exported]:
        """Yield the objects, each after those that it needs."""
        for number, (level, refs) in enumerate(self._levels(), start=-1):
            for ref in refs:
                yield from self._object(ref, level, max(number, 0))

    def confidential(self) -> list[str]:
        """Return the names of the Secrets with content."""
        secrets = (ref for ref in self.parts.items if is_confidential(ref.group, ref.kind))
        return [ref.name for ref in secrets if confidential(self._body(ref))]

    def body(self, ref: Ref) -> Object:
        """Return an object of the plan with all its values."""
        return self._body(ref)

    def _levels(self) -> Iterator[tuple[str, list[Ref]]]:
        order = self.parts.order
        refs = [self.parts.first, self.parts.definitions, *order.levels]
        for level, some in zip(levels(level_phases(order)), refs, strict=True):
            yield level, sorted(some)

    def _object(self, ref: Ref, level: str, number: int) -> Iterator[Exported]:
        part, obj = self.parts.items[ref], exported(self._body(ref))
        if self._skip(obj):
            return
        self._note_owners(part)
        found: Object | None = obj
        if confidential(obj):
            found = self._secret(ref, obj)
            if self._format is ExportFormat.HELM and self._secrets.mode is SecretMode.OMIT:
                found = obj  # its template asks for the values
        if found is None:
            return
        if found is obj or self._secrets.mode is not SecretMode.EXTERNAL:
            self.findings.dynamic += (_dynamic(ref, each) for each in part.bindings)
        odd = not_for_kustomize(found) if self._format is ExportFormat.KUSTOMIZE else ""
        if odd:
            why = f"{odd}, which Kustomize cannot read: export it as plain YAML"
            self.findings.problems.append(Problem(what=str(ref), why=why))
            return
        character = control_character(found) if self._format is ExportFormat.YAML else ""
        if character:
            why = f"holds the character {character}: kubectl creates it, but kubectl apply --server-side refuses it"
            self.findings.warnings.append(Problem(what=str(ref), why=why))
        shown = Ref.of(found)
        yield Exported(shown, path(shown, level, spaces=self.spaces), found, number, part.bindings)

    def _secret(self, ref: Ref, obj: Object) -> Object | None:
        mode = self._secrets.mode
        kind = str(obj.get("type", OPAQUE))
        self.findings.secrets.append(ExportedSecret(object=str(ref), type=kind, data_keys=keys(obj), how=HOW[mode]))
        if mode is SecretMode.OMIT:
            return None
        if mode is SecretMode.EXTERNAL and self._secrets.store:
            return external_secret(obj, self._secrets.store)
        return self._secrets.seal(obj) if mode is SecretMode.AGE else obj

    def _note_owners(self, part: Part) -> None:
        for each in part.owners:
            owner = f"{each.kind} {each.name}"
            why = f"is not owned by {owner} any more: an ownerReference needs the uid of one cluster"
            self.findings.unowned.append(Problem(what=str(part.ref), why=why))


def _dynamic(ref: Ref, each: Binding) -> DynamicValue:
    old = HIDDEN if hidden(ref, each.use.pointer) else each.old
    return DynamicValue(
        object=str(ref), path=each.use.pointer, old=old, chain=each.chain.text(), kind=each.kind, how=KEPT
    )
