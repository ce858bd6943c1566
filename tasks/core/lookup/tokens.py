r"""Find addresses, uids and host names in text as whole tokens, and replace them in a single pass.

A candidate is found by a shape that starts with a rare literal (`.`, `:`, `-`), which the regex engine skips to at
memory speed; then one look-up in the map of known values decides, so that the cost is that of the text, however many
values are known. Whether a known value is used there depends on what precedes and follows it:

| text | a use of 10.0.0.1? | reason |
| --- | --- | --- |
| `http://10.0.0.1:80/`, `db=10.0.0.1,10.0.0.2`, `\n10.0.0.1` in JSON | yes | punctuation ends a token, an escape too |
| `10.0.0.1/32`, `10.0.0.1/24` | yes | one host; an interface's address and the size of its network |
| `10.0.0.0/24` (of 10.0.0.0), `fd00::/64` | no | a network, which its author chose |
| `10.0.0.1-10.0.0.9` | no | a range, which its author chose |
| `10.0.0.1.nip.io`, `app.10.0.0.1.sslip.io` | yes | the name resolves to the address in it |
| `10.0.0.1.example.com`, `ip-10-0-0-1` | no | a name; nobody resolves the digits in it |
| `10-0-0-1.shop.pod.cluster.local` | yes | the DNS name of a pod is made of its address |
| `10.0.0.1-alpine`, `v10.0.0.1`, `10.0.0.1+b3`, `1.10.0.0.1`, `~10.0.0.1`, `version: 10.0.0.1` | no | a version |
| `nginx/10.0.0.1`, `release 10.0.0.1`, `<build>10.0.0.1`, `/releases/10.0.0.1/` | no | a version, without that word |
| `serialNumber=10.0.0.1`, `oid: 10.0.0.1`, `section 10.0.0.1` | no | a number of parts, and no address |
| `image: nginx:10.0.0.1`, `shop/nginx:10.0.0.1` | no | an image's tag |
| `image: 10.0.0.1:5000/nginx`, `tcp:10.0.0.1:80` | yes | a registry; a scheme |
| `pvc-<uid>`, `cluster_<uid>`, `<uid>.json` | yes | named after what has a new uid, and so a new name |
| `secretName: <uid>-db` | no | the name of an object, and a restored object keeps its name |
| `<uid>-0305`, `a<uid>` | no | part of a longer number |
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


_WORD_CHARACTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_ESCAPE = re.compile(r"(?:\\(?:[nrtbf]|u[0-9A-Fa-f]{4})|%[0-9A-Fa-f]{2})\Z")
_TAG = re.compile(r"(?:/[\w.-]+|\bimage\W{1,4}[\w.-]+):\Z", re.IGNORECASE | re.ASCII)
_NUMBERS = frozenset(
    {
        *(
            "version",
            "versions",
            "ver",
            "release",
            "releases",
            "build",
            "builds",
            "revision",
            "rev",
            "firmware",
            "patch",
        ),
        *("tag", "tags", "chart", "since", "edition", "kernel", "driver", "serial", "sn", "number", "oid", "schema"),
        *("section", "chapter", "paragraph", "clause", "control", "benchmark", "cis", "sku"),
    }
)
"""Words after which four numbers with dots are no address."""

_BEFORE_VALUE = " \t\"'`:=>(\\/"
_LAST_WORD = re.compile(r"([A-Z]+|[A-Z]?[a-z]+)[0-9]*\Z", re.ASCII)
_PRODUCT = re.compile(r"(?<![\w./:@%+-])[A-Za-z][\w.+-]*/\Z", re.ASCII)
_ADDRESSES = re.compile(r"(?:ip[46]?|tcp|udp|dns[46]?|host|hosts|addr|address|inet6?)/\Z", re.IGNORECASE)
_PORT = re.compile(r":[0-9]{1,5}(?![\w.-])")
_RESOLVED = re.compile(r"\.(?:nip|sslip|xip)\.io(?![0-9A-Za-z_-]|\.[0-9A-Za-z])", re.IGNORECASE)
_GROUP_BEFORE = re.compile(r"(?<![0-9A-Za-z])(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{4,}[-_]\Z")
_UID_PATTERN = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_UID_BEFORE = re.compile(_UID_PATTERN + r"[-_]\Z")
_GROUP_AFTER = re.compile(rf"[-_](?!{_UID_PATTERN}(?![0-9A-Za-z]))(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{{4,}}(?![0-9A-Za-z])")
_PREFIX = re.compile(r"/([0-9]{1,3})(?![0-9A-Za-z_.-])")
_URL = ("//", "@")

_WINDOW = 80
"""Characters before a value that can affect what it is."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What the name of a field says about its string."""

    image: bool = False
    """The field names a container image: what follows a colon is a tag."""

    version: bool = False
    """The field holds a version or a serial number: four numbers in it are no address."""

    name: bool = False
    """The field holds an object's name, which a restore keeps even if it contains a uid."""


