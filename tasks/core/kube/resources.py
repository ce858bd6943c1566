"""Resource types: those that an API server serves, from aggregated discovery, and those that a CRD defines.

KEP-3352 (aggregated discovery) defines the documents of `/api` and `/apis`: group by group, the preferred version
first. A group that the server marks `Stale` is reported as a problem, never skipped silently; a group without resources
does not count (a metrics adapter without metrics answers so).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kubeferry.tasks.core.errors import DamagedError, PermanentError
from kubeferry.tasks.core.jsondoc.edit import values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object


@dataclass(frozen=True, order=True, slots=True)
class ResourceType:
    """One resource type in one version.

    `resource` is the plural in URLs (`deployments`), `verbs` what the server supports, `subresources` such as `status`.
    """

    group: str
    version: str
    kind: str
    resource: str
    namespaced: bool
    verbs: frozenset[str] = field(default_factory=frozenset)
    subresources: frozenset[str] = field(default_factory=frozenset)
    names: frozenset[str] = field(default_factory=frozenset)

    @property
    def api_version(self) -> str:
        """Return the `apiVersion` of its objects: `apps/v1`, `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """Return the name of the type in archives and error messages: `deployments.apps`, `secrets`."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the URL path of a collection, an object or a subresource; every part is quoted.

        Raises:
            PermanentError: a part is `.` or `..`, which quoting leaves as it is, so the path would be another one.
        """
        if {".", ".."} & {namespace, name, subresource}:
            raise PermanentError(f"{self.group_resource}: no object is named '.' or '..'")
        parts = [f"apis/{self.group}" if self.group else "api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe=":")]
        parts += [self.resource, *(quote(part, safe=":") for part in (name, subresource) if part)]
        return "/" + "/".join(parts)


@dataclass(frozen=True)
class Discovery:
    """What an API server serves.

    `types` holds one entry per group and resource, in the preferred version if nothing else is said, `versions` all
    versions served of each (group, kind) with the preferred one first, `every` each type in each version by (group,
    resource, version), and `problems` maps an API group/version that could not be read to the reason.
    """

    types: tuple[ResourceType, ...]
    versions: Mapping[tuple[str, str], tuple[str, ...]]
    problems: Mapping[str, str]
    every: Mapping[tuple[str, str, str], ResourceType] = field(default_factory=dict)

    def by_kind(self, group: str, kind: str) -> ResourceType | None:
        """Return the type of (group, kind), or None if the server does not serve it."""
        return self._index.get((group, kind))

    def in_version(self, kind: ResourceType, version: str) -> ResourceType:
        """Return a type in another version: what it may be asked for there, if the server serves it."""
        return self.every.get((kind.group, kind.resource, version)) or replace(kind, version=version)

    def reading(self, versions: Mapping[tuple[str, str], str]) -> Discovery:
        """Return the same with the types of some (group, kind) in other versions than the preferred ones."""
        types = [self.in_version(each, versions.get((each.group, each.kind), each.version)) for each in self.types]
        return replace(self, types=tuple(sorted(types)))

    @cached_property
    def _index(self) -> dict[tuple[str, str], ResourceType]:
        return {(each.group, each.kind): each for each in reversed(self.types)}


def parse_discovery(documents: Iterable[dict[str, Any]]) -> Discovery:
    """Parse the aggregated discovery documents of `/api` and `/apis`.

    Raises:
        PermanentError: a document is of another kind, as before Kubernetes 1.27.
    """
    types: dict[tuple[str, str], ResourceType] = {}
    versions: dict[tuple[str, str], tuple[str, ...]] = {}
    problems: dict[str, str] = {}
    every: dict[tuple[str, str, str], ResourceType] = {}
    for document in documents:
        if not isinstance(document, dict) or document.get("kind") != "APIGroupDiscoveryList":
            raise PermanentError(
                "the API server does not support aggregated discovery: Kubernetes 1.27 or newer is required"
            )
        for group, version, problem, served in _versions(document):
            if problem:
                problems[f"{group}/{version}" if group else version] = problem
            for each in served:
                types.setdefault((each.group, each.resource), each)
                every[each.group, each.resource, version] = each
                key = (each.group, each.kind)
                versions[key] = (*versions.get(key, ()), version)
    return Discovery(tuple(sorted(types.values())), versions, problems, every)


def _versions(document: dict[str, Any]) -> list[tuple[str, str, str | None, list[ResourceType]]]:
    """Return (group, version, problem, types) of each group and version in one document."""
    try:
        return [
            (group, served["version"], _problem(served), list(_types(group, served["version"], served)))
            for item in document.get("items") or []
            for group in [(item.get("metadata") or {}).get("name") or ""]
            for served in item.get("versions") or []
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise PermanentError("the API server's discovery document is not as KEP-3352 defines") from error


def _problem(served: dict[str, Any]) -> str | None:
    if served.get("freshness") == "Stale":
        return "its API server does not answer (discovery says Stale)"
    return None


def _types(group: str, version: str, served: dict[str, Any]) -> Iterator[ResourceType]:
    for entry in served.get("resources") or []:
        kind = (entry.get("responseKind") or {}).get("kind")
        if not kind:  # subresources only, such as serviceaccounts/token of some aggregated API servers
            continue
        yield ResourceType(
            group=group,
            version=version,
            kind=kind,
            resource=entry["resource"],
            namespaced=entry.get("scope") == "Namespaced",
            verbs=frozenset(entry.get("verbs") or ()),
            subresources=frozenset(sub["subresource"] for sub in entry.get("subresources") or ()),
            names=frozenset([entry["resource"], entry.get("singularResource") or "", *(entry.get("shortNames") or ())])
            - {""},
        )


Words = frozenset[str]
"""All names that a user may give for a kind, in lower case: see `words_of`."""


def words_of(group: str, kind: str, others: Iterable[str] = ()) -> Words:
    """Return the names that a user may give for a kind; `others` are its plural, singular and short names."""
    words = {kind.lower(), *(each.lower() for each in others if each)}
    return frozenset(words | {f"{word}.{group.lower()}" for word in words if group})


def defined(definition: Object) -> ResourceType:
    """Return the resource type that a CRD defines, in the first version that it serves.

    Raises:
        DamagedError: it is not a CRD, or serves no version.
    """
    versions = served(definition)
    try:
        spec = definition["spec"]
        texts = (spec["group"], versions[0], spec["names"]["kind"], spec["names"]["plural"])
        namespaced = spec["scope"] == "Namespaced"
        "".join(texts)  # fails on anything but strings
    except (KeyError, TypeError, IndexError) as error:
        raise DamagedError(f"CustomResourceDefinition {definition['metadata']['name']} defines no kind") from error
    return ResourceType(*texts, namespaced)


def names_defined(definition: Object) -> tuple[tuple[str, str], tuple[str, ...]]:
    """Return the (group, kind) that a CRD defines, and its other names: plural, singular, short names.

    Raises:
        DamagedError: it is not a CRD, or serves no version.
    """
    kind = defined(definition)
    short = values(definition, "spec.names.shortNames[]")
    names = (kind.resource, *values(definition, "spec.names.singular"), *short)
    return (kind.group, kind.kind), tuple(name for name in names if isinstance(name, str))


def served(definition: Object) -> list[str]:
    """Return the names of the versions that a CRD serves.

    Raises:
        DamagedError: it is not a CRD.
    """
    try:
        return [each["name"] for each in definition["spec"]["versions"] if each["served"]]
    except (KeyError, TypeError) as error:
        raise DamagedError(f"CustomResourceDefinition {definition['metadata']['name']} has no versions") from error
