"""Which resource types a backup reads, and whether with a cluster-wide LIST or one for each namespace.

A backup reads the types of which objects may be selected, and those that selected objects may need: what namespaces
refer to, and owners of addresses. A request costs a round trip and some milliseconds of an API server, an object that
is read in vain some microseconds. All of a cluster is read if that saves most of the requests and most of the objects
are not read in vain.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.kube.kinds import NAMESPACE, is_built_in
from kubeferry.tasks.core.kube.resources import ResourceType, Words, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.selection.selector import Selector


@dataclass(frozen=True, slots=True)
class TypeChoice:
    """Which types of a cluster are read.

    Of the types in `read`, those in `followed` have no selected objects: they are read because selected objects may
    need one of them. `excluded` are the (group, kind) that are not read even if needed.
    """

    read: tuple[ResourceType, ...]
    followed: frozenset[ResourceType]
    excluded: frozenset[tuple[str, str]]


def words_for(kind: ResourceType) -> Words:
    """Return all names of a type that a user may write, from discovery."""
    return words_of(kind.group, kind.kind, (kind.resource, *kind.names))


def choose_types(types: Iterable[ResourceType], selector: Selector) -> TypeChoice:
    """Return the types to read for a selection; of the cluster-scoped ones, a caller takes what it can use.

    Raises:
        UsageError: a kind is unknown: a typing error must not silently make a backup smaller.
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
    """Return whether the selection names all its kinds, so that it cannot mean an unknown one."""
    return bool(selector.kinds) or (bool(selector.names) and all(name.kind for name in selector.names))


def _check(selector: Selector, known: Words) -> None:
    for word in sorted(selector.asked_kinds - known):
        near = get_close_matches(word, known, 1)
        hint = f": is it {near[0]}?" if near else ""
        raise UsageError(f"the cluster serves no kind {word!r} that a backup can hold{hint}")
    check_namespaces(selector)


def check_namespaces(selector: Selector) -> None:
    """Refuse to exclude namespaces as objects: the objects in them need them.

    Raises:
        UsageError: the selector excludes them; the message names the option to use.
    """
    excluded = selector.not_kinds | {name.kind for name in selector.not_names}
    if excluded & words_of(*NAMESPACE, ("namespaces", "ns")):
        raise UsageError("namespaces are not excluded as objects: use --exclude-namespace")


NAMESPACES = ResourceType("", "v1", "Namespace", "namespaces", namespaced=False, names=frozenset({"namespace", "ns"}))
"""The type of namespaces themselves."""

RELATED = frozenset(
    {
        ("", "persistentvolumes"),
        ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("apiregistration.k8s.io", "apiservices"),
        ("gateway.networking.k8s.io", "gatewayclasses"),
        ("networking.k8s.io", "ingressclasses"),
        ("node.k8s.io", "runtimeclasses"),
        ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ("rbac.authorization.k8s.io", "clusterroles"),
        ("scheduling.k8s.io", "priorityclasses"),
        ("storage.k8s.io", "storageclasses"),
    }
)
"""Cluster-scoped types of which a backup includes what its namespaces need, and what belongs to them."""

ELSEWHERE = frozenset(
    {
        ("gateway.networking.k8s.io", "referencegrants"),
        ("rbac.authorization.k8s.io", "rolebindings"),
        ("rbac.authorization.k8s.io", "roles"),
    }
)
"""Namespaced types of which a backup includes what other namespaces have for its namespaces."""

OPTIONAL = ELSEWHERE | {
    each for each in RELATED if each[0] in {"admissionregistration.k8s.io", "apiregistration.k8s.io"}
}
"""Types that tell who else has to do with the namespaces: without the right to list them that is not known, which is
reported, and the backup of the namespaces is complete all the same."""


def is_custom_wide(kind: ResourceType) -> bool:
    """Return whether a type is cluster-wide and may be that of custom resources, which an operator may have."""
    return not kind.namespaced and not is_built_in(kind.group) and (kind.group, kind.resource) not in RELATED


NAMED = frozenset(
    {
        ("certificates.k8s.io", "clustertrustbundles"),
        ("resource.k8s.io", "deviceclasses"),
        ("storage.k8s.io", "volumeattributesclasses"),
    }
)
"""Built-in cluster-scoped types of which a backup reads only what its objects name."""


def read_by_name(kind: ResourceType) -> bool:
    """Return whether a backup reads of a type what its objects name, and nothing else.

    So it is with cluster-scoped custom kinds. There may be a hundred types of them, and thousands of objects that no
    namespace needs.
    """
    key = (kind.group, kind.resource)
    return not kind.namespaced and key not in RELATED and (key in NAMED or is_custom_wide(kind))


INDEXED = frozenset(
    {
        ("", "pods"),
        ("", "services"),
        ("apps", "replicasets"),
        ("networking.k8s.io", "ingresses"),
        ("gateway.networking.k8s.io", "gateways"),
    }
)
"""Namespaced types that are always read: addresses, and owners of addresses, that backed-up objects may name."""

INDEXED_EVERYWHERE = frozenset({("", "nodes"), ("", "services")})
"""Types that are read cluster-wide: objects may refer to other namespaces."""


FEW = 4
"""Up to this many namespaces are read one by one: two rounds of parallel lists."""

SHARE = 4
"""All of the cluster is read if at least one in this many of its namespaces is selected."""


def list_cluster_wide(asked: int, there: int | None) -> bool:
    """Return whether to read `asked` of `there` namespaces with cluster-wide lists; `there` is None if unknown."""
    return there is not None and asked > FEW and asked * SHARE >= there
