"""What the document of a plan looks like: format `kubeferry.io/plan/v1`, which `kubeferry plan -o json` prints.

Fields are added, never renamed or given another meaning. Objects are told by type, namespace and name under their
target identity. It holds no content of any Secret.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from kubeferry.tasks.core.formats.records import LeftOut, Problem

FORMAT: Literal["kubeferry.io/plan/v1"] = "kubeferry.io/plan/v1"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Named(_Model):
    """An object, by its identity on the target."""

    type: str
    """Kind and group: `Deployment.apps`, `Secret`."""
    namespace: str = ""
    name: str


class Need(Named):
    """What an object waits for."""

    because: str
    """The field, annotation or rule by which it is needed: `spec.volumes[].secret.secretName`."""
    strength: str
    """`reference`, `owner` and so on: cycles are broken at the weakest."""
    level: int
    """Where the other one stands; 0 is before all levels."""


class Binding(_Model):
    """A field whose value is looked up on the live target."""

    path: str
    layers: list[str] = []
    old: str
    chain: str
    kind: str
    """What the value is: `pod-ip`, `service-ip`, `uid` and so on."""
    policy: str
    """What becomes of the field when the target has no such value: keep, drop, empty or fail."""
    late: bool = False
    """Whether it is written by a patch, when all levels stand."""


class Rewrite(_Model):
    """A value that is another one on the target: at which path, why."""

    path: str
    old: str
    new: str
    why: str
    rule: str = ""
    """The class by which it can be switched off (--no-rewrite); "" for one that cannot."""


class PlannedObject(Named):
    """One object to restore."""

    api_version: str
    source_namespace: str = ""
    source_name: str
    why: str
    """Why it is restored."""
    needs: list[Need] = []
    ready: str
    """What is waited for after it was created; empty: nothing, since it was not ready when it was backed up."""
    not_ready: str = ""
    """Why it was not ready when it was backed up."""
    unowned: list[str] = []
    """Owners of the source that it cannot have anywhere, each with the reason: they are left out."""
    bindings: list[Binding] = []
    rewrites: list[Rewrite] = []


class First(_Model):
    """What comes before all levels."""

    namespaces: list[PlannedObject]
    definitions: list[PlannedObject]


class Level(_Model):
    """Objects that are created side by side, when all lower levels are ready."""

    number: int
    """From 1."""
    phase: str
    """policy, config, workload, traffic, custom or admission: what orders objects that nothing connects."""
    objects: list[PlannedObject]


class Broken(_Model):
    """An edge that was given up to break a cycle."""

    source: Named
    target: Named
    because: str
    strength: str
    instead: str


class Wanted(Named):
    """A cluster-wide object that the target must have already."""

    users: list[Named]


class Lacking(Named):
    """Something that is needed and stays out because it was asked so."""

    why: str
    """Why it stays out: `its kind is excluded`."""
    because: str
    """By which field the first of `users` needs it."""
    users: list[Named]


class Summary(_Model):
    """Counts."""

    objects: int
    """All that is restored, namespaces and CRDs too."""
    levels: int
    types: dict[str, int]
    needs: int
    broken: int
    bindings: int
    rewrites: dict[str, int]
    """By reason."""
    left_out: int


class PlanDocument(_Model):
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
    """What cannot be carried out, one line each; a restore refuses it before it writes anything."""
    selection: str = ""
    """What is asked for of the backup, in one line; empty: all of it."""
    missing: list[Lacking] = []
    warnings: list[Problem] = []
    """What is asked for and matches nothing."""
