"""What the rules of renaming share: their classes, what is known about the backup, and what to skip.

`RULES` lists all classes; each rewrite names its class, and each class can be switched off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.transform.rename.dns_names import Hosts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Place

_FEW = 16

RULES: Mapping[str, str] = {
    "subject": "subject of a RoleBinding or ClusterRoleBinding",
    "selector": "selector of namespaces by kubernetes.io/metadata.name",
    "service": "Service of a webhook, an APIService or a CRD's conversion",
    "field": "field that the API defines as a namespace",
    "reference": "namespace beside the name of an object, in a custom resource or a text",
    "namespaces": "namespace under a key that means nothing else, in a custom resource or a text",
    "annotation": "annotation that holds a namespace",
    "setting": "flag, environment variable or setting that holds a namespace",
    "path": "path of the Kubernetes API or of a node's logs, in a text",
    "query": "selector, query or expression about a namespace, in a text",
    "account": "service account's user name or SPIFFE id",
    "dns": "DNS name of a Service or Pod",
    "host": "host name of a Service of the backup, svc.namespace",
    "helm": "Helm's record of its release",
}
"""Every class of rewrites and its description, as shown in the plan (`why`).

`metadata.namespace`, the Namespace's own name, and the name of a ClusterRoleBinding's copy are always rewritten and are
not listed. `reference` and all below it are found only if `Known` is given.
"""


@dataclass(frozen=True, slots=True)
class Known:
    """Names of the backup's objects and Services by namespace, and the cluster domains."""

    objects: Mapping[str, frozenset[str]] = field(default_factory=dict)
    services: Mapping[str, frozenset[str]] = field(default_factory=dict)
    domains: frozenset[str] = frozenset({"cluster.local"})
    names: frozenset[str] = field(init=False, repr=False)
    """The names of all objects."""

    def __post_init__(self) -> None:
        """Collect the names."""
        object.__setattr__(self, "names", frozenset().union(*self.objects.values()))

    @classmethod
    def of(cls, members: Iterable[tuple[str, str, str]], domains: Iterable[str] = ("cluster.local",)) -> Known:
        """Return the names of a backup's members, each (group resource such as `services`, namespace, name)."""
        objects: dict[str, set[str]] = {}
        services: dict[str, set[str]] = {}
        for resource, namespace, name in members:
            objects.setdefault(namespace, set()).add(name)
            if resource == "services":
                services.setdefault(namespace, set()).add(name)
        return cls(_frozen(objects), _frozen(services), frozenset(domains))

    def has(self, namespace: Any, name: Any) -> bool:
        """Return whether an object of that name is in that namespace of the backup."""
        texts = isinstance(namespace, str) and isinstance(name, str)
        return texts and name in self.objects.get(namespace, ())


def _frozen(sets: dict[str, set[str]]) -> dict[str, frozenset[str]]:
    return {key: frozenset(value) for key, value in sets.items()}


@lru_cache(maxsize=16)
def _whole_word(names: tuple[str, ...]) -> re.Pattern[str] | None:
    words = "|".join(map(re.escape, names))
    return re.compile(rf"(?<![\w./:-])(?:{words})(?![\w.:-])", re.ASCII) if len(names) <= _FEW else None


@dataclass(frozen=True, slots=True)
class Skip:
    """What not to rewrite: classes of `RULES`, and globs of places.

    A glob is matched (`*` matches slashes, case-sensitive) against the JSON pointer of the field, such as `/data/*`,
    and against object and pointer, such as `ConfigMap shop/notes /data/*`.
    """

    rules: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an unknown class.

        Raises:
            UsageError: the message lists the known classes.
        """
        for unknown in sorted(self.rules - RULES.keys()):
            raise UsageError(f"unknown class of rewrites {unknown!r}; the classes are {', '.join(RULES)}")

    def leaves(self, what: str, pointer: str, rule: str) -> bool:
        """Return whether a rewrite of `rule` at `pointer` of the object `what` is switched off."""
        texts = (pointer, f"{what} {pointer}")
        return rule in self.rules or any(fnmatchcase(each, glob) for glob in self.paths for each in texts)


@dataclass(frozen=True, slots=True)
class Hit:
    """One place to rewrite: the part of the object there becomes `value`; the plan shows `old` and `new`."""

    at: Place
    rule: str
    old: str
    new: str
    value: Any


@dataclass(frozen=True, slots=True)
class Case:
    """The input of every rule: the namespaces to rename (old to new, never to themselves) and what is known."""

    names: Mapping[str, str]
    known: Known
    hosts: Hosts
    """Decides which names in a text are rewritten."""

    @classmethod
    def of(cls, names: Mapping[str, str], known: Known) -> Case:
        """Return the case of renaming `names` in a backup with the `known` names."""
        return cls(names, known, Hosts(names, known.services, known.domains))

    @property
    def whole_word(self) -> re.Pattern[str] | None:
        """Return what finds a renamed namespace as a word of its own; None for too many to look for at once."""
        return _whole_word(tuple(self.names))

    def whole(self, at: Place, value: Any, rule: str) -> Hit | None:
        """Return the hit of a field whose whole value is a namespace to rename, if it is one."""
        if not isinstance(value, str) or value not in self.names:
            return None
        new = self.names[value]
        return Hit(at, rule, value, new, new)
