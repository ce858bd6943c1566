"""Fields that the API defines as a namespace, for Kubernetes' own kinds and those of the Gateway API.

Sources: the API reference of Kubernetes v1.36 and of Gateway API v1.4. Fields that refer to an object of their own
namespace have no namespace and are not in the tables. Nothing is guessed: other fields are not looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import EACH, Every, Path, get, parse_path, parse_paths
from kubeferry.tasks.core.kube.objects import type_of
from kubeferry.tasks.core.needs.references.fields import POD_SPEC_AT, RBAC
from kubeferry.tasks.core.needs.references.marks import WITH_PARAMETERS
from kubeferry.tasks.core.transform.rename.classes import Case, Hit
from kubeferry.tasks.core.transform.rename.dns_names import Hosts, replaced, uses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object, Place


Kind = tuple[str, str]

ADMISSION = "admissionregistration.k8s.io"
GATEWAY = "gateway.networking.k8s.io"
LABEL = "kubernetes.io/metadata.name"
"""The label of every namespace that holds its name (kubernetes.io: automatic labelling)."""

_BINDINGS = tuple((RBAC, kind) for kind in ("RoleBinding", "ClusterRoleBinding"))
_WEBHOOKS = tuple((ADMISSION, kind) for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"))
_POLICIES = tuple((ADMISSION, kind) for kind in ("ValidatingAdmissionPolicy", "MutatingAdmissionPolicy"))
_ROUTES = tuple((GATEWAY, kind) for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"))
_CSI = tuple(
    f"{step}SecretRef" for step in ("controllerPublish", "nodeStage", "nodePublish", "controllerExpand", "nodeExpand")
)
_OLD_DRIVERS = ("cephfs", "cinder", "rbd", "iscsi", "scaleIO", "flexVolume", "storageos")


_BACKEND = "spec.rules[].backendRefs[]"

ROWS: Mapping[str, Mapping[Kind, tuple[Path, ...]]] = {
    "subject": dict.fromkeys(_BINDINGS, parse_paths("subjects[].namespace")),
    "service": {
        **dict.fromkeys(_WEBHOOKS, parse_paths("webhooks[].clientConfig.service.namespace")),
        ("apiregistration.k8s.io", "APIService"): parse_paths("spec.service.namespace"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"): parse_paths(
            "spec.conversion.webhook.clientConfig.service.namespace"
        ),
    },
    "field": {
        ("", "PersistentVolume"): parse_paths(
            "spec.claimRef.namespace",
            *(f"spec.csi.{each}.namespace" for each in _CSI),
            *(f"spec.{each}.secretRef.namespace" for each in _OLD_DRIVERS),
            "spec.azureFile.secretNamespace",
            "spec.glusterfs.endpointsNamespace",
        ),
        ("", "PersistentVolumeClaim"): parse_paths("spec.dataSourceRef.namespace"),
        ("", "ServiceAccount"): parse_paths("secrets[].namespace"),
        ("apps", "StatefulSet"): parse_paths("spec.volumeClaimTemplates[].spec.dataSourceRef.namespace"),
        ("", "Endpoints"): parse_paths(
            "subsets[].addresses[].targetRef.namespace", "subsets[].notReadyAddresses[].targetRef.namespace"
        ),
        ("discovery.k8s.io", "EndpointSlice"): parse_paths("endpoints[].targetRef.namespace"),
        ("networking.k8s.io", "IngressClass"): parse_paths("spec.parameters.namespace"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"): parse_paths(
            "spec.rules[].subjects[].serviceAccount.namespace", "spec.rules[].resourceRules[].namespaces[]"
        ),
        **{(ADMISSION, f"{kind}Binding"): parse_paths("spec.paramRef.namespace") for _, kind in _POLICIES},
        (GATEWAY, "GatewayClass"): parse_paths("spec.parametersRef.namespace"),
        (GATEWAY, "Gateway"): parse_paths(
            "spec.listeners[].tls.certificateRefs[].namespace",
            "spec.listeners[].tls.frontendValidation.caCertificateRefs[].namespace",
            "spec.tls.frontend.default.validation.caCertificateRefs[].namespace",
            "spec.tls.backend.clientCertificateRef.namespace",
            "spec.backendTLS.clientCertificateRef.namespace",
        ),
        (GATEWAY, "ListenerSet"): parse_paths(
            "spec.parentRef.namespace", "spec.listeners[].tls.certificateRefs[].namespace"
        ),
        (GATEWAY, "ReferenceGrant"): parse_paths("spec.from[].namespace"),
        **dict.fromkeys(
            _ROUTES,
            parse_paths(
                "spec.parentRefs[].namespace",
                f"{_BACKEND}.namespace",
                "spec.rules[].filters[].requestMirror.backendRef.namespace",
                "spec.rules[].filters[].externalAuth.backendRef.namespace",
                f"{_BACKEND}.filters[].requestMirror.backendRef.namespace",
                f"{_BACKEND}.filters[].externalAuth.backendRef.namespace",
            ),
        ),
    },
}
"""Class → kind → fields whose whole value is a namespace's name."""