PLAIN = Hint()


def place_of(key: str) -> Hint:
    """Return what the last key of a string's path says: `image`, `initImage`, `app.…/version`, `secretName`."""
    low = key.lower()
    numbers = low.endswith("version") or _ends_with_number(key)
    if not numbers and not low.endswith(("image", "name")):
        return PLAIN
    return Hint(low.endswith("image"), numbers, low.endswith("name"))


def _ends_with_number(text: str) -> bool:
    """Return whether the last word of a text is one of `_NUMBERS`: `serialNumber`, `APP_RELEASE`, `the release`."""
    word = _LAST_WORD.search(text)
    return word is not None and word[1].lower() in _NUMBERS


def v4_stands(text: str, start: int, end: int, place: Hint) -> bool:
    """Return whether the IPv4 address at `start` to `end` is used as one."""
    if place.version or not _v4_may_begin(text, start, end, place):
        return False
    after = text[end : end + 1]
    if after == "." and text[end + 1 : end + 2] in _WORD_CHARACTERS:
        return _RESOLVED.match(text, end) is not None
    return not (after in _WORD_CHARACTERS or (after and after in "+~^-")) and not _is_network(text, start, end)


def _v4_may_begin(text: str, start: int, end: int, place: Hint) -> bool:
    before = text[start - 1 : start]
    if before == ".":
        return text[start - 2 : start - 1] not in "0123456789" and _RESOLVED.match(text, end) is not None
    if before == ":" and start > 1 and text[start - 2] in _WORD_CHARACTERS:
        return not place.image and not _TAG.search(text[max(0, start - _WINDOW) : start])
    if not _may_begin(text, start, "+~^-"):
        return False
    return _PORT.match(text, end) is not None or not _is_number(text[max(0, start - 48) : start])


def _is_number(before: str) -> bool:
    """Return whether what is before four numbers makes them a version or a serial number."""
    if before[-1:] == "/" and _PRODUCT.search(before) and not _ADDRESSES.search(before):
        return True
    return _ends_with_number(before.rstrip(_BEFORE_VALUE))


def v6_stands(text: str, start: int, end: int) -> bool:
    """Return whether the IPv6 address at `start` to `end` is used as one."""
    after = text[end : end + 1]
    if after == ".":
        after = text[end + 1 : end + 2]
    joined = after in _WORD_CHARACTERS or after == "-"
    return not joined and _may_begin(text, start, ":.-") and not _is_network(text, start, end)


def uid_stands(text: str, start: int, end: int) -> bool:
    """Return whether the uid at `start` to `end` is not part of a longer number."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if before in ("-", "_"):
        window = text[max(0, start - _WINDOW) : start]
        begins = not _GROUP_BEFORE.search(window) or _UID_BEFORE.search(window) is not None
    else:
        begins = _may_begin(text, start, "")
    return begins and (after == "_" or after not in _WORD_CHARACTERS) and not _GROUP_AFTER.match(text, end)


def pod_stands(text: str, start: int) -> bool:
    """Return whether the first label of a pod's DNS name, from `start`, begins there."""
    return _may_begin(text, start, "-.")


