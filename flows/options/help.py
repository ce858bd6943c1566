"""The layout of `--help`: plain text, the options and commands by group, examples as they are typed.

Typer's own panels need rich, whose import takes longer than all the rest of `kubeferry --help`.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from typer import Typer, style

# As in cli.py: what Typer vendors of Click is not public, and pyproject.toml caps Typer's version.
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from typer._click import Context, HelpFormatter, Parameter
    from typer.models import CommandFunctionType

ARGUMENTS, OPTIONS, COMMANDS = "Arguments", "Options", "Commands"
"""The groups of what names none."""

WIDTH = 100
"""Longest line on a wide terminal; narrow ones wrap earlier."""

EXAMPLE = "  "
"""How a line begins that is printed as it is."""


class Command(TyperCommand):
    """A command whose help has its options by group."""

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the arguments and options."""
        _write_parameters(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - Click calls it
        """Write the examples."""
        _write_below(self.epilog or "", formatter)


class Group(TyperGroup):
    """A group of commands whose help has its commands by group."""

    def listed(self) -> Iterator[tuple[str | None, str, str]]:
        """Yield the group in the help, the name and the help text of each command."""
        for name, command in self.commands.items():
            yield getattr(command, "rich_help_panel", None), name, command.help or ""

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the commands, then the options."""
        rows: dict[str, list[tuple[str, str]]] = {}
        for panel, name, text in self.listed():
            rows.setdefault(panel or COMMANDS, []).append((name, text.partition("\n\n")[0].replace("\n", " ")))
        column = max(map(len, self.commands))
        for title, named in rows.items():
            _write_rows(title, [(name.ljust(column), text) for name, text in named], formatter)
        _write_parameters(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - Click calls it
        """Write what there is to say beside the commands."""
        _write_below(self.epilog or "", formatter)


class App(Typer):
    """Commands and groups whose help has this layout."""

    def __init__(self, **settings: Any) -> None:
        """Take the settings of a Typer."""
        super().__init__(**{"cls": Group, "rich_markup_mode": None, **settings})

    def command(self, name: str | None = None, **settings: Any) -> Callable[[CommandFunctionType], CommandFunctionType]:
        """Register a command."""
        return super().command(name, **{"cls": Command, **settings})


def _write_parameters(parameters: Iterable[Parameter], ctx: Context, formatter: HelpFormatter) -> None:
    rows: dict[str, list[tuple[str, str]]] = {ARGUMENTS: [], OPTIONS: []}
    for each in parameters:
        name, text = each.get_help_record(ctx) or ("", "")
        if each.param_type_name == "argument":
            rows[ARGUMENTS].append((name.partition(" <")[0], text))  # without the type: it is a name, or names
        elif name:
            rows.setdefault(getattr(each, "rich_help_panel", None) or OPTIONS, []).append((name, text))
    for title, found in rows.items():
        if found:
            _write_rows(title, found, formatter)


def _write_rows(title: str, rows: list[tuple[str, str]], formatter: HelpFormatter) -> None:
    with formatter.section(style(title, bold=True)):
        formatter.write_dl(rows)


def _write_below(text: str, formatter: HelpFormatter) -> None:
    """Write paragraphs, apart from lines that begin with `EXAMPLE`: they are written as they are."""
    for part in filter(None, text.strip("\n").split("\n\n")):
        formatter.write_paragraph()
        for verbatim, lines in groupby(part.split("\n"), lambda line: line.startswith(EXAMPLE)):
            text = "\n".join(lines)
            if verbatim:
                formatter.write(f"{text}\n")
            else:
                formatter.write_text(style(text, bold=True) if text.endswith(":") else text)
