r"""Find namespaces in YAML and JSON inside a text, by the rules for custom resources and for Kubernetes' own kinds.

A text may hold several documents, and a document other ones: a block (`key: |`) or a string that begins with a bracket.
Only the characters of a namespace are replaced, so that comments, indentation, order and quotes stay. What is no YAML,
is larger than `LARGEST` or deeper than `DEEPEST`, or is escaped (`"{\"a\": …}"`) is not read as a document.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from kubeferry.tasks.core.jsondoc.yaml_text import composed, documents
from kubeferry.tasks.core.transform.rename.api_fields import fields
from kubeferry.tasks.core.transform.rename.dns_names import Use
from kubeferry.tasks.core.transform.rename.texts.shapes import visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.jsondoc.edit import Place
    from kubeferry.tasks.core.transform.rename.classes import Case

LARGEST = 1_000_000
"""Characters of a document."""

DEEPEST = 40
"""Levels of maps and lists in a document that are looked at."""

_NESTED = 3
"""Levels of documents inside documents."""

_KEYS = ("namespace", "metadata.name", "exportto")
"""A document without any of these words names no namespace that a rule would find."""

_HEADER = re.compile(r"[|>][^\n]*\n")
_TYPED = re.compile(r"null|true|false|yes|no|on|off|y|n|[0-9][0-9a-f_xo-]*", re.IGNORECASE)
"""What YAML does not read as a string if it is not in quotes, at least by some of its readers."""


def in_documents(text: str, case: Case, nested: int = 0) -> Iterator[Use]:
    """Yield the namespaces of `case` that documents in `text` name."""
    if ":" not in text or not _may_refer(text, case):
        return
    start, each = 0, documents(text)
    for document in each:
        if len(document) <= LARGEST and (len(each) == 1 or _may_refer(document, case)):
            for use in _in_document(document, case, nested):
                yield _moved(use, start)
        start += len(document) + len("---")


def _may_refer(text: str, case: Case) -> bool:
    lower = text.lower()
    if not any(each in lower for each in _KEYS):
        return False
    whole = case.whole_word
    return whole is None or whole.search(text) is not None


def _moved(use: Use, start: int) -> Use:
    whole = (use.whole[0] + start, use.whole[1] + start)
    return Use(use.start + start, use.end + start, use.namespace, whole, use.rule, use.written)


def _in_document(text: str, case: Case, nested: int) -> Iterator[Use]:
    try:
        root = composed(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return
    if root is None or isinstance(root, yaml.ScalarNode):
        return
    tree = _Tree(text)
    value = tree.value(root)
    for hit in [*_of_object(value, case), *visit(value, (), case)]:
        node = tree.places.get(hit.at)
        if node is not None:
            yield from _edits(text, node, hit.old, hit.new, hit.rule, case)
    for node in tree.texts if nested < _NESTED else ():
        start, end = _inner(text, node)
        for use in in_documents(text[start:end], case, nested + 1):
            yield _moved(use, start)


def _of_object(value: Any, case: Case) -> Iterator[Any]:
    """Yield the typed fields of a manifest, and the name of a Namespace's."""
    if not isinstance(value, dict) or not all(isinstance(value.get(key), str) for key in ("apiVersion", "kind")):
        return
    yield from fields(value, case)
    meta = value.get("metadata")
    if (value["apiVersion"], value["kind"]) == ("v1", "Namespace") and isinstance(meta, dict):
        hit = case.whole(("metadata", "name"), meta.get("name"), "reference")
        if hit:
            yield hit


def _edits(text: str, node: yaml.ScalarNode, old: str, new: str, rule: str, case: Case) -> Iterator[Use]:
    """Yield the edit of a scalar that is a namespace, or that begins with one (`shop/*`)."""
    start, end = node.start_mark.index, node.end_mark.index
    quoted = text[start : start + 1] in ("'", '"')
    if quoted:
        start, end = start + 1, end - 1
    namespace = old.partition("/")[0]
    if text[start:end] != old or namespace not in case.names:
        return  # escaped or folded: it stays
    written = f'"{case.names[namespace]}"' if not quoted and _TYPED.fullmatch(new) else ""
    yield Use(start, start + len(namespace), namespace, (start, end), rule, written)


def _inner(text: str, node: yaml.ScalarNode) -> tuple[int, int]:
    """Return where the text of a scalar is, as it is: of a block the lines below its header."""
    start, end = node.start_mark.index, node.end_mark.index
    header = _HEADER.match(text, start, end) if node.style == "|" else None
    if header:
        return header.end(), end
    raw = text[start:end]
    if raw[:1] in ("'", '"'):
        start, end = start + 1, end - 1
    return (start, end) if text[start:end] == node.value else (start, start)


class _Tree:
    """The value of a document, with the node of each string; what an alias repeats is looked at once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._seen: set[int] = set()
        self.places: dict[Place, yaml.ScalarNode] = {}
        self.texts: list[yaml.ScalarNode] = []

    def value(self, node: yaml.Node, at: Place = ()) -> Any:
        """Return the value of a node as maps, lists and strings; None for anything else, and for what is too deep."""
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, at)
        if id(node) in self._seen or len(at) > DEEPEST:
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each, (*at, index)) for index, each in enumerate(node.value)]
        return {
            key.value: self.value(each, (*at, key.value))
            for key, each in node.value
            if isinstance(key, yaml.ScalarNode)
        }

    def _scalar(self, node: yaml.ScalarNode, at: Place) -> Any:
        if node.tag != "tag:yaml.org,2002:str":
            return None
        self.places[at] = node
        if ":" in node.value and (node.style == "|" or node.value.lstrip()[:1] in ("{", "[")):
            self.texts.append(node)
        return str(node.value)
