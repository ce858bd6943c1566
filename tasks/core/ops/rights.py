"""Which rights a backup and a restore need, whether RBAC rules give them, and the verdict on those that are missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.formats.bundle import BUNDLES, RIGHTS
from kubeferry.tasks.core.formats.lease import LEASE_VERBS, LEASES
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.ops.health import Finding
from kubeferry.tasks.core.plan.existing import VERBS
from kubeferry.tasks.core.selection.exclusions import type_left_out
from kubeferry.tasks.core.selection.resource_types import INDEXED_EVERYWHERE, RELATED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NAMESPACES = ResourceType("", "v1", "Namespace", "namespaces", namespaced=False)
ACCOUNTS = ("", "serviceaccounts")

SHOWN = 8
"""Missing rights that are told, besides how many more there are."""

BACKUP = "let a role of this account get and list them, else backups are Partial; or leave these kinds out (--exclude)"
RESTORE = "only for restores into this cluster: let a role of this account do that"


@dataclass(frozen=True, order=True, slots=True)
class Right:
    """One thing that credentials may have to be allowed; without a namespace: everywhere, or cluster-wide."""

    verb: str
    kind: ResourceType
    namespace: str = ""

    def __str__(self) -> str:
        """Return it as a person reads it."""
        return f"{self.verb} {self.kind.group_resource}" + (f" in {self.namespace}" if self.namespace else "")


def for_backup(types: Iterable[ResourceType], namespaces: Sequence[str]) -> list[Right]:
    """Return what a backup of namespaces asks for; without any, of all of them."""
    known = list(types)
    wide = [each for each in known if (each.group, each.resource) in RELATED | INDEXED_EVERYWHERE]
    spaces = namespaces or [""]
    inside = [Right("list", each, space) for each in _carried(known) for space in spaces]
    return sorted({Right("get", NAMESPACES), *(Right("list", each) for each in wide), *inside})


def for_restore(types: Iterable[ResourceType], namespaces: Sequence[str]) -> list[Right]:
    """Return what a restore into namespaces may ask for; without any, into all of them."""
    known = list(types)
    wide = [each for each in known if (each.group, each.resource) in RELATED]
    return sorted(
        {
            *(Right(verb, NAMESPACES) for verb in ("create", "get")),
            *(Right(verb, each) for each in wide for verb in ("create", "get")),
            *(right for space in namespaces or [""] for right in _inside(known, space)),
        }
    )


def _inside(known: Sequence[ResourceType], space: str) -> Iterator[Right]:
    for each in _carried(known):
        patched = ("patch",) if (each.group, each.resource) == ACCOUNTS else ()
        yield from (Right(verb, each, space) for verb in (*VERBS, *patched))
    yield from (Right(verb, LEASES, space) for verb in LEASE_VERBS)
    yield from (Right(verb, kind, space) for verb, kind in RIGHTS)


def _carried(types: Iterable[ResourceType]) -> list[ResourceType]:
    return [each for each in types if each.namespaced and not type_left_out(each.group, each.resource, each.verbs)]


def gives(rules: Iterable[Mapping[str, Any]], right: Right) -> bool:
    """Return whether one of the rules of a SelfSubjectRulesReview gives a right for objects of any name."""
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
    """Return the verdict on the rights of a backup; `absent` are asked namespaces that are not there."""
    if not missing:
        told = f"all {len(asked)} are given"
        if absent:
            todo = "nothing to back up there; a restore makes it"
            return Finding.warning(f"{told}; namespace {', '.join(absent)} is not there", todo)
        return Finding.ok(told)
    told = f"may not {_shown(missing)}"
    readable = {each for each in asked if each.verb == "list"} - {*missing}
    blocked = not readable or Right("get", NAMESPACES) in missing
    return Finding.failed(told, BACKUP) if blocked else Finding.warning(told, BACKUP)


def to_restore(asked: Sequence[Right], missing: Sequence[Right]) -> Finding:
    """Return the verdict on the rights of a restore; who only backs up needs none of them."""
    if not missing:
        return Finding.ok(f"all {len(asked)} are given")
    hint = "; --no-bundle does without bundles" if any(each.kind.group == BUNDLES.group for each in missing) else ""
    return Finding.warning(f"may not {_shown(missing)}", f"{RESTORE}{hint}")


def _shown(missing: Sequence[Right]) -> str:
    """Return missing rights, those of one verb and place together."""
    places: dict[tuple[str, str], list[str]] = {}
    for each in missing[:SHOWN]:
        places.setdefault((each.verb, each.namespace), []).append(each.kind.group_resource)
    told = "; ".join(f"{verb} {', '.join(kinds)}" + (f" in {at}" if at else "") for (verb, at), kinds in places.items())
    more = len(missing) - SHOWN
    return f"{told} and {more} more" if more > 0 else told
