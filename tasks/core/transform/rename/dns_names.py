r"""Find the names in a text that contain a namespace: DNS names and service accounts, nothing else.

A text is read once, by one compiled expression that matches each dotted name as a whole (`web.shop.svcs` and
`web.shop.yaml` are other names); look-ups in tables then decide. `\n` and `\"` before a name are escapes, so that JSON
inside a string reads like JSON, and `web\.shop\.svc` in a regular expression is the name it matches. A single word, an
e-mail address, and `kubernetes.default`, the API server itself, are never rewritten. Sources: "DNS for Services and
Pods" and "Authenticating" of kubernetes.io, and the SPIFFE ids of Istio.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.core.kube.namespace_defaults import API_SERVER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_NAME = re.compile(
    r"""
    \\(?:u[0-9A-Fa-f]{4}|.)                                           # an escape is not part of a name
    |(?<![\w-])system:serviceaccounts?:(?P<user>[a-z0-9-]++)          # all accounts of a namespace, or one
    |/ns/(?P<spiffe>[a-z0-9-]++)(?=/sa/)
    |(?:(?<![\w.*-])|(?<=\\[nrtbf.]))(?P<name>(?:\*?\\{0,2}\.)?[\w-]++(?:\\{0,2}\.[\w-]++)++)
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
"""Possessive, and a name starts only at the start of a word: each character is read a fixed number of times."""

_LABEL = re.compile(r"[^\\.]+|(?<=\.)(?=\.)")
_POD_IP = re.compile(r"\d{1,3}(?:-\d{1,3}){3}|(?=[0-9a-f-]*--|(?:[0-9a-f]{1,4}-){7})[0-9a-f-]+")
_ORDINAL = re.compile(r".*-\d+", re.DOTALL)
_PORT = re.compile(r":\d{1,5}(?![\w.-])(/?)")
_AUTHORITY = re.compile(r":(?:\\?/){2}[^\s/?#\"'\\<>]*$")
_USER = re.compile(r"(?::[^\s/@]{0,256})?@")
_BEFORE = re.compile(r"(?:(?:^|[\r\n])[ \t]*(?:-[ \t]+)*|\\[nr]|:[ \t]+|(=)|[,\[{][ \t]*)$")
_AFTER = re.compile(r"$|[\r\n,;\]}]|\\[nr\"]|[ \t]+(?:$|[\r\n#;])")
_FEW = 8
_LONGEST = 512
"""Most characters of a name: 253 by RFC 1035, and a backslash or two before each dot."""
_LOOK_BACK = 256
"""Most characters before a name that decide what it is; the limit keeps the scan linear."""

FILES = re.compile("ya?ml|json|toml|conf|cfg|ini|txt|md|log|crt|cer|key|pem|csr|p12|jks|sock|pid|t?gz|zip|sh")
"""Last labels that make a name a file name, unless its cluster domain is known."""

_API_SERVER = (API_SERVER.name, API_SERVER.namespace)


@dataclass(frozen=True, slots=True)
class Hosts:
    """Decides whether to rewrite a name.

    `names` are the namespaces to rename, old to new; `services` the names of the Services that each namespace is known
    to have; `domains` the known cluster domains.
    """

    names: Mapping[str, str]
    services: Mapping[str, Collection[str]] = field(default_factory=dict)
    domains: Collection[str] = frozenset({"cluster.local"})

    def has(self, namespace: str, service: str) -> bool:
        """Return whether `service` is known in `namespace`."""
        return service in self.services.get(namespace, ())


@dataclass(frozen=True, slots=True)
class Use:
    """One namespace in a text: the characters `start` to `end` are `namespace`, and `whole` is the name around it."""

    start: int
    end: int
    namespace: str
    whole: tuple[int, int]
    rule: str
    """`account`, `dns` (`svc.ns.svc`…) or `host` (`svc.ns`)."""


def uses(text: str, hosts: Hosts, *, whole: bool = True, image: bool = False) -> Iterator[Use]:
    """Yield the uses of the namespaces in `hosts.names` in `text`, in order.

    `whole`: a bare `svc.ns` that is the whole value is a host. `image`: `text` is an image, where a bare `svc.ns:80` is
    a host only before a path.
    """
    for match in _NAME.finditer(text) if _may_name(text, hosts) else ():
        kind = match.lastgroup
        if kind == "name":
            found = _named(text, match, hosts, whole=whole, image=image)
            if found:
                yield found
        elif kind and match[kind] in hosts.names:
            yield Use(*match.span(kind), match[kind], match.span(), "account")


