"""Bindings: which field holds a value of the source cluster, and which chain finds its new value.

A backup makes them from the index and stores them as JSON lines beside the tarball; a restore follows them. Every use
that a scan finds becomes a binding. What Endpoints say about their pods takes precedence over a scan, and what a user
wrote takes precedence over both. Errors never quote an object's content; a line of any other shape is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from kubeferry.tasks.core.errors import DamagedError, PermanentError
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.chain import FIXED, Chain, mapped, may_read
from kubeferry.tasks.core.lookup.derive import SourceIndex, chain_of
from kubeferry.tasks.core.lookup.endpoints import endpoint_uses
from kubeferry.tasks.core.lookup.index import CLUSTER, Index, Source
from kubeferry.tasks.core.lookup.mutation import ANNOTATION, mutations
from kubeferry.tasks.core.lookup.steps import a_list, a_map, a_text, ref_from_json, ref_to_json
from kubeferry.tasks.core.lookup.substitute import Absent, New, substitute
from kubeferry.tasks.core.lookup.uses import Form, Use, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kubeferry.tasks.core.formats.records import Rewrite
    from kubeferry.tasks.core.jsondoc.edit import Object

Kind = Literal[
    "pod-ip",
    "host-ip",
    "service-ip",
    "load-balancer",
    "node-ip",
    "api-server",
    "uid",
    "cluster-uid",
    "pod-name",
    "node-name",
    "user",
]

KINDS: Mapping[str, Kind] = {
    "podIP": "pod-ip",
    "hostIP": "host-ip",
    "clusterIP": "service-ip",
    "ingress": "load-balancer",
    "addresses": "load-balancer",
    "nodeAddress": "node-ip",
    "endpoint": "api-server",
    "nodeName": "node-name",
    "path": "user",
}
"""What a chain reads → the class of the binding; a name is the name of a pod or of a node."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One value in one string of `object`; `old` is as written there; for a user's token, it is that token."""

    object: Ref
    use: Use
    chain: Chain
    kind: Kind

    @property
    def old(self) -> str:
        """Return the value that the source cluster assigned, as written."""
        return self.use.value

    @property
    def needs(self) -> tuple[Ref, ...]:
        """Return what must be restored before this resolves; includes `object` itself if it refers to its own value."""
        return self.chain.needs


def bindings_of(obj: Object, index: Index, around: SourceIndex) -> tuple[list[Binding], str]:
    """Return the bindings of `obj`, at most one for each place and value, and why some are not; "" for none.

    A whole string has one only. An annotation of a user that is not valid gives none, and no more does what a restore
    would refuse, with the whole backup (`from_json`).
    """
    ref = Ref.of(obj)
    try:
        users, problem = mutations(obj, around), ""
    except PermanentError as error:
        users, problem = [], str(error)
    made = {_place(use): Binding(ref, use, chain, "user") for use, chain in users}
    whole = {each.use.pointer for each in made.values() if each.use.form == "whole"}
    for use in [*endpoint_uses(obj, index, around), *scan(obj, index)]:
        chained = chain_of(use.source, around, use.value) if use.pointer not in whole else None
        if chained is not None:
            made.setdefault(_place(use), Binding(ref, use, chained, _kind(chained)))
            whole |= {use.pointer} if use.form == "whole" else set()
    refused = {each: why for each in made.values() if (why := _refusal(each))}
    return [each for each in made.values() if each not in refused], problem or next(iter(refused.values()), "")


def _refusal(binding: Binding) -> str:
    """Return why a restore would refuse a binding, "" if it would not."""
    try:
        from_json(to_json(binding))
    except DamagedError as error:
        where = f"annotation {ANNOTATION}" if binding.kind == "user" else binding.use.pointer[:200]
        return f"{binding.object}: {where}: {error}"
    return ""


def policy_of(kind: Kind, absent: Mapping[Kind, Absent]) -> Absent:
    """Return what to do where there is no new value for a class.

    What a user's annotation asks for is kept by default: who may annotate one object must not stop the work on all.
    """
    return absent.get(kind, Absent.KEEP if kind == "user" else Absent.FAIL)


