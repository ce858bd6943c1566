"""Why a selection matches nothing: how many objects match each criterion, and which names are spelled alike.

A selection that matches nothing is far more often a typing error than intended, and would make a backup or a restore
silently empty; so it is refused, with what a person needs to find the error. Messages contain names and values of
labels and annotations, never the content of an object.
"""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from typing import TYPE_CHECKING

from kubeferry.tasks.core.kube.objects import Ref, annotations_of, labels_of
from kubeferry.tasks.core.selection.selector import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.label_selectors import Requirement
    from kubeferry.tasks.core.kube.resources import Words
    from kubeferry.tasks.core.selection.selector import Name, Selector

MOST = 3
"""Most values or names in a message."""

LONGEST = 63
"""Most characters of an annotation's value in a message; a label's value has no more."""


class Unmatched:
    """Counts what each criterion of a selector matches, object by object."""

    def __init__(self, selector: Selector) -> None:
        """Start at zero."""
        self.selector = selector
        self.seen = 0
        self.chosen = 0
        self.never: dict[str, str] = {}
        """Selected objects that are never backed up → the reason."""
        self._met: Counter[str] = Counter()
        self._values: dict[tuple[str, str], Counter[str]] = {}
        self._names: Counter[str] = Counter()
        self._found: set[Name] = set()

    def look(self, obj: Object, words: Words) -> None:
        """Count one object."""
        self.seen += 1
        name = Ref.of(obj).name
        for each in (*self.selector.names, *self.selector.not_names):
            if each.matches(name, words):
                self._found.add(each)
        if not self.selector.narrow:
            return
        met = list(self.selector.met(obj, words))
        self._met.update(what for what, holds in met if holds)
        self.chosen += all(holds for _, holds in met)
        self._names[name] += bool(self.selector.names)
        self._note("label", self.selector.labels, labels_of(obj))
        self._note("annotation", self.selector.annotations, annotations_of(obj))

    def add(self, other: Unmatched) -> None:
        """Add the counts of another instance with the same selector."""
        self.seen, self.chosen = self.seen + other.seen, self.chosen + other.chosen
        self.never |= other.never
        self._met += other._met
        self._names += other._names
        self._found |= other._found
        for key, values in other._values.items():
            self._values.setdefault(key, Counter()).update(values)

    def _note(self, what: str, asked: Iterable[Requirement], there: dict[str, str]) -> None:
        for each in asked:
            if each.values and each.key in there:
                self._values.setdefault((what, each.key), Counter())[str(there[each.key])[:LONGEST]] += 1

    def nothing(self, where: str) -> str:
        """Return the error that nothing in `where` is selected, with how close the selection comes."""
        if self.never:
            (what, why), more = next(iter(sorted(self.never.items()))), len(self.never) - 1
            others = f" and {more} more" if more else ""
            return f"what is selected in {where} is never backed up: {what}{others}: {why}"
        parts = [*self._parts(), *self._values_there(), *self._alike(self.selector.names)]
        return f"nothing in {where} is selected by {self.selector.text()}: {'; '.join(parts)}"

    def _parts(self) -> Iterator[str]:
        asked = [what for what, _ in self.selector.met(_NOBODY, frozenset())]
        counts = ", ".join(f"{self._met[what]} match {what}" for what in asked)
        yield f"of {self.seen} objects {counts}" + (", and none matches all" if len(asked) > 1 else "")

    def _values_there(self) -> Iterator[str]:
        """Yield the existing values of labels and annotations whose selected value nothing has."""
        asked = [*(("label", each) for each in self.selector.labels)]
        asked += (("annotation", each) for each in self.selector.annotations)
        for what, each in asked:
            values = self._values.get((what, each.key))
            if values and not self._met[f"{what} {text_of(each)}"]:
                common = [value for value, _ in values.most_common(MOST)]
                more = " and others" if len(values) > MOST else ""
                yield f"{what} {each.key} is {', '.join(common)}{more} there"

    def _alike(self, names: Iterable[Name]) -> Iterator[str]:
        for each in names:
            near = get_close_matches(each.pattern, self._names, MOST) if each not in self._found else []
            if near:
                yield f"{each} may mean {', '.join(near)}"

    def no_such_name(self) -> str:
        """Return the error with selected names that do not exist, or ""; wildcards may match none."""
        unmet = [each for each in self.selector.names if each.literal and each not in self._found]
        if not unmet:
            return ""
        near = list(self._alike(unmet))
        return f"nothing is named {', '.join(map(str, unmet))}" + (f": {'; '.join(near)}" if near else "")

    def unmatched(self) -> Iterator[tuple[str, str]]:
        """Yield (option and name, what about it) of terms that match nothing and are no error.

        A wildcard may match nothing today, and an excluded object may be gone; a person may still want to know.
        """
        for each in self.selector.names:
            if each not in self._found:
                yield f"--include-name {each}", "nothing matches this name"
        for each in self.selector.not_names:
            if each not in self._found and each.literal:
                yield f"--exclude-name {each}", "nothing has this name, so nothing is excluded by it"


_NOBODY: Object = {"apiVersion": "v1", "kind": "", "metadata": {"name": ""}}
