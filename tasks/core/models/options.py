"""What a person can ask of a flow: pydantic models, which Prefect's UI turns into its run form.

They hold names only, never a secret: Prefect stores the parameters of every run.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from kubeferry.tasks.core.formats.recipients import SECRET_KEY, is_secret
from kubeferry.tasks.core.jsondoc.duration import OPTIONAL as SPAN
from kubeferry.tasks.core.lookup.bindings import Kind as BindingKind
from kubeferry.tasks.core.lookup.substitute import Absent
from kubeferry.tasks.core.models.forms import either, in_order, title
from kubeferry.tasks.core.models.modifications import Modifications

NamespaceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
"""A DNS label (RFC 1123), as Kubernetes wants namespaces named."""

OptionalName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$")]


UNQUOTED = "unquoted"
"""pydantic's type of the error whose input is a secret key: nobody may quote it."""


def _no_secret(text: str) -> str:
    if is_secret(text):
        raise PydanticCustomError(UNQUOTED, "a secret key itself must not be given, only the path of its file")
    return text


NoSecret = Annotated[
    str,
    AfterValidator(_no_secret),
    # Prefect's server checks this before it stores the parameters of a run.
    Field(json_schema_extra={"not": {"pattern": SECRET_KEY}}),
]
"""What is kept with a run and shown: a public key, or a path."""


class _Options(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        field_title_generator=title,
        json_schema_extra=in_order,
    )


class Where(_Options):
    """A cluster, by the name that this machine's configuration gives it."""

    context: str = ""
    """Context of the kubeconfig; empty: its current context, or the pod's own cluster."""

    kubeconfig: str = ""
    """Path of the kubeconfig; empty: KUBECONFIG or the user's own."""


class Place(Where):
    """A cluster and a store."""

    store: str = ""
    """file:///folder or s3://bucket/prefix?endpoint=...&region=...; empty: a folder of the user's data."""


class Choosing(_Options):
    """Which of the objects: all that is given has to be met, and what is excluded stays out."""

    namespaces: list[NamespaceName] = []
    """Namespaces, by name."""

    namespace_selector: str = ""
    """Also the namespaces with these labels, for example `team=shop`."""

    exclude_namespace: list[str] = []
    """Not these namespaces, even where the others are chosen by label; `*`, `?` and `[...]` are wildcards."""

    selector: str = ""
    """Only objects with these labels, for example `app=web`, and what they need."""

    annotation_selector: str = ""
    """Only objects with these annotations, in the same language, and what they need."""

    include: list[str] = []
    """Only these kinds, for example `deployments.apps`, and what they need."""

    exclude: list[str] = []
    """Not these kinds, even where something needs them."""

    include_name: list[str] = []
    """Only objects of these names, `NAME` or `KIND/NAME`, for example `deployments/web`, and what they need; `*`, `?`
    and `[...]` are wildcards."""

    exclude_name: list[str] = []
    """Not the objects of these names, written in the same way, even where something needs them."""

    only: bool = False
    """Only what is selected, without what it needs."""


class Selection(Choosing, Place):
    """Which of the objects, and where."""


class BackupOptions(Selection):
    """What to back up: namespaces, all of them into one backup, at one point in time."""

    all_namespaces: bool = False
    """All namespaces, but for those of Kubernetes itself (`kube-*`), which have to be named."""

    name: OptionalName = ""
    """Name of the backup; empty: made from the namespace and the time."""

    keep_completed_jobs: bool = False
    """Carry Jobs that are completed."""

    encrypt_to: list[NoSecret] = []
    """Encrypt it: age recipients (`age1...`), SSH public keys, or paths of files of them. Velero cannot read it."""

    ttl: Annotated[str, StringConstraints(pattern=SPAN)] = ""
    """How long it is kept, for example `30d`, `12h` or `720h0m0s`: after that prune removes it, and so does Velero."""


class Existing(StrEnum):
    """What to do with an object that the target has already, with other content."""

    FAIL = "fail"
    SKIP = "skip"
    UPDATE = "update"
    RECREATE = "recreate"


class Owned(StrEnum):
    """What to do with objects that their controller would make again."""

    REBUILD = "rebuild"
    KEEP = "keep"