def _place(use: Use) -> tuple[str, tuple[str, ...], str]:
    return use.pointer, tuple(layer for layer in use.layers if layer == "base64"), use.value


def _kind(chain: Chain) -> Kind:
    if chain.read.what == "uid":
        return "cluster-uid" if chain.start == CLUSTER else "uid"
    if chain.start in FIXED:
        return "api-server"
    if chain.read.what == "name":
        return "node-name" if chain.start is None else "pod-name"
    return KINDS[chain.read.what]


def bind(
    obj: Object,
    bindings: Iterable[Binding],
    new: Callable[[Binding], str | None],
    absent: Mapping[Kind, Absent] | None = None,
) -> tuple[Object, list[Rewrite]]:
    """Return `obj` with the new value of each binding, and what was rewritten.

    `absent` says what to do for each class if `new` is None (see `policy_of`).

    Raises:
        PermanentError: a value is absent; the message names object, pointer and chain.
    """
    by_use = {each.use: each for each in bindings}
    policy = absent or {}

    def value(use: Use) -> New:
        binding = by_use[use]
        found = new(binding)
        return policy_of(binding.kind, policy) if found is None else found

    return substitute(obj, by_use, value, lambda use: by_use[use].chain.text())


def dropped(
    bindings: Iterable[Binding],
    new: Callable[[Binding], str | None],
    absent: Mapping[Kind, Absent] | None = None,
) -> frozenset[str]:
    """Return the JSON pointers of the strings that `bind` removes, as they are in the object before."""
    policy = absent or {}
    return frozenset(
        each.use.pointer for each in bindings if policy.get(each.kind) is Absent.DROP and new(each) is None
    )


def moved(binding: Binding, where: Callable[[Ref], Ref]) -> Binding:
    """Return `binding` for objects with other identities on the target."""
    return replace(binding, object=where(binding.object), chain=mapped(binding.chain, where))


def to_json(binding: Binding) -> dict[str, Any]:
    """Return one line: object, kind, pointer, layers, value, form, source ([identity, pointer]) and chain."""
    use = binding.use
    return {
        "object": ref_to_json(binding.object),
        "kind": binding.kind,
        "pointer": use.pointer,
        "layers": list(use.layers),
        "value": use.value,
        "form": use.form,
        "source": [ref_to_json(use.source.ref), use.source.pointer],
        "chain": binding.chain.to_json(),
    }


def from_json(value: Any) -> Binding:
    """Return the binding that to_json wrote; fields of later versions are ignored.

    Raises:
        DamagedError: `value` is anything else.
    """
    a_map(value, "binding")
    ref, chain = ref_from_json(value.get("object")), Chain.from_json(value.get("chain"))
    if not may_read(ref, chain):
        raise DamagedError("bindings: only objects of its own namespace may read a Secret")
    return Binding(ref, _use(value), chain, _one_of(get_args(Kind), value, "kind"))


def _use(value: Any) -> Use:
    source = value.get("source")
    if not (isinstance(source, list) and len(source) == 2 and isinstance(source[1], str)):  # noqa: PLR2004 - a pair
        raise DamagedError("bindings: source must be an identity and a pointer")
    layers = tuple(a_list(value.get("layers"), "layers"))
    if not all(layer in ("base64", "json") for layer in layers):
        raise DamagedError("bindings: unknown layer")
    at = a_text(value, "pointer")
    if not at.startswith("/"):
        raise DamagedError("bindings: pointer must be a JSON pointer")
    form: Form = _one_of(get_args(Form), value, "form")
    return Use(at, layers, a_text(value, "value"), Source(ref_from_json(source[0]), source[1]), form)


def _one_of(known: tuple[Any, ...], value: Any, what: str) -> Any:
    found = value.get(what)
    if found not in known:
        raise DamagedError(f"bindings: unknown {what}")
    return found
