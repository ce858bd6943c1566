"""Output formats, and the options that work at any place of the command line: --debug and --version."""

from __future__ import annotations

from enum import StrEnum

import typer

from kubeferry.tasks.ports.local import keys


class Format(StrEnum):
    """How a result is printed on stdout; progress and notes go to stderr."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class Form(StrEnum):
    """How a plan is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    HTML = "html"


class _Debugging:
    """Whether --debug was given to this invocation, anywhere on its command line."""

    on = False


def debugging() -> bool:
    """Return whether errors are printed with their traceback, and Prefect's own log is shown."""
    return _Debugging.on


def set_debugging(*, on: bool) -> None:
    """Start an invocation with or without --debug."""
    _Debugging.on = on


def note_debug(on: bool) -> bool:  # noqa: FBT001 - the one argument that an option's callback gets
    """Record that --debug was given."""
    _Debugging.on = _Debugging.on or on  # it may be given before the command and after it
    return on


def note_signing(path: str) -> str:
    """Record the key of --sign-with: it is no parameter of a flow (ports/local/keys.py)."""
    keys.sign_with(path)
    return path


def note_verifying(path: str) -> str:
    """Record the keys of --verify-with."""
    keys.verify_with(path)
    return path


def print_version(wanted: bool) -> None:  # noqa: FBT001 - the one argument that an option's callback gets
    """Print the version and exit, if --version was given."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"kubeferry {version('kubeferry')}")
        raise typer.Exit
