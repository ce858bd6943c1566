"""Find namespaces in annotations, flags and environment variables of Kubernetes and of well-known products.

A value is rewritten only as a whole, or if it is an item of a list according to its table; other annotations, flags and
variables are not looked at here. Two annotations are excluded on purpose: `argocd.argoproj.io/tracking-id` (an
Application would treat the clone as its own and prune it) and `vault.hashicorp.com/namespace` (Vault's namespaces are
not Kubernetes'). Labels are never rewritten: selectors, and tools that own objects, find objects by them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import Object, get
from kubeferry.tasks.core.kube.objects import annotations_of, type_of
from kubeferry.tasks.core.kube.strings import leaves
from kubeferry.tasks.core.needs.annotations import with_namespaces
from kubeferry.tasks.core.needs.references.marks import annotation_kind
from kubeferry.tasks.core.transform.rename.classes import Case, Hit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kubeferry.tasks.core.kube.strings import Leaf


def _words(text: str) -> list[str]:
    return text.split()


ANNOTATIONS: Mapping[str, str] = {
    "cert-manager.io/inject-ca-from": "ref",
    "cert-manager.io/inject-ca-from-secret": "ref",
    "haproxy.org/client-ca": "ref",
    "haproxy.org/server-ca": "ref",
    "haproxy.org/server-crt": "ref",
    "ingress.kubernetes.io/auth-secret": "ref",
    "k8s.v1.cni.cncf.io/networks": "ref",
    "meta.helm.sh/release-namespace": "name",
    "networking.istio.io/exportTo": "name",
    "nginx.ingress.kubernetes.io/auth-proxy-set-headers": "ref",
    "nginx.ingress.kubernetes.io/auth-secret": "ref",
    "nginx.ingress.kubernetes.io/auth-tls-secret": "ref",
    "nginx.ingress.kubernetes.io/custom-headers": "ref",
    "nginx.ingress.kubernetes.io/fastcgi-params-configmap": "ref",
    "nginx.ingress.kubernetes.io/proxy-ssl-secret": "ref",
    "olm.operatorNamespace": "name",
    "olm.targetNamespaces": "name",
    "projectcontour.io/tls-cert-namespace": "name",
    "reflector.v1.k8s.emberstack.com/reflection-allowed-namespaces": "name",
    "reflector.v1.k8s.emberstack.com/reflection-auto-namespaces": "name",
    "reflector.v1.k8s.emberstack.com/reflects": "ref",
    "replicator.v1.mittwald.de/replicate-from": "ref",
    "replicator.v1.mittwald.de/replicate-to": "name",
    "snapshot.storage.kubernetes.io/deletion-secret-namespace": "name",
    "traefik.ingress.kubernetes.io/router.middlewares": "traefik",
    "traefik.ingress.kubernetes.io/router.tls.options": "traefik",
    "traefik.ingress.kubernetes.io/service.serverstransport": "traefik",
    "v1.multus-cni.io/default-network": "ref",
    "volume.kubernetes.io/provisioner-deletion-secret-namespace": "name",
}
"""Annotation → the form of each item of its comma-separated list: `name` (ns), `ref` (ns/name) or `traefik`
(ns-name@kubernetescrd).

A `ref` without a slash is a name in the object's own namespace. Besides these, the two depends-on annotations."""

FLAGS: Mapping[str, str] = {
    **dict.fromkeys(
        _words(
            "namespace namespaces watch-namespace watch-namespaces pod-namespace operator-namespace release-namespace"
            " target-namespace target-namespaces system-namespace controller-namespace secret-namespace"
            " secrets-namespace configmap-namespace service-namespace webhook-namespace"
            " leader-election-namespace election-namespace leader-elect-resource-namespace"
            " leader-election-resource-namespace cluster-resource-namespace"
        ),
        "name",
    ),
    **dict.fromkeys(
        _words(
            "configmap publish-service default-ssl-certificate tcp-services-configmap udp-services-configmap"
            " default-backend-service"
        ),
        "ref",
    ),
}
"""Flag of a container's command or args, without its dashes → the form of each item of its comma-separated list."""

VARIABLES = frozenset(
    _words(
        "NAMESPACE NAMESPACES WATCH_NAMESPACE WATCH_NAMESPACES POD_NAMESPACE MY_POD_NAMESPACE KUBERNETES_NAMESPACE"
        " KUBE_NAMESPACE K8S_NAMESPACE K8S_POD_NAMESPACE OPERATOR_NAMESPACE CONTROLLER_NAMESPACE SYSTEM_NAMESPACE"
        " RELEASE_NAMESPACE TARGET_NAMESPACE TARGET_NAMESPACES SERVICE_NAMESPACE DEPLOYMENT_NAMESPACE APP_NAMESPACE"
        " CURRENT_NAMESPACE LEADER_ELECTION_NAMESPACE"
    )
)
"""Environment variables that hold a namespace or a comma-separated list of them; also as keys of ConfigMaps and
Secrets."""