def _may_begin(text: str, start: int, joining: str) -> bool:
    before = text[start - 1 : start]
    if before in _WORD_CHARACTERS:
        return _ESCAPE.search(text[max(0, start - 6) : start]) is not None
    return not before or before not in joining


def _is_network(text: str, start: int, end: int) -> bool:
    """Return whether the address is a network: followed by the length of its prefix, and without a host part."""
    prefix = _PREFIX.match(text, end)
    if prefix is None or text.endswith(_URL, 0, start):
        return False
    try:
        network = ipaddress.ip_network(f"{text[start:end]}/{prefix[1]}")
    except ValueError:  # host bits are set, or no prefix is that long
        return False
    return network.num_addresses > 1


Class = Literal["address", "uid", "host"]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.[a-z][a-z0-9-]{0,62}", re.IGNORECASE | re.ASCII)


def class_of(key: str) -> Class:
    """Return what a normalised value is."""
    if _UUID.fullmatch(key):
        return "uid"
    return "address" if ":" in key or key[-1:].isdigit() else "host"


@lru_cache(maxsize=65_536)
def key_of(value: str) -> str | None:
    """Return the canonical spelling of a value, or None for what no cluster assigns to one owner.

    IPv6 in the form of RFC 5952, an IPv4-mapped address as IPv4, uids and host names in lower case. None for `None`,
    loopback, unspecified, multicast, broadcast, a name without a dot and any other text.
    """
    if _UUID.fullmatch(value):
        return value.lower()
    try:
        found = ipaddress.ip_address(value.partition("%")[0])
    except ValueError:
        name = value.removesuffix(".").lower()
        return name if _HOST.fullmatch(name) and not name.endswith(".localhost") else None
    return None if _nobodys(found) else str(_v4(found))


