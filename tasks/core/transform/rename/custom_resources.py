"""Find namespaces in custom resources, whose schemas are unknown, by the shape of references only (shapes.py).

The status and the metadata of the resource itself are not looked at here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.transform.rename.api_fields import GATEWAY
from kubeferry.tasks.core.transform.rename.texts.shapes import visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.transform.rename.classes import Case, Hit


def custom(obj: Object, case: Case) -> Iterator[Hit]:
    """Yield the places of a custom resource that name a namespace; empty for Kubernetes' own kinds."""
    group = group_of(obj["apiVersion"])
    if is_built_in(group):
        return
    for key, value in obj.items():
        if key not in ("apiVersion", "kind", "metadata", "status") and not (group == GATEWAY and key != "spec"):
            yield from visit(value, (key,), case)
