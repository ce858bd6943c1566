"""Which objects `helm install --wait` would wait for in vain: they are ready to Kubernetes' users, and not to Helm.

Helm 4 asks kstatus (sigs.k8s.io/cli-utils). To it, a claim that waits for its first Pod and a suspended Job are in
progress for ever. Such an object has a switch in the values, which is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.claims import class_of
from kubeferry.tasks.core.kube.objects import type_of
from kubeferry.tasks.core.needs.references.fields import POD_SPEC_AT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref

JOB, CLAIM, CLASS = ("batch", "Job"), ("", "PersistentVolumeClaim"), ("storage.k8s.io", "StorageClass")


def never_ready(not_ready: Mapping[Ref, str], refs: Iterable[Ref], body: Callable[[Ref], Object]) -> dict[Ref, str]:
    """Return what Helm would wait for in vain, with the reason.

    Args:
        not_ready: what was not ready when it was backed up, with the reason.
        refs: the objects of the chart.
        body: returns one of them.
    """
    by_kind: dict[tuple[str, str], list[Ref]] = {}
    for ref in refs:
        by_kind.setdefault((ref.group, ref.kind), []).append(ref)
    found = {ref: f"it was not ready in the source: {why}" for ref, why in not_ready.items()}
    for ref in by_kind.get(JOB, []):
        if get(body(ref), "spec", "suspend") is True:
            found[ref] = "it is suspended"
    late = {ref.name for ref in by_kind.get(CLASS, []) if body(ref).get("volumeBindingMode") == "WaitForFirstConsumer"}
    workloads = [(ref, body(ref)) for kind in POD_SPEC_AT for ref in by_kind.get(kind, [])]
    used = {name for _, obj in workloads for name in _claims(obj)}
    templates = tuple(f"{name}-{ref.name}-" for ref, obj in workloads for name in _templates(obj))
    for ref in by_kind.get(CLAIM, []):
        lazy = class_of(body(ref)) in late
        if lazy and ref.name not in used and not ref.name.startswith(templates):
            found[ref] = "no Pod uses it, and its class waits for the first one"
    return found


def _claims(obj: Object) -> list[Any]:
    volumes = get(obj, *POD_SPEC_AT[type_of(obj)].split("."), "volumes")
    return [get(each, "persistentVolumeClaim", "claimName") for each in volumes] if isinstance(volumes, list) else []


def _templates(obj: Object) -> list[Any]:
    templates = get(obj, "spec", "volumeClaimTemplates")
    return [get(each, "metadata", "name") for each in templates] if isinstance(templates, list) else []