def _v4(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _nobodys(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    plain = _v4(found)
    return plain.is_loopback or plain.is_unspecified or plain.is_multicast or str(plain) == "255.255.255.255"


@dataclass(frozen=True, slots=True)
class Token:
    """A known value in a text, from `start` up to `end` (exclusive)."""

    start: int
    end: int
    key: str


def tokens(text: str, known: Mapping[str, object], *, hosts: bool = True, place: Hint = PLAIN) -> list[Token]:
    """Return the uses of `known` values (by `key_of`) in `text`, in order and without overlaps.

    `hosts` says whether any host name is known; if not, none is looked for.
    """
    found: list[Token] = []
    if "." in text:
        found += [each for each in _v4s(text, known) if v4_stands(text, each.start, each.end, place)]
        found += [each for each in _pods(text, known) if pod_stands(text, each.start)]
        found += _hosts(text, known) if hosts else ()
    if ":" in text:
        found += [each for each in _v6s(text, known) if v6_stands(text, each.start, each.end)]
    if "-" in text and not place.name:
        found += [each for each in _uids(text, known) if uid_stands(text, each.start, each.end)]
    return _apart(found) if len(found) > 1 else found


def replaced(text: str, found: list[Token], new: Callable[[Token], str]) -> str:
    """Return `text` with each token replaced in one pass: a replacement is never scanned."""
    parts, at = [], 0
    for token in found:
        parts += [text[at : token.start], new(token)]
        at = token.end
    return "".join([*parts, text[at:]])


def spelled(new: str, written: str) -> str:
    """Return `new` in the spelling of the value that it replaces, `written`: with dashes, or in capitals."""
    if _UUID.fullmatch(written):
        return new.upper() if written == written.upper() != written.lower() else new
    dashed = not re.search(r"[.:]", written)
    return re.sub(r"[.:]", "-", new) if dashed else new


def _apart(found: list[Token]) -> list[Token]:
    """Sort; of two that overlap the longer stays: `10.0.0.1.nip.io` may itself be a load balancer's name."""
    kept: list[Token] = []
    for token in sorted(found, key=lambda each: (each.start, -each.end)):
        if not kept or token.start >= kept[-1].end:
            kept.append(token)
    return kept


# --- candidates: a shape, then a look-up

_V4 = re.compile(r"\.(?<=[0-9]\.)[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}")
_V6 = re.compile(r":(?::|[0-9A-Fa-f]{1,4}:)[0-9A-Fa-f:]*+")
_UID = re.compile(r"-(?<=[0-9A-Fa-f]{8}-)[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}")
_POD = re.compile(r"\.pod(?![0-9A-Za-z_-])")
_LAST_LABEL = re.compile(r"\.[A-Za-z][0-9A-Za-z-]*+(?!\.?[0-9A-Za-z_-])")

_DIGITS = "0123456789"
_HEX = _DIGITS + "abcdefABCDEF"
_WORD = _DIGITS + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"


def _left(text: str, at: int, characters: str, most: int) -> int:
    """Return the start of the run of `characters` that ends at `at`, at most `most` characters before it."""
    begin = max(0, at - most)
    return begin + len(text[begin:at].rstrip(characters))


def _unescaped(text: str, start: int) -> int:
    r"""Return `start` after the rest of an escape: the n of `\n` in JSON, the 2F of `%2F` in a URL."""
    before = text[start - 1] if start else ""
    if before == "\\" and text[start] in "nrtbf":
        return start + 1
    return start + 2 if before == "%" else start


def _v4s(text: str, known: Mapping[str, object]) -> Iterator[Token]:
    for match in _V4.finditer(text):
        start = _left(text, match.start(), _DIGITS, 3)
        key = text[start : match.end()]
        if key in known:
            yield Token(start, match.end(), key)


def _v6s(text: str, known: Mapping[str, object]) -> Iterator[Token]:
    for match in _V6.finditer(text):
        # Eight groups or an elision: neither a time nor a MAC address nor a certificate's fingerprint.
        if "::" not in match[0] and match[0].count(":") not in (7, 8):
            continue
        start = _unescaped(text, _left(text, match.start(), _HEX, 4))
        end = match.end()
        if text[end - 1] == ":" != text[end - 2]:
            end -= 1
        key = text[start:end].lower()
        if key not in known:
            key = key_of(key) or ""
        if key in known:
            yield Token(start, end, key)


def _uids(text: str, known: Mapping[str, object]) -> Iterator[Token]:
    for match in _UID.finditer(text):
        start = match.start() - 8
        key = text[start : match.end()].lower()
        if key in known:
            yield Token(start, match.end(), key)


def _hosts(text: str, known: Mapping[str, object]) -> Iterator[Token]:
    for match in _LAST_LABEL.finditer(text):
        start = _unescaped(text, _left(text, match.start(), _WORD + ".", 253))
        key = text[start : match.end()].lower()
        if key in known:
            yield Token(start, match.end(), key)


def _pods(text: str, known: Mapping[str, object]) -> Iterator[Token]:
    """Find the address in the DNS name of a pod, `10-0-0-1.shop.pod` (kubernetes.io: DNS for Services and Pods)."""
    for match in _POD.finditer(text):
        dot = _left(text, match.start(), _WORD, 63) - 1
        if dot < 1 or text[dot] != ".":
            continue
        start = _unescaped(text, _left(text, dot, _HEX + "-", 45))
        written = text[start:dot]
        if "-" not in written:
            continue
        key = key_of(written.replace("-", "." if written.count("-") == 3 and _decimal(written) else ":")) or ""  # noqa: PLR2004 - an IPv4 address has three dots
        if key in known:
            yield Token(start, dot, key)


def _decimal(written: str) -> bool:
    return written.replace("-", "").isdigit()
