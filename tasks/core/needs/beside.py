"""What an object competes for with others of its cluster: hosts, cloud identities, names of queues and of locks.

A clone beside its living original takes requests, messages and leases from it. Only what is outside of a namespace is
looked at: names in it are its own. Objects come from archives, so every field may have another type.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import EACH, found, get
from kubeferry.tasks.core.kube.objects import annotations_of, type_of
from kubeferry.tasks.core.kube.strings import pointer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object, Path, Place

GATEWAY = "gateway.networking.k8s.io"
_ROUTE: tuple[Path, ...] = (("spec", "hostnames", EACH),)

EXPOSED: Mapping[tuple[str, str], tuple[Path, ...]] = {
    ("networking.k8s.io", "Ingress"): (("spec", "rules", EACH, "host"), ("spec", "tls", EACH, "hosts", EACH)),
    (GATEWAY, "HTTPRoute"): _ROUTE,
    (GATEWAY, "GRPCRoute"): _ROUTE,
    (GATEWAY, "TLSRoute"): _ROUTE,
    (GATEWAY, "Gateway"): (("spec", "listeners", EACH, "hostname"),),
    ("route.openshift.io", "Route"): (("spec", "host"),),
}
"""(group, kind) → fields with the host names of exposed services."""

HOSTS: Mapping[tuple[str, str], tuple[Path, ...]] = {
    **EXPOSED,
    ("externaldns.k8s.io", "DNSEndpoint"): (("spec", "endpoints", EACH, "dnsName"),),
    ("", "Service"): (),
}
"""(group, kind) → fields with hosts; any of these may have annotations of external-dns besides."""

EXTERNAL_DNS = ("external-dns.alpha.kubernetes.io/hostname", "external-dns.alpha.kubernetes.io/internal-hostname")
"""Annotations with comma-separated hosts (external-dns: Annotations)."""

IDENTITIES = (
    "eks.amazonaws.com/role-arn",
    "iam.gke.io/gcp-service-account",
    "azure.workload.identity/client-id",
)
"""Annotations of ServiceAccounts that give them an identity of a cloud."""

_SHARED = re.compile(
    r"""(?:^|[-_./])(?:
        queues?|topics?|streams?|exchange|subscription|channel
        |consumer[-_.]?group|group[-_.]?id|durable[-_.]?name
        |leader[-_.]?elect(?:ion)?[-_.]?(?:id|name|resource[-_.]?name)|leaderelectionid
        |(?:lock|lease)(?:[-_.]?(?:id|name))?
    )(?:[-_.]?(?:name|id|url))?$""",
    re.VERBOSE | re.IGNORECASE,
)
"""Keys, variables and flags that name something outside of the namespace of which there is one for all."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LINE = re.compile(r"""^[ \t]*["']?([A-Za-z][\w.-]*)["']?[ \t]*[:=][ \t]*["']?([^\s"',#]+)""", re.MULTILINE)
_FLAG = re.compile(r"--?([a-z][a-z0-9-]*)=(.+)", re.DOTALL)


def hosts(obj: Object) -> Iterator[tuple[str, str]]:
    """Yield (JSON pointer, host) of each host for which an object asks, in lower case."""
    for path in HOSTS.get(type_of(obj), ()):
        for at, value in found(obj, path):
            if isinstance(value, str) and value not in {"", "*"}:
                yield at, value.lower().rstrip(".")
    for key in EXTERNAL_DNS:
        text = annotations_of(obj).get(key)
        for each in text.split(",") if isinstance(text, str) else ():
            if each.strip():
                yield pointer(("metadata", "annotations", key)), each.strip().lower().rstrip(".")


def identities(obj: Object) -> Iterator[tuple[str, str]]:
    """Yield (annotation, value) of each identity of a cloud that a ServiceAccount has."""
    for key in IDENTITIES if type_of(obj) == ("", "ServiceAccount") else ():
        value = annotations_of(obj).get(key)
        if isinstance(value, str) and value:
            yield key, value


CONFIGURED = frozenset(
    {
        ("", "ConfigMap"),
        ("", "Pod"),
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("batch", "CronJob"),
        ("batch", "Job"),
    }
)
"""Kinds in which names of queues and of locks are looked for; Secrets are not read for it."""


def shared_names(obj: Object) -> dict[str, set[str]]:
    """Return the names of queues, consumer groups and locks by the JSON pointer of the text that has them.

    In a ConfigMap by its keys and the keys in its texts (`group.id=…`), in pods by variables and flags.
    """
    names: dict[str, set[str]] = {}
    if type_of(obj) not in CONFIGURED:
        return names
    if type_of(obj) == ("", "ConfigMap"):
        data = obj.get("data")
        for key, text in data.items() if isinstance(data, dict) else ():
            if isinstance(text, str):
                pairs = [(key, text.strip()), *_LINE.findall(text)]
                _note(names, ("data", key), pairs)
        return names
    for at, container in _containers(obj.get("spec"), ("spec",)):
        for index, each in enumerate(_list(get(container, "env"))):
            _note(names, (*at, "env", index, "value"), [(get(each, "name"), get(each, "value"))])
        for field in ("command", "args"):
            for index, word in enumerate(_list(get(container, field))):
                match = _FLAG.fullmatch(word) if isinstance(word, str) else None
                _note(names, (*at, field, index), [(match[1], match[2])] if match else [])
    return names


def _note(names: dict[str, set[str]], at: Place, pairs: list[tuple[Any, Any]]) -> None:
    for key, value in pairs:
        if isinstance(key, str) and isinstance(value, str) and value and _SHARED.search(_CAMEL.sub("-", key)):
            names.setdefault(pointer(at), set()).add(value)


def _containers(value: Any, at: Place) -> Iterator[tuple[Place, Any]]:
    if not isinstance(value, dict):
        return
    for field in ("initContainers", "containers"):
        for index, each in enumerate(_list(value.get(field))):
            yield (*at, field, index), each
    for field in ("template", "jobTemplate", "spec"):
        yield from _containers(value.get(field), (*at, field))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def starts(obj: Object) -> str:
    """Return what an object does beside its living original as soon as it is there, "" for nothing."""
    kind, spec = type_of(obj), obj.get("spec")
    if kind == ("batch", "CronJob") and get(spec, "suspend") is not True:
        return "starts Jobs on its schedule, as the original does"
    if kind == ("batch", "Job") and get(spec, "suspend") is not True:
        return "starts at once, as the original did"
    if kind == ("", "Service") and get(spec, "type") == "LoadBalancer":
        return "asks for a load balancer of its own beside that of the original"
    if kind == ("policy", "PodDisruptionBudget"):
        return "keeps nodes from being drained, as the original does: both count"
    return ""


STARTING = frozenset({("batch", "CronJob"), ("batch", "Job"), ("", "Service"), ("policy", "PodDisruptionBudget")})
"""Kinds of which `starts` may say something."""
