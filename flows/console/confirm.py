"""Ask for confirmation before something is removed: show what would be removed, and remove exactly that.

With --yes it does not ask, with --dry-run it only shows. Without a terminal it cannot ask: that is an error.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar, cast

import typer

from kubeferry.flows.console.terminal import showing_progress
from kubeferry.tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.models.options import DeleteOptions, UndoOptions
    from kubeferry.tasks.core.models.options_maintenance import PruneOptions
    from kubeferry.tasks.core.models.results import DeleteResult, PruneResult, UndoResult

A = TypeVar("A", bound="DeleteOptions | PruneOptions | UndoOptions")
R = TypeVar("R", bound="DeleteResult | PruneResult | UndoResult")

REFUSED = 1
"""The exit code when the answer is no."""


@dataclass(frozen=True)
class Removal(Generic[A, R]):
    """What is removed, and how the user is asked."""

    verb: str
    """The verb, such as `delete`."""

    done: str
    """Its past participle, such as `deleted`."""

    look: Callable[[A], R]
    """Finds what would be removed, without Prefect; it writes nothing."""

    question: Callable[[R], str]
    """Returns the question; empty if nothing would be removed."""

    show: Callable[[R], None]
    """Prints what would be removed."""

    finish: Callable[[R, A, Format], NoReturn]
    """Prints a result, and exits."""


def agreed(removal: Removal[A, R], asked: A, output: Format, *, yes: bool) -> A:
    """Return the options to continue with: unchanged with --yes, else restricted to what the user agreed to.

    Raises:
        UsageError: there is no terminal to ask at.
        typer.Exit: it is a dry run, there is nothing to remove, or the answer is no.
    """
    if asked.dry_run:
        removal.finish(_seen(removal, asked), asked, output)
    if yes:
        return asked
    if not sys.stdin.isatty():
        raise UsageError(f"there is no terminal to ask at: use --yes to {removal.verb}, or --dry-run to look first")
    seen = _seen(removal, asked)
    question = removal.question(seen)
    if not question:
        removal.finish(seen, asked, output)
    with redirect_stdout(sys.stderr):  # it is not the result yet
        removal.show(seen)
        agrees = _confirmed(question)
    if not agrees:
        sys.stderr.write(f"nothing was {removal.done}\n")
        raise typer.Exit(REFUSED)
    # A type checker does not know that the copy has the type of the original.
    return cast("A", asked.model_copy(update={"expect": asked.expect or seen.digest}))


def _seen(removal: Removal[A, R], asked: A) -> R:
    with showing_progress():
        return removal.look(asked)


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:  # Ctrl-C, or the end of the input
        raise KeyboardInterrupt from None
