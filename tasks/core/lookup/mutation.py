"""Bindings written by users: the annotation `config.kubernetes.io/apply-time-mutation` of cli-utils.

A YAML list of {sourceRef, sourcePath, targetPath, token} (cli-utils, pkg/object/mutation): a restore replaces each
`token` in the string at targetPath, or the whole string, with the value at sourcePath of the other object. Paths are
JSONPath without wildcards, filters and slices, because each must name one field. A backup refuses what a restore could
not do exactly, with the reason.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
import yaml

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.jsondoc.edit import Object, group_of
from kubeferry.tasks.core.jsondoc.yaml_text import loaded
from kubeferry.tasks.core.kube.objects import Ref, annotations_of
from kubeferry.tasks.core.kube.strings import pointer
from kubeferry.tasks.core.lookup.chain import Chain
from kubeferry.tasks.core.lookup.index import Source
from kubeferry.tasks.core.lookup.steps import Read, Start
from kubeferry.tasks.core.lookup.uses import Use, leaf_at
from kubeferry.tasks.core.needs.references.fields import CLUSTER_SCOPED

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Place
    from kubeferry.tasks.core.lookup.derive import SourceIndex

ANNOTATION = "config.kubernetes.io/apply-time-mutation"

_STEP = re.compile(r"""\.([^\W\d][\w-]*)|\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([0-9]{1,9}))\]""")


def mutations(obj: Object, around: SourceIndex) -> list[tuple[Use, Chain]]:
    """Return the items of the annotation of `obj`, each as a use and the chain to its value; [] without one.

    Raises:
        PermanentError: it is not what cli-utils defines, a path is not supported, or its target does not exist.
    """
    text = annotations_of(obj).get(ANNOTATION)
    if text is None:
        return []
    what = f"{Ref.of(obj)}: annotation {ANNOTATION}"
    try:
        items = loaded(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise PermanentError(f"{what} is not YAML") from None
    if not isinstance(items, list):
        raise PermanentError(f"{what} must be a list")
    return [_mutation(obj, item, around, f"{what}: item {number}") for number, item in enumerate(items)]


def _mutation(obj: Object, item: Any, around: SourceIndex, what: str) -> tuple[Use, Chain]:
    if not isinstance(item, dict):
        raise PermanentError(f"{what} must be a map")
    ref = _source(item.get("sourceRef"), obj, around, what)
    if ref == Ref.of(obj):
        raise PermanentError(f"{what} refers to its own object")
    path, target = _path(item, "sourcePath", what), _path(item, "targetPath", what)
    token = item.get("token") or ""
    if not isinstance(token, str):
        raise PermanentError(f"{what}: token must be a string")
    leaf = leaf_at(obj, pointer(target))
    if leaf is None:
        raise PermanentError(f"{what}: no string at targetPath")
    layers = ("base64",) if leaf.encoded else ()
    use = Use(pointer(target), layers, token, Source(ref, pointer(path)), "text" if token else "whole")
    return use, Chain((Start(ref), Read("path", path=path)))


def _source(value: Any, obj: Object, around: SourceIndex, what: str) -> Ref:
    fields = value if isinstance(value, dict) else {}
    texts = {key: fields.get(key) or "" for key in ("kind", "name", "namespace", "group", "apiVersion")}
    if not all(isinstance(text, str) for text in texts.values()) or not (texts["kind"] and texts["name"]):
        raise PermanentError(f"{what}: sourceRef must name kind and name")
    group = texts["group"] or group_of(texts["apiVersion"])
    wide = Ref(group, texts["kind"], "", texts["name"])
    if (group, wide.kind) in CLUSTER_SCOPED or around.links(wide) is not None:
        return wide
    return wide._replace(namespace=texts["namespace"] or obj["metadata"].get("namespace", ""))


def _path(item: dict[str, Any], name: str, what: str) -> Place:
    text = item.get(name)
    if not isinstance(text, str) or not text:
        raise PermanentError(f"{what}: {name} must be a path")
    path = parse_path(text)
    if path is None:
        raise PermanentError(f"{what}: {name} must be plain JSONPath, like $.spec.list[0].name")
    return path


def parse_path(text: str) -> Place | None:
    """Return the keys and indexes of a JSONPath that names one field: `$.a['b.c'][0]`, with or without the `$`.

    None for any other, including wildcards, filters and slices, and for what spyzhov/ajson refuses, which cli-utils
    uses: an escape that JSON does not have, or a control character.
    """
    steps: list[str | int] = []
    at = len(text) - len(text.removeprefix("$"))
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            return None
        step = _step(*match.groups())
        if step is None:
            return None
        steps.append(step)
        at = match.end()
    return tuple(steps) or None


def _step(plain: str | None, single: str | None, double: str | None, index: str | None) -> str | int | None:
    if index is not None:
        return int(index)
    if single is not None:
        return _unescaped(single, "'")
    return _unescaped(double, '"') if double is not None else plain


_ESCAPED = {"\\'": "'", '\\"': r"\x", '"': r"\""}
"""In single quotes, what has another form in JSON; `\\"` is none."""


def _unescaped(text: str, quote: str) -> str | None:
    """Return a quoted text without its escapes, which are JSON's and that of its own quote; None if it is invalid."""
    if quote == "'":
        text = re.sub(r'\\.|"', lambda found: _ESCAPED.get(found[0], found[0]), text, flags=re.DOTALL)
    try:
        found: str = orjson.loads(f'"{text}"')
    except orjson.JSONDecodeError:
        return None
    return found
