"""Look-ups in the script of `kubeferry plan --kubectl`: chains as commands, and tokens for their values.

`from Deployment.apps shop web && newest ReplicaSet.apps && pod 0 2 && value …`: each step finds one object by the uid
of the one before, never by labels, and the last one reads a value, as in lookup/follow.py. A step fails while something
does not exist yet. Tokens mark the values in an object until the script knows them; their places follow the rule of a
restore (lookup/bindings.py). A base64 text is in the script in the clear, and the script encodes it. If an object is
created before what a binding refers to, a patch at the end writes the value.
"""

from __future__ import annotations

import re
import shlex
from types import MappingProxyType
from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.jsondoc.edit import EACH, Path
from kubeferry.tasks.core.jsondoc.printable import one_line
from kubeferry.tasks.core.kube.strings import leaves, put
from kubeferry.tasks.core.lookup.bindings import Binding, Kind, bind, policy_of
from kubeferry.tasks.core.lookup.steps import READS, Named, Newest, Nodes, Pods, Read, Start, Step
from kubeferry.tasks.core.lookup.substitute import Absent
from kubeferry.tasks.core.lookup.tokens import spelled
from kubeferry.tasks.core.plan.kubectl.bash import heredoc, named
from kubeferry.tasks.core.plan.late_values import (
    Operation,
    part_of,
    patch,
    pointer_of,
    steps_of,
    value_at,
    without_fields,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.lookup.chain import Chain
    from kubeferry.tasks.core.plan.parts import Part


def typed(group: str, kind: str) -> str:
    """Return a kind as an unambiguous kubectl argument: `Pod.v1.`, `Deployment.apps`."""
    return f"{kind}.{group}" if group else f"{kind}.v1."


def followed(chain: Chain) -> str:
    """Return the script's function that follows a chain."""
    return f"chain() {{ {' && '.join(_command(step) for step in chain.steps)}; }}\n"


def begun(chain: Chain, *, comes: bool) -> str:
    """Return the script's function that checks whether a chain can ever be followed: its first object exists.

    Args:
        chain: the chain.
        comes: whether the script itself creates that object.
    """
    return f"begins() {{ {':' if comes else _command(chain.steps[0])}; }}\n"


def _command(step: Step) -> str:
    match step:
        case Start(ref):
            words = ["find", typed(ref.group, ref.kind), ref.namespace, ref.name]
        case Named(name):
            words = ["named", name]
        case Newest(group, kind):
            words = ["newest", typed(group, kind)]
        case Pods(ordinal, of):
            words = ["pod", str(ordinal), str(of)]
        case Nodes(name, roles, ordinal):
            words = ["node", name, str(ordinal), " ".join(roles)]
        case Read("path", path=path):
            words = ["field", "{" + "".join(_key(key) for key in path) + "}"]
        case Read(what, family, index):
            words = ["value", jsonpath(what), family, str(index)]
    return shlex.join(words)


def _key(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    escaped = key.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"


def jsonpath(what: str) -> str:
    """Return a template that prints the values of READS, one a line."""
    if what == "nodeAddress":
        return '{range .status.addresses[?(@.type!="Hostname")]}{.address}{"\\n"}{end}'
    return "".join(_lines(path) for path in READS[what])


def _lines(path: Path) -> str:
    if EACH not in path:
        return "{" + "".join(f".{key}" for key in path) + '}{"\\n"}'
    at = path.index(EACH)
    rest = path[at + 1 :]
    inner = _lines(rest) if rest else '{@}{"\\n"}'
    return "{range " + "".join(f".{key}" for key in path[:at]) + "[*]}" + inner + "{end}"


UID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
NO_PARTS: Mapping[str, tuple[str, str]] = MappingProxyType({})


def token(number: int) -> str:
    """Return the token of one value; no spelling of a value (`spelled`) changes it."""
    return f"@@KUBEFERRY-{number}@@"


class Values:
    """The look-ups of the script: each chain once, so that a value is the same everywhere."""

    def __init__(self, absent: Mapping[Kind, Absent], restored: Container[Ref] = ()) -> None:
        """Store the policy for absent values by class, and what the script creates."""
        self._absent = absent
        self._restored = restored
        self._numbers: dict[Chain, int] = {}

    def policy(self, binding: Binding) -> Absent:
        """Return the policy for a binding without a value."""
        return policy_of(binding.kind, self._absent)

    def look_up(self, binding: Binding) -> str:
        """Return the commands that follow a binding's chain, into REPLY."""
        chain = binding.chain
        number = self._numbers.setdefault(chain, len(self._numbers))
        words = [str(number), one_line(chain.text()), self.policy(binding).value, binding.old]
        comes = chain.start in self._restored
        return f"{followed(chain)}{begun(chain, comes=comes)}look_up {shlex.join(words)}\n"


class Tokens:
    """An object with tokens in place of looked-up values, and the commands that replace them."""

    def __init__(self, obj: Object, bindings: Sequence[Binding], values: Values) -> None:
        """Store the bindings of `obj` that can be looked up before it is created."""
        obj, bindings = _without_nested(obj, bindings)
        self._bindings = bindings
        self._values = values
        numbers = {each.use: number for number, each in enumerate(bindings)}
        self.obj, _ = bind(obj, bindings, lambda each: token(numbers[each.use]))
        self._texts: list[str] = []
        for leaf in leaves(self.obj) if bindings else ():
            if leaf.encoded and any(token(number) in leaf.text for number in numbers.values()):
                self.obj = put(self.obj, {leaf.at: f"@@KUBEFERRY-TEXT-{len(self._texts)}@@"})
                self._texts.append(leaf.text)

    def commands(self, parts: Mapping[str, tuple[str, str]] = NO_PARTS) -> Iterator[str]:
        """Yield the look-ups, then the commands that write their values into the object.

        `parts` holds, by JSON pointer, the part of the text to remove if a value is dropped, and its replacement;
        without an entry the string itself is removed, with its key.
        """
        for number, each in enumerate(self._bindings):
            yield self._values.look_up(each)
            yield f"v{number}={_spelled(each)} g{number}=$gone\n"
        drops = [number for number, each in enumerate(self._bindings) if self._values.policy(each) is Absent.DROP]
        for number in drops:
            at = self._bindings[number].use.pointer
            old, new = parts.get(at) or (_entry(self.obj, at), "")
            yield f'drop "$g{number}" {heredoc(f"{old}{chr(10)}{new}")}'
        yield "tidy\n" if drops else ""
        for number in range(len(self._bindings)):
            yield f'json "$v{number}"\nput {token(number)} "$REPLY"\n'
        for index, text in enumerate(self._texts):
            yield f"text {heredoc(text)}"
            yield from (
                f'in_text {token(number)} "$v{number}"\n'
                for number in range(len(self._bindings))
                if token(number) in text
            )
            yield f"encode @@KUBEFERRY-TEXT-{index}@@\n"


def _entry(obj: Object, pointer: str) -> str:
    """Return a string as written in the JSON of `obj`, with its key if it has one: unique by its token."""
    *way, last = steps_of(pointer)
    text = orjson.dumps(value_at(obj, [*way, last])).decode()
    return text if isinstance(value_at(obj, way), list) else f"{orjson.dumps(last).decode()}:{text}"


def _without_nested(obj: Object, bindings: Sequence[Binding]) -> tuple[Object, Sequence[Binding]]:
    """Remove kubectl's annotation if it holds a value in base64 in JSON: the script cannot write it there.

    The only effect is that the next `kubectl apply` cannot see which fields its user has removed.
    """
    nested = {each.use.pointer for each in bindings if each.use.layers[:2] == ("json", "base64")}
    return without_fields(obj, nested), [each for each in bindings if each.use.pointer not in nested]


def _spelled(binding: Binding) -> str:
    """Return a bash expression: the value in the spelling of the old one (tokens.spelled)."""
    old = binding.old
    if binding.use.form != "token":
        return '"$REPLY"'
    if UID.fullmatch(old):
        return '"${REPLY^^}"' if spelled("a", old) == "A" else '"$REPLY"'
    return '"${REPLY//[.:]/-}"' if spelled("1.1", old) == "1-1" else '"$REPLY"'


def patched(part: Part, body: Object, whole: Object, values: Values) -> Iterator[str]:
    """Yield the commands that write late values into an object that exists.

    Args:
        part: the object.
        body: the object as created, without those values.
        whole: the final object.
        values: what is looked up.
    """
    lists = _shrinking(part, whole, values)
    places = [each.use.pointer for each in part.late]
    # What was left out as a whole is written as a whole.
    parts = sorted({left for place in places if (left := part_of(whole, place)) != place})
    lists = [at for at in lists if not _under(at, parts) and at not in parts]
    several = [*lists, *parts]
    wanted = [each for each in part.bindings if each.use.pointer in places or _under(each.use.pointer, several)]
    tokens = Tokens(whole, wanted, values)
    single = [*(place for place in places if not _under(place, several)), *parts]
    operations = [each for each in patch(_as_served(body), tokens.obj, single) if each["op"] != "test"]
    operations += [{"op": "replace", "path": at, "value": value_at(tokens.obj, steps_of(at))} for at in lists]
    plain = [each for each in operations if each["value"] != {}]
    yield f"object {named(part.ref, part.api_version)} {heredoc(orjson.dumps(plain).decode())}"
    if plain != operations:
        yield f"otherwise {heredoc(orjson.dumps(operations).decode())}"
    yield from tokens.commands({each["path"]: _without(each) for each in plain})
    yield f"change {shlex.join([typed(part.ref.group, part.ref.kind), part.ref.namespace, part.ref.name])}\n"


def _shrinking(part: Part, whole: Object, values: Values) -> list[str]:
    """Return the lists with late strings that may lose items: they are written whole, as their indexes change."""
    droppable = (steps_of(each.use.pointer) for each in part.bindings if values.policy(each) is Absent.DROP)
    lists = {pointer_of(steps[:-1]) for steps in droppable if isinstance(value_at(whole, steps[:-1]), list)}
    return sorted(at for at in lists if any(_under(each.use.pointer, [at]) for each in part.late))


def _under(pointer: str, lists: Iterable[str]) -> bool:
    return any(pointer.startswith(f"{at}/") for at in lists)


def _without(operation: Operation) -> tuple[str, str]:
    """Return an operation as text of a patch, and its replacement if its value is dropped.

    A field that is gone already, when the script is run again, is added first, because a remove needs an existing
    field.
    """
    path = operation["path"]
    instead = [{"op": "add", "path": path, "value": ""}, {"op": "remove", "path": path}]
    text = ",".join(orjson.dumps(each).decode() for each in instead)
    return orjson.dumps(operation).decode(), text if operation["op"] == "replace" else ""


def _as_served(body: Object) -> Object:
    """Return an object without empty maps of strings, which an API server drops."""
    meta = {key: value for key, value in body["metadata"].items() if value != {}}
    return {key: value for key, value in body.items() if value != {} or key == "spec"} | {"metadata": meta}
