"""Replace old values in an object with new ones, by the rule that found them, each string in a single pass.

Copy on write: the input stays and shares what did not change. Encoded text is decoded, changed and encoded again; JSON
and YAML inside a string are changed as text, so that their formatting stays. The report of a change names the values
and the place, never the rest of a string, which may be secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.records import Cause, Rewrite
from kubeferry.tasks.core.jsondoc.confidential import is_confidential
from kubeferry.tasks.core.jsondoc.edit import GONE, Place
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.strings import Leaf
from kubeferry.tasks.core.lookup.tokens import PLAIN, Token, class_of, key_of, place_of, replaced, spelled, tokens
from kubeferry.tasks.core.lookup.uses import Use, applied, leaf_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kubeferry.tasks.core.jsondoc.edit import Object


class Absent(Enum):
    """What to do if there is no new value."""

    KEEP = "keep"
    """The old value stays."""

    DROP = "drop"
    """The key, or list item, whose string uses the value is removed."""

    EMPTY = "empty"
    """The value is replaced with nothing."""

    FAIL = "fail"
    """An error names the place and where the value should have come from."""


New = str | Absent | None
"""A new value, or what to do without one; None is FAIL."""


def substitute(
    obj: Object,
    uses: Iterable[Use],
    new: Callable[[Use], New],
    describe: Callable[[Use], str] = lambda use: f"{use.source.ref} {use.source.pointer}",
) -> tuple[Object, list[Rewrite]]:
    """Return `obj` with the new value for each use, and what was rewritten.

    `describe` names where the value of a use comes from. A use whose string is gone or no longer holds it is skipped.

    Raises:
        PermanentError: there is no new value for a use, and the policy is FAIL.
    """
    ref = Ref.of(obj)
    wanted: dict[str, list[_Change]] = {}
    for use in uses:
        wanted.setdefault(use.pointer, []).append(_change(ref, use, new(use), describe(use)))
    edits, rewrites = _Edits(), list[Rewrite]()
    for at, changes in wanted.items():
        leaf = leaf_at(obj, at)
        if leaf is None:
            continue
        after, made = _rewritten(leaf, changes)
        rewrites += [_rewrite(ref, each) for each in made if _differs(each)]
        if after is GONE or after != leaf.text:
            edits.add(leaf.at, GONE if after is GONE else leaf.written(after))
    return edits.apply(obj), rewrites


@dataclass(frozen=True, slots=True)
class _Change:
    """A use with its replacement; DROP removes the whole string."""

    use: Use
    new: str | Absent
    via: str


def _change(ref: Ref, use: Use, new: New, via: str) -> _Change:
    if new is None or new is Absent.FAIL:
        raise PermanentError(f"{ref}: no value for {use.pointer}: {via}")
    return _Change(use, "" if new is Absent.EMPTY else new, via)


def _differs(change: _Change) -> bool:
    """Return whether a value is not the old one again, as that of a Service that keeps the address it asks for."""
    old, new = change.use.value, change.new
    if isinstance(new, Absent) or change.use.form != "token":
        return new != old
    return spelled(new, old) != old


def _rewrite(ref: Ref, change: _Change) -> Rewrite:
    wrapped = f" ({' of '.join(reversed(change.use.layers))})" if change.use.layers else ""
    value = "(dropped)" if isinstance(change.new, Absent) else change.new
    return Rewrite.of(
        ref,
        change.use.pointer,
        change.use.value,
        shown(change.use, value),
        change.via,
        cause=Cause.LOOKED_UP,
        layers=wrapped,
    )


def shown(use: Use, value: str) -> str:
    """Return a value as it may be shown: a user's value from a Secret may be confidential, an address is not."""
    secret = use.form != "token" and is_confidential(use.source.ref.group, use.source.ref.kind)
    return "(hidden)" if secret else value


def _rewritten(leaf: Leaf, changes: list[_Change]) -> tuple[Any, list[_Change]]:
    """Return the new text of a string, or GONE, and the changes that were made."""
    kept = [each for each in changes if each.new is not Absent.KEEP]
    made, written = list[_Change](), dict[tuple[str, str], str]()
    for inner in applied(leaf):
        after, some = _in_text(inner, [each for each in kept if each.use.layers[:2] == ("json", "base64")])
        made += some
        if after is GONE:
            return GONE, made  # this is kubectl's copy of the object, which is useless without the string
        if after != inner.text:
            written[str(inner.at[-1]), inner.written(inner.text)] = inner.written(after)
    text = _at_once(leaf.text, written)
    outer = [each for each in kept if each.use.layers[:2] != ("json", "base64")]
    after, some = _in_text(Leaf(leaf.at, text, leaf.encoded), outer)
    return after, [*made, *some]