_FLAG = re.compile(r"--?([a-z][a-z0-9-]*)(?:=(.*))?", re.DOTALL)


def annotated(obj: Object, case: Case) -> Iterator[Hit]:
    """Yield the annotations of `obj` that hold a namespace."""
    ingress = type_of(obj) == ("networking.k8s.io", "Ingress")
    for key, text in annotations_of(obj).items():
        form = ANNOTATIONS.get(key) or ("ref" if ingress and annotation_kind(key) else "")
        if form and isinstance(text, str):
            new = _items(text, form, case)
            if new != text:
                yield Hit(("metadata", "annotations", key), "annotation", text, new, new)
    for key, (old, new) in with_namespaces(obj, case.names).items():
        yield Hit(("metadata", "annotations", key), "annotation", old, new, new)


def settings(obj: Object, case: Case) -> Iterator[Hit]:
    """Yield the flags and variables of `obj` that hold a namespace, in pods and in their sources."""
    if type_of(obj) in (("", "ConfigMap"), ("", "Secret")):
        yield from _data(obj, case)
        return
    for key, value in obj.items():
        if key not in ("apiVersion", "kind", "metadata", "status"):
            yield from _visit(value, (key,), case)


def _visit(value: Any, at: tuple[str | int, ...], case: Case) -> Iterator[Hit]:
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, list):
                yield from _LISTS.get(key, _no_list)(item, (*at, key), case)
            yield from _visit(item, (*at, key), case)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _visit(item, (*at, index), case)


def _args(words: list[Any], at: tuple[str | int, ...], case: Case) -> Iterator[Hit]:
    """Yield from `--namespace=shop` and from `--namespace` with `shop` as the next word."""
    waits = ""
    for index, word in enumerate(words):
        match = _FLAG.fullmatch(word) if isinstance(word, str) else None
        if match and match[1] in FLAGS and match[2] is not None:
            value = _items(match[2], FLAGS[match[1]], case)
            yield from _changed((*at, index), word, word[: match.start(2)] + value)
        elif waits and isinstance(word, str):
            yield from _changed((*at, index), word, _items(word, FLAGS[waits], case))
        waits = match[1] if match and match[1] in FLAGS and match[2] is None else ""


def _env(entries: list[Any], at: tuple[str | int, ...], case: Case) -> Iterator[Hit]:
    for index, entry in enumerate(entries):
        name, value = get(entry, "name"), get(entry, "value")
        if isinstance(name, str) and isinstance(value, str) and name in VARIABLES:
            yield from _changed((*at, index, "value"), value, _items(value, "name", case))


def _no_list(_items: list[Any], _at: tuple[str | int, ...], _case: Case) -> Iterator[Hit]:
    return iter(())


_LISTS: Mapping[str, Callable[[list[Any], tuple[str | int, ...], Case], Iterator[Hit]]] = {
    "args": _args,
    "command": _args,
    "env": _env,
}


def _data(obj: Object, case: Case) -> Iterator[Hit]:
    """Yield the variables of a ConfigMap or Secret; of a Secret's value only the namespaces in it are shown."""
    secret = type_of(obj) == ("", "Secret")
    found: Iterator[Leaf] = (leaf for leaf in leaves(obj) if len(leaf.at) == 2 and leaf.at[1] in VARIABLES)  # noqa: PLR2004 - field and key
    for leaf in found:
        new = _items(leaf.text, "name", case)
        if leaf.at[0] != "metadata" and new != leaf.text:
            old, shown = _differing(leaf.text, new) if secret else (leaf.text, new)
            yield Hit(leaf.at, "setting", old, shown, leaf.written(new))


def _differing(old: str, new: str) -> tuple[str, str]:
    """Return the differing items of two comma-separated lists of equal length."""
    pairs = [each for each in zip(old.split(","), new.split(","), strict=True) if each[0] != each[1]]
    return ",".join(one.strip() for one, _ in pairs), ",".join(other.strip() for _, other in pairs)


def _changed(at: tuple[str | int, ...], old: str, new: str) -> Iterator[Hit]:
    if old != new:
        yield Hit(at, "setting", old, new, new)


def _items(text: str, what: str, case: Case) -> str:
    """Return a comma-separated list with each item renamed; spaces stay."""
    return ",".join(_item(part, what, case) for part in text.split(","))


def _item(part: str, what: str, case: Case) -> str:
    item = part.strip()
    if what == "traefik":
        old = next((each for each in case.names if _is_traefik(item, each, case)), None)
    else:
        old, slash, _ = item.partition("/")
        if bool(slash) != (what == "ref") or old not in case.names:
            return part
    return part if old is None else part.replace(old, case.names[old], 1)


def _is_traefik(item: str, namespace: str, case: Case) -> bool:
    """Return whether `item` is `namespace-name@kubernetescrd`; the backup decides what `a-b-c` is."""
    name, _, provider = item.partition("@")
    return (
        provider == "kubernetescrd"
        and name.startswith(namespace + "-")
        and case.known.has(namespace, name.removeprefix(namespace + "-"))
    )