_LISTENERS = ("spec.listeners[].allowedRoutes.namespaces.selector",)

SELECTORS: Mapping[Kind, tuple[Path, ...]] = {
    **dict.fromkeys(_WEBHOOKS, parse_paths("webhooks[].namespaceSelector")),
    **{kind: parse_paths("spec.matchConstraints.namespaceSelector") for kind in _POLICIES},
    **{(ADMISSION, f"{kind}Binding"): parse_paths("spec.matchResources.namespaceSelector") for _, kind in _POLICIES},
    ("networking.k8s.io", "NetworkPolicy"): parse_paths(
        "spec.ingress[].from[].namespaceSelector", "spec.egress[].to[].namespaceSelector"
    ),
    (GATEWAY, "Gateway"): parse_paths(*_LISTENERS, "spec.allowedListeners.namespaces.selector"),
    (GATEWAY, "ListenerSet"): parse_paths(*_LISTENERS),
}
"""Kind → its selectors of namespaces, `{matchLabels, matchExpressions}`."""


_TEMPLATE_AT = {**POD_SPEC_AT, ("apps", "ControllerRevision"): "data.spec.template.spec"}
"""Paths of a kind's pod spec; previous revisions of a StatefulSet or DaemonSet change like the current one."""


def affinity_terms(kind: Kind) -> Iterator[Path]:
    """Yield the paths of a pod's affinity terms, each of which has `namespaces` and a `namespaceSelector`."""
    if kind in _TEMPLATE_AT:
        for way in ("podAffinity", "podAntiAffinity"):
            at = f"{_TEMPLATE_AT[kind]}.affinity.{way}"
            yield parse_path(f"{at}.requiredDuringSchedulingIgnoredDuringExecution[]")
            yield parse_path(f"{at}.preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm")


_EPHEMERAL = "volumes[].ephemeral.volumeClaimTemplate.spec.dataSourceRef.namespace"


def _all(rule: str) -> dict[Kind, tuple[Path, ...]]:
    affinity = {kind: tuple(affinity_terms(kind)) for kind in _TEMPLATE_AT}
    if rule == "selector":
        terms = {kind: tuple((*term, "namespaceSelector") for term in affinity[kind]) for kind in affinity}
        return {**SELECTORS, **terms}
    rows = ROWS["field"]
    return {
        kind: (
            *rows.get(kind, ()),
            parse_path(f"{_TEMPLATE_AT[kind]}.{_EPHEMERAL}"),
            *((*term, "namespaces", EACH) for term in affinity[kind]),
        )
        for kind in affinity
    }


_SELECTORS = _all("selector")
_ROWS = {**ROWS, "field": {**ROWS["field"], **_all("field")}}

SELECTOR_VALUES_AT: Mapping[Kind, tuple[Path, ...]] = {
    kind: tuple((*path, "matchExpressions", EACH) for path in paths) for kind, paths in _SELECTORS.items()
}
"""Kind → the requirements of its selectors of namespaces; those on LABEL list namespaces."""

RULE_AT: Mapping[Kind, Mapping[Path, str]] = {
    kind: {
        **{path: rule for rule, rows in _ROWS.items() for path in rows.get(kind, ())},
        **{(*path, "matchLabels", LABEL): "selector" for path in _SELECTORS.get(kind, ())},
    }
    for kind in {*(kind for rows in _ROWS.values() for kind in rows), *_SELECTORS}
}
"""Kind → field whose whole value is a namespace's name → class."""

