"""Which permissions a backup and a restore need, whether RBAC grants them, and the verdict on missing ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.formats.target.bundle import BUNDLES, RIGHTS
from kubeferry.tasks.core.formats.target.lease import LEASE_VERBS, LEASES
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.ops.health import Finding
from kubeferry.tasks.core.plan.existing import VERBS
from kubeferry.tasks.core.selection.exclusions import type_left_out
from kubeferry.tasks.core.selection.resource_types import ELSEWHERE, INDEXED_EVERYWHERE, RELATED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NAMESPACES = ResourceType("", "v1", "Namespace", "namespaces", namespaced=False)
ACCOUNTS = ("", "serviceaccounts")

SHOWN = 8
"""Most missing permissions in a message, which adds the number of others."""

BACKUP = (
    "allow this account to get and list them, else backups are Partial, or do not know what other namespaces have for "
    "these; or exclude these kinds (--exclude)"
)
RESTORE = "only for restores into this cluster: allow this account to do that"


@dataclass(frozen=True, order=True, slots=True)
class Right:
    """One permission; without a namespace: in all namespaces, or cluster-scoped."""

    verb: str
    kind: ResourceType
    namespace: str = ""

    def __str__(self) -> str:
        """Return it as text for people."""
        return f"{self.verb} {self.kind.group_resource}" + (f" in {self.namespace}" if self.namespace else "")


def for_backup(types: Iterable[ResourceType], namespaces: Sequence[str]) -> list[Right]:
    """Return the permissions for a backup of namespaces; without any, of all of them."""
    known = list(types)
    wide = [each for each in known if (each.group, each.resource) in RELATED | ELSEWHERE | INDEXED_EVERYWHERE]
    chosen = namespaces or [""]
    inside = [Right("list", each, namespace) for each in _backed_up(known) for namespace in chosen]
    return sorted({Right("get", NAMESPACES), *(Right("list", each) for each in wide), *inside})


def for_restore(types: Iterable[ResourceType], namespaces: Sequence[str]) -> list[Right]:
    """Return the permissions for a restore into namespaces; without any, into all of them."""
    known = list(types)
    wide = [each for each in known if (each.group, each.resource) in RELATED]
    return sorted(
        {
            *(Right(verb, NAMESPACES) for verb in ("create", "get")),
            *(Right(verb, each) for each in wide for verb in ("create", "get")),
            *(right for namespace in namespaces or [""] for right in _inside(known, namespace)),
        }
    )


def _inside(known: Sequence[ResourceType], namespace: str) -> Iterator[Right]:
    for each in _backed_up(known):
        patched = ("patch",) if (each.group, each.resource) == ACCOUNTS else ()
        yield from (Right(verb, each, namespace) for verb in (*VERBS, *patched))
    yield from (Right(verb, LEASES, namespace) for verb in LEASE_VERBS)
    yield from (Right(verb, kind, namespace) for verb, kind in RIGHTS)


def _backed_up(types: Iterable[ResourceType]) -> list[ResourceType]:
    return [each for each in types if each.namespaced and not type_left_out(each.group, each.resource, each.verbs)]


def gives(rules: Iterable[Mapping[str, Any]], right: Right) -> bool:
    """Return whether a rule of a SelfSubjectRulesReview grants a permission for objects of any name."""
    wanted, _, part = right.kind.resource.partition("/")
    resources = {right.kind.resource, "*"} | ({f"*/{part}"} if part and wanted else set())
    return any(
        not rule.get("resourceNames")
        and {right.verb, "*"} & {*(rule.get("verbs") or ())}
        and {right.kind.group, "*"} & {*(rule.get("apiGroups") or ())}
        and resources & {*(rule.get("resources") or ())}
        for rule in rules
    )


def to_back_up(asked: Sequence[Right], missing: Sequence[Right], absent: Sequence[str]) -> Finding:
    """Return the verdict on the permissions for a backup; `absent` are requested namespaces that do not exist."""
    if not missing:
        found = f"all {len(asked)} permissions are granted"
        if absent:
            todo = "nothing to back up there; a restore creates it"
            return Finding.warning(f"{found}; namespace {', '.join(absent)} does not exist", todo)
        return Finding.ok(found)
    found = f"may not {_shown(missing)}"
    readable = {each for each in asked if each.verb == "list"} - {*missing}
    blocked = not readable or Right("get", NAMESPACES) in missing
    return Finding.failed(found, BACKUP) if blocked else Finding.warning(found, BACKUP)


def to_restore(asked: Sequence[Right], missing: Sequence[Right]) -> Finding:
    """Return the verdict on the permissions for a restore; backups need none of them."""
    if not missing:
        return Finding.ok(f"all {len(asked)} permissions are granted")
    hint = "; --no-bundle needs no bundles" if any(each.kind.group == BUNDLES.group for each in missing) else ""
    return Finding.warning(f"may not {_shown(missing)}", f"{RESTORE}{hint}")


def _shown(missing: Sequence[Right]) -> str:
    """Return missing permissions, grouped by verb and namespace."""
    places: dict[tuple[str, str], list[str]] = {}
    for each in missing[:SHOWN]:
        places.setdefault((each.verb, each.namespace), []).append(each.kind.group_resource)
    found = "; ".join(
        f"{verb} {', '.join(kinds)}" + (f" in {at}" if at else "") for (verb, at), kinds in places.items()
    )
    more = len(missing) - SHOWN
    return f"{found} and {more} more" if more > 0 else found
