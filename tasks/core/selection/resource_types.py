"""Which types a backup reads: those of which objects may be asked for, and those of which something may be needed.

The types that a backup reads beside those it is asked for: what its namespaces refer to, and who owns an address.

Whether to read many namespaces at once: one LIST of a type for all of the cluster, or one for each namespace.

A request costs a round trip and some milliseconds of an API server, an object that is read in vain some microseconds.
All of a cluster is read where that saves most of the requests and not most of the objects are read in vain.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.resources import ResourceType, Words, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.selection.selector import Selector


@dataclass(frozen=True, slots=True)
class TypeChoice:
    """Which types of a cluster are read.

    Of the types in `read`, those in `followed` cannot have objects that are asked for: they are read because what is
    asked for may need something of them. `excluded` are the (group, kind) that are not read whoever needs them.
    """

    read: tuple[ResourceType, ...]
    followed: frozenset[ResourceType]
    excluded: frozenset[tuple[str, str]]


def words_for(kind: ResourceType) -> Words:
    """Return all that a user may call a type, as discovery tells it."""
    return words_of(kind.group, kind.kind, (kind.resource, *kind.names))


def choose_types(types: Iterable[ResourceType], selector: Selector) -> TypeChoice:
    """Return the types to read for what is asked for; of the cluster-wide ones, a caller takes what it can use.

    Raises:
        UsageError: a kind that no type has: a typing error must not make a backup silently smaller.
    """
    words = {each: words_for(each) for each in types}
    _check(selector, frozenset[str]().union(*words.values()))
    read = [each for each, called in words.items() if not called & selector.not_kinds]
    followed = frozenset(each for each in read if not selector.may_select(words[each]))
    if selector.only:
        read = [each for each in read if each not in followed or not each.namespaced]
    excluded = frozenset((each.group, each.kind) for each, called in words.items() if called & selector.not_kinds)
    return TypeChoice(tuple(read), followed, excluded)


def asks_by_kind(selector: Selector) -> bool:
    """Return whether only objects of kinds that are named are asked for, so that no unknown kind can be meant."""
    return bool(selector.kinds) or (bool(selector.names) and all(name.kind for name in selector.names))


def _check(selector: Selector, known: Words) -> None:
    for word in sorted(selector.asked_kinds - known):
        near = get_close_matches(word, known, 1)
        hint = f": is it {near[0]}?" if near else ""
        raise UsageError(f"the cluster serves no kind {word!r} that a backup can hold{hint}")
    check_namespaces(selector)


def check_namespaces(selector: Selector) -> None:
    """Refuse to exclude namespaces as objects: what stands in one needs it.

    Raises:
        UsageError: that is asked for; the message tells by what it is done.
    """
    excluded = selector.not_kinds | {name.kind for name in selector.not_names}
    if excluded & words_of(*NAMESPACE, ("namespaces", "ns")):
        raise UsageError("namespaces are not excluded as objects: leave some out with --exclude-namespace")


NAMESPACES = ResourceType("", "v1", "Namespace", "namespaces", namespaced=False, names=frozenset({"namespace", "ns"}))
"""The type of namespaces themselves."""

RELATED = frozenset(
    {
        ("", "persistentvolumes"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("networking.k8s.io", "ingressclasses"),
        ("node.k8s.io", "runtimeclasses"),
        ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ("rbac.authorization.k8s.io", "clusterroles"),
        ("scheduling.k8s.io", "priorityclasses"),
        ("storage.k8s.io", "storageclasses"),
    }
)
"""Cluster-scoped types of which a backup carries what its namespaces need (design.md 4)."""

INDEXED = frozenset(
    {
        ("", "pods"),
        ("", "services"),
        ("apps", "replicasets"),
        ("networking.k8s.io", "ingresses"),
        ("gateway.networking.k8s.io", "gateways"),
    }
)
"""Namespaced types that are read whatever is chosen: addresses and owners of addresses that saved objects may name."""

INDEXED_EVERYWHERE = frozenset({("", "nodes"), ("", "services")})
"""Types that are read in all of the cluster: what a namespace names may stand outside it."""


FEW = 4
"""Up to so many namespaces are read each on their own: two rounds of lists side by side."""

SHARE = 4
"""All of the cluster is read where at least one of so many of its namespaces is asked for."""


def list_cluster_wide(asked: int, there: int | None) -> bool:
    """Return whether `asked` namespaces of `there` are read by lists of all of the cluster; None is not known."""
    return there is not None and asked > FEW and asked * SHARE >= there
