"""What is asked to be done with existing objects, kind by kind, and what credentials must allow for it.

A kind goes by any of its names, as everywhere. It refuses to choose where two words are said of one kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.kube.resources import words_of
from kubeferry.tasks.core.models.options import Existing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.core.models.options import RestoreOptions

VERBS = ("create", "get", "list", "watch")
"""What a restore does with every object: make it, look at one that is there, wait for it, read it back."""

MORE_VERBS = {Existing.UPDATE: ("patch",), Existing.RECREATE: ("delete",)}
"""What it may do besides with one in a namespace that is there with other content."""


def mode_of(kind: ResourceType, options: RestoreOptions) -> Existing:
    """Return what to do with existing objects of a type: what is said of its kind, else of all.

    A kind goes by any of its names; one with its group counts more than one without.
    """
    kinds = options.existing_kinds
    words = [word for word in kinds if _is(kind, word)]
    return kinds[max(words, key=lambda word: ("." in word, word))] if words else options.existing


def kind_faults(types: Iterable[ResourceType], kinds: Mapping[str, Existing]) -> list[str]:
    """Return what is wrong with what was said of kinds, a line each: an unknown name, or two words for one kind."""
    known = list(types)
    faults = [
        f"--existing {word}={mode.value}: the cluster knows no kind {word}, and the backup defines none"
        for word, mode in sorted(kinds.items())
        if not any(_is(kind, word) for kind in known)
    ]
    for kind in known if kinds else ():
        said = {
            grouped: sorted(word for word in kinds if ("." in word) is grouped and _is(kind, word))
            for grouped in (True, False)
        }
        words = said[True] or said[False]
        if len({kinds[word] for word in words}) > 1:
            faults.append(f"--existing says two things of {kind.group_resource}: {', '.join(words)}")
    return faults


def advice(kind: ResourceType) -> str:
    """Return what a person may say about an object that cannot be updated."""
    lost = ", and deletes its volume unless that is retained" if kind.group_resource == "persistentvolumeclaims" else ""
    return (
        f"--existing recreate, or for this kind --existing {kind.group_resource}=recreate, makes it anew{lost}; "
        "=skip leaves it"
    )


def verbs(ref: Ref, existing: Existing) -> tuple[str, ...]:
    """Return what credentials must allow with an object's type, for a restore to do with it what `decide` may say."""
    if not ref.namespace:
        return VERBS
    if (ref.group, ref.kind) == ("", "ServiceAccount"):
        return (*VERBS, "patch")
    return (*VERBS, *MORE_VERBS.get(existing, ()))


def _is(kind: ResourceType, word: str) -> bool:
    return word.lower() in words_of(kind.group, kind.kind, (kind.resource, *kind.names))