def _may_name(text: str, hosts: Hosts) -> bool:
    """Return whether `text` may contain a name: this search for a few words is a hundred times faster."""
    if len(hosts.names) > _FEW:
        return True
    lower = text.lower()
    return any(name in lower for name in hosts.names)


def replaced(text: str, found: Sequence[Use], names: Mapping[str, str]) -> str:
    """Return `text` with each of `found` under its new name, in one pass, so that `a` and `b` may swap."""
    parts, done = [], 0
    for use in found:
        parts += [text[done : use.start], names[use.namespace]]
        done = use.end
    return "".join([*parts, text[done:]])


def _named(text: str, match: re.Match[str], hosts: Hosts, *, whole: bool, image: bool) -> Use | None:
    name, start, end = match["name"], *match.span("name")
    last = name[name.rfind(".") + 1 :]
    lower = name.lower()
    if len(name) > _LONGEST or (last not in hosts.names and "svc" not in lower and "pod" not in lower):
        return None
    spans = [each.span() for each in _LABEL.finditer(name)]
    labels = [lower[a:b] for a, b in spans]
    at, rule = _full(labels, hosts, open_start=name[0] in ".*\\"), "dns"
    if at is None and _bare([name[a:b] for a, b in spans], hosts) and _is_host(text, start, end, whole, image):
        at, rule = len(labels) - 1, "host"
    if at is None or _is_mail(text, start, end):
        return None
    return Use(start + spans[at][0], start + spans[at][1], labels[at], (start, end), rule)


def _full(labels: list[str], hosts: Hosts, *, open_start: bool) -> int | None:
    """Return the index of the namespace in `svc.ns.svc`, `ns.svc.cluster.local` or `10-0-0-1.ns.pod`, if any."""
    for at in range(len(labels) - 1):
        namespace, kind, domain = labels[at], labels[at + 1], labels[at + 2 :]
        if namespace not in hosts.names or kind not in ("svc", "pod"):
            continue
        before = labels[at - 1] if at else ""
        certain = not domain or ".".join(domain) in hosts.domains
        if kind == "pod":
            fits = certain and bool(_POD_IP.fullmatch(before))
        elif before in ("", "*"):  # a search domain, a wildcard or an entry of NO_PROXY
            fits = certain and (bool(domain) or open_start)
        else:
            likely = hosts.has(namespace, before) and domain and not FILES.fullmatch(domain[-1])
            fits = (before, namespace) != _API_SERVER and bool(certain or likely)
        if fits:
            return at
    return None


def _bare(labels: list[str], hosts: Hosts) -> bool:
    """Return whether labels are the `svc.ns` of a known Service or, for a StatefulSet's pod, `svc-0.svc.ns`."""
    if not 2 <= len(labels) <= 3 or labels[-1] not in hosts.names:  # noqa: PLR2004 - as the docstring spells them
        return False
    *pod, service, namespace = labels
    known = hosts.has(namespace, service) and (service, namespace) != _API_SERVER
    return known and all(_ORDINAL.fullmatch(each) for each in pod)


def _is_host(text: str, start: int, end: int, whole: bool, image: bool) -> bool:  # noqa: FBT001 - handed through
    """Return whether the text around a bare name makes it a host: a port, a URL, or nothing at all."""
    port = _PORT.match(text, end)
    if port:
        return bool(port[1]) or not image
    before = text[max(0, start - _LOOK_BACK) : start]
    if before[-1:] in ("/", "@", ",") and _AUTHORITY.search(before):
        return not _USER.match(text, end)
    return whole and not image and _is_whole(before, text, end)


def _is_whole(before: str, text: str, end: int) -> bool:
    """Return whether a name is a value of its own: a string, in quotes, after `key: ` or `key=`, an item, a line."""
    if before[-1:] in ('"', "'", "`"):
        return text.startswith((before[-1], "\\" + before[-1]), end)
    mark = _BEFORE.search(before, max(0, len(before) - 32))
    if not mark:
        return False
    return bool(_AFTER.match(text, end)) or (mark[1] is not None and text[end : end + 1] in (" ", "\t", "&"))


def _is_mail(text: str, start: int, end: int) -> bool:
    """Return whether a name is the domain of an e-mail address, and not a host after `user:password@`."""
    if text[start - 1 : start] != "@" or text[end : end + 1] in ("/", ":"):
        return False
    local = re.split(r"[\s\"'<>,;()]", text[max(0, start - _LOOK_BACK) : start - 1])[-1]
    return ":" not in local.removeprefix("mailto:")
