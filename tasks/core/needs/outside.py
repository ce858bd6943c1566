"""What a backup of namespaces takes from outside of them, each with the reason: cluster-wide, or of other namespaces.

An object comes if

- a field of what comes names it, or its kind is one of which the namespaces have objects (`NAMED`, `DEFINES`);
- it names the namespaces, or an object in them: bindings of their accounts, webhooks, APIServices and conversions that
  call their Services, grants, policies and classes that refer to them;
- it belongs to a release or an operator that is installed in them (operators.py).

What names the namespaces among others, or belongs to them by an uncertain sign, does not come and is listed as a loss.
Sources: kubernetes.io, RBAC ("Referring to subjects"), Dynamic Admission Control, API Aggregation Layer, Webhook
conversion; Gateway API, ReferenceGrant. Velero's model is `includeClusterResources` (auto: what the namespaces need).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.formats.outside import OPERATORS, Outside, OutsideCode
from kubeferry.tasks.core.formats.target.bundle_guard import is_guard
from kubeferry.tasks.core.jsondoc.edit import get, group_of, values
from kubeferry.tasks.core.kube.label_selectors import Requirement, selects
from kubeferry.tasks.core.kube.objects import Ref, labels_of
from kubeferry.tasks.core.needs.cluster_scoped import CRD, Needs, bound_accounts, requirements, role_of
from kubeferry.tasks.core.needs.operators import Resource, judged, marks, released_in, writes
from kubeferry.tasks.core.needs.references.admission_policies import PolicyParameters
from kubeferry.tasks.core.needs.references.fields import ADMISSION, RBAC, SERVICE_AT
from kubeferry.tasks.core.needs.references.find import references

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object

GRANT = ("gateway.networking.k8s.io", "ReferenceGrant")
BINDINGS, ROLES = ("RoleBinding", "ClusterRoleBinding"), ("Role", "ClusterRole")
WEBHOOKS = frozenset({(ADMISSION, f"{kind}WebhookConfiguration") for kind in ("Mutating", "Validating")})
METADATA_NAME = "kubernetes.io/metadata.name"

NAMED_AT: Mapping[tuple[str, str], tuple[str, ...]] = {
    **{(ADMISSION, f"{kind}AdmissionPolicyBinding"): ("spec.paramRef",) for kind in ("Mutating", "Validating")},
    ("networking.k8s.io", "IngressClass"): ("spec.parameters",),
    ("gateway.networking.k8s.io", "GatewayClass"): ("spec.parametersRef",),
}
"""Fields that hold {namespace, name} of an object in a namespace."""

SELECTS_AT: Mapping[tuple[str, str], str] = {
    **{(ADMISSION, f"{kind}AdmissionPolicy"): "spec.matchConstraints" for kind in ("Mutating", "Validating")},
    **{(ADMISSION, f"{kind}AdmissionPolicyBinding"): "spec.matchResources" for kind in ("Mutating", "Validating")},
    **dict.fromkeys(WEBHOOKS, "webhooks[]"),
}
"""What holds a `namespaceSelector`."""

ELSEWHERE = frozenset({(RBAC, "Role"), (RBAC, "RoleBinding"), GRANT})
"""Kinds of which a backup takes objects of other namespaces; a restore takes no others."""


@dataclass(slots=True)
class Found:
    """What a backup takes from outside, and what it does not although it has to do with the namespaces."""

    carried: dict[Ref, Outside] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    operated: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """(group, plural) of the cluster-wide kinds of operators in the namespaces → the namespaces of these."""


def related(candidates: Iterable[Object], needs: Needs) -> frozenset[Ref]:
    """Return which of the `candidates`, cluster-wide or of other namespaces, are needed or belong to the namespaces."""
    return frozenset(outside(candidates, needs).carried)


def outside(candidates: Iterable[Object], needs: Needs, inside: Iterable[Object] = ()) -> Found:
    """Return what a backup takes from outside.

    Args:
        candidates: cluster-wide objects, and objects of any namespace, which count only if it is another one.
        needs: what the namespaces need.
        inside: the Roles and RoleBindings of the namespaces.
    """
    gathered = _Gathered(needs)
    for obj in inside:
        gathered.look_inside(obj)
    for obj in candidates:
        if obj["metadata"].get("namespace", "") not in needs.namespaces and not is_guard(Ref.of(obj)):
            gathered.look(obj)
    return gathered.found()


@dataclass(slots=True)
class _Sign:
    """Who of the namespaces may write a resource."""

    by: Ref
    spaces: set[str] = field(default_factory=set)
    controls: bool = False
    marks: set[tuple[str, str]] = field(default_factory=set)


class _Gathered:
    """What is gathered of the candidates, object by object; no contents are kept."""

    def __init__(self, needs: Needs) -> None:
        """Begin."""
        self.needs = needs
        self._named: dict[Ref, list[tuple[Ref, str]]] = {}
        self._first: dict[Ref, Outside] = {}
        self._told: list[Loss] = []
        self._roles: dict[Ref, Mapping[str, str]] = {}
        self._aggregating: dict[Ref, list[list[Requirement]]] = {}
        self._writes: dict[Ref, dict[Resource, bool]] = {}
        self._bindings: list[tuple[Ref, Ref, frozenset[str], frozenset[str], frozenset[tuple[str, str]]]] = []
        """Binding, role, namespaces of its accounts among ours, among others, and its labels."""
        self._definitions: dict[Ref, tuple[Resource, bool, frozenset[tuple[str, str]]]] = {}
        """Definition → resource, whether it is cluster-wide, labels."""
        self._kinds: dict[tuple[str, str], Ref] = {}
        """(group, kind) → the definition of it."""
        self._judged: dict[Ref, set[Resource]] = {}
        self._labelled: dict[Ref, frozenset[tuple[str, str]]] = {}
        self._parameters = PolicyParameters()

    def look_inside(self, obj: Object) -> None:
        """Gather of a Role or RoleBinding of the namespaces what it says of definitions."""
        ref = Ref.of(obj)
        if ref.kind in ROLES:
            self._write(ref, obj)
        elif ref.kind in BINDINGS:
            self._bind(ref, obj)

    def look(self, obj: Object) -> None:
        """Gather what one object from outside says."""
        ref = Ref.of(obj)
        kind = (ref.group, ref.kind)
        self._parameters.look(obj)
        self._named[ref] = [] if kind in {(RBAC, "Role"), GRANT} else _names(obj)
        if ref.group == RBAC and ref.kind in ROLES:
            self._write(ref, obj)
            if ref.kind == "ClusterRole":
                self._roles[ref] = labels_of(obj)
                asked = values(obj, "aggregationRule.clusterRoleSelectors[]")
                self._aggregating[ref] = [requirements(each) for each in asked]
        elif ref.group == RBAC and ref.kind in BINDINGS:
            self._bind(ref, obj)
        elif kind == CRD:
            self._define(ref, obj)
        elif kind in WEBHOOKS:
            self._judged[ref] = set(judged(obj))
        if found := marks(obj):
            self._labelled[ref] = found
        self._reason(ref, obj)

    def found(self) -> Found:
        """Return what comes: what has a reason of its own, what that needs, and what belongs to operators."""
        for ref, selectors in self._aggregating.items():  # its rules come from the roles that its selectors match
            for role, labels in self._roles.items():
                if any(selects(each, labels) for each in selectors):
                    self._named[ref].append((role, "aggregationRule"))
        for binding, each in self._parameters.references():
            self._named[binding].append((each.target, each.path))
        found = dict(self._first)
        self._close(found)
        told = self._operators(found)
        self._close(found)
        self._same_application(found)
        self._close(found)
        told += [each for each in self._told if not any(str(ref) == each.object for ref in found)]
        wide = {
            self._definitions[ref][0]: each.spaces
            for ref, each in found.items()
            if ref in self._definitions and self._definitions[ref][1] and each.code in OPERATORS
        }
        return Found(found, told, wide)

    # --- gathering

    def _write(self, ref: Ref, role: Object) -> None:
        found: dict[Resource, bool] = {}
        for resource, controls in writes(role):
            found[resource] = found.get(resource, False) or controls
        if found:
            self._writes[ref] = found

    def _bind(self, ref: Ref, binding: Object) -> None:
        accounts, whole = bound_accounts(binding)
        spaces = whole | {each.namespace for each in accounts}
        ours = spaces & self.needs.namespaces
        self._bindings.append((ref, role_of(binding), ours, spaces - ours, marks(binding)))

    def _define(self, ref: Ref, definition: Object) -> None:
        spec = definition["spec"]
        names = spec["names"]
        resource = (str(spec["group"]), str(names.get("plural") or ref.name.partition(".")[0]))
        self._definitions[ref] = (resource, spec.get("scope") == "Cluster", marks(definition))
        self._kinds[spec["group"], names["kind"]] = ref
        if (spec["group"], names["kind"]) in self.needs.kinds:
            self._first[ref] = Outside.of(ref, OutsideCode.DEFINES, "defines a kind of which there are objects")

    def _reason(self, ref: Ref, obj: Object) -> None:
        """Note why an object comes by itself; the first reason counts."""
        if ref in self._first:
            return
        if ref in self.needs.objects:
            user, path = self.needs.users.get(ref, (None, ""))
            why = f"{user} names it: {path}" if user else "an object of the namespaces names it"
            self._first[ref] = Outside.of(ref, OutsideCode.NAMED, why, {user.namespace} if user else ())
            return
        ours = self.needs.namespaces
        for code, space, why in _reasons(ref, obj):
            if space in ours:
                spaces = {each for same, each, _ in _reasons(ref, obj) if same == code and each in ours}
                self._first[ref] = Outside.of(ref, code, why, spaces)
                return
        selected = {each for at in values_at(obj) for each in selected_names(at)}
        if not selected & ours:
            return
        if selected <= ours and (ref.group, ref.kind) not in WEBHOOKS:
            why = f"selects namespace {', '.join(sorted(selected))} by name"
            self._first[ref] = Outside.of(ref, OutsideCode.NAMES_NAMESPACE, why, selected)
        else:
            detail = f"it selects namespace {', '.join(sorted(selected & ours))} by name, and is of others"
            self._told.append(Loss.of(ref, LossCode.NOT_CARRIED, detail))

    # --- deciding

    def _close(self, found: dict[Ref, Outside]) -> None:
        """Add what the objects in `found` need."""
        ahead = sorted(found)
        while ahead:
            source = ahead.pop()
            for target, path in self._named.get(source, ()):
                if target in self._named and target not in found:
                    found[target] = Outside.of(
                        target, OutsideCode.NAMED, f"{source} names it: {path}", found[source].spaces
                    )
                    ahead.append(target)
        defining = {self._kinds[kind]: ref for ref in found if (kind := (ref.group, ref.kind)) in self._kinds}
        for definition, ref in sorted(defining.items()):
            if definition not in found:
                why = f"defines the kind of {ref}"
                found[definition] = Outside.of(definition, OutsideCode.DEFINES, why, found[ref].spaces)

    def _operators(self, found: dict[Ref, Outside]) -> list[Loss]:
        """Add the definitions of operators in the namespaces; return those of which that is uncertain."""
        signs, others = self._signs()
        told: list[Loss] = []
        for ref, (resource, _, labels) in sorted(self._definitions.items()):
            if ref in found:
                continue
            whole = (resource[0], "*")
            webhook = next(
                (each for each in sorted(self._judged) if each in found and self._judges(each, resource)), None
            )
            sign = signs.get(resource) or signs.get(whole)
            if webhook:
                why, spaces = f"{webhook}, which calls a Service of the namespace, is about it", found[webhook].spaces
                found[ref] = Outside.of(ref, OutsideCode.OPERATOR, why, spaces)
            elif sign and (sign.controls or labels & sign.marks or not {resource, whole} & others):
                why = f"{sign.by}, which accounts of the namespace have, is to write its objects"
                found[ref] = Outside.of(ref, OutsideCode.OPERATOR, why, sign.spaces)
            elif sign:
                detail = f"{sign.by}, which accounts of the namespace have, may write its objects, as others may"
                told.append(Loss.of(ref, LossCode.NOT_CARRIED, detail))
        return told

    def _judges(self, webhook: Ref, resource: Resource) -> bool:
        return bool({resource, (resource[0], "*")} & self._judged[webhook])

    def _signs(self) -> tuple[dict[Resource, _Sign], set[Resource]]:
        """Return what accounts of the namespaces may write by name, and what those of other namespaces may."""
        signs: dict[Resource, _Sign] = {}
        others: set[Resource] = set()
        for _, role, ours, theirs, labels in sorted(self._bindings, key=lambda each: each[0]):
            for resource, controls in self._writes.get(role, {}).items():
                if theirs:
                    others.add(resource)
                if ours:
                    sign = signs.setdefault(resource, _Sign(role))
                    sign.spaces |= ours
                    sign.controls = sign.controls or controls
                    sign.marks |= labels | self._labelled.get(role, frozenset())
        return signs, others

    def _same_application(self, found: dict[Ref, Outside]) -> None:
        """Add ClusterRoles of the operator's application: the same label, and rules about its definitions."""
        owned: dict[Resource, Outside] = {}
        known: set[tuple[str, str]] = set()
        for ref, each in found.items():
            if ref in self._definitions and each.code in OPERATORS:
                owned[self._definitions[ref][0]] = each
                known |= self._labelled.get(ref, frozenset())
        for ref in sorted(self._roles):
            about = owned.keys() & self._writes.get(ref, {}).keys()
            if ref not in found and about and self._labelled.get(ref, frozenset()) & known:
                of = owned[min(about)]
                why = f"has the labels of {of.text}, and is about its objects"
                found[ref] = Outside.of(ref, OutsideCode.OPERATOR, why, of.spaces)


