"""Who gets rights, or a say, by what is restored, and is not restored with it.

- A ClusterRoleBinding comes for one account of a restored namespace, and has other subjects as well. On another cluster
  their names may be those of others, and a copy under a new name is for the clone alone: only subjects that are
  restored stay.
- A RoleBinding, a ReferenceGrant, an aggregated ClusterRole and a webhook are what their namespace's author wrote, and
  reach no further than that: they stay, and are listed.

Sources: kubernetes.io, RBAC, "Referring to subjects" and "Aggregated ClusterRoles"; Gateway API, ReferenceGrant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import values
from kubeferry.tasks.core.kube.namespace_defaults import DEFAULT_ACCOUNT
from kubeferry.tasks.core.kube.objects import Ref, labels_of, type_of
from kubeferry.tasks.core.needs.cluster_scoped import allows, role_of
from kubeferry.tasks.core.needs.outside import GRANT, WEBHOOKS
from kubeferry.tasks.core.needs.references.fields import RBAC

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object

CLUSTER_BINDING, BINDING = (RBAC, "ClusterRoleBinding"), (RBAC, "RoleBinding")
_CLIENTS = {
    **dict.fromkeys(WEBHOOKS, "webhooks[].clientConfig"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "spec.conversion.webhook.clientConfig",
}
"""Kind → where it says which server is asked."""

TOLD = frozenset({BINDING, GRANT, (RBAC, "ClusterRole"), *_CLIENTS})
"""Kinds of which `told` may tell something."""

AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"


@dataclass(frozen=True, slots=True)
class Restored:
    """What is restored, on the target."""

    objects: Container[Ref]
    namespaces: frozenset[str]
    whole: frozenset[str] = frozenset()
    """Of these, namespaces of which other restores of the same migration bring the accounts."""

    def has_account(self, namespace: str, name: str) -> bool:
        """Return whether a ServiceAccount is restored, or comes with a restored namespace."""
        if namespace not in self.namespaces:
            return False
        return (
            namespace in self.whole
            or name == DEFAULT_ACCOUNT[2]
            or Ref("", "ServiceAccount", namespace, name) in (self.objects)
        )

    def has_subject(self, subject: Any, own: str = "") -> bool:
        """Return whether a subject of a binding in namespace `own` is restored."""
        found = subject if isinstance(subject, dict) else {}
        kind, name = found.get("kind"), str(found.get("name"))
        match kind, name.split(":"):
            case "ServiceAccount", _:
                return self.has_account(str(found.get("namespace") or own), name)
            case "User", ["system", "serviceaccount", namespace, account]:
                return self.has_account(namespace, account)
            case "Group", ["system", "serviceaccounts", namespace]:
                return namespace in self.namespaces
        return False


def foreign_subjects(obj: Object, restored: Restored) -> list[Any]:
    """Return the subjects of a binding that are not restored."""
    own = obj["metadata"].get("namespace", "")
    return [each for each in values(obj, "subjects[]") if not restored.has_subject(each, own)]


def without(obj: Object, foreign: list[Any]) -> Object:
    """Return a binding without some of its subjects."""
    left = [each for each in obj.get("subjects") or () if each not in foreign]
    return {key: value for key, value in obj.items() if key != "subjects"} | ({"subjects": left} if left else {})


def subject_text(subject: Any) -> str:
    """Return a subject as text for people: `User eve`, `ServiceAccount bank/teller`."""
    found = subject if isinstance(subject, dict) else {}
    name = f"{found['namespace']}/{found.get('name')}" if found.get("namespace") else str(found.get("name"))
    return f"{found.get('kind')} {name}"


def told(obj: Object, restored: Restored) -> Iterator[str]:
    """Yield what an object that stays as it is lets others do, a line each."""
    kind = type_of(obj)
    if kind == BINDING:
        yield from (f"gives rights to {subject_text(each)}" for each in foreign_subjects(obj, restored))
    elif kind == GRANT:
        spaces = dict.fromkeys(str(each) for each in values(obj, "spec.from[].namespace"))
        yield from (
            f"lets namespace {each} refer to its namespace" for each in spaces if each not in restored.namespaces
        )
    elif kind == (RBAC, "ClusterRole"):
        labels = labels_of(obj).items()
        added = sorted(
            key.removeprefix(AGGREGATE) for key, value in labels if key.startswith(AGGREGATE) and value == "true"
        )
        yield from (f"adds its rules to ClusterRole {each}" for each in added)
    elif kind in _CLIENTS:
        clients = [each for each in values(obj, _CLIENTS[kind]) if isinstance(each, dict)]
        if kind in WEBHOOKS:
            asked = [each["service"] for each in clients if isinstance(each.get("service"), dict)]
            names = dict.fromkeys(f"{each.get('namespace')}/{each.get('name')}" for each in asked)
            yield from (f"has the API server ask Service {each} about requests" for each in names)
        urls = dict.fromkeys(str(each["url"]) for each in clients if each.get("url"))
        yield from (f"has the API server ask {each}" for each in urls)
        if any(each.get("url") and each.get("caBundle") for each in clients):
            yield "has the API server trust the certificates in it (caBundle)"


# --- who may read the Secrets of a namespace that was there before

READING = frozenset({"get", "list", "watch", "*"})
_SYSTEM = ("system:masters", "system:nodes", "system:kube-")
"""Subjects of Kubernetes itself, which read every Secret of any cluster."""


def secret_readers(bindings: Iterable[Object], roles: Iterable[Object]) -> list[str]:
    """Return who may read Secrets in a namespace, sorted, by its RoleBindings and all ClusterRoleBindings: `bindings`.

    Without Kubernetes' own components. `roles` are the Roles of the namespace and all ClusterRoles.
    """
    reading = {
        Ref.of(each) for each in roles if any(allows(rule, "", "secrets", READING) for rule in each.get("rules") or ())
    }
    found: set[str] = set()
    for each in bindings:
        if role_of(each) in reading:
            found |= {subject_text(subject) for subject in values(each, "subjects[]") if not _is_system(subject)}
    return sorted(found)


def _is_system(subject: Any) -> bool:
    found = subject if isinstance(subject, dict) else {}
    return str(found.get("name")).startswith(_SYSTEM) or found.get("namespace") == "kube-system"
