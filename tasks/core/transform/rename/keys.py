"""What the name of a field, flag, variable or setting says about its value: a host, a namespace, or an object's name.

A name is split into words (`DB_HOST_1`, `dbHost`, `--db-host`, `spring.db.host`), and its last words decide: rules by
the ending, since nobody can list all names. What ends in `namespace` and is known to mean something else is excluded
by the words before it. Sources: the documentation of the products, as tests/data/rename/software.yaml names them.
"""

from __future__ import annotations

import re
from functools import lru_cache


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", re.ASCII)

_HOSTS = _set(
    "host hosts hostname hostnames address addresses addr addrs url urls uri uris endpoint endpoints server servers"
    " broker brokers upstream upstreams proxy dsn domain domains fqdn fqdns cname vhost peer peers seed seeds sni sans"
    " registry registries nameserver nameservers origin origins hostport externalname nodename"
)
"""Last words of a name that means a host."""

_TWO_WORDS = frozenset(
    {
        *((first, last) for first in _set("host server dns common domain external node") for last in ("name", "names")),
        *(("seed", "nodes"), ("cluster", "nodes"), ("contact", "points"), ("broker", "list")),
        *(("data", "source"), ("connection", "string")),
    }
)
"""Last two words of a name that means a host."""

_NAMESPACE = re.compile(r"(.*?)[-_.]?namespaces?(?:[-_]?names?)?", re.IGNORECASE | re.DOTALL)
_KUBERNETES = _set("k8s k kube kubernetes pod pods")
_NOT_KUBERNETES = _set(
    "vault nomad consul temporal cadence"
    " metric metrics statsd dogstatsd datadog cloudwatch aws otel telemetry tracing appinsights"
    " xml xmlns html java php code class graphql uuid i18n translation locale"
    " redis sidekiq resque cache session sessions socketio memcached aerospike ignite hazelcast"
    " azure servicebus eventhub eventhubs bus relay"
    " registry registries image images docker dockerhub quay repo repository acr ecr icr"
    " git gitlab github ci bitbucket"
    " mongo mongodb hbase iceberg pulsar zookeeper zk curator rados cloudflare kv salesforce schema sql table"
    " network net pid ipc uts cgroup linux"
)
"""Words with which `…Namespace` is not one of Kubernetes: Vault's, Temporal's, a metric's prefix, a registry's…"""

_REFERENCES = (
    *("secret", "secrets", "configmap", "config-map", "config_map", "config", "service", "svc", "certificate", "cert"),
    *("serviceaccount", "service-account", "service_account", "pvc", "claim", "gateway", "gateways", "issuer"),
    *("ingress", "deployment", "statefulset", "daemonset", "middleware", "middlewares", "ref", "refs", "reference"),
    *("secretname", "secret-name", "secret_name", "configmapname", "servicename", "gatewayname"),
)
"""Endings of a name whose value may be `namespace/name`. A repository, an image and a path are written so, too."""


def words_of(key: str) -> list[str]:
    """Return the words of a name in lower case, without numbers at its end: `DB_HOST_1` → db, host."""
    words = [each.lower() for each in _WORD.findall(key)]
    while words and words[-1].isdigit():
        words.pop()
    return words


@lru_cache(maxsize=4096)
def means_host(key: str) -> bool:
    """Return whether the value of a name is a host: `DB_HOST`, `externalName`, `bootstrap.servers`."""
    words = words_of(key)
    return bool(words) and (words[-1] in _HOSTS or tuple(words[-2:]) in _TWO_WORDS)


@lru_cache(maxsize=4096)
def means_namespace(key: str) -> bool:
    """Return whether the value of a name is one of Kubernetes' namespaces, or a list of them.

    A bare `namespace` in lower case may be anything: it needs what is beside it, or above it. `NS` is an abbreviation.
    """
    if key in ("NAMESPACE", "NAMESPACES", "NS"):
        return True
    if key.endswith("_NS"):
        return _is_kubernetes(key[:-3])
    found = _NAMESPACE.fullmatch(key)
    return found is not None and bool(found[1]) and _is_kubernetes(found[1])


def _is_kubernetes(before: str) -> bool:
    """Return whether the words before `namespace` leave it one of Kubernetes; the nearest that says so decides."""
    words = words_of(before.replace("k8s", "kubernetes").replace("K8S", "KUBERNETES"))
    return bool(words) and (words[-1] in _KUBERNETES or not _NOT_KUBERNETES.intersection(words))


@lru_cache(maxsize=4096)
def is_about_kubernetes(name: str) -> bool:
    """Return whether a section or field is about Kubernetes, so that `namespace` in it is one of its own."""
    return "kubernetes" in name.lower() or "k8s" in name.lower()


@lru_cache(maxsize=4096)
def means_reference(key: str) -> bool:
    """Return whether the value of a name may be `namespace/name` of an object."""
    return key.lower().endswith(_REFERENCES)
