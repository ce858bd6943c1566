"""Find where a renamed object still names its old namespace, so that a person can decide about each place.

Every string and every key of a map is read, also inside base64 and beside URL escapes (words.py). Not listed is what
is plainly not the namespace, though it is the same word:

- the object's own name, apiVersion and kind, kubectl's copy of it, and everything below a definition's `schema`;
- labels and selectors of them, which are never renamed, unless their key speaks of a namespace;
- prefixes of label and annotation keys, API groups and versions, and a name of two labels that begins with the word:
  `shop.yaml`, `shop.properties` and `shop.io` are a file, a topic and a domain of somebody;
- the repository of an image, a variable `$shop`, and the whole value of a field that holds another name (`name`,
  `clusterName`, `DB_NAME`);
- a bare word where it may as well be something else: the namespace has an object of its own name (Deployment
  shop/shop), or the name is a word of everyday configuration (`COMMON`). Then a place is listed where it reads as a
  namespace: after `namespace:`, `-n` or `/namespaces/`, under such a key, before `/` and an object of the backup, or
  after a Service of the backup and a dot.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED
from kubeferry.tasks.core.kube.objects import Ref, type_of
from kubeferry.tasks.core.kube.strings import ENCODED, decoded, pointer
from kubeferry.tasks.core.needs.cluster_scoped import CRD
from kubeferry.tasks.core.transform.rename.words import DEEPEST, Words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from kubeferry.tasks.core.formats.records import Rewrite
    from kubeferry.tasks.core.jsondoc.edit import Object, Place
    from kubeferry.tasks.core.transform.rename.classes import Known
    from kubeferry.tasks.core.transform.rename.words import Spot


def _words(text: str) -> list[str]:
    return text.split()


HOW: Mapping[str, str] = {
    "word": "in the text",
    "base64": "in base64",
    "url": "beside a URL escape",
    "key": "in the key",
}
"""Classes of places that still name a namespace, and how a sentence says it."""

COMMON = frozenset(
    _words(
        "admin api app apps backend base cache common config core data database db default demo dev development"
        " external frontend global infra int internal local log logging logs main metrics monitor monitoring name"
        " namespace network none ops platform prod production proxy public qa queue root security server service"
        " services shared staging stage storage store system team test testing tools tracing user users web"
    )
)
"""Names that are words of everyday configuration."""

MOST = 5000
"""Most words of one text that are looked at: nobody reads more lines of it."""

_SPACE_KEY = re.compile(r"(?:^|[^a-z])(?:ns|NS)$|[nN]amespaces?$|NAMESPACES?$|Ns$|NS$")
_NAME_KEY = re.compile(r"(?:^|[-_.])names?$|(?:^|_)NAMES?$|Names?$")
_READS = re.compile(
    r"""(?:
        namespaces?["'\\]*\s{0,4}[:=\s/]["'\\\s]{0,4}   # namespace: shop, "namespace": "shop", /namespaces/shop
        |namespaces?%2[fF]
        |(?<![A-Za-z])ns["'\\]*\s{0,4}[:=/]["'\\\s]{0,4}
        |(?:^|\s)-n[\s=]{1,4}
    )$""",
    re.VERBOSE | re.IGNORECASE,
)
_IS_NAMESPACE = re.compile(r"[\"']?\s{1,4}namespace\b")
_REST = re.compile(r"(?:\.[\w-]{1,63}+){1,8}+")
"""The next labels of a dotted name; the limit keeps the scan linear."""
_VERSION = re.compile(r"/v\d+(?:(?:alpha|beta)\d+)?(?![\w-])")
_SLASH = re.compile(r"(?:\\?/|%2[fF])([a-z0-9][-a-z0-9.]*)")
_SERVICE = re.compile(r"(?<![\w-])([a-z][-a-z0-9]*)\.$")
_LOOK_BACK = 64
LABELS = frozenset({"labels", "matchLabels", "selector", "nodeSelector"})
"""Maps of labels; a selector may be a text, too."""
GROUPS = frozenset({"apiVersion", "apiGroup", "apiGroups", "group", "groups", "kind", "kinds"})
"""Fields that hold a group or kind of API."""


@dataclass(frozen=True, slots=True)
class Left:
    """A place of an object that still names its old namespace."""

    pointer: str
    namespace: str
    """The old name."""
    how: str
    """One of `HOW`."""
    lines: tuple[int, ...] = ()
    """The lines of a text of several, from 1."""

    @property
    def where(self) -> str:
        """Return how it is there, in words."""
        found = HOW[self.how]
        if self.lines:
            found += f", line{'s' * (len(self.lines) > 1)} {', '.join(str(each) for each in self.lines[:_SHOWN])}"
        return found + (f" and {len(self.lines) - _SHOWN} more" if len(self.lines) > _SHOWN else "")


_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Text:
    """A string of an object, or the key of a map; `text` is decoded where the API defines base64."""

    at: Place
    text: str
    key: str = ""
    """The key that says what it is: the nearest above it, or the name beside a `value`; "" for a key itself."""
    is_key: bool = False
    encoded: bool = False

    def written(self, text: str) -> str:
        """Return another text as it is stored here."""
        return base64.b64encode(text.encode()).decode() if self.encoded else text


@dataclass(frozen=True, slots=True)
class Scan:
    """Looks for old names in renamed objects."""

    names: Mapping[str, str]
    """The namespaces that are renamed, old to new, never to themselves."""
    known: Known
    words: Words = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare the words."""
        object.__setattr__(self, "words", Words(self.names))

    def left(self, obj: Object, written: Collection[tuple[str, str]] = ()) -> list[Left]:
        """Return the places of a renamed object that still name an old namespace.

        `written` are (pointer, new name) of what was rewritten: where names are swapped, the new name of one is the
        old name of another, and it is where it belongs.
        """
        found: dict[tuple[str, str, str], list[int]] = {}
        for each in texts(obj):
            where = pointer(each.at)
            for how, line, spot in self._spots(each, each.text, DEEPEST):
                if (where, spot.name) not in written:
                    lines = found.setdefault((where, spot.name, how), [])
                    lines += [line] if line and line not in lines[-1:] else []
        return [Left(where, name, how, tuple(lines)) for (where, name, how), lines in found.items()]

    def losses(self, obj: Object, rewrites: Iterable[Rewrite]) -> tuple[Loss, ...]:
        """Return a loss for each place of an object; most objects have none, which their bytes say."""
        if not self.words.may_be_in(orjson.dumps(obj)):
            return ()
        ref, written = Ref.of(obj), {(each.path, each.new) for each in rewrites}
        return tuple(
            Loss.of(ref, LossCode.STILL_NAMES, f"{each.namespace} ({each.where})", path=each.pointer)
            for each in self.left(obj, written)
        )

    def _spots(self, each: Text, text: str, depth: int) -> Iterator[tuple[str, int, Spot]]:
        """Yield (class, line or 0, spot) of each place that is to be listed."""
        lines = _Lines(text)
        for spot in islice(self.words.spots(text), MOST):
            if self.names_it(each, text, spot):
                how = "key" if each.is_key else "url" if spot.escaped else "word"
                yield how, lines.at(spot.start), spot
        lines = _Lines(text)
        for token in self.words.encoded(text) if depth else ():
            for _, _, spot in self._spots(each, token.text, depth - 1):
                yield "base64", lines.at(token.start), spot

    def names_it(self, each: Text, text: str, spot: Spot) -> bool:
        """Return whether a word is to be listed; `text` is what is around it, which base64 may have held."""
        before = text[max(0, spot.start - _LOOK_BACK) : spot.start]
        if _is_other(before, text, spot) or (each.is_key and _in_prefix(text, spot)):
            return False
        if _reads_as_namespace(before, text, spot.end) or _SPACE_KEY.search(each.key):
            return True
        if each.key.endswith("image") and not _in_registry(text, spot):
            return False
        if _is_label(each.at):
            return False
        whole = len(text) <= _LOOK_BACK + len(spot.name) and text.strip() == spot.name
        if whole and (_NAME_KEY.search(each.key) or each.key == "resourceNames"):
            return False
        return not self._is_common(spot.name) or self._reads_as_known(before, text, spot)

    def _is_common(self, name: str) -> bool:
        return name in COMMON or len(name) == 1 or name.isdigit() or name in self.known.objects.get(name, ())

    def _reads_as_known(self, before: str, text: str, spot: Spot) -> bool:
        """Return whether `ns/name` or `svc.ns` of the backup is there."""
        after = _SLASH.match(text, spot.end)
        if after and self.known.has(spot.name, after[1].rstrip(".")):
            return True
        service = _SERVICE.search(before)
        return bool(service) and service[1] in self.known.services.get(spot.name, ())  # type: ignore[index] # it is there


class _Lines:
    """Numbers the lines of a text, asked for from the start to the end: each character is read once."""

    def __init__(self, text: str) -> None:
        self._text, self._many, self._done, self._line = text, "\n" in text, 0, 1

    def at(self, place: int) -> int:
        """Return the line of a character, from 1; 0 for a text of one line."""
        self._line += self._text.count("\n", self._done, place)
        self._done = place
        return self._line if self._many else 0


def texts(obj: Object) -> Iterator[Text]:
    """Yield every string of an object that may name a namespace, and every key of its maps, in document order."""
    hidden = ENCODED.get(type_of(obj))
    definition = type_of(obj) == CRD
    for key, value in obj.items():
        if key in ("apiVersion", "kind"):
            continue
        if key == "metadata":
            for part in ("labels", "annotations"):
                yield from _walk(value.get(part), ("metadata", part), definition=False)
        elif key == hidden and isinstance(value, dict):
            for name, text in value.items():
                yield Text((key, name), name, is_key=True)
                plain = decoded(text)
                if plain is not None:
                    yield Text((key, name), plain, name, encoded=True)
        else:
            yield from _walk(value, (key,), definition=definition)


def _walk(value: Any, at: Place, key: str = "", *, definition: bool) -> Iterator[Text]:
    key = at[-1] if isinstance(at[-1], str) and not key else key
    if isinstance(value, str):
        if key not in GROUPS:
            yield Text(at, value, key)
    elif isinstance(value, dict):
        for each, item in value.items():
            if each == LAST_APPLIED or (definition and each == "schema"):
                continue
            yield Text((*at, each), each, is_key=True)
            beside = value.get("name") if each == "value" else ""
            yield from _walk(item, (*at, each), beside if isinstance(beside, str) else "", definition=definition)
    elif isinstance(value, list) and key not in GROUPS:
        for index, item in enumerate(value):
            yield from _walk(item, (*at, index), key, definition=definition)


def in_places(globs: Collection[str], objects: Collection[str], where: str) -> bool:
    """Return whether a place of an object, known by one of several texts, is in one of the globs (see `Skip`)."""
    return any(fnmatchcase(each, glob) for glob in globs for each in (where, *(f"{one} {where}" for one in objects)))


def _is_label(at: Place) -> bool:
    steps = [step for step in at if isinstance(step, str)]
    return not LABELS.isdisjoint(steps) or steps[:2] == ["metadata", "labels"]


def _reads_as_namespace(before: str, text: str, end: int) -> bool:
    return bool(_READS.search(before)) or bool(_IS_NAMESPACE.match(text, end))


def _is_other(before: str, text: str, spot: Spot) -> bool:
    """Return whether a word is plainly another one: a variable, a file, a domain of somebody, a group of API."""
    if before.endswith(("$", "${", "$(")):
        return True
    rest = _REST.match(text, spot.end)
    if rest is None or before.endswith("."):
        return False
    if _VERSION.match(text, rest.end()):
        return True
    labels = rest[0].split(".")[1:]
    return len(labels) == 1 and labels[0] not in ("svc", "pod")


def _in_prefix(key: str, spot: Spot) -> bool:
    """Return whether a word is in the domain before the slash of a label's or an annotation's key."""
    domain, slash, _ = key.partition("/")
    return bool(slash) and "." in domain and spot.end <= len(domain)


def _in_registry(text: str, spot: Spot) -> bool:
    """Return whether a word is in the registry of an image, which is a host with a dot or a port."""
    host, slash, _ = text.partition("/")
    return bool(slash) and spot.end <= len(host) and ("." in host or ":" in host)
