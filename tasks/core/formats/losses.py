"""What a backup or a restore did not keep as it was: a code, an object, a place, and the sentence, which is made here.

Codes are stored in manifests and journals and shown by `-o json`: a code never changes once it is in use.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Self

from kubeferry.tasks.core.formats.records import StrictModel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.kube.objects import Ref


class LossCode(StrEnum):
    """The kind of a loss; programs compare this, never the sentence."""

    PROBLEM = "problem"
    """What a run could not do, or could not check."""
    NOT_READY = "not-ready"
    LEFT_OUT = "left-out"
    """An object that is not in the backup, or not restored."""
    WARNING = "warning"
    """Needed and excluded, or given to others."""
    DIFFERENT = "different"
    """An object of the target that was there before, or that was not simply created."""
    REWRITTEN = "rewritten"
    STATUS_LEFT = "status-left"
    """The status of a custom resource is not restored."""
    STATUS_REFUSED = "status-refused"
    """The target refuses a status that is to be restored."""
    FINALIZER_LEFT = "finalizer-left"
    OTHER_VERSION = "other-version"
    """A custom resource was not read in its storage version, and has the same fields in the one that was read."""
    FIELDS_OF_VERSION = "fields-of-version"
    """The same, and its storage version has fields that the one that was read may lack."""
    STORAGE_UNKNOWN = "storage-version-unknown"
    VERSION_CHANGED = "version-changed"
    """Written in another version than it was saved in, with the same fields."""
    PRUNED = "pruned"
    """A field that the target does not keep."""
    CHANGED_BY_TARGET = "changed-by-target"
    """A value that the target changed while it created the object."""
    NOT_CARRIED = "not-carried"
    """An object from outside of the namespaces that has to do with them, and is not in the backup or not restored."""
    COPY_LIMITED = "copy-limited"
    """A copy beside the original, which does less."""
    NO_NAMESPACE = "no-namespace"
    """An object of another namespace, which the target does not have."""
    NO_ROLE = "no-role"
    """A binding in another namespace to a role that the target does not have."""
    NOT_ALLOWED = "not-allowed"
    """Something that decides what the cluster accepts or serves, which these credentials may not create."""
    NOT_LOOKED_AT = "not-looked-at"
    """Objects that could not be listed, so that it is not known whether they have to do with the namespaces."""
    REQUEST_GIVEN_UP = "request-given-up"
    """The author asked for exactly this address, port or family, and the target cannot grant it."""
    REQUEST_NOT_KEPT = "request-not-kept"
    """As before, but the original has it, or nothing says that its author needs this one."""
    DEFAULT_CLASS = "default-class"
    """A class that is the default of its source comes without being the default of the target."""
    RECLAIM_RETAINED = "reclaim-retained"
    """A static volume comes with the reclaim policy Retain."""
    SOURCE_DROPPED = "data-source-dropped"
    """A bound claim is saved without the source that it was filled from."""
    CONTENTS_NOT_SAVED = "contents-not-saved"
    """What is in a volume is not in the backup."""
    COMES_BACK_EMPTY = "comes-back-empty"
    """A claim is provisioned anew, and has nothing in it."""
    NO_PODS = "no-pods"
    """A workload that had pods has none until somebody does something."""
    NEW_REVISION = "new-revision"
    """Pods that were kept at an older revision of their workload come with the newest one."""
    BEGINS_AGAIN = "begins-again"
    """A Job that has done a part of its work does all of it again."""
    MADE_BY_CONTROLLER = "made-by-controller"
    """Its controller made it first, from its own template, and what differs cannot be changed."""
    REFUSED = "refused"
    """The target refuses the object, and the restore went on without it."""
    NEEDS_REFUSED = "needs-refused"
    """It needs an object that is not restored because the target refuses it."""
    AT_REST = "at-rest"
    """An object that was asked to be restored at rest (--at-rest), and how to wake it up."""
    BESIDE_ORIGINAL = "beside-original"
    """An object that competes with one of the target: for a host, an identity, a name in configuration."""
    STILL_NAMES = "still-names"
    """A place that still names the namespace by its old name, in a restore under another one."""


WEIGHTY: frozenset[LossCode] = frozenset(
    {
        LossCode.PROBLEM,
        LossCode.STATUS_REFUSED,
        LossCode.FIELDS_OF_VERSION,
        LossCode.PRUNED,
        LossCode.CHANGED_BY_TARGET,
        LossCode.NO_ROLE,
        LossCode.NOT_ALLOWED,
        LossCode.REQUEST_GIVEN_UP,
        LossCode.NO_PODS,
        LossCode.NEW_REVISION,
        LossCode.MADE_BY_CONTROLLER,
        LossCode.REFUSED,
        LossCode.NEEDS_REFUSED,
    }
)
"""Losses with which a run is Partial; with the others it is Completed, and they are listed."""

OF_OUTSIDE = frozenset({LossCode.NOT_CARRIED, LossCode.NOT_LOOKED_AT})
"""Losses about objects from outside of the namespaces: nobody hears of them who asked for none."""

_TEXTS: dict[LossCode, str] = {
    LossCode.STATUS_LEFT: "its status is left: its controller writes a new one (a restore writes it with --status)",
    LossCode.STATUS_REFUSED: "its status cannot be restored: {detail}",
    LossCode.FINALIZER_LEFT: "left without finalizer {detail}",
    LossCode.OTHER_VERSION: "its objects were read in {detail}, which is the storage version and not served",
    LossCode.FIELDS_OF_VERSION: "its objects were read in {detail}",
    LossCode.STORAGE_UNKNOWN: "this definition could not be read: its objects were read in {detail}, which may lack "
    "fields of the storage version",
    LossCode.VERSION_CHANGED: "was saved in {detail}: the cluster does not serve the version that was saved",
    LossCode.PRUNED: "the cluster does not keep this field",
    LossCode.CHANGED_BY_TARGET: "the cluster changed this value when the object was created (a webhook, an admission "
    "policy or another admission plugin)",
    LossCode.NOT_CARRIED: "is not carried: {detail}",
    LossCode.COPY_LIMITED: (
        "is a copy beside the original: it judges only what is in {detail}, not cluster-wide objects, and the "
        "certificate of its Service must be valid there"
    ),
    LossCode.NO_NAMESPACE: "is not restored: the target has no namespace {detail}",
    LossCode.NO_ROLE: "is not restored: namespace {detail} of the target does not have the role that it gives",
    LossCode.NOT_ALLOWED: "is not restored: these credentials may not create {detail}",
    LossCode.NOT_LOOKED_AT: "could not be looked at: {detail}",
    LossCode.REQUEST_GIVEN_UP: "given up: {detail}",
    LossCode.REQUEST_NOT_KEPT: "not kept: {detail}",
    LossCode.NO_PODS: "makes no pods: {detail} (kubectl rollout resume starts it)",
    LossCode.NEW_REVISION: "its pods come with its newest template: {detail}",
    LossCode.BEGINS_AGAIN: "begins again: it had completed {detail}",
    LossCode.MADE_BY_CONTROLLER: "its controller made it first, and it stays so: {detail}",
    LossCode.REFUSED: "is not restored: {detail}",
    LossCode.NEEDS_REFUSED: "is not restored: it needs {detail}, which is not restored either",
    LossCode.DEFAULT_CLASS: "comes without being the default: {detail}",
    LossCode.RECLAIM_RETAINED: "comes with reclaim policy Retain in place of {detail}: a static volume is not deleted"
    " with its claim",
    LossCode.SOURCE_DROPPED: "saved without its source, {detail}: the claim was filled from it before, and a restore"
    " would wait for it",
    LossCode.CONTENTS_NOT_SAVED: "contents of its volume are not saved ({detail})",
    LossCode.STILL_NAMES: "still names {detail}",
    LossCode.COMES_BACK_EMPTY: "comes back empty ({detail}): contents of volumes are not in a backup",
}
"""Code → the sentence, in which `{detail}` is the detail."""


class Loss(StrictModel):
    """One thing that is not as it was."""

    object: str
    """The object: `Service shop/web`; of what is restored, as it is called on the target."""
    path: str = ""
    """JSON pointer of the field; "" for the object as a whole."""
    code: str
    """A `LossCode`, or one of a newer Kubeferry."""
    why: str
    """The sentence, without the object and the path: for people, never parsed; it quotes no content of an object."""

    @classmethod
    def of(cls, what: Ref | str, code: LossCode, detail: str = "", *, path: str = "") -> Self:
        """Return a loss of an object, or of what a text names; `detail` are names for the sentence."""
        why = _TEXTS.get(code, "{detail}").replace("{detail}", detail)
        return cls(object=str(what), path=path, code=code.value, why=why)

    @property
    def weighty(self) -> bool:
        """Return whether a run with it is Partial."""
        return self.code in WEIGHTY

    @property
    def place(self) -> str:
        """Return the object, and the path if it is about a field."""
        return f"{self.object} {self.path}" if self.path else self.object


def weighty(losses: Iterable[Loss]) -> bool:
    """Return whether a run with these losses is Partial."""
    return any(each.weighty for each in losses)


def by_weight(losses: Iterable[Loss]) -> list[Loss]:
    """Return the losses as they are shown: those of weight first, what every restore has last."""
    usual = (LossCode.REWRITTEN, LossCode.LEFT_OUT)
    return sorted(losses, key=lambda each: (not each.weighty, each.code in usual, each.object, each.path))


def without_repetition(losses: Iterable[Loss]) -> list[Loss]:
    """Return the losses in order, each once."""
    return sorted(set(losses), key=lambda each: (each.object, each.path, each.code, each.why))