NAMESPACE_AT: Mapping[Kind, tuple[Path, ...]] = {kind: tuple(rules) for kind, rules in RULE_AT.items()}
"""Kind → fields whose whole value is a namespace's name."""


_SECRET_NAMESPACE = re.compile(r"secret[-_]?namespace\Z", re.IGNORECASE)
_SUBJECTS = ("RoleBinding", "ClusterRoleBinding")


def fields(obj: Object, case: Case) -> Iterator[Hit]:
    """Yield the typed fields of `obj` to rewrite."""
    kind = type_of(obj)
    for path, rule in RULE_AT.get(kind, {}).items():
        for at, value in places(obj, path):
            yield from _one(case.whole(at, value, rule))
    for path in SELECTOR_VALUES_AT.get(kind, ()):
        for at, requirement in places(obj, path):
            yield from requirement_hits(requirement, at, case)
    if kind[0] == RBAC and kind[1] in _SUBJECTS:
        yield from _subjects(obj, case)
    if kind == (RBAC, "Role"):
        yield from _named_namespaces(obj, case)
    if kind in WITH_PARAMETERS:
        yield from _parameters(obj, case)


def selector_hits(selector: Any, at: Place, case: Case) -> Iterator[Hit]:
    """Yield the names of namespaces in a LabelSelector that selects namespaces."""
    yield from _one(case.whole((*at, "matchLabels", LABEL), get(selector, "matchLabels", LABEL), "selector"))
    requirements = get(selector, "matchExpressions")
    for index, requirement in enumerate(requirements if isinstance(requirements, list) else ()):
        yield from requirement_hits(requirement, (*at, "matchExpressions", index), case)


def requirement_hits(requirement: Any, at: Place, case: Case) -> Iterator[Hit]:
    """Yield the values of one requirement of a selector, if it is about namespace names."""
    if get(requirement, "key") == LABEL:
        yield from items(requirement.get("values"), (*at, "values"), case, "selector")


def items(value: Any, at: Place, case: Case, rule: str) -> Iterator[Hit]:
    """Yield the items of a list that are namespaces to rename."""
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from _one(case.whole((*at, index), item, rule))


def _subjects(obj: Object, case: Case) -> Iterator[Hit]:
    """Yield the subjects whose name contains a namespace (kubernetes.io: RBAC, referring to subjects)."""
    for at, name in places(obj, ("subjects", Every.ITEM, "name")):
        # A subject's name is the whole user name: one that only contains such a name is another user.
        if isinstance(name, str) and name.startswith("system:serviceaccount"):
            found = [each for each in uses(name, Hosts(case.names)) if each.rule == "account" and each.whole[0] == 0]
            if found:
                new = replaced(name, found, case.names)
                yield Hit(at, "subject", name, new, new)


def _parameters(obj: Object, case: Case) -> Iterator[Hit]:
    """Yield the namespaces of the Secrets of a class's driver, whether or not the Secret's name is beside them."""
    parameters = get(obj, "parameters")
    for key, value in parameters.items() if isinstance(parameters, dict) else ():
        if _SECRET_NAMESPACE.search(key):
            yield from _one(case.whole(("parameters", key), value, "field"))


def _named_namespaces(obj: Object, case: Case) -> Iterator[Hit]:
    """Yield the namespaces in those rules of a Role that are about namespaces only."""
    for at, rule in places(obj, ("rules", Every.ITEM)):
        if get(rule, "resources") == ["namespaces"]:
            yield from items(rule.get("resourceNames"), (*at, "resourceNames"), case, "field")


def places(value: Any, path: Path, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield the place and the value of every part of `value` at `path`."""
    if not path:
        yield at, value
        return
    step, rest = path[0], path[1:]
    if isinstance(step, Every):
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from places(item, rest, (*at, index))
    elif isinstance(value, dict) and step in value:
        yield from places(value[step], rest, (*at, step))


def _one(hit: Hit | None) -> tuple[Hit, ...]:
    return () if hit is None else (hit,)