def _names(obj: Object) -> list[tuple[Ref, str]]:
    return [(each.target, each.path) for each in references(obj)]


_Reason = tuple[OutsideCode, str, str]
"""Why an object has to do with a namespace: the code, the namespace, the reason as text."""


def _reasons(ref: Ref, obj: Object) -> Iterator[_Reason]:
    """Yield why an object has to do with namespaces."""
    kind = (ref.group, ref.kind)
    if kind in SERVICE_AT:
        yield from _calling(obj, SERVICE_AT[kind])
    elif ref.group == RBAC and ref.kind in BINDINGS:
        yield from _binding(obj)
    elif kind == GRANT:
        for space in values(obj, "spec.from[].namespace"):
            yield OutsideCode.NAMES_NAMESPACE, str(space), f"lets namespace {space} refer to objects of {ref.namespace}"
    for path in NAMED_AT.get(kind, ()):
        for found in values(obj, path):
            if isinstance(space := get(found, "namespace"), str):
                yield OutsideCode.NAMES_NAMESPACE, space, f"names an object of {space}: {path}"
    if not ref.namespace:
        yield from ((OutsideCode.RELEASE, space, why) for space, why in released_in(obj))


def _calling(obj: Object, path: str) -> Iterator[_Reason]:
    for found in values(obj, path):
        space, name = get(found, "namespace"), get(found, "name")
        if isinstance(space, str):
            yield OutsideCode.CALLS_SERVICE, space, f"the API server calls Service {space}/{name} for it"


def _binding(obj: Object) -> Iterator[_Reason]:
    accounts, whole = bound_accounts(obj)
    for each in sorted(accounts):
        yield OutsideCode.GIVES_RIGHTS, each.namespace, f"gives rights to {each}"
    for space in sorted(whole):
        yield OutsideCode.GIVES_RIGHTS, space, f"gives rights to all accounts of {space}"


def values_at(obj: Object) -> Iterator[Any]:
    """Yield the selectors by which an admission policy or a webhook chooses namespaces."""
    at = SELECTS_AT.get((group_of(obj["apiVersion"]), obj["kind"]))
    for each in values(obj, at) if at else ():
        yield get(each, "namespaceSelector")


def selected_names(selector: Any) -> set[str]:
    """Return the namespaces that a selector selects by their names, empty if it does not select by name."""
    found: set[str] = set()
    name = get(selector, "matchLabels", METADATA_NAME)
    if isinstance(name, str):
        found.add(name)
    for each in values(selector, "matchExpressions[]"):
        if get(each, "key") == METADATA_NAME and get(each, "operator") == "In":
            found |= {value for value in get(each, "values") or () if isinstance(value, str)}
    return found
