"""The definitions of a cluster's custom resources, and in which version these are stored.

One LIST for all of them. Without the right to it, custom resources are read in the richest version that is served, by
the API server's OpenAPI documents, and that is a loss: what only the storage version has cannot be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError, InvalidError, NotFoundError, UnavailableError
from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.jsondoc.edit import Object, get
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.schemas.openapi import Schemas
from kubeferry.tasks.core.kube.schemas.structural import fields
from kubeferry.tasks.core.kube.schemas.versions import definition_of, reading, richest
from kubeferry.tasks.core.kube.strings import pointer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.kube.resources import Discovery, ResourceType
    from kubeferry.tasks.core.kube.schemas.versions import Reading
    from kubeferry.tasks.ports.cluster.client import Cluster

CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")

SHOWN = 5
"""Fields that a loss names; it says how many more there are."""


@dataclass(frozen=True)
class Stored:
    """What a server serves, custom resources in their storage version, and what is lost where that is not possible."""

    discovery: Discovery
    losses: dict[tuple[str, str], Loss]
    """(group, kind) → what objects of that kind may lack."""


def as_stored(cluster: Cluster, found: Discovery, groups: Iterable[str] = ()) -> Stored:
    """Return what `found` serves with custom resources in their storage version; `groups` are of aggregated servers."""
    custom = [each for each in found.types if not is_built_in(each.group) and each.group not in set(groups)]
    kind = found.by_kind(*CRD)
    if not custom or kind is None:
        return Stored(found, {})
    try:
        definitions = cluster.list(kind)
    except ForbiddenError:
        return _by_schemas(cluster, found, custom)
    return _by_definitions(found, custom, definitions)


def _by_definitions(found: Discovery, custom: list[ResourceType], definitions: list[Object]) -> Stored:
    defined = {(get(each, "spec", "group"), get(each, "spec", "names", "plural")): each for each in definitions}
    versions, losses = dict[tuple[str, str], str](), dict[tuple[str, str], Loss]()
    for each in custom:
        key, definition = (each.group, each.kind), defined.get((each.group, each.resource))
        if definition is None:
            continue  # of an aggregated API server, or defined a moment ago
        chosen = reading(definition_of(definition), found.versions[key])
        versions[key] = chosen.version
        if chosen.storage and chosen.version != chosen.storage:
            losses[key] = _loss(each, chosen)
    return Stored(found.reading(versions), losses)


def _loss(kind: ResourceType, chosen: Reading) -> Loss:
    both = f"version {chosen.version}"
    if not chosen.unread:
        return Loss.of(_named(kind), LossCode.OTHER_VERSION, f"{both}, not {chosen.storage}")
    names = [pointer(place).replace("/*", "/…") for place in chosen.unread]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    why = f"{both}, as their storage version {chosen.storage} is not served: without {', '.join(names[:SHOWN])}{more}"
    return Loss.of(_named(kind), LossCode.FIELDS_OF_VERSION, why)


def _named(kind: ResourceType) -> Ref:
    return Ref(*CRD, "", kind.group_resource)


def _by_schemas(cluster: Cluster, found: Discovery, custom: list[ResourceType]) -> Stored:
    versions, losses = dict[tuple[str, str], str](), dict[tuple[str, str], Loss]()
    for each in custom:
        key = (each.group, each.kind)
        served = found.versions[key]
        chosen = each.version
        if len(served) > 1:
            chosen = richest({name: _fields(cluster, f"{each.group}/{name}", each.kind) for name in served})
        versions[key] = chosen
        losses[key] = Loss.of(_named(each), LossCode.STORAGE_UNKNOWN, f"version {chosen}")
    return Stored(found.reading(versions), losses)


def _fields(cluster: Cluster, api_version: str, kind: str) -> frozenset[tuple[str | int, ...]]:
    try:
        schemas = Schemas(cluster.schemas(api_version))
    except (NotFoundError, ForbiddenError, InvalidError, UnavailableError):
        return frozenset()
    return fields(schemas.of_kind(api_version, kind))
