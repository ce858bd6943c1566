"""An object as the text of a Helm template: what looks like a template in it stays text, what is a value is an action.

An expression is put into the object as a string of its own, which the written text then replaces; so the rest is
written as YAML of every object is. The release's namespace is found by its name in the plan, which no other text has.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.printable import escaped_yaml
from kubeferry.tasks.core.plan.export.yaml_files import dump, is_block

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.jsondoc.edit import Object

NAMESPACE = "{{ .Release.Namespace }}"

RELEASE = "kf-"
"""What the name of the namespace in the plan begins with; the rest is random."""


class Template:
    """Writes the objects of one chart."""

    def __init__(self, release: str) -> None:
        """Take the name that the plan gives to the namespace, of which nobody knows the random part."""
        self.release = release
        self._mark_of = f"mark{release.removeprefix(RELEASE)}"
        self._marks = re.compile(rf"{self._mark_of}-action-(\d+)-")
        self._places = re.compile(rf"^( *){self._mark_of}-insert-(\d+)-: here\n", re.MULTILINE)
        self._actions: list[str] = []
        self._inserts: list[str] = []
        self._inline = {release: ".Release.Namespace"}
        """Words that are expressions, wherever a text has them."""
        self._words = _any_of(self._inline)

    def action(self, expression: str) -> str:
        """Return a string that becomes the value of an expression, of whatever type."""
        return self._mark(f"{{{{ {expression} | toJson }}}}")

    def raw(self, text: str) -> str:
        """Return a string that becomes a text of a template."""
        return self._mark(text)

    def insert(self, text: str) -> tuple[str, str]:
        """Return an entry of a map that becomes lines of a template; `N` in them is their indentation."""
        self._inserts.append(text)
        return f"{self._mark_of}-insert-{len(self._inserts) - 1}-", "here"

    def inline(self, expression: str) -> str:
        """Return a word that becomes the value of an expression, in a text around it; it is no part of another word."""
        word = f"@@{self._mark_of}-{len(self._inline)}@@"
        self._inline[word] = expression
        self._words = _any_of(self._inline)
        return word

    def literal(self, text: str) -> str:
        """Return a text as an expression; the release's namespace in it is that of the release."""
        parts = text.split(self.release)
        if len(parts) == 1:
            return json.dumps(text, ensure_ascii=False)
        if parts == ["", ""]:
            return "$.Release.Namespace"
        form = json.dumps("%s".join(part.replace("%", "%%") for part in parts), ensure_ascii=False)
        return f"(printf {form}{' $.Release.Namespace' * (len(parts) - 1)})"

    def _quoted(self, text: str) -> str:
        """Return a string that becomes a text in double quotes in which some words are expressions."""
        parts = self._words.split(text)
        return self._mark(f'"{"".join(self._expression(part) or escaped(_inside(part)) for part in parts)}"')

    def _expression(self, word: str) -> str:
        return f"{{{{ {self._inline[word]} }}}}" if word in self._inline else ""

    def _mark(self, text: str) -> str:
        self._actions.append(text)
        return f"{self._mark_of}-action-{len(self._actions) - 1}-"

    def text(self, obj: Object) -> str:
        """Return the template of an object."""
        written = escaped(dump(self._named(obj)))
        written = self._words.sub(lambda found: self._expression(found[0]), written)
        written = self._places.sub(self._inserted, written)
        return self._marks.sub(lambda found: self._actions[int(found[1])], written)

    def _inserted(self, found: re.Match[str]) -> str:
        text = self._inserts[int(found[2])].replace("{N}", str(len(found[1])))
        return "".join(
            f"{found[1]}{line}\n" if not line.startswith("{{-") else f"{line}\n" for line in text.splitlines()
        )

    def _named(self, value: Any) -> Any:
        """Return a value with the texts that have an expression quoted: its value may look like a number."""
        if isinstance(value, dict):
            return {self._named(key): self._named(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._named(each) for each in value]
        if isinstance(value, str) and not is_block(value) and self._words.search(value):
            return self._quoted(value)
        return value


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile(f"({'|'.join(map(re.escape, words))})")


def escaped(text: str) -> str:
    """Return a text in which nothing is an action."""
    return text.replace("{{", '{{ "{{" }}')


def _inside(text: str) -> str:
    """Return a text as it is inside double quotes, in YAML and in JSON alike."""
    return escaped_yaml(json.dumps(text, ensure_ascii=False)[1:-1])
