r"""Decide whether a known value that stands in a text is used there, by what touches it on both sides.

| text | a use of 10.0.0.1? | because |
| --- | --- | --- |
| `http://10.0.0.1:80/`, `db=10.0.0.1,10.0.0.2`, `\n10.0.0.1` in JSON | yes | punctuation ends a token, an escape too |
| `10.0.0.1/32`, `10.0.0.1/24` | yes | one host; an interface's address and the size of its network |
| `10.0.0.0/24` (of 10.0.0.0), `fd00::/64` | no | a network, which its author laid out |
| `10.0.0.1-10.0.0.9` | no | a range, which its author laid out |
| `10.0.0.1.nip.io`, `app.10.0.0.1.sslip.io` | yes | the name resolves to the address in it |
| `10.0.0.1.example.com`, `ip-10-0-0-1` | no | a name; nobody resolves the digits in it |
| `10-0-0-1.shop.pod.cluster.local` | yes | the DNS name of a pod is made of its address |
| `10.0.0.1-alpine`, `v10.0.0.1`, `10.0.0.1+b3`, `1.10.0.0.1`, `~10.0.0.1`, `version: 10.0.0.1` | no | a version |
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

_WORD = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_ESCAPE = re.compile(r"(?:\\(?:[nrtbf]|u[0-9A-Fa-f]{4})|%[0-9A-Fa-f]{2})\Z")
_TAG = re.compile(r"(?:/[\w.-]+|\bimage\W{1,4}[\w.-]+):\Z", re.IGNORECASE | re.ASCII)
_VERSION = re.compile(r"version[\"']?\s*[:=]\s*[\"']?\Z", re.IGNORECASE)
_RESOLVED = re.compile(r"\.(?:nip|sslip|xip)\.io(?![0-9A-Za-z_-]|\.[0-9A-Za-z])", re.IGNORECASE)
_GROUP_BEFORE = re.compile(r"(?<![0-9A-Za-z])(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{4,}[-_]\Z")
_UID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_UID_BEFORE = re.compile(_UID + r"[-_]\Z")
_GROUP_AFTER = re.compile(rf"[-_](?!{_UID}(?![0-9A-Za-z]))(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{{4,}}(?![0-9A-Za-z])")
_PREFIX = re.compile(r"/([0-9]{1,3})(?![0-9A-Za-z_.-])")
_URL = ("//", "@")

_WINDOW = 80
"""Characters before a value that can still say what it is."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What the field that holds a string says about it, beyond its text."""

    image: bool = False
    """The field names a container image: what follows a colon is a tag."""

    version: bool = False
    """The field holds a version: four numbers in it are one."""

    name: bool = False
    """The field holds an object's name, which a restore keeps even if it was made of a uid."""


PLAIN = Hint()


def place_of(key: str) -> Hint:
    """Return what the last key on the way to a string says: `image`, `initImage`, `app.…/version`, `secretName`."""
    low = key.lower()
    if not low.endswith(("image", "version", "name")):
        return PLAIN
    return Hint(low.endswith("image"), low.endswith("version"), low.endswith("name"))


def v4_stands(text: str, start: int, end: int, place: Hint) -> bool:
    """Tell whether the IPv4 address at `start` to `end` is used as one."""
    if place.version or not _v4_may_begin(text, start, end, place):
        return False
    after = text[end : end + 1]
    if after == "." and text[end + 1 : end + 2] in _WORD:
        return _RESOLVED.match(text, end) is not None
    return not (after in _WORD or (after and after in "+~^-")) and not _is_network(text, start, end)


def _v4_may_begin(text: str, start: int, end: int, place: Hint) -> bool:
    before = text[start - 1 : start]
    if before == ".":
        return text[start - 2 : start - 1] not in "0123456789" and _RESOLVED.match(text, end) is not None
    if before == ":" and start > 1 and text[start - 2] in _WORD:
        return not place.image and not _TAG.search(text[max(0, start - _WINDOW) : start])
    if not _may_begin(text, start, "+~^-"):
        return False
    window = text[max(0, start - 16) : start]
    return "ersion" not in window.lower() or not _VERSION.search(window)


def v6_stands(text: str, start: int, end: int) -> bool:
    """Tell whether the IPv6 address at `start` to `end` is used as one."""
    after = text[end : end + 1]
    if after == ".":
        after = text[end + 1 : end + 2]
    joined = after in _WORD or after == "-"
    return not joined and _may_begin(text, start, ":.-") and not _is_network(text, start, end)


def uid_stands(text: str, start: int, end: int) -> bool:
    """Tell whether the uid at `start` to `end` is more than a part of a longer number."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if before in ("-", "_"):
        window = text[max(0, start - _WINDOW) : start]
        begins = not _GROUP_BEFORE.search(window) or _UID_BEFORE.search(window) is not None
    else:
        begins = _may_begin(text, start, "")
    return begins and (after == "_" or after not in _WORD) and not _GROUP_AFTER.match(text, end)


def pod_stands(text: str, start: int) -> bool:
    """Tell whether the first label of a pod's DNS name, from `start`, begins there."""
    return _may_begin(text, start, "-.")


def _may_begin(text: str, start: int, joining: str) -> bool:
    before = text[start - 1 : start]
    if before in _WORD:
        return _ESCAPE.search(text[max(0, start - 6) : start]) is not None
    return not before or before not in joining


def _is_network(text: str, start: int, end: int) -> bool:
    """Tell whether the address is a network's: followed by the length of its prefix, and without a host part."""
    prefix = _PREFIX.match(text, end)
    if prefix is None or text.endswith(_URL, 0, start):
        return False
    try:
        network = ipaddress.ip_network(f"{text[start:end]}/{prefix[1]}")
    except ValueError:  # host bits are set, or no prefix is that long
        return False
    return network.num_addresses > 1
