r"""Find the names in a text that contain a namespace: DNS names and service accounts, nothing else.

A text is read once, by one compiled expression that matches each dotted name as a whole (`web.shop.svcs` and
`web.shop.yaml` are other names); look-ups in tables then decide. `\n` and `\"` before a name are escapes, so that JSON
inside a string reads like JSON, and `web\.shop\.svc` in a regular expression is the name it matches. A single word, an
e-mail address, and `kubernetes.default`, the API server itself, are never rewritten.

`web.shop.svc` is a DNS name wherever it stands. `web.shop` alone may as well be a table, a topic or a file, even where
the backup has a Service `web` in `shop`: it is rewritten in a URL, with a port, after a program that asks for a host,
and under a name that means a host (keys.py, host_places.py). Everywhere else it is left.

Sources: "DNS for Services and Pods" and "Authenticating" of kubernetes.io, the SPIFFE ids of Istio, the identities of
Linkerd.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.core.kube.namespace_defaults import API_SERVER
from kubeferry.tasks.core.transform.rename.host_places import FILES, HostPlaces

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

_PART = re.compile(r"[a-z0-9-]+")
_LABEL = re.compile(r"[^\\.]+|(?<=\.)(?=\.)")
_POD_IP = re.compile(r"\d{1,3}(?:-\d{1,3}){3}|(?=[0-9a-f-]*--|(?:[0-9a-f]{1,4}-){7})[0-9a-f-]+")
_ORDINAL = re.compile(r".*-\d+", re.DOTALL)
_FEW = 8
_LONGEST = 512
"""Most characters of a name: 253 by RFC 1035, and a backslash or two before each dot."""
_PACKAGES = frozenset({"com", "org", "net", "io", "de", "fr", "uk", "eu", "dev", "java", "javax", "jakarta", "github"})
"""First labels of the name of a package of code: `com.shop.svc`."""

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
    """`account`, `dns` (`svc.ns.svc`…) or `host` (`svc.ns`), or another class of `RULES`."""
    written: str = ""
    """What to write in place of the new name: in quotes, where YAML would take it for a number."""


def uses(text: str, hosts: Hosts, *, key: str = "", image: bool = False) -> Iterator[Use]:
    """Yield the uses of the namespaces in `hosts.names` in `text`, in order.

    `key`: the name under which the text stands, which may mean a host. `image`: `text` is an image, where a bare
    `svc.ns:80` is a host only before a path.
    """
    around = HostPlaces(text, key, image=image)
    for match in _NAME.finditer(text) if may_name(text, hosts) else ():
        kind = match.lastgroup
        if kind == "name":
            yield from _named(around, match, hosts)
        elif kind and match[kind] in hosts.names:
            yield Use(*match.span(kind), match[kind], match.span(), "account")


def may_name(text: str, hosts: Hosts) -> bool:
    """Return whether `text` may name a namespace: this search for a few words is a hundred times faster."""
    lower = text.lower()
    if len(hosts.names) > _FEW:  # an escape hides the beginning of a word
        return "\\" in text or "%" in text or not hosts.names.keys().isdisjoint(_PART.findall(lower))
    return any(name in lower for name in hosts.names)


def replaced(text: str, found: Sequence[Use], names: Mapping[str, str]) -> str:
    """Return `text` with each of `found` under its new name, in one pass, so that `a` and `b` may swap."""
    parts, done = [], 0
    for use in found:
        parts += [text[done : use.start], use.written or names[use.namespace]]
        done = use.end
    return "".join([*parts, text[done:]])


def _named(around: HostPlaces, match: re.Match[str], hosts: Hosts) -> Iterator[Use]:
    name, start, end = match["name"], *match.span("name")
    last = name[name.rfind(".") + 1 :]
    lower = name.lower()
    may_be_full = "svc" in lower or "pod" in lower or "identity" in lower
    if len(name) > _LONGEST or (last not in hosts.names and not may_be_full):
        return
    spans = [each.span() for each in _LABEL.finditer(name)]
    labels = [lower[a:b] for a, b in spans]
    found, rule = _identity(labels, hosts), "account"
    if not found:
        found, rule = _full(labels, hosts, open_start=name[0] in ".*\\"), "dns"
    mail = around.is_mail(start, end)
    if rule == "dns" and found and mail and ".".join(labels[found[0] + 2 :]) not in hosts.domains:
        return
    if not found and not mail and _bare([name[a:b] for a, b in spans], hosts) and around.is_host(start, end):
        found, rule = [len(labels) - 1], "host"
    for at in found:
        yield Use(start + spans[at][0], start + spans[at][1], labels[at], (start, end), rule)


def _identity(labels: list[str], hosts: Hosts) -> list[int]:
    """Return the namespaces in `account.ns.serviceaccount.identity.ns.domain`: the account's, and Linkerd's own."""
    for at in range(len(labels) - 1):
        if labels[at] == "serviceaccount" and labels[at + 1] == "identity":
            return [each for each in (at - 1, at + 2) if 0 <= each < len(labels) and labels[each] in hosts.names]
    return []


def _full(labels: list[str], hosts: Hosts, *, open_start: bool) -> list[int]:
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
            known = hosts.has(namespace, before)
            likely = known and domain and not FILES.fullmatch(domain[-1])
            package = not domain and not known and not _PACKAGES.isdisjoint(labels[:at])
            fits = (before, namespace) != _API_SERVER and bool(certain or likely) and not package
        if fits:
            return [at]
    return []


def _bare(labels: list[str], hosts: Hosts) -> bool:
    """Return whether labels are the `svc.ns` of a known Service or, for a StatefulSet's pod, `svc-0.svc.ns`."""
    if not 2 <= len(labels) <= 3 or labels[-1] not in hosts.names:  # noqa: PLR2004 - as the docstring spells them
        return False
    *pod, service, namespace = labels
    known = hosts.has(namespace, service) and (service, namespace) != _API_SERVER
    return known and all(_ORDINAL.fullmatch(each) for each in pod)
