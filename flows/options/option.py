"""What is declared of one option of the command line: the parameter that Typer sees, and what becomes of its value."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any, get_origin

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EMPTY = {str: "", bool: False}
"""What an option of a type is when it is not typed; of another type it is None."""


@dataclass(frozen=True)
class Option:
    """An option or an argument of the command line; the table of options gives it the name of its parameter."""

    type: Any
    """What it takes: a type, an enum or a Literal of its choices; a list where it may be repeated."""

    help: str
    """What people read of it."""

    _: KW_ONLY

    default: Any = None
    """What it is when it is not typed, where that is not `EMPTY`."""

    argument: bool = False
    """Whether it goes by its place on the line."""

    required: bool = False
    """Whether it has to be typed."""

    flags: str = ""
    """Its flags, with spaces between, where they do not follow from its name."""

    metavar: str | None = None
    min: int | None = None
    max: int | None = None
    panel: str | None = None
    """The group that it stands in, in the help."""

    envvar: str | None = None

    shown: bool | None = None
    """Whether its default is told; else it is where there is one."""

    completion: Callable[..., Any] | None = None
    """What the shell offers at TAB."""

    folders: bool = True
    """Whether its path may be that of a folder."""

    callback: Callable[..., Any] | None = None
    """What hears of it at once, before the command runs."""

    first: bool = False
    """Whether that hears of it before all others."""

    parser: Callable[..., Any] | None = None
    """What is called with its value, an empty list for None, and with those of `reads`; it raises UsageErrors."""

    reads: tuple[str, ...] = ()
    """The names of other options whose values its parser needs."""

    fills: str | None = None
    """The field that it becomes, where it is not that of its name. Several, with spaces between: the parser returns
    them by name. Empty: none, since a callback or another option's parser has taken it."""

    def parameter(self, name: str) -> Parameter:
        """Return the parameter of a function that Typer makes an option, or an argument, of."""
        told: dict[str, Any] = {
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
        info = typer.Argument(**told) if self.argument else typer.Option(*self._flags(name), **told)
        default = Parameter.empty if self.required else self.untyped
        return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[self.type, info])

    @property
    def untyped(self) -> Any:
        """Return what its value is when it is not typed."""
        return EMPTY.get(self.type) if self.default is None else self.default

    def fields(self, name: str, typed: Mapping[str, Any]) -> dict[str, Any]:
        """Return what it becomes, by field; `typed` holds all values of the command line.

        Raises:
            UsageError: its parser refuses it.
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
            return self.flags.split()  # Typer makes --name, or --name/--no-name of what is on by default
        return [f"--{name.replace('_', '-')}"]

    @property
    def _is_shown(self) -> bool:
        return not self.required and self.untyped is not False and self.untyped not in ("", None)