class Manner(_Options):
    """How to restore: what a restore, and what makes many of them, can be asked for."""

    rollback: bool = True
    """When the restore fails, take back what it did."""

    bundle: bool = True
    """Make a bundle in each namespace that owns what is created: who deletes it deletes that."""

    map: dict[NamespaceName, NamespaceName] = {}
    """Namespaces to rename, old name to new name, for example `{"shop": "shop-copy"}`."""

    existing: Existing = Existing.FAIL
    """An object that the target has already, with other content: fail before anything is written, skip it, update it
    to the backup's content, or recreate it."""

    existing_kinds: dict[str, Existing] = {}
    """What to do with existing objects of these kinds instead, for example `{"secrets": "skip"}`; a kind goes by any
    of its names."""

    owned: Owned = Owned.REBUILD
    """An object that its controller would make again: rebuild leaves it to that controller, keep restores it too."""

    no_rewrite: list[str] = []
    """What not to rewrite when namespaces are renamed: classes (`dns`, `setting`...), or globs of places such as
    `ConfigMap shop/notes /data/*`."""

    identities: list[NoSecret] = []
    """Paths of files of secret keys that open an encrypted backup: of age, or SSH."""

    absent: dict[BindingKind, Absent] = {}
    """What to do where the target has no new value for an address or uid of the old cluster, by its class, for example
    `{"pod-ip": "drop"}`; without a word the restore fails and names the place and the look-ups."""

    wait: bool = True
    """Wait after each level until its objects are ready."""

    wait_seconds: Annotated[int, Field(ge=1, le=86400)] = 300
    """Longest time to wait for one level to become ready, in seconds."""


class RestoreOptions(Manner, Selection):
    """What to restore, and where to; without namespaces all that the backup holds."""

    model_config = ConfigDict(json_schema_extra=either("backup", "resume"))

    backup: OptionalName = ""
    """Name of the backup; empty only with `resume`, which knows it."""

    name: OptionalName = ""
    """Name of this restore; empty: made from the backup's name and the time."""

    resume: OptionalName = ""
    """Name of a restore that was cut off: go on with what is missing. It keeps its own options, but for the place."""

    modify: Modifications = Modifications()
    """What to modify on the way: labels, replicas, hosts, and patches with conditions."""

    approve: bool = False
    """Before anything is written, pause with the plan as an artifact, and go on only when a person approves it."""

    approve_seconds: Annotated[int, Field(ge=1, le=604800)] = 3600
    """Longest time to wait for approval, in seconds; then the restore fails."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.backup) == bool(self.resume):
            raise ValueError("name a BACKUP, or a restore to --resume")
        if self.approve and self.resume:
            raise ValueError("--approve goes with a new restore: one that is resumed has begun already")
        return self


class UndoOptions(Place):
    """Which restore to take back, and where."""

    restore: OptionalName
    """Name of the restore."""

    force_finalizers: bool = False
    """Take finalizers off objects that do not go in time: what those wait for is then left undone."""

    wait_seconds: Annotated[int, Field(ge=1, le=86400)] = 60
    """Longest time for the objects of one level to go, in seconds; namespaces get four times as long."""

    identities: list[NoSecret] = []
    """Paths of files of secret keys that open what a restore of an encrypted backup has kept: of age, or SSH."""


class DeleteOptions(Where):
    """Which group to delete: that of a bundle, or all that has some labels."""

    bundle: OptionalName = ""
    """Name of the bundle, which is that of its restore; empty with `selector`."""

    namespaces: list[NamespaceName] = []
    """Namespaces: those of the bundle (empty: it is looked for), or those in which labels are asked for."""

    selector: str = ""
    """All objects with these labels, for example `app=web`, instead of those of a bundle."""

    dry_run: bool = False
    """Only tell what would go, in which order, and who needs it."""

    expect: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""
    """The `digest` that a dry run answered: delete that very group, and nothing when it is another one by now."""

    force_finalizers: bool = False
    """Take finalizers off objects that do not go in time: what those wait for is then left undone."""

    wait_seconds: Annotated[int, Field(ge=1, le=86400)] = 120
    """Longest time to wait for the objects of one level to go, in seconds."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.bundle) == bool(self.selector.strip()):
            raise ValueError("name a bundle, or labels with --selector")
        if self.selector and not self.namespaces:
            raise ValueError("--selector needs the namespaces in which to delete: name them with -n")
        return self

    @property
    def what(self) -> str:
        """Return what is deleted, in words."""
        return f"bundle {self.bundle}" if self.bundle else self.selector
