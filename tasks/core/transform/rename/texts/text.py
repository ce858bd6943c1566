"""Find namespaces in any string of an object: names of hosts and accounts, documents, settings, paths and queries.

The object's own name, its apiVersion and kind, and keys of maps stay: other objects refer to them. So does all that is
in a definition but its conversion: all namespaces share it. A field called `name` keeps the name of an object of the
backup. For a Secret the plan shows the namespace and not the name around it: the text next to it may be secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.confidential import is_secret, may_show
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED
from kubeferry.tasks.core.kube.objects import type_of
from kubeferry.tasks.core.kube.strings import leaves
from kubeferry.tasks.core.needs.cluster_scoped import CRD
from kubeferry.tasks.core.transform.rename.classes import Case, Hit
from kubeferry.tasks.core.transform.rename.dns_names import may_name, replaced, uses
from kubeferry.tasks.core.transform.rename.keys import means_host
from kubeferry.tasks.core.transform.rename.texts.documents import in_documents
from kubeferry.tasks.core.transform.rename.texts.phrases import phrases

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object, Place
    from kubeferry.tasks.core.kube.strings import Leaf
    from kubeferry.tasks.core.transform.rename.dns_names import Use

NOT_HOSTS = frozenset({"labels", "matchLabels", "selector", "nodeSelector", "apiVersion", "kind", "resourceNames"})
"""Maps and fields in which a bare `svc.ns` is the name of something else."""


def texts(obj: Object, case: Case, taken: Collection[Place], leaves_out: Callable[[Place, str], bool]) -> Iterator[Hit]:
    """Yield the strings of `obj` to rewrite, except those at `taken`, which a stronger rule has taken.

    A string with several uses is one hit for each, all with the final string. `leaves_out` returns whether a class is
    switched off at a place; it is asked before the string is built, because it may hold uses of several classes.
    """
    secret, definition = is_secret(obj), type_of(obj) == CRD
    for leaf in leaves(obj):
        if not may_name(leaf.text, case.hosts) or leaf.at in taken or _is_own_name(leaf.at):
            continue
        if definition and leaf.at[:2] != ("spec", "conversion"):
            continue
        found = [use for use in _uses(obj, leaf, case) if not leaves_out(leaf.at, use.rule)]
        if found:
            value = leaf.written(replaced(leaf.text, found, case.names))
            for rule, old, new in dict.fromkeys(_shown(leaf, use, case, secret=secret) for use in found):
                yield Hit(leaf.at, rule, old, new, value)


def _uses(obj: Object, leaf: Leaf, case: Case) -> list[Use]:
    key = key_of(obj, leaf.at)
    last = next((step for step in reversed(leaf.at) if isinstance(step, str)), "")
    names = not means_host(last) and (last == "name" or last.endswith(("Name", "Names")))
    if (names or last == "resourceNames") and leaf.text in case.known.names:
        return []
    if NOT_HOSTS.intersection(str(step) for step in leaf.at):
        key = ""
    return in_text(leaf.text, case, key, image=last == "image")


def in_text(text: str, case: Case, key: str = "", *, image: bool = False) -> list[Use]:
    """Return what names a namespace in a text with the name `key`, in order and apart.

    Of two that overlap, a document's value is taken first, then a host's or an account's name.
    """
    if not may_name(text, case.hosts):
        return []
    if image:
        return list(uses(text, case.hosts, image=True))
    hosts = list(uses(text, case.hosts, key=key))
    return _apart([*in_documents(text, case), *hosts, *phrases(text, case, key)])


def _apart(found: Iterable[Use]) -> list[Use]:
    kept: dict[int, Use] = {}
    for use in found:
        kept.setdefault(use.start, use)
    apart: list[Use] = []
    for use in sorted(kept.values(), key=lambda each: each.start):
        if not apart or use.start >= apart[-1].end:
            apart.append(use)
    return apart


def key_of(obj: Any, at: Place) -> str:
    """Return the name under which a string stands.

    Its field's; of a variable or a header (`{name, value}`) the name beside it; of a word of a command the flag before.
    """
    above = obj
    for step in at[:-1]:
        above = above[step]
    last = at[-1]
    if last == "value" and isinstance(above, dict):
        name = above.get("name", above.get("key"))
        return name if isinstance(name, str) else ""
    if isinstance(last, int):
        before = above[last - 1] if last else ""
        if isinstance(before, str) and before.startswith("-") and "=" not in before:
            return "host" if before == "-h" else before.lstrip("-")
        return next((step for step in reversed(at) if isinstance(step, str)), "")
    return last


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
