"""Rename namespaces in places that the user names: what the rules leave, and `left.py` lists.

A place is named by a class of `left.HOW`, by a glob as in `Skip`, or by a rule of a file, which may ask for a literal
text around the name. At a named place every word that is a namespace's name is the namespace: who names it has seen it.
Keys of maps are renamed only where they are listed, since `/data/*` matches the keys of the map, too; a key that is
there already is not overwritten. An object's own name, kind and namespace are left to `rewrite.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.records import Rewrite
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.strings import pointer, put
from kubeferry.tasks.core.transform.rename.left import HOW, Scan, in_places, texts
from kubeferry.tasks.core.transform.rename.words import replaced

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from kubeferry.tasks.core.jsondoc.edit import Object, Place
    from kubeferry.tasks.core.models.rewriting import RewriteRule
    from kubeferry.tasks.core.transform.rename.left import Text
    from kubeferry.tasks.core.transform.rename.words import Spot

WHY = "namespace renamed: asked for (--rewrite-also)"


@dataclass(frozen=True, slots=True)
class Also:
    """What is renamed besides what the rules find."""

    scan: Scan
    classes: frozenset[str] = frozenset()
    """Classes of `HOW`: all that is listed of them."""
    places: tuple[str, ...] = ()
    """Globs of places, as in `Skip`; the object may be called as in the backup or as on the target."""
    rules: tuple[RewriteRule, ...] = ()

    @classmethod
    def of(cls, scan: Scan, asked: Iterable[str], rules: Iterable[RewriteRule]) -> Also | None:
        """Return what was asked for, None for nothing: a single word is a class, all else is a glob.

        Raises:
            UsageError: an unknown class; the message lists the known ones.
        """
        words, found = [*asked], tuple(rules)
        classes = frozenset(each for each in words if each.isalnum())
        for unknown in sorted(classes - HOW.keys()):
            raise UsageError(f"unknown class of places {unknown!r}; the classes are {', '.join(HOW)}")
        places = tuple(each for each in words if each not in classes)
        return cls(scan, classes, places, found) if words or found else None

    def renamed(self, obj: Object, source: Ref, written: Collection[tuple[str, str]]) -> tuple[Object, list[Rewrite]]:
        """Return a renamed object, which is `source` in the backup, with what was asked for renamed as well.

        `written` are (pointer, new name) of what was rewritten before: see `Scan.left`.
        """
        rewrites: dict[tuple[str, str], Rewrite] = {}
        values: dict[Place, Any] = {}
        keys: dict[Place, str] = {}
        target = Ref.of(obj)
        for each in texts(obj):
            at = pointer(each.at)
            rules = self._rules(target, source, at)
            named = in_places(self.places, (str(source), str(target)), at)
            if not (self.classes or named or rules):
                continue

            def wanted(text: str, spot: Spot, each: Text = each, at: str = at, *, named: bool = named) -> bool:
                found = (at, spot.name) not in written and self._wanted(each, text, spot, rules, named=named)  # noqa: B023 - it is called at once
                if found:
                    new = self.scan.names[spot.name]
                    rewrites[at, spot.name] = Rewrite(object=str(source), path=at, old=spot.name, new=new, why=WHY)
                return found

            new = replaced(each.text, self.scan.words, self.scan.names, wanted)
            if new != each.text and each.is_key:
                keys[each.at] = new
            elif new != each.text:
                values[each.at] = each.written(new)
        changed = put(obj, values)
        for place in sorted(keys, key=len, reverse=True):
            changed = _with_key(changed, place, keys[place])
        return changed, [*rewrites.values()]

    def _rules(self, target: Ref, source: Ref, at: str) -> list[RewriteRule]:
        return [
            rule
            for rule in self.rules
            if fnmatchcase(target.type, rule.kind) and in_places((rule.place,), (str(source), str(target)), at)
        ]

    def _wanted(self, each: Text, text: str, spot: Spot, rules: list[RewriteRule], *, named: bool) -> bool:
        asked = named or any(rule.holds(text, spot.start, spot.end) for rule in rules)
        if asked and not each.is_key:
            return True
        if each.is_key:
            how = "key"
        elif text is not each.text:
            how = "base64"
        else:
            how = "url" if spot.escaped else "word"
        return (asked or how in self.classes) and self.scan.names_it(each, text, spot)


def _with_key(value: Any, at: Place, new: str) -> Any:
    """Return `value` with the key at a place renamed, in its turn; as it is if the new key is there already."""
    step, rest = at[0], at[1:]
    if rest and isinstance(step, int):
        return [*value[:step], _with_key(value[step], rest, new), *value[step + 1 :]]
    if rest:
        return {**value, step: _with_key(value[step], rest, new)}
    return value if new in value else {new if key == step else key: item for key, item in value.items()}
