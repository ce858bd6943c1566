"""Find namespaces in any string of an object: DNS names, hosts and service accounts, also in config text.

The object's own name, its apiVersion and kind, and keys of maps stay: other objects refer to them. A field called
`name` keeps the name of an object of the backup. For a Secret the plan shows the namespace and not the name around it:
the text next to it may be secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.confidential import is_secret, may_show
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED
from kubeferry.tasks.core.kube.strings import leaves
from kubeferry.tasks.core.transform.rename.classes import Case, Hit
from kubeferry.tasks.core.transform.rename.dns_names import Use, replaced, uses

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object, Place
    from kubeferry.tasks.core.kube.strings import Leaf

HOST_NAMES = frozenset(
    {
        "externalName",
        "hostName",
        "hostNames",
        "serverName",
        "serverNames",
        "dnsName",
        "dnsNames",
        "commonName",
        "domainName",
        "domainNames",
    }
)
"""Fields with `name` in their name that hold hosts."""

NOT_HOSTS = frozenset({"labels", "matchLabels", "selector", "nodeSelector", "apiVersion", "kind", "resourceNames"})
"""Maps and fields in which a bare `svc.ns` is the name of something else."""


def texts(obj: Object, case: Case, taken: Collection[Place], leaves_out: Callable[[Place, str], bool]) -> Iterator[Hit]:
    """Yield the strings of `obj` to rewrite, except those at `taken`, which a stronger rule has taken.

    A string with several uses is one hit for each, all with the final string. `leaves_out` returns whether a class is
    switched off at a place; it is asked before the string is built, because it may hold uses of several classes.
    """
    secret = is_secret(obj)
    for leaf in leaves(obj):
        if leaf.at not in taken and not _is_own_name(leaf.at):
            found = [use for use in _uses(leaf, case) if not leaves_out(leaf.at, use.rule)]
            if found:
                value = leaf.written(replaced(leaf.text, found, case.names))
                for rule, old, new in dict.fromkeys(_shown(leaf, use, case, secret=secret) for use in found):
                    yield Hit(leaf.at, rule, old, new, value)


def _uses(leaf: Leaf, case: Case) -> Iterator[Use]:
    key = next((step for step in reversed(leaf.at) if isinstance(step, str)), "")
    names = key not in HOST_NAMES and (key == "name" or key.endswith(("Name", "Names")))
    if (names or key == "resourceNames") and leaf.text in case.known.names:
        return iter(())
    whole = not names and not NOT_HOSTS.intersection(str(step) for step in leaf.at)
    return uses(leaf.text, case.hosts, whole=whole, image=key == "image")


def _shown(leaf: Leaf, use: Use, case: Case, *, secret: bool) -> tuple[str, str, str]:
    new = case.names[use.namespace]
    if secret and not may_show([str(step) for step in leaf.at]):
        return use.rule, use.namespace, new
    start, end = use.whole
    return use.rule, leaf.text[start:end], leaf.text[start : use.start] + new + leaf.text[use.end : end]


def _is_own_name(at: Place) -> bool:
    return (
        at[0] in ("apiVersion", "kind")
        or (at[0] == "metadata" and at[1] not in ("annotations", "labels"))
        or at == ("metadata", "annotations", LAST_APPLIED)
    )
