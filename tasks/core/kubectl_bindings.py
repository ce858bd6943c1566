"""Put looked-up values into an object of the script: tokens stand in their places until the script knows them.

The places are found by the rule that a restore uses (bindings.py). A text that the object holds as base64 is told in
the clear and encoded by the script. A binding to what comes later than its object is written by a patch at the end.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import orjson

from tasks.core.bindings import Binding, Kind, bind
from tasks.core.cycles import without_fields
from tasks.core.kubectl_chains import followed, typed
from tasks.core.kubectl_text import heredoc, named
from tasks.core.patching import patch
from tasks.core.printable import one_line
from tasks.core.strings import leaves, put
from tasks.core.values_text import spelled
from tasks.core.values_write import Absent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tasks.core.chains import Chain
    from tasks.core.objects import Object
    from tasks.core.plan_parts import Part

UID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def token(number: int) -> str:
    """Return the token of one value; no manner of writing a value (spelled) changes it."""
    return f"@@KUBEFERRY-{number}@@"


class Values:
    """What the script looks up: each chain once, so that one value is the same wherever it is written."""

    def __init__(self, absent: Mapping[Kind, Absent]) -> None:
        """Take what becomes of a field when the target has no value for it, by class."""
        self._absent = absent
        self._numbers: dict[Chain, int] = {}

    def words(self, binding: Binding) -> str:
        """Return the arguments of `look_up`."""
        number = self._numbers.setdefault(binding.chain, len(self._numbers))
        policy = self._absent.get(binding.kind, Absent.FAIL).value
        return shlex.join([str(number), one_line(binding.chain.text()), policy, binding.old])


class Tokens:
    """An object with tokens in place of the values that are looked up, and the commands that fill them in."""

    def __init__(self, obj: Object, bindings: Sequence[Binding], values: Values) -> None:
        """Take the bindings of `obj` that can be looked up before its values are written."""
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

    def commands(self) -> Iterator[str]:
        """Yield the look-ups, then what writes their values into the object."""
        for number, each in enumerate(self._bindings):
            yield followed(each.chain)
            yield f"look_up {self._values.words(each)}\n"
            yield f"v{number}={_spelled(each)}\n"
            yield f'json "$v{number}"\nput {token(number)} "$REPLY"\n'
        for at, text in enumerate(self._texts):
            yield f"text {heredoc(text)}"
            yield from (
                f'in_text {token(number)} "$v{number}"\n'
                for number in range(len(self._bindings))
                if token(number) in text
            )
            yield f"encode @@KUBEFERRY-TEXT-{at}@@\n"


def _without_nested(obj: Object, bindings: Sequence[Binding]) -> tuple[Object, Sequence[Binding]]:
    """Leave kubectl's annotation out where a value stands in it in base64 in JSON: the script cannot write it there.

    The next `kubectl apply` then only cannot tell which fields its user has taken out.
    """
    nested = {each.use.pointer for each in bindings if each.use.layers[:2] == ("json", "base64")}
    return without_fields(obj, nested), [each for each in bindings if each.use.pointer not in nested]


def _spelled(binding: Binding) -> str:
    """Return a bash expression: the value in the manner in which the old one was written (values_text.spelled)."""
    old = binding.old
    if binding.use.form != "token":
        return '"$REPLY"'
    if UID.fullmatch(old):
        return '"${REPLY^^}"' if spelled("a", old) == "A" else '"$REPLY"'
    return '"${REPLY//[.:]/-}"' if spelled("1.1", old) == "1-1" else '"$REPLY"'


def patched(part: Part, body: Object, whole: Object, values: Values) -> Iterator[str]:
    """Yield the commands that write late values into an object that is there already.

    Args:
        part: the object.
        body: as it was created, without those values.
        whole: as it is to be in the end.
        values: what is looked up.
    """
    places = [each.use.pointer for each in part.late]
    tokens = Tokens(whole, [each for each in part.bindings if each.use.pointer in places], values)
    operations = [each for each in patch(_as_served(body), tokens.obj, places) if each["op"] != "test"]
    plain = [each for each in operations if each["value"] != {}]
    yield f"object {named(part.ref, part.api_version)} {heredoc(orjson.dumps(plain).decode())}"
    if plain != operations:
        yield f"otherwise {heredoc(orjson.dumps(operations).decode())}"
    yield from tokens.commands()
    yield f"change {shlex.join([typed(part.ref.group, part.ref.kind), part.ref.namespace, part.ref.name])}\n"


def _as_served(body: Object) -> Object:
    """Return an object without its empty maps of strings, which an API server drops."""
    meta = {key: value for key, value in body["metadata"].items() if value != {}}
    return {key: value for key, value in body.items() if value != {} or key == "spec"} | {"metadata": meta}
