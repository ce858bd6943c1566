"""What the status of a workload says of its progress, and what neither its spec nor another object says.

Statuses are not saved, so a backup keeps this apart, among the links of the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.objects import type_of

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object

PREVIOUS = "previous"
"""The progress of a DaemonSet whose pods are of an older revision, which its status does not name."""


def progress(obj: Object) -> str:
    """Return what the status of a live object says about its progress and nothing else does; "" if that is nothing.

    Of a StatefulSet whose older pods stay it is the name of their ControllerRevision, of such a DaemonSet `previous`,
    of a Job that has begun `3 of 5`. It is stored in the links of a backup.
    """
    match type_of(obj):
        case ("apps", "StatefulSet") if _holds_back(obj):
            now, new = (get(obj, "status", each) for each in ("currentRevision", "updateRevision"))
            return now if isinstance(now, str) and now != new else ""
        case ("apps", "DaemonSet") if _on_delete(obj):
            behind = _number(obj, "status", "updatedNumberScheduled") < _number(obj, "status", "desiredNumberScheduled")
            return PREVIOUS if behind else ""
        case ("batch", "Job"):
            done, wanted = _number(obj, "status", "succeeded"), get(obj, "spec", "completions")
            return f"{done} of {wanted}" if isinstance(wanted, int) and 0 < done < wanted else ""
    return ""


def _on_delete(obj: Object) -> bool:
    return bool(get(obj, "spec", "updateStrategy", "type") == "OnDelete")


def _holds_back(obj: Object) -> bool:
    return _on_delete(obj) or _number(obj, "spec", "updateStrategy", "rollingUpdate", "partition") > 0


def _number(obj: Object, *path: str) -> int:
    value = get(obj, *path)
    return value if isinstance(value, int) else 0
