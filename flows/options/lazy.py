"""A group whose commands are built when they are asked for: Typer builds those of all before it runs one.

Typer exports neither its builders nor Click's classes: that is why pyproject.toml caps Typer's version.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from inspect import getdoc
from typing import TYPE_CHECKING, Any

from typer._click import Command
from typer.main import get_command_from_info, get_group_from_info
from typer.models import CommandInfo, TyperInfo

from kubeferry.flows.options.help import Group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer import Typer

HOW: dict[str, Any] = {"pretty_exceptions_short": False, "rich_markup_mode": None}
"""How Typer builds each of them; errors are shown by cli.py."""


def group_of(registry: Typer) -> type[Group]:
    """Return the class of a group that has the commands and the groups of `registry`; they are named explicitly."""

    class Lazy(Group):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands: Commands = Commands(registry)

        def listed(self) -> Iterator[tuple[str | None, str, str]]:
            return self.commands.listed()

    return Lazy


class Commands(MutableMapping[str, Command]):
    """The commands of a registry by name, in its order; each is built once."""

    def __init__(self, registry: Typer) -> None:
        """Read what is registered so far."""
        self._registered: dict[str, CommandInfo | TyperInfo] = {}
        self._registered |= {str(each.name): each for each in registry.registered_commands}
        self._registered |= {str(each.name): each for each in registry.registered_groups}
        self._built: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        """Return a command; build it the first time."""
        if name not in self._built:
            self._built[name] = _build(self._registered[name])
        return self._built[name]

    def __setitem__(self, name: str, command: Command) -> None:
        """Replace a registered command."""
        self._built[name] = command

    def __delitem__(self, name: str) -> None:
        """Remove a command."""
        self._built.pop(name, None)
        del self._registered[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._registered)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._registered)

    def listed(self) -> Iterator[tuple[str | None, str, str]]:
        """Yield the group in the help, the name and the help text of each, without building it."""
        for name, each in self._registered.items():
            text = getdoc(each.callback) if isinstance(each, CommandInfo) else _app(each).info.help
            yield each.rich_help_panel, name, text or ""


def _build(registered: CommandInfo | TyperInfo) -> Command:
    if isinstance(registered, CommandInfo):
        return get_command_from_info(registered, **HOW)
    return get_group_from_info(registered, suggest_commands=True, **HOW)


def _app(registered: TyperInfo) -> Typer:
    if registered.typer_instance is None:
        raise TypeError(f"{registered.name} is no group of commands")
    return registered.typer_instance
