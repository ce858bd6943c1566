"""What annotations and parameters of the built-in kinds name: classes of claims, Secrets of drivers and of Ingresses.

Kubernetes itself defines the annotation of a claim's class and the parameters of CSI drivers. What the annotations of
an Ingress or a Gateway mean, their controllers define.

Sources: kubernetes.io, Persistent Volumes, Class; kubernetes-csi.github.io, Secrets and Credentials; the annotations of
ingress-nginx, the HAProxy controllers, NGINX Inc.'s controller and cert-manager, in their documentation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from kubeferry.tasks.core.jsondoc.edit import Object, get, values
from kubeferry.tasks.core.kube.claims import CLASS, class_annotation
from kubeferry.tasks.core.kube.objects import Ref, annotations_of
from kubeferry.tasks.core.needs.references.custom import CERT_MANAGER, GATEWAY
from kubeferry.tasks.core.needs.references.fields import POD_SPEC_AT, STORAGE, Kind, Need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Mark(NamedTuple):
    """What an annotation or a parameter names, and where it is."""

    target: Ref
    path: str
    need: Need = Need.OUTSIDE


def marks(obj: Object, kind: Kind, namespace: str) -> Iterator[Mark]:
    """Yield what the annotations and the parameters of an object name."""
    for rule in RULES.get(kind, ()):
        yield from rule(obj, namespace)


def _class(name: str, path: str, need: Need = Need.OUTSIDE) -> Iterator[Mark]:
    if name:
        yield Mark(Ref(STORAGE, "StorageClass", "", name), path, need)


def _claim(obj: Object, _namespace: str) -> Iterator[Mark]:
    # A claim that names its volume is bound to it whether there is a class of this name or not.
    need = Need.NOTHING if get(obj, "spec", "volumeName") else Need.OUTSIDE
    yield from _class(class_annotation(obj) or "", f"metadata.annotations.{CLASS}", need)


def _volume(obj: Object, _namespace: str) -> Iterator[Mark]:
    yield from _class(class_annotation(obj) or "", f"metadata.annotations.{CLASS}", Need.NOTHING)


def _templates(path: str) -> Callable[[Object, str], Iterator[Mark]]:
    def rule(obj: Object, _namespace: str) -> Iterator[Mark]:
        for template in values(obj, path):
            yield from _class(class_annotation(template) or "", f"{path}.metadata.annotations.{CLASS}")

    return rule


WITH_PARAMETERS = (
    (STORAGE, "StorageClass"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
    ("groupsnapshot.storage.k8s.io", "VolumeGroupSnapshotClass"),
)
"""Classes whose parameters name Secrets."""

_SECRET_NAME = re.compile(r"(.*)(secret[-_]?name)", re.IGNORECASE)
_EXPANSION = ("controller-expand", "node-expand")


def _parameters(obj: Object, _namespace: str) -> Iterator[Mark]:
    """Yield the Secrets of a class's driver. `${pvc.name}` makes a name for each claim: it names nothing itself."""
    parameters = get(obj, "parameters")
    for key, name in parameters.items() if isinstance(parameters, dict) else ():
        namespace = parameters.get(namespace_key(key))
        if isinstance(name, str) and name and isinstance(namespace, str) and namespace and "${" not in name + namespace:
            need = Need.NOTHING if any(word in key for word in _EXPANSION) else Need.OUTSIDE
            yield Mark(Ref("", "Secret", namespace, name), f"parameters.{key}", need)


def namespace_key(key: str) -> str:
    """Return the parameter that holds the namespace of the Secret whose name is in `key`; "" if that is no name.

    `csi.storage.k8s.io/node-stage-secret-name` and `adminSecretName` have one.
    """
    found = _SECRET_NAME.fullmatch(key)
    if found is None:
        return ""
    word = found[2]
    return f"{found[1]}{word[:-4]}{'Namespace' if word.endswith('Name') else 'namespace'}"


