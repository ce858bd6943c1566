"""Rewrite references to namespaces when a restore renames them: each change is listed, and nothing is guessed.

All places are found in the original object, each by the first rule that matches it, and replaced at once: names may be
swapped. classes.py lists the classes of rules, `RULES`; a word that happens to be a namespace's name stays. The
ClusterRoleBinding of a renamed namespace becomes a copy with its own name, so that the clone's accounts have their
permissions and the original's binding does not change; so do other objects from outside of it (copies.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from sys import intern
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.formats.records import Rewrite
from kubeferry.tasks.core.jsondoc.edit import EACH, Object, change, found
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED, as_kubectl, parsed
from kubeferry.tasks.core.kube.objects import Ref, annotations_of, type_of
from kubeferry.tasks.core.kube.strings import ENCODED, decoded, pointer, put
from kubeferry.tasks.core.needs.references.fields import RBAC
from kubeferry.tasks.core.transform.rename.api_fields import NAMESPACE_AT, SELECTOR_VALUES_AT, fields
from kubeferry.tasks.core.transform.rename.classes import RULES, Case, Hit, Known, Skip
from kubeferry.tasks.core.transform.rename.copies import WEBHOOKS, as_copy, copy_name, limited
from kubeferry.tasks.core.transform.rename.custom_resources import custom
from kubeferry.tasks.core.transform.rename.helm import is_release, release
from kubeferry.tasks.core.transform.rename.texts.settings import annotated, settings
from kubeferry.tasks.core.transform.rename.texts.text import texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Place
    from kubeferry.tasks.core.transform.rename.also import Also

__all__ = ["NAMESPACE_AT", "SELECTOR_VALUES_AT", "Known", "Renamed", "Skip", "rename"]

_WHY = {rule: f"namespace renamed: {text}" for rule, text in RULES.items()}

_SPELLED = ("system:serviceaccounts:", "system:serviceaccount:")
_ALL = Skip()
_NO_COPIES: Mapping[Ref, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Renamed:
    """An object with its new names, and each reference that was rewritten."""

    obj: Object
    rewrites: tuple[Rewrite, ...] = field(default=())
    unread: str = ""
    """Why names in it stay that cannot be read, "" if there are none."""


def rename(
    obj: Object,
    names: Mapping[str, str],
    *,
    known: Known | None = None,
    skip: Skip = _ALL,
    copies: Mapping[Ref, str] = _NO_COPIES,
    also: Also | None = None,
) -> Renamed:
    """Return `obj` with namespaces renamed by `names` (old to new; others keep their names).

    With the names `known` from the backup, references in custom resources, annotations, settings and strings are found
    too; without it only the fields that the API defines as a namespace. `skip` excludes some of them. `copies` are the
    objects from outside of the namespaces that get a new name (copies.py). `also` are places that the user names.
    """
    moved = {old: new for old, new in names.items() if old != new}
    if not moved:
        return Renamed(obj)
    if not copies and also is None and not _may_name(obj, moved):
        return Renamed(_identity(obj, moved, bound=False))
    hits, unread = _hits(obj, moved, known, skip, copies)
    renamed = _put(obj, hits, moved, copies)
    what = str(Ref.of(obj)) if hits else ""
    rewrites = tuple(_rewrite(what, hit) for hit in hits)
    if also:
        renamed, more = also.renamed(renamed, Ref.of(obj), {(each.path, each.new) for each in rewrites})
        rewrites += tuple(more)
    return Renamed(_last_applied(renamed, obj["metadata"], names, known, skip, copies, also), rewrites, unread)


def _may_name(obj: Object, moved: Mapping[str, str]) -> bool:
    """Return whether an object may name a namespace at all, other than its own as its own: most do not.

    A name of a namespace is the same in JSON, and in a text inside JSON: it has no character that is escaped.
    """
    meta, kind = obj["metadata"], type_of(obj)
    # What is compressed in a release, and encoded in an annotation, is not seen here.
    if kind in WEBHOOKS or is_release(obj) or LAST_APPLIED in annotations_of(obj):
        return True
    try:
        text = orjson.dumps(obj)
    except TypeError:  # numbers or characters that only Python's own JSON supports
        return True
    own = (meta.get("namespace"), meta["name"] if kind == ("", "Namespace") else None)
    if any(text.count(old.encode()) > own.count(old) for old in moved):
        return True
    hidden = obj.get(ENCODED.get(kind, ""))  # base64
    inside = (decoded(value) for value in hidden.values()) if isinstance(hidden, dict) else ()
    return any(old in each for each in inside if each for old in moved)


def _hits(
    obj: Object,
    moved: Mapping[str, str],
    known: Known | None,
    skip: Skip,
    copies: Mapping[Ref, str],
    *,
    inner: bool = False,
) -> tuple[list[Hit], str]:
    """Return the places to rewrite, each taken by the first rule that matches it, even if that rule is switched off.

    And why the record of a release is not rewritten. An object that is `inner` is part of one, and none itself.
    """
    what, case = str(Ref.of(obj)), Case.of(moved, known or Known())

    def left(at: Place, rule: str) -> bool:
        return skip is not _ALL and skip.leaves(what, pointer(at), rule)

    def again(each: Object) -> Object:
        return _put(each, _hits(each, moved, known, skip, copies, inner=True)[0], moved, copies)

    claimed: dict[Place, Hit] = {}
    of_helm, unread = release(obj, case, again) if known and not inner else ([], "")
    for hit in chain(_whole(obj, case), of_helm) if known else fields(obj, case):
        claimed.setdefault(hit.at, hit)
    in_text = texts(obj, case, claimed.keys(), left) if known else ()
    return [*(hit for hit in claimed.values() if not left(hit.at, hit.rule)), *in_text], unread


def _put(obj: Object, hits: list[Hit], moved: Mapping[str, str], copies: Mapping[Ref, str]) -> Object:
    renamed = as_copy(put(obj, {hit.at: hit.value for hit in hits}), copies)
    if type_of(obj) in WEBHOOKS:
        return _own_webhooks(renamed, {hit.new for hit in hits if hit.rule == "service"})
    return _identity(renamed, moved, bound=any(hit.at[0] == "subjects" for hit in hits))


def _own_webhooks(obj: Object, spaces: set[str]) -> Object:
    """Return the copy of a webhook configuration that calls Services of renamed namespaces."""
    if not spaces:
        return obj
    meta = obj["metadata"]
    return limited(obj | {"metadata": meta | {"name": copy_name(meta["name"], spaces)}}, spaces)


def _whole(obj: Object, case: Case) -> Iterator[Hit]:
    """Yield the places whose whole value is known to be a namespace, from the strongest rule to the weakest."""
    for rule in (fields, annotated, custom, settings):
        yield from rule(obj, case)


def _rewrite(what: str, hit: Hit) -> Rewrite:
    return Rewrite(
        object=what, path=intern(pointer(hit.at)), old=hit.old, new=hit.new, why=_WHY[hit.rule], rule=hit.rule
    )


def _identity(obj: Object, moved: Mapping[str, str], *, bound: bool) -> Object:
    meta = obj["metadata"]
    kind = type_of(obj)
    if kind == ("", "Namespace"):
        return obj | {"metadata": meta | {"name": moved.get(meta["name"], meta["name"])}}
    if kind == (RBAC, "ClusterRoleBinding") and bound:
        return obj | {"metadata": meta | {"name": _own_name(obj, moved)}}
    if meta.get("namespace") in moved:
        return obj | {"metadata": meta | {"namespace": moved[meta["namespace"]]}}
    return obj


def _own_name(obj: Object, moved: Mapping[str, str]) -> str:
    """Return the name of a binding's copy: the old name and the namespaces that it now serves."""
    served = {str(value) for _, value in found(obj, ("subjects", EACH, "namespace"))} & set(moved.values())
    spelled = {_spelled(value)[1] for _, value in found(obj, ("subjects", EACH, "name"))} & set(moved.values())
    return "-".join([obj["metadata"]["name"], *sorted(served | spelled)])


