"""The options of the flows backup, restore, undo and delete: pydantic models, which Prefect's UI shows as forms.

They hold names only, never a secret: Prefect stores the parameters of every run.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from kubeferry.tasks.core.jsondoc.duration import OPTIONAL as SPAN
from kubeferry.tasks.core.jsondoc.duration import UNTIL
from kubeferry.tasks.core.lookup.bindings import Kind as BindingKind
from kubeferry.tasks.core.lookup.substitute import Absent
from kubeferry.tasks.core.models.forms import FormModel, either, in_order, title
from kubeferry.tasks.core.models.modifications import Modifications
from kubeferry.tasks.core.models.rewriting import RewriteRule
from kubeferry.tasks.core.models.secret_free import NoSecret
from kubeferry.tasks.core.models.sources import SourceName

NamespaceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
"""A DNS label (RFC 1123), as Kubernetes requires for namespaces."""

OptionalName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$")]


BundleName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][-a-z0-9]{0,62}/[a-z0-9][-a-z0-9.]{0,252})?$")]
"""NAMESPACE/NAME of a Bundle, or nothing."""


class _Options(FormModel):
    model_config = ConfigDict(field_title_generator=title, json_schema_extra=in_order)


class Where(_Options):
    """A cluster, by its context in this machine's kubeconfig."""

    context: str = ""
    """Context of the kubeconfig; empty: its current context, or the pod's own cluster."""

    kubeconfig: str = ""
    """Path of the kubeconfig; empty: KUBECONFIG, or the user's default."""


class Place(Where):
    """A cluster and a store."""

    store: str = ""
    """file:///folder or s3://bucket/prefix?endpoint=...&region=...; empty: a folder in the user's data directory."""


class ClusterWide(StrEnum):
    """What to do with objects from outside of the namespaces: cluster-wide, or of other namespaces."""

    CARRY = "carry"
    REPORT = "report"
    """They are listed as not carried."""
    NONE = "none"


class Choosing(_Options):
    """Which objects: an object must match all criteria, and an excluded object stays excluded."""

    namespaces: list[NamespaceName] = []
    """Namespaces, by name."""

    namespace_selector: str = ""
    """Additionally the namespaces with these labels, for example `team=shop`."""

    exclude_namespace: list[str] = []
    """Exclude these namespaces, even if they match a selector; `*`, `?` and `[...]` are wildcards."""

    selector: str = ""
    """Only objects with these labels, for example `app=web`, and what they need."""

    annotation_selector: str = ""
    """Only objects with these annotations, in the same syntax, and what they need."""

    include: list[str] = []
    """Only these kinds, for example `deployments.apps`, and what they need."""

    exclude: list[str] = []
    """Exclude these kinds, even if other objects need them."""

    include_name: list[str] = []
    """Only objects of these names, `NAME` or `KIND/NAME`, for example `deployments/web`, and what they need; `*`, `?`
    and `[...]` are wildcards."""

    exclude_name: list[str] = []
    """Exclude the objects of these names, in the same syntax, even if other objects need them."""

    only: bool = False
    """Only the selected objects, without what they need."""

    cluster_wide: ClusterWide = ClusterWide.CARRY
    """Objects from outside of the namespaces that they need, that refer to them or belong to their operators: carry
    them, report them without carrying them, or neither."""


class Selection(Choosing, Place):
    """Which objects, and where."""


class BackupOptions(Selection):
    """What to back up: one or more namespaces into one backup, at one point in time."""

    all_namespaces: bool = False
    """All namespaces except Kubernetes' own (`kube-*`), which must be named."""

    name: OptionalName = ""
    """Name of the backup; empty: generated from the namespace and the time."""

    keep_completed_jobs: bool = False
    """Include completed Jobs."""

    encrypt_to: list[NoSecret] = []
    """Encrypt it: age recipients (`age1...`), SSH public keys, or paths of files with them. Velero cannot read the
    backup."""

    ttl: Annotated[str, StringConstraints(pattern=SPAN)] = ""
    """How long the backup is kept, for example `30d`, `12h` or `720h0m0s`; then prune removes it, and so does
    Velero."""

    lock_until: Annotated[str, StringConstraints(pattern=UNTIL)] = ""
    """Lock its files in a bucket with Object Lock, for example `30d` or `2027-01-31` (UTC): until then nobody can
    delete them, nor can prune."""


class Existing(StrEnum):
    """What to do with an object that exists on the target with other content."""

    FAIL = "fail"
    SKIP = "skip"
    UPDATE = "update"
    RECREATE = "recreate"


