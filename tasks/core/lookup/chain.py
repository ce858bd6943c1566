"""A chain of look-ups: how to find a value of the source cluster on any other cluster.

`Deployment.apps shop/web → its newest ReplicaSet → its pods, ready, by name, #0 → status.podIP`: pods of a Deployment
have generated names, and other ones after a restore. A chain holds names of the source only; renamed() maps them. This
module reads no cluster: asks() says what has to be read, follow.py finds the value in it, and derive.py makes chains.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.kube.namespace_defaults import API_SERVER_OBJECTS
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.index import CLUSTER
from kubeferry.tasks.core.lookup.steps import (
    Named,
    Newest,
    Nodes,
    Pods,
    Read,
    Start,
    Step,
    a_list,
    step_from_json,
    step_to_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(frozen=True, order=True, slots=True)
class Ask:
    """One request: GET of `name`, or LIST of all in `namespace` where `name` is ""; "" for cluster scope."""

    group: str
    kind: str
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps from an object with a fixed name to a value that a cluster assigned.

    It begins with Start or Nodes and ends with Read.
    """

    steps: tuple[Step, ...]

    def text(self) -> str:
        """Return the chain as text for people."""
        return " → ".join(step.text() for step in self.steps)

    def to_json(self) -> list[dict[str, Any]]:
        """Return it as JSON: `[{"step": "start", "ref": [group, kind, namespace, name]}, …]`."""
        return [step_to_json(step) for step in self.steps]

    @classmethod
    def from_json(cls, value: Any) -> Chain:
        """Return the chain that to_json wrote.

        Raises:
            DamagedError: `value` is anything else; no value is quoted.
        """
        steps = tuple(step_from_json(each) for each in a_list(value, "chain"))
        inner = steps[1:-1]
        if not (
            len(steps) > 1
            and isinstance(steps[0], Start | Nodes)
            and isinstance(steps[-1], Read)
            and not any(isinstance(step, Start | Nodes | Read) for step in inner)
        ):
            raise DamagedError("bindings: a chain must go from an object or a node to a value")
        return cls(steps)

    @property
    def start(self) -> Ref | None:
        """Return the object where it starts; None if it starts at a node."""
        first = self.steps[0]
        return first.ref if isinstance(first, Start) else None

    @property
    def read(self) -> Read:
        """Return its last step."""
        last = self.steps[-1]
        if not isinstance(last, Read):
            raise TypeError(f"a chain must end with Read, not {last}")
        return last

    @property
    def needs(self) -> tuple[Ref, ...]:
        """Return what must be restored (and ready, if it looks for pods) before it can be followed."""
        return (self.start,) if self.start is not None and self.start not in FIXED else ()

    def asks(self) -> tuple[Ask, ...]:
        """Return all that must be read to follow it, in one go: follow_in() goes by uid, not by labels."""
        namespace = self.start.namespace if self.start is not None else ""
        asked: dict[Ask, None] = {}
        for step in self.steps:
            asked |= dict.fromkeys(_asks(step, namespace))
        return tuple(asked)


FEW = 3
"""Up to this many objects of a kind in a namespace are read with one GET each; more are read with a LIST."""


def together(asks: Iterable[Ask]) -> dict[Ask, Ask]:
    """Return each request with the one that answers it: a LIST replaces many GETs, or any GET if it is made anyway."""
    named: dict[Ask, list[Ask]] = {}
    for ask in sorted(set(asks)):
        named.setdefault(replace(ask, name=""), []).append(ask)
    return {ask: whole if len(some) > FEW or whole in some else ask for whole, some in named.items() for ask in some}


def _asks(step: Step, namespace: str) -> tuple[Ask, ...]:
    match step:
        case Start(ref):
            return (Ask(ref.group, ref.kind, ref.namespace, ref.name),)
        case Newest(group, kind):
            return (Ask(group, kind, namespace),)
        case Named(name):
            return (Ask("", "Pod", namespace, name),)
        case Pods():
            return (Ask("", "Pod", namespace),)
        case Nodes():
            return (Ask("", "Node"),)
        case Read():
            return ()


FIXED = frozenset({CLUSTER, *API_SERVER_OBJECTS})
"""Objects that represent the cluster: every cluster has its own under the same name, and no rename applies to them."""


SECRET = ("", "Secret")


def may_read(reader: Ref, chain: Chain) -> bool:
    """Return whether a value at the end of `chain` may be written into `reader`.

    What is in a Secret stays in its namespace: a restore has its user's permissions, and must not use them to copy what
    the author of the archive, or of the object, could not read.
    """
    steps = (step.ref if isinstance(step, Start) else step for step in chain.steps)
    secret = any((step.group, step.kind) == SECRET for step in steps if isinstance(step, Ref | Newest))
    own = chain.start is not None and chain.start.namespace == reader.namespace != ""
    return own or not secret or chain.read.what != "path"


def mapped(chain: Chain, where: Callable[[Ref], Ref]) -> Chain:
    """Return `chain` for objects with other identities on the target; those in FIXED keep theirs."""
    if chain.start is None or chain.start in FIXED:
        return chain
    return Chain((Start(where(chain.start)), *chain.steps[1:]))


def renamed(chain: Chain, names: Mapping[str, str]) -> Chain:
    """Return `chain` for namespaces with other names on the target (old to new; others keep theirs)."""
    return mapped(chain, lambda ref: ref.renamed(names))