def _spelled(name: Any) -> tuple[str, str, str]:
    """Split a subject's name into the part before the namespace, the namespace ("" for none), and the rest."""
    for prefix in _SPELLED if isinstance(name, str) else ():
        if name.startswith(prefix):
            namespace, colon, account = name.removeprefix(prefix).partition(":")
            return prefix, namespace, colon + account
    return "", "", ""


def _last_applied(
    obj: Object,
    before: dict[str, Any],
    names: Mapping[str, str],
    known: Known | None,
    skip: Skip,
    copies: Mapping[Ref, str],
    also: Also | None,
) -> Object:
    """Rename inside kubectl's annotation too, else the next `kubectl apply` treats the new names as a change."""
    applied = parsed(annotations_of(obj).get(LAST_APPLIED))
    if applied is None or not _same(applied, obj, before):
        return obj
    renamed = rename(applied, names, known=known, skip=skip, copies=copies, also=also).obj
    if renamed is applied:
        return obj
    return change(obj, ("metadata", "annotations", LAST_APPLIED), lambda _: as_kubectl(renamed))


def _same(applied: Object, obj: Object, before: dict[str, Any]) -> bool:
    """Return whether `applied` is what kubectl wrote for `obj`, and not a copied annotation of another object."""
    meta = applied["metadata"]
    there = meta.get("namespace", before.get("namespace"))  # kubectl omits the namespace if its user did
    return (type_of(applied), meta.get("name"), there) == (type_of(obj), before["name"], before.get("namespace"))
