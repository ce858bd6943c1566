"""Annotations, flags and variables that are known to hold a namespace, of Kubernetes and of well-known products.

Annotations that are left out on purpose: `argocd.argoproj.io/tracking-id` (an Application would take the clone for its
own and prune it) and `vault.hashicorp.com/namespace` (Vault's namespaces are not Kubernetes'). Labels are never
rewritten: by them selectors, and tools that own objects, find what is theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


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
"""Annotation → what each item of its comma list is: `name` (ns), `ref` (ns/name) or `traefik` (ns-name@kubernetescrd).

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
"""Flag of a container's command or args, without its dashes → what each item of its comma list is."""

VARIABLES = frozenset(
    _words(
        "NAMESPACE NAMESPACES WATCH_NAMESPACE WATCH_NAMESPACES POD_NAMESPACE MY_POD_NAMESPACE KUBERNETES_NAMESPACE"
        " KUBE_NAMESPACE K8S_NAMESPACE K8S_POD_NAMESPACE OPERATOR_NAMESPACE CONTROLLER_NAMESPACE SYSTEM_NAMESPACE"
        " RELEASE_NAMESPACE TARGET_NAMESPACE TARGET_NAMESPACES SERVICE_NAMESPACE DEPLOYMENT_NAMESPACE APP_NAMESPACE"
        " CURRENT_NAMESPACE LEADER_ELECTION_NAMESPACE"
    )
)
"""Environment variables that hold a namespace or a comma list of them; also as keys of ConfigMaps and Secrets."""
