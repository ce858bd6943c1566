"""Find namespaces in annotations, flags and environment variables of Kubernetes and of well-known products.

A value is rewritten only as a whole, or if it is an item of a list. Flags, variables and keys of ConfigMaps are judged
by the ending of their names (keys.py), annotations by a table. Two annotations are excluded on purpose:
`argocd.argoproj.io/tracking-id` (an Application would treat the clone as its own and prune it) and
`vault.hashicorp.com/namespace` (Vault's namespaces are not Kubernetes'). Labels are never rewritten: selectors, and
tools that own objects, find objects by them.
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
from kubeferry.tasks.core.transform.rename.dns_names import may_name
from kubeferry.tasks.core.transform.rename.keys import means_namespace, means_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


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

REFERENCES = frozenset(
    {
        *("configmap", "publish-service", "default-ssl-certificate", "default-backend-service"),
        *("tcp-services-configmap", "udp-services-configmap"),
    }
)
"""Flags of ingress-nginx that hold `ns/name`, whether or not the backup has the object, as it must for others."""

_PROGRAMS = re.compile(
    r"(?:kubectl|oc|helm|helmfile|istioctl|linkerd|flux|argocd|argo|velero|stern|tkn|cmctl|cilium|kustomize|kn|kubeseal)",
    re.ASCII,
)
"""Programs whose option `-n` is a namespace."""


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
                if key in ("args", "command"):
                    yield from _args(item, (*at, key), case, short=_is_command(value))
                elif key == "env":
                    yield from _env(item, (*at, key), case)
            yield from _visit(item, (*at, key), case)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _visit(item, (*at, index), case)


def _is_command(container: dict[str, Any]) -> bool:
    """Return whether a container runs a program whose `-n` is a namespace."""
    words = [container.get("command"), container.get("args")]
    first = [each[0] for each in words if isinstance(each, list) and each and isinstance(each[0], str)]
    image = container.get("image")
    image = [image.rpartition("/")[2].partition(":")[0]] if isinstance(image, str) else []
    return any(_PROGRAMS.fullmatch(each.rpartition("/")[2]) for each in (*first, *image))


def _form(flag: str) -> str:
    """Return the form of each item of a flag's list, "" if it holds no namespace: by its ending."""
    if flag in ("namespace", "namespaces") or means_namespace(flag):
        return "name"
    return "ref" if flag in REFERENCES else "known" if means_reference(flag) else ""


def _args(words: list[Any], at: tuple[str | int, ...], case: Case, *, short: bool) -> Iterator[Hit]:
    """Yield from `--namespace=shop` and from `--namespace` with `shop` as the next word."""
    waits = ""
    for index, word in enumerate(words):
        match = _FLAG.fullmatch(word) if isinstance(word, str) else None
        form = ("name" if short and match[1] == "n" else _form(match[1])) if match else ""
        if match and form and match[2] is not None:
            value = _items(match[2], form, case)
            yield from _changed((*at, index), word, word[: match.start(2)] + value)
        elif waits and isinstance(word, str):
            yield from _changed((*at, index), word, _items(word, waits, case))
        waits = form if match and match[2] is None else ""


def _env(entries: list[Any], at: tuple[str | int, ...], case: Case) -> Iterator[Hit]:
    for index, entry in enumerate(entries):
        name, value = get(entry, "name"), get(entry, "value")
        if isinstance(name, str) and isinstance(value, str):
            yield from _changed((*at, index, "value"), value, _items(value, _form_of(name), case))


def _form_of(name: str) -> str:
    return "name" if means_namespace(name) else "known" if means_reference(name) else ""


def _data(obj: Object, case: Case) -> Iterator[Hit]:
    """Yield the variables of a ConfigMap or Secret; of a Secret's value only the namespaces in it are shown."""
    secret = type_of(obj) == ("", "Secret")
    for leaf in leaves(obj):
        form = _form_of(str(leaf.at[1])) if len(leaf.at) == 2 and leaf.at[0] != "metadata" else ""  # noqa: PLR2004 - field and key
        new = _items(leaf.text, form, case) if form and may_name(leaf.text, case.hosts) else leaf.text
        if new != leaf.text:
            old, shown = _differing(leaf.text, new) if secret else (leaf.text, new)
            yield Hit(leaf.at, "setting", old, shown, leaf.written(new))


def _differing(old: str, new: str) -> tuple[str, str]:
    """Return the differing items of two comma-separated lists of equal length."""
    pairs = [each for each in zip(old.split(","), new.split(","), strict=True) if each[0] != each[1]]
    return ",".join(one.strip() for one, _ in pairs), ",".join(other.strip() for _, other in pairs)


def _changed(at: tuple[str | int, ...], old: str, new: str) -> Iterator[Hit]:
    if old != new:
        yield Hit(at, "setting", old, new, new)


def _items(text: str, form: str, case: Case) -> str:
    """Return a comma-separated list with each item renamed; spaces stay."""
    return ",".join(_item(part, form, case) for part in text.split(",")) if form else text


def _item(part: str, form: str, case: Case) -> str:
    item = part.strip()
    if form == "traefik":
        old = next((each for each in case.names if _is_traefik(item, each, case)), None)
    else:
        old, slash, name = item.partition("/")
        if bool(slash) != (form != "name") or old not in case.names:
            return part
        if form == "known" and not case.known.has(old, name):
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
