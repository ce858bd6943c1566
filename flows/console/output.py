"""Print results on stdout: as a table for people, or as exactly one JSON or YAML document for programs.

Text from a cluster or a store is not trusted: control characters are shown as escapes, and nothing is read as markup.
There is no colour when stdout is not a terminal.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from kubeferry.flows.options.common import Format
from kubeferry.tasks.core.jsondoc.printable import as_json, as_yaml, one_line, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

UNBOUNDED = 10_000
"""Width of a table in a file or a pipe: each row stays one line, for grep."""


def print_rows(rows: Sequence[Mapping[str, Any]], output: Format, *, columns: Sequence[str] = ()) -> None:
    """Print rows; a table has only `columns` (default: those of the first row), in this order."""
    if output is not Format.TABLE:
        print_document(list(rows), output)
        return
    names = list(columns or (rows[0] if rows else ()))
    table([name.upper() for name in names], [[row.get(name) for name in names] for row in rows])


def print_document(value: Any, output: Format) -> None:
    """Print one JSON or YAML document, and nothing else; `value` holds JSON's types only."""
    sys.stdout.write(as_yaml(value) if output is Format.YAML else as_json(value))


def print_object(value: Mapping[str, Any], output: Format) -> None:
    """Print one object; a table has a line for each of its fields."""
    if output is not Format.TABLE:
        print_document(dict(value), output)
        return
    table(["", ""], [[name, each] for name, each in value.items()], header=False)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str = "", header: bool = True) -> None:
    """Print a table; the last column takes the remaining width and wraps, numbers are right-aligned."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, header_style="bold", pad_edge=False, show_header=header)
    for at, column in enumerate(columns):
        numbers = bool(rows) and all(isinstance(row[at], int) for row in rows)
        drawn.add_column(
            Text(column), justify="right" if numbers else "left", overflow="fold", no_wrap=at == 0 and len(columns) > 1
        )
    for row in rows:
        drawn.add_row(*(Text(one_line(shown(each))) for each in row))
    console = stdout()
    if title:
        console.print(Text(f"\n{title}", style="bold"))
    console.print(drawn)


def line(text: str, style: str = "") -> None:
    """Print one line of text; the terminal wraps it, so that a command in it can be copied."""
    from rich.text import Text

    stdout().print(Text(plain(text), style=style), soft_wrap=True)


def stdout() -> Console:
    """Return stdout as it is now."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else UNBOUNDED)


def shown(value: Any) -> str:
    """Return a cell's text: lists with commas, nothing for None."""
    if isinstance(value, (list, tuple)):
        return ", ".join(shown(each) for each in value)
    return "" if value is None else str(value)
