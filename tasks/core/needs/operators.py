"""Whose definitions are an operator's: the signs in its rights, in its webhooks, and in labels and annotations.

A manifest of an operator brings definitions of which its own namespace may hold no instance. What shows that they
belong together:

- certain: the release annotations of Helm, the labels of OLM; a webhook of the namespace that judges the resource by
  name; a right to write its `status` or `finalizers`, which controllers do; a right to write it that no account of
  another namespace has; a right to write it, and the same label `instance` or `part-of` as the account's bindings.
- uncertain: a right to write it, alone. An application writes objects of other operators, too.
- none: a rule for all groups, since an administrator's role has it.

Sources: kubernetes.io, Recommended Labels, and Extending Kubernetes, Operator pattern; helm.sh, Labels and Annotations
(`meta.helm.sh/release-name`); olm.operatorframework.io, `operators.coreos.com/PACKAGE.NAMESPACE` and `olm.owner`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import values
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.kube.objects import annotations_of, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object

Resource = tuple[str, str]
"""(group, plural) as rules of roles and webhooks name a resource; the plural is "*" for all of a group."""

WRITING = frozenset({"create", "update", "patch", "delete", "deletecollection", "*"})
CONTROLLING = frozenset({"status", "finalizers"})
"""Subresources that controllers write (book.kubebuilder.io, RBAC markers)."""

RELEASE_NAMESPACE = "meta.helm.sh/release-namespace"
RELEASE_NAME = "meta.helm.sh/release-name"
OLM = "operators.coreos.com/"
OLM_OWNER_NAMESPACE = "olm.owner.namespace"
SAME = ("app.kubernetes.io/instance", "app.kubernetes.io/part-of")


def writes(role: Object) -> Iterator[tuple[Resource, bool]]:
    """Yield the custom resources that a role may write and names, each with whether as a controller does.

    "*" is all of a group that is named.
    """
    for rule in values(role, "rules[]"):
        if not isinstance(rule, dict) or not _texts(rule, "verbs") & WRITING:
            continue
        for group in _texts(rule, "apiGroups"):
            if group == "*" or is_built_in(group):
                continue
            for resource in _texts(rule, "resources"):
                plural, _, part = resource.partition("/")
                yield (group, plural), part in CONTROLLING


def judged(configuration: Object) -> Iterator[Resource]:
    """Yield the custom resources that a webhook configuration names in its rules; "*" for all of a named group."""
    for rule in values(configuration, "webhooks[].rules[]"):
        for group in _texts(rule, "apiGroups"):
            if group != "*" and not is_built_in(group):
                yield from ((group, each.partition("/")[0]) for each in _texts(rule, "resources"))


def released_in(obj: Object) -> Iterator[tuple[str, str]]:
    """Yield the namespaces in which an object's release or operator is installed, each with that as text."""
    notes = annotations_of(obj)
    if space := notes.get(RELEASE_NAMESPACE):
        yield space, f"belongs to Helm release {notes.get(RELEASE_NAME, '')} in {space}"
    labels = labels_of(obj)
    if space := labels.get(OLM_OWNER_NAMESPACE):
        yield space, f"belongs to operator {labels.get('olm.owner', '')} of OLM in {space}"
    for key in labels:
        name, _, space = key.removeprefix(OLM).rpartition(".")
        if key.startswith(OLM) and name and space:
            yield space, f"belongs to operator {name} of OLM in {space}"


def marks(obj: Object) -> frozenset[tuple[str, str]]:
    """Return the labels by which objects of one application are known."""
    labels = labels_of(obj)
    return frozenset((key, labels[key]) for key in SAME if labels.get(key))


def _texts(rule: Any, key: str) -> set[str]:
    found = rule.get(key) if isinstance(rule, dict) else None
    return {each for each in found if isinstance(each, str)} if isinstance(found, list) else set()
