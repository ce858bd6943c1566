"""Parse and match Kubernetes label selectors, for labels and for annotations.

Source: kubernetes.io/docs/concepts/overview/working-with-objects/labels (equality- and set-based requirements).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_KEY = r"(?P<key>[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?)"
_VALUE = r"[^,()\s=!<>]*"
_VALUES = rf"(?!\s*\))\s*{_VALUE}\s*(?:,\s*{_VALUE}\s*)*"
_TERM = re.compile(
    rf"\s*(?:!\s*{_KEY.replace('key', 'absent')}|{_KEY}\s*"
    rf"(?:(?P<op>==|=|!=)\s*(?P<value>{_VALUE})|\s(?P<set>in|notin)\s*\((?P<values>{_VALUES})\))?)\s*(?P<more>,|$)"
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement of a selector; `op` is `in`, `notin`, `exists` or `absent`."""

    key: str
    op: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether `labels` satisfy this requirement; as in Kubernetes, `notin` and `!=` match an absent key."""
        if self.op == "exists":
            return self.key in labels
        if self.op == "absent":
            return self.key not in labels
        return (labels.get(self.key) in self.values) == (self.op == "in")


def parse_selector(text: str) -> tuple[Requirement, ...]:
    """Return the requirements of a selector such as `app=shop,tier in (web,api),!canary`; "" has none.

    Raises:
        UsageError: it is not a selector; the message shows the part that cannot be parsed.
    """
    found: list[Requirement] = []
    at, more = 0, bool(text.strip())
    while more:
        term = _TERM.match(text, at)
        if not term:
            raise UsageError(f"{text!r} is not a selector: cannot read {text[at:] or 'what follows its last comma'!r}")
        found.append(_requirement(term))
        at, more = term.end(), bool(term["more"])
    return tuple(found)


def _requirement(term: re.Match[str]) -> Requirement:
    if term["absent"]:
        return Requirement(term["absent"], "absent")
    key = term["key"]
    if term["op"]:
        return Requirement(key, "notin" if term["op"] == "!=" else "in", frozenset([term["value"]]))
    if term["set"]:
        return Requirement(key, term["set"], frozenset(value.strip() for value in term["values"].split(",")))
    return Requirement(key, "exists")


def selects(selector: Iterable[Requirement], labels: Mapping[str, str]) -> bool:
    """Return whether `labels` satisfy all requirements."""
    return all(requirement.matches(labels) for requirement in selector)
