"""What a CRD defines: its kind, the versions that it serves, the type under which its objects are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.jsondoc.edit import values
from kubeferry.tasks.core.kube.resources import ResourceType

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object


def defined(definition: Object) -> ResourceType:
    """Return the type that a CRD defines, in the first version that it serves.

    Raises:
        DamagedError: it is no CRD, or serves nothing.
    """
    versions = served(definition)
    try:
        spec = definition["spec"]
        texts = (spec["group"], versions[0], spec["names"]["kind"], spec["names"]["plural"])
        namespaced = spec["scope"] == "Namespaced"
        "".join(texts)  # refuses what is no text
    except (KeyError, TypeError, IndexError) as error:
        raise DamagedError(f"CustomResourceDefinition {definition['metadata']['name']} defines no kind") from error
    return ResourceType(*texts, namespaced)


def names_defined(definition: Object) -> tuple[tuple[str, str], tuple[str, ...]]:
    """Return the (group, kind) that a CRD defines, and what else it calls that kind: plural, singular, short names.

    Raises:
        DamagedError: it is no CRD, or serves nothing.
    """
    kind = defined(definition)
    short = values(definition, "spec.names.shortNames[]")
    names = (kind.resource, *values(definition, "spec.names.singular"), *short)
    return (kind.group, kind.kind), tuple(name for name in names if isinstance(name, str))


def served(definition: Object) -> list[str]:
    """Return the names of the versions that a CRD serves.

    Raises:
        DamagedError: it is no CRD.
    """
    try:
        return [each["name"] for each in definition["spec"]["versions"] if each["served"]]
    except (KeyError, TypeError) as error:
        raise DamagedError(f"CustomResourceDefinition {definition['metadata']['name']} has no versions") from error
