"""What a CRD defines: its kind, the versions that it serves, the type under which its objects are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core.errors import DamagedError
from tasks.core.resources import ResourceType

if TYPE_CHECKING:
    from tasks.core.objects import Object


def defined(definition: Object) -> ResourceType:
    """Return the type that a CRD defines, in the first version that it serves.

    Raises:
        DamagedError: it is no CRD, or serves nothing.
    """
    versions = served(definition)
    try:
        spec = definition["spec"]
        return ResourceType(
            spec["group"], versions[0], spec["names"]["kind"], spec["names"]["plural"], spec["scope"] == "Namespaced"
        )
    except (KeyError, TypeError, IndexError) as error:
        raise DamagedError(f"CustomResourceDefinition {definition['metadata']['name']} defines no kind") from error


def served(definition: Object) -> list[str]:
    """Return the names of the versions that a CRD serves.

    Raises:
        DamagedError: it is no CRD.
    """
    try:
        return [each["name"] for each in definition["spec"]["versions"] if each["served"]]
    except (KeyError, TypeError) as error:
        raise DamagedError(f"CustomResourceDefinition {definition['metadata']['name']} has no versions") from error
