"""The registry of plug-ins: answers for all of them together, and names the plug-in that fails in the error.

Two plug-ins that define the same property of a kind are refused: it would be arbitrary which one counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from kubeferry.tasks.core.errors import PluginError
from kubeferry.tasks.core.formats.reasons import Reason, ReasonCode
from kubeferry.tasks.core.graph.order import Edge, Strength
from kubeferry.tasks.core.jsondoc.edit import Object, group_of, remove
from kubeferry.tasks.core.kube.kinds import REBUILT
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.verdict import Verdict
from kubeferry.tasks.core.plugins.interface import Need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from kubeferry.tasks.core.graph.priorities import Priority
    from kubeferry.tasks.core.kube.readiness.verdict import Context, Rule
    from kubeferry.tasks.core.plugins.interface import Kind, Pause, Plugin

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Paused:
    """An object to create paused, and how it is resumed."""

    obj: Object
    back: dict[str, Any]
    """The merge patch (RFC 7386) that reverts the pause; {} if there is nothing to revert."""
    turn: int
    """Lower ones are resumed first."""


class Registry:
    """All plug-ins together; `Registry(())` has none.

    Raises:
        PluginError: two plug-ins define the same property of a kind.
    """

    def __init__(self, rules: Iterable[Plugin]) -> None:
        """Register the plug-ins, in any order."""
        self.rules = tuple(sorted(rules, key=lambda each: each.name))
        self._pause = _merged_table("how to pause", {each.name: each.pause for each in self.rules})
        self._phases = _merged_table("the priority of", {each.name: each.phases for each in self.rules})
        self._readiness = _merged_table(
            "the readiness of",
            {each.name: {kind: (each.name, rule) for kind, rule in each.readiness.items()} for each in self.rules},
        )

    def makers(self, kind: Kind) -> frozenset[Kind]:
        """Return the kinds of owners that re-create objects of `kind`, the built-in ones included."""
        if any(_row(dict.fromkeys(each.keep, True), kind) for each in self.rules):
            return frozenset()
        rows = (_row(each.rebuilt, kind) or frozenset() for each in self.rules)
        return REBUILT.get(kind, frozenset()).union(*rows)

    def exclusion(self, obj: Object) -> Reason | None:
        """Return why `obj` is not restored, or None.

        Raises:
            PluginError: a plug-in failed.
        """
        for each in self.rules:
            why = _called(each, obj, each.leave_out, obj)
            if why:
                return Reason(ReasonCode.BY_PLUGIN, detail=f"{why} ({each.name})")
        return None

    def edges(self, obj: Object) -> list[Edge]:
        """Return the edges from `obj` that plug-ins define.

        Raises:
            PluginError: a plug-in failed.
        """
        needs = [(each, need) for each in self.rules for need in _called(each, obj, _needs, each, obj)]
        return [
            Edge(
                Ref.of(obj),
                need.target,
                Strength.EXPLICIT if need.first else Strength.REFERENCE,
                f"{need.path} ({each.name})",
            )
            for each, need in needs
        ]

    def phase(self, ref: Ref) -> Priority | None:
        """Return the priority that a plug-in gives objects of this kind, or None."""
        return _row(self._phases, (ref.group, ref.kind))

    def verdict(self, obj: Object, now: datetime, context: Context) -> Verdict | None:
        """Return a plug-in's verdict; None if no plug-in has a rule, and readiness/evaluate.py decides.

        Raises:
            PluginError: a plug-in failed.
        """
        row: tuple[str, Rule] | None = _row(self._readiness, _kind(obj))
        if row is None:
            return None
        name, rule = row
        plugin = next(each for each in self.rules if each.name == name)
        return _called(plugin, obj, _verdict, rule, obj, now, context)

    def restores_status(self, ref: Ref) -> bool:
        """Return whether a plug-in says that the status of an object is restored."""
        return any({(ref.group, ref.kind), (ref.group, "*")} & each.status for each in self.rules)

    def without_dynamic(self, obj: Object) -> Object:
        """Return `obj` without the fields that its controller generated on the source cluster."""
        for each in self.rules:
            obj = remove(obj, *(_row(each.dynamic_fields, _kind(obj)) or ()))
        return obj

    def paused(self, obj: Object) -> Paused | None:
        """Return `obj` as it is created paused; None if no plug-in pauses its kind."""
        pause: Pause | None = _row(self._pause, _kind(obj))
        if pause is None:
            return None
        return Paused(merged(obj, pause.patch), inverse(obj, pause.patch), pause.turn)


def _kind(obj: Object) -> Kind:
    return group_of(obj["apiVersion"]), obj["kind"]


def _row(table: Mapping[Kind, T], kind: Kind) -> T | None:
    found = table.get(kind)
    return table.get((kind[0], "*")) if found is None else found


def _merged_table(what: str, tables: Mapping[str, Mapping[Kind, T]]) -> dict[Kind, T]:
    """Return the tables of all plug-ins merged into one.

    Raises:
        PluginError: two of them have a row for one kind.
    """
    named: dict[Kind, str] = {}
    rows: dict[Kind, T] = {}
    for name, table in tables.items():
        for kind, row in table.items():
            if kind in named:
                raise PluginError(f"plug-ins {named[kind]} and {name} both define {what} {kind[1]}.{kind[0]}")
            named[kind], rows[kind] = name, row
    return rows


def _called(plugin: Plugin, obj: Object, ask: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
    try:
        return ask(*args, **more)
    except Exception as error:  # code of others may raise anything
        what = f"plug-in {plugin.name} failed on {Ref.of(obj)}: {type(error).__name__}"
        if _kind(obj) == ("", "Secret"):  # the message may quote its data, and so may a traceback
            raise PluginError(what) from None
        raise PluginError(f"{what}: {error}") from error


def _needs(plugin: Plugin, obj: Object) -> list[Need]:
    needs = list(plugin.needs(obj))
    for each in needs:
        if not isinstance(each, Need):
            raise TypeError(f"needs yielded {type(each).__name__}, not Need")
    return needs


def _verdict(rule: Rule, obj: Object, now: datetime, context: Context) -> Verdict:
    verdict = rule(obj, now, context)
    if not isinstance(verdict, Verdict):
        raise TypeError(f"readiness returned {type(verdict).__name__}, not Verdict")
    return verdict


def merged(value: Any, patch: Mapping[str, Any]) -> Any:
    """Return `value` with a merge patch (RFC 7386) applied; the input is not modified."""
    result = dict(value) if isinstance(value, dict) else {}
    for key, new in patch.items():
        if new is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), new) if isinstance(new, dict) else new
    return result


def inverse(value: Any, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch that reverts `patch`, once applied to `value`; {} if it changes nothing."""
    before = value if isinstance(value, dict) else {}
    back: dict[str, Any] = {}
    for key, new in patch.items():
        old = before.get(key)
        if isinstance(new, dict) and (isinstance(old, dict) or old is None):
            deeper = inverse(old, new)
            back |= {key: deeper} if deeper else {}
        elif old != new:
            back[key] = old
    return back