NGINX = "nginx.ingress.kubernetes.io"
_SECRET, _CONFIG_MAP, _SERVICE = ("", "Secret"), ("", "ConfigMap"), ("", "Service")

INGRESS_ANNOTATIONS: Mapping[str, Kind] = {
    **{f"{NGINX}/{each}": _CONFIG_MAP for each in ("auth-proxy-set-headers", "fastcgi-params-configmap")},
    f"{NGINX}/custom-headers": _CONFIG_MAP,
    f"{NGINX}/default-backend": _SERVICE,
    "haproxy.org/client-ca": _SECRET,
    "haproxy.org/server-ca": _SECRET,
    "haproxy.org/server-crt": _SECRET,
    "nginx.com/jwt-key": _SECRET,
}
"""Annotation of an Ingress → the kind that it names, by `name` or `namespace/name`."""

SECRET_ENDINGS = ("/auth-secret", "/auth-tls-secret", "/proxy-ssl-secret", "-secret")
"""Endings of an annotation of an Ingress that names a Secret, whoever's controller reads it."""

INGRESS_CLASS = "kubernetes.io/ingress.class"
_PATH = re.compile(r"(?:([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)/)?([a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)", re.ASCII)


def annotation_kind(key: str) -> Kind | None:
    """Return the kind of object that an annotation of an Ingress names."""
    return _SECRET if key.endswith(SECRET_ENDINGS) else INGRESS_ANNOTATIONS.get(key)


def _ingress(obj: Object, namespace: str) -> Iterator[Mark]:
    annotations = annotations_of(obj)
    for key, value in annotations.items():
        kind = annotation_kind(key)
        found = _PATH.fullmatch(value) if kind and isinstance(value, str) else None
        if kind and found:
            yield Mark(Ref(*kind, found[1] or namespace, found[2]), f"metadata.annotations.{key}")
    if name := annotations.get(INGRESS_CLASS):  # a class of its controller, with an object of this name or without
        target = Ref("networking.k8s.io", "IngressClass", "", name)
        yield Mark(target, f"metadata.annotations.{INGRESS_CLASS}", Need.NOTHING)


_ISSUER, _CLUSTER_ISSUER = f"{CERT_MANAGER}/issuer", f"{CERT_MANAGER}/cluster-issuer"


def _issuers(obj: Object, namespace: str) -> Iterator[Mark]:
    annotations = annotations_of(obj)
    if name := annotations.get(_CLUSTER_ISSUER):
        yield Mark(Ref(CERT_MANAGER, "ClusterIssuer", "", name), f"metadata.annotations.{_CLUSTER_ISSUER}")
    if name := annotations.get(_ISSUER):
        kind = annotations.get(f"{_ISSUER}-kind", "Issuer")
        group = annotations.get(f"{_ISSUER}-group", CERT_MANAGER)
        wide = (group, kind) == (CERT_MANAGER, "ClusterIssuer")
        yield Mark(Ref(group, kind, "" if wide else namespace, name), f"metadata.annotations.{_ISSUER}")


RULES: Mapping[Kind, tuple[Callable[[Object, str], Iterator[Mark]], ...]] = {
    **{
        kind: (_templates(f"{at}.volumes[].ephemeral.volumeClaimTemplate"),)
        for kind, at in POD_SPEC_AT.items()
        if kind != ("apps", "StatefulSet")
    },
    ("apps", "StatefulSet"): (
        _templates(f"{POD_SPEC_AT['apps', 'StatefulSet']}.volumes[].ephemeral.volumeClaimTemplate"),
        _templates("spec.volumeClaimTemplates[]"),
    ),
    ("", "PersistentVolumeClaim"): (_claim,),
    ("", "PersistentVolume"): (_volume,),
    **dict.fromkeys(WITH_PARAMETERS, (_parameters,)),
    ("networking.k8s.io", "Ingress"): (_ingress, _issuers),
    (GATEWAY, "Gateway"): (_issuers,),
}
"""(group, kind) → its rules."""