def _at_once(text: str, written: dict[tuple[str, str], str]) -> str:
    """Return a JSON text with the values of some keys replaced in a single pass: the new one of a key may be another's.

    A key of a Secret needs no escapes (kubernetes.io: Secrets, constraints on names and data), nor does base64.
    """
    if not written:
        return text
    keys, values = ("|".join(map(re.escape, {each[place] for each in written})) for place in (0, 1))
    return re.sub(
        rf'"({keys})"(\s*:\s*)"({values})"',
        lambda found: f'"{found[1]}"{found[2]}"{written.get((found[1], found[3]), found[3])}"',
        text,
    )


def _in_text(leaf: Leaf, changes: list[_Change]) -> tuple[Any, list[_Change]]:
    whole = next((each for each in changes if each.use.form == "whole"), None)
    if whole is not None:
        return (GONE if whole.new is Absent.DROP else whole.new), [whole]
    known = _by_key(changes)
    found = _found(leaf, known)
    made = list({id(each): each for each in (known[token.key] for token in found)}.values())
    if any(each.new is Absent.DROP for each in made):
        return GONE, made

    def new(token: Token) -> str:
        change = known[token.key]
        value = str(change.new)
        return spelled(value, leaf.text[token.start : token.end]) if change.use.form == "token" else value

    return replaced(leaf.text, found, new), made


_LITERAL = "\0"
"""Prefix of the keys of users' tokens, which no normalised value has."""


def _by_key(changes: list[_Change]) -> dict[str, _Change]:
    literal = {_LITERAL + each.use.value: each for each in changes if each.use.form == "text" and each.use.value}
    return literal | {key: each for each in changes if each.use.form == "token" and (key := _key(each.use.value))}


def _key(written: str) -> str | None:
    """Return the key of a value as written in a text: in a pod's DNS name an address has dashes."""
    return key_of(written) or key_of(written.replace("-", ".")) or key_of(written.replace("-", ":"))


def _found(leaf: Leaf, known: dict[str, _Change]) -> list[Token]:
    """Return where a string uses known values; a user's token takes precedence over what overlaps it."""
    last = leaf.at[-1]
    hosts = any(not key.startswith(_LITERAL) and class_of(key) == "host" for key in known)
    found = tokens(leaf.text, known, hosts=hosts, place=place_of(last) if isinstance(last, str) else PLAIN)
    words = sorted((key[1:] for key in known if key.startswith(_LITERAL)), key=len, reverse=True)
    if not words:
        return found
    matches = re.finditer("|".join(map(re.escape, words)), leaf.text)
    said = [Token(match.start(), match.end(), _LITERAL + match[0]) for match in matches]
    free = [each for each in found if all(each.end <= one.start or one.end <= each.start for one in said)]
    return sorted([*said, *free], key=lambda each: each.start)


class _Edits:
    """Changes of strings by place, applied together so that each map and list on the way is copied once."""

    def __init__(self) -> None:
        self._root: dict[str | int, Any] = {}

    def add(self, at: Place, new: Any) -> None:
        """Record the new value of a place, or GONE."""
        node = self._root
        for step in at[:-1]:
            node = node.setdefault(step, {})
        node[at[-1]] = _New(new)

    def apply(self, obj: Object) -> Object:
        """Return `obj` with all changes."""
        changed: Object = _applied(obj, self._root)
        return changed


@dataclass(frozen=True, slots=True)
class _New:
    value: Any


def _applied(value: Any, edits: dict[str | int, Any]) -> Any:
    if not edits:
        return value
    items = dict(value) if isinstance(value, dict) else dict(enumerate(value))
    for step, edit in edits.items():
        items[step] = edit.value if isinstance(edit, _New) else _applied(items[step], edit)
    kept = {step: item for step, item in items.items() if item is not GONE}
    return kept if isinstance(value, dict) else list(kept.values())