class Owned(StrEnum):
    """What to do with objects that their controller would re-create."""

    REBUILD = "rebuild"
    KEEP = "keep"


class Subjects(StrEnum):
    """Who gets the rights of a restored ClusterRoleBinding on another cluster, or under a new name."""

    RESTORED = "restored"
    ALL = "all"


class BundleMode(StrEnum):
    """What the bundle of a restore is to the objects that it created."""

    LIST = "list"
    OWN = "own"
    NONE = "none"


def _mode(value: object) -> object:
    # Until there were modes, a bundle owned what was created, and could be switched off.
    return {True: BundleMode.OWN, False: BundleMode.NONE}[value] if isinstance(value, bool) else value


class Finalizers(StrEnum):
    """Which finalizers of controllers outside of Kubernetes are given back."""

    AUTO = "auto"
    KEEP = "keep"
    DROP = "drop"


class OnFailure(StrEnum):
    """What happens when the target refuses an object, or a restore fails."""

    ROLLBACK = "rollback"
    CONTINUE = "continue"
    """What is refused is left out with all that needs it, and the rest is restored."""
    STOP = "stop"
    """What was done stays, and the restore can be resumed or undone."""


class Manner(_Options):
    """How to restore: the options of a restore, and of flows that start many restores."""

    on_failure: OnFailure = OnFailure.ROLLBACK
    """If the target refuses an object or the restore fails: roll back its changes; continue without what is refused
    and what needs it; or stop and leave everything as it is."""

    rollback_on_failure: bool = False
    """Roll back what is not ready in time, too: otherwise it stays and is reported."""

    bundle: Annotated[BundleMode, BeforeValidator(_mode)] = BundleMode.LIST
    """Create a bundle in each namespace that lists the created objects, or one that owns them, so that deleting it
    deletes them, or none."""

    map: dict[NamespaceName, NamespaceName] = {}
    """Namespaces to rename, old to new name, for example `{"shop": "shop-copy"}`."""

    existing: Existing = Existing.FAIL
    """If an object exists on the target with other content: fail before anything is written, skip it, update it to the
    backup's content, or recreate it."""

    existing_kinds: dict[str, Existing] = {}
    """What to do with existing objects of these kinds instead, for example `{"secrets": "skip"}`; any name of a kind is
    accepted."""

    owned: Owned = Owned.REBUILD
    """An object that its controller would re-create: rebuild leaves it to the controller, keep restores it too."""

    no_rewrite: list[str] = []
    """What not to rewrite when namespaces are renamed: classes (`dns`, `setting`...), or globs of places such as
    `ConfigMap shop/notes /data/*`."""

    rewrite_also: list[str] = []
    """What to rewrite also, of what still names a renamed namespace: classes (`word`, `base64`, `url`, `key`), or globs
    of places such as `ConfigMap shop/notes /data/*`."""

    rewrite_rules: list[RewriteRule] = []
    """What to rewrite also, by kinds, places and the text around the name."""

    identities: list[NoSecret] = []
    """Paths of files with secret keys (age or SSH) for an encrypted backup."""

    encrypt_to: list[NoSecret] = []
    """Encrypt what is kept of objects that the restore changes: age recipients (`age1...`), SSH public keys, or paths
    of files with them; empty: as the backup is."""

    allow_plain: bool = False
    """Restore a backup that is not encrypted, although identities or recipients are given."""

    allow_pruned: bool = False
    """Restore objects with fields that the target's kinds do not have, and would drop, without these fields: each is
    reported, and the restore is Partial. By default it fails before anything is written."""

    absent: dict[BindingKind, Absent] = {}
    """What to do if the target has no new value for an address or uid of the source cluster, by its class, for example
    `{"pod-ip": "drop"}`; by default the restore fails and names the place and the look-ups."""

    allow_sources: list[SourceName] = []
    """Objects of other namespaces that annotations for values (`apply-time-mutation`) may read, as they are on the
    target, for example `ConfigMap/bank/rates`; always allowed are objects that are restored with theirs."""

    subjects: Subjects = Subjects.RESTORED
    """On another cluster and under a new name, a ClusterRoleBinding gives rights to those of its subjects that are
    restored, or to all of them."""

    status: list[str] = []
    """Kinds whose status is restored, too, for example `["clusters.postgresql.cnpg.io"]`: of operators that keep their
    state in it."""

    finalizers: Finalizers = Finalizers.AUTO
    """Finalizers of controllers outside of Kubernetes, given back when their object is ready: auto gives back those
    that something on the target can remove, keep all, drop none."""

    at_rest: bool = False
    """Restore at rest: workloads without replicas, Jobs and CronJobs suspended, no load balancer; the result has the
    commands that wake them up."""

    wait: bool = True
    """Wait after each level until all of its objects are ready."""

    wait_seconds: Annotated[int, Field(ge=1, le=86400)] = 300
    """Longest time to wait for one level to become ready, in seconds."""

    @model_validator(mode="before")
    @classmethod
    def _of_a_switch(cls, asked: object) -> object:
        # Until there were modes, a restore that failed was rolled back or not.
        if not (isinstance(asked, dict) and "rollback" in asked):
            return asked
        if not isinstance(asked["rollback"], bool):
            raise PydanticCustomError("bool_parsing", "rollback is true or false")
        mode = OnFailure.ROLLBACK if asked["rollback"] else OnFailure.STOP
        return {"on_failure": mode} | {key: value for key, value in asked.items() if key != "rollback"}

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.rollback_on_failure and self.on_failure is not OnFailure.ROLLBACK:
            raise ValueError(f"--rollback-on-failure and --on-failure {self.on_failure.value} exclude each other")
        return self


