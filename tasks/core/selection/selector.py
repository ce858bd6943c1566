"""Which objects a user selects and excludes, by labels, annotations, kinds and names, with the reason.

An object must match all criteria, and an excluded object stays excluded even if another needs it. A kind goes by any of
its names, with or without its group: `deploy`, `Deployment`, `deployments.apps`. A name is `NAME` or `KIND/NAME`, with
shell wildcards: `web`, `deployments/web`, `secrets/tmp-*`. Namespaces have their own options (namespaces.py): the
objects in them need them, so they cannot be excluded here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import translate
from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Self

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.label_selectors import Requirement, parse_selector
from kubeferry.tasks.core.kube.objects import Ref, annotations_of, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import Words
    from kubeferry.tasks.core.models.options import Selection

WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Name:
    """One name to select; `kind` is "" for objects of any kind, else in lower case."""

    kind: str
    pattern: str

    @classmethod
    def parse(cls, text: str, option: str) -> Self:
        """Return `NAME` or `KIND/NAME` as a value.

        Raises:
            UsageError: it is neither; the message names `option`.
        """
        kind, slash, name = text.rpartition("/")
        if not name or bool(slash) != bool(kind) or "/" in kind or text != "".join(text.split()):
            raise UsageError(f"{option} {text[:80]!r}: write NAME or KIND/NAME, as deployments/web or 'secrets/tmp-*'")
        return cls(kind.lower(), name)

    @property
    def literal(self) -> bool:
        """Return whether it is one name without wildcards."""
        return not WILD.search(self.pattern)

    def matches(self, name: str, words: Words) -> bool:
        """Return whether it matches an object `name` of a kind that goes by `words`."""
        return (not self.kind or self.kind in words) and is_like(name, self.pattern)

    def __str__(self) -> str:
        """Return it as the user writes it."""
        return f"{self.kind}/{self.pattern}" if self.kind else self.pattern


def is_like(name: str, pattern: str) -> bool:
    """Return whether a name is `pattern`, or matches its wildcards `*`, `?` and `[…]`."""
    return name == pattern or _glob(pattern).match(name) is not None


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


@dataclass(frozen=True, slots=True)
class Selector:
    """The criteria of a selection; an empty one selects everything."""

    labels: tuple[Requirement, ...] = ()
    annotations: tuple[Requirement, ...] = ()
    kinds: Words = frozenset()
    names: tuple[Name, ...] = ()
    not_kinds: Words = frozenset()
    not_names: tuple[Name, ...] = ()
    only: bool = field(default=False)
    """Only selected objects are included, not what they need."""

    @classmethod
    def of(cls, asked: Selection) -> Self:
        """Return the selector of a flow's options.

        Raises:
            UsageError: a selector or a name cannot be read.
        """
        return cls(
            labels=parse_selector(asked.selector),
            annotations=parse_selector(asked.annotation_selector),
            kinds=frozenset(each.lower() for each in asked.include),
            names=tuple(Name.parse(each, "--include-name") for each in asked.include_name),
            not_kinds=frozenset(each.lower() for each in asked.exclude),
            not_names=tuple(Name.parse(each, "--exclude-name") for each in asked.exclude_name),
            only=asked.only,
        )

    @property
    def narrow(self) -> bool:
        """Return whether it selects some objects, so that others are included only if these need them."""
        return bool(self.labels or self.annotations or self.kinds or self.names)

    @property
    def given(self) -> bool:
        """Return whether it has any criteria or exclusions."""
        return self.narrow or bool(self.not_kinds or self.not_names)

    @property
    def asked_kinds(self) -> Words:
        """Return every word that names a kind."""
        named = {name.kind for name in (*self.names, *self.not_names) if name.kind}
        return self.kinds | self.not_kinds | named

    def why_not(self, ref: Ref, words: Words) -> str:
        """Return why an object is excluded, or ""; a namespace never is."""
        if (ref.group, ref.kind) == NAMESPACE:
            return ""
        if words & self.not_kinds:
            return "its kind is excluded"
        by = next((name for name in self.not_names if name.matches(ref.name, words)), None)
        return f"excluded by name {by}" if by else ""

    def why(self, obj: Object, words: Words) -> str:
        """Return why `obj`, of a kind that goes by `words`, is selected; "" if it is not."""
        ref = Ref.of(obj)
        if self.why_not(ref, words) or not all(met for _, met in self.met(obj, words)):
            return ""
        return self._reason(ref, words)

    def met(self, obj: Object, words: Words) -> Iterable[tuple[str, bool]]:
        """Yield each criterion as text, and whether `obj` matches it."""
        for each in self.labels:
            yield f"label {text_of(each)}", each.matches(labels_of(obj))
        for each in self.annotations:
            yield f"annotation {text_of(each)}", each.matches(annotations_of(obj))
        if self.kinds:
            yield f"kind {' or '.join(sorted(self.kinds))}", bool(words & self.kinds)
        if self.names:
            name = obj["metadata"]["name"]
            yield f"name {' or '.join(map(str, self.names))}", any(each.matches(name, words) for each in self.names)

    def may_select(self, words: Words) -> bool:
        """Return whether objects of a kind can be selected."""
        if words & self.not_kinds or (self.kinds and not words & self.kinds):
            return False
        return not self.names or any(not name.kind or name.kind in words for name in self.names)

    def _reason(self, ref: Ref, words: Words) -> str:
        parts = [
            *(f"label {text_of(each)}" for each in self.labels),
            *(f"annotation {text_of(each)}" for each in self.annotations),
            *([f"kind {ref.kind}"] if self.kinds else []),
            *([f"name {next(n for n in self.names if n.matches(ref.name, words))}"] if self.names else []),
        ]
        if parts:
            return f"selected by {', '.join(parts)}"
        if (ref.group, ref.kind) == NAMESPACE:
            return "a namespace of the backup"
        return (
            intern(f"in namespace {ref.namespace}") if ref.namespace else "cluster-scoped, and everything is selected"
        )

    def text(self) -> str:
        """Return the selection in one line, "" for everything: `label app=web; not kind secrets; only that`."""
        parts = [
            *(f"label {text_of(each)}" for each in self.labels),
            *(f"annotation {text_of(each)}" for each in self.annotations),
            *_either("kind", self.kinds),
            *_either("name", map(str, self.names)),
            *_either("not kind", self.not_kinds),
            *_either("not name", map(str, self.not_names)),
        ]
        return "; ".join([*parts, "only that"] if parts and self.only else parts)


def _either(what: str, words: Iterable[str]) -> list[str]:
    listed = sorted(words)
    return [f"{what} {' or '.join(listed)}"] if listed else []


def text_of(requirement: Requirement) -> str:
    """Return a requirement as a user writes it: `app=web`, `tier in (api,web)`, `!canary`."""
    key, values = requirement.key, sorted(requirement.values)
    if requirement.op in ("exists", "absent"):
        return key if requirement.op == "exists" else f"!{key}"
    if len(values) == 1:
        return f"{key}{'=' if requirement.op == 'in' else '!='}{values[0]}"
    return f"{key} {requirement.op} ({','.join(values)})"
