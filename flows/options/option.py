"""The declaration of one command-line option: the parameter that Typer sees, and how its value is parsed."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any, get_origin

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EMPTY = {str: "", bool: False}
"""Type → the value of an option that is not given; for other types it is None."""


@dataclass(frozen=True)
class Option:
    """An option or an argument of the command line; its key in the table of options is the name of its parameter."""

    type: Any
    """The type of its value: a type, an enum or a Literal of its choices; a list if it may be repeated."""

    help: str
    """Its help text."""

    _: KW_ONLY

    default: Any = None
    """Its value when it is not given, if that is not `EMPTY`."""

    argument: bool = False
    """Whether it is a positional argument."""

    required: bool = False
    """Whether it must be given."""

    flags: str = ""
    """Its flags, separated by spaces, if they do not follow from its name."""

    metavar: str | None = None
    min: int | None = None
    max: int | None = None
    panel: str | None = None
    """Its group in the help."""

    envvar: str | None = None

    shown: bool | None = None
    """Whether the help shows its default; None: if there is one."""

    completion: Callable[..., Any] | None = None
    """Its shell completion."""

    folders: bool = True
    """Whether its path may be a folder."""

    callback: Callable[..., Any] | None = None
    """Called with its value during parsing, before the command runs."""

    first: bool = False
    """Whether it is parsed before all others (Typer's is_eager)."""

    parser: Callable[..., Any] | None = None
    """Called with its value (an empty list for None) and the values of `reads`; it raises UsageErrors."""

    reads: tuple[str, ...] = ()
    """The names of other options whose values its parser needs."""

    fills: str | None = None
    """The field that gets its value, if that is not the field of its name. Several, separated by spaces: the parser
    returns them by name. Empty: no field, since a callback or the parser of another option uses the value."""

    def parameter(self, name: str) -> Parameter:
        """Return the function parameter from which Typer builds an option or an argument."""
        settings: dict[str, Any] = {
            "help": self.help,
            "metavar": self.metavar,
            "min": self.min,
            "max": self.max,
            "rich_help_panel": self.panel,
            "envvar": self.envvar,
            "show_default": self._is_shown if self.shown is None else self.shown,
            "autocompletion": self.completion,
            "dir_okay": self.folders,
            "callback": self.callback,
            "is_eager": self.first,
        }
        info = typer.Argument(**settings) if self.argument else typer.Option(*self._flags(name), **settings)
        default = Parameter.empty if self.required else self.untyped
        return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[self.type, info])

    @property
    def untyped(self) -> Any:
        """Return its value when it is not given."""
        return EMPTY.get(self.type) if self.default is None else self.default

    def fields(self, name: str, typed: Mapping[str, Any]) -> dict[str, Any]:
        """Return its parsed value by field; `typed` holds all values of the command line.

        Raises:
            UsageError: its parser rejects it.
        """
        names = [name] if self.fills is None else self.fills.split()
        value = self._parsed(name, typed) if names else None
        return {names[0]: value} if len(names) == 1 else dict(value or {})

    def _parsed(self, name: str, typed: Mapping[str, Any]) -> Any:
        value = typed[name]
        if value is None and get_origin(self.type) is list:
            value = []
        return self.parser(value, *(typed[each] for each in self.reads)) if self.parser else value

    def _flags(self, name: str) -> list[str]:
        if self.flags or self.type is not bool or self.untyped:
            return self.flags.split()  # Typer makes --name, or --name/--no-name if it is on by default
        return [f"--{name.replace('_', '-')}"]

    @property
    def _is_shown(self) -> bool:
        return not self.required and self.untyped is not False and self.untyped not in ("", None)