class RestoreOptions(Manner, Selection):
    """What to restore, and where; without namespaces, everything in the backup."""

    model_config = ConfigDict(json_schema_extra=either("backup", "resume", "from_bundle"))

    backup: OptionalName = ""
    """Name of the backup; empty with `resume`. With `from_bundle`: the name by which its objects are kept."""

    from_bundle: BundleName = ""
    """Restore the objects that this Bundle of the cluster holds, NAMESPACE/NAME, instead of a backup."""

    name: OptionalName = ""
    """Name of this restore; empty: generated from the backup's name and the time."""

    resume: OptionalName = ""
    """Name of an interrupted restore to continue with its own options, except for the cluster and store."""

    modify: Modifications = Modifications()
    """What to modify: labels, replicas, hosts, and patches with conditions."""

    approve: bool = False
    """Before anything is written, pause with the plan as an artifact, and continue only after approval."""

    approve_seconds: Annotated[int, Field(ge=1, le=604800)] = 3600
    """Longest time to wait for approval, in seconds; then the restore fails."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.backup or self.from_bundle) == bool(self.resume):
            raise ValueError("name a BACKUP, a bundle with --from-bundle, or a restore to --resume")
        if self.approve and self.resume:
            raise ValueError("--approve goes with a new restore: a resumed one has already started")
        return self


class UndoOptions(Place):
    """Which restore to undo, and where."""

    restore: OptionalName
    """Name of the restore."""

    dry_run: bool = False
    """Only show what would be reverted."""

    expect: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""
    """Revert nothing unless it has this digest, which a dry run shows."""

    privileged: bool = False
    """Also revert RBAC, webhooks, admission policies, APIServices and definitions."""

    force: bool = False
    """Also revert what somebody changed since, and create again what is not there any more."""

    force_finalizers: bool = False
    """Remove the finalizers of objects that are not deleted in time: their cleanup is then skipped."""

    wait_seconds: Annotated[int, Field(ge=1, le=86400)] = 60
    """Longest time for the deletion of the objects of one level, in seconds; four times as long for namespaces."""

    identities: list[NoSecret] = []
    """Paths of files with secret keys (age or SSH) for the journal of a restore of an encrypted backup."""

    allow_plain: bool = False
    """Give back contents that were kept in the clear, although identities are given."""


class DeleteOptions(Where):
    """What to delete: the objects of a bundle, or all objects with some labels."""

    bundle: OptionalName = ""
    """Name of the bundle, which is the name of its restore; empty with `selector`."""

    namespaces: list[NamespaceName] = []
    """Namespaces of the bundle (empty: all are searched), or those in which labels are selected."""

    selector: str = ""
    """All objects with these labels, for example `app=web`, instead of those of a bundle."""

    dry_run: bool = False
    """Only show what would be deleted, in which order, and which objects need it."""

    expect: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""
    """The `digest` of a dry run: delete exactly those objects, and nothing if they have changed since."""

    force_finalizers: bool = False
    """Remove the finalizers of objects that are not deleted in time: their cleanup is then skipped."""

    wait_seconds: Annotated[int, Field(ge=1, le=86400)] = 120
    """Longest time to wait for the deletion of the objects of one level, in seconds."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.bundle) == bool(self.selector.strip()):
            raise ValueError("name a bundle, or labels with --selector")
        if self.selector and not self.namespaces:
            raise ValueError("--selector needs the namespaces in which to delete: name them with -n")
        return self

    @property
    def what(self) -> str:
        """Return a description of what is deleted."""
        return f"bundle {self.bundle}" if self.bundle else self.selector
