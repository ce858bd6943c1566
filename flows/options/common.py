"""The options that every command takes, each defined once; and whether this invocation wants tracebacks."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kubeferry.flows.options import completion

PANEL = "Where and how"
"""The group of these options in every command's help."""


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
    """Return whether errors are told with their traceback, and Prefect's own log is shown."""
    return _Debugging.on


def set_debugging(*, on: bool) -> None:
    """Begin an invocation without --debug, or with it."""
    _Debugging.on = on


def _debug(on: bool) -> bool:  # noqa: FBT001 - the one argument that an option's callback gets
    _Debugging.on = _Debugging.on or on  # it may stand before the command and after it
    return on


def print_version(wanted: bool) -> None:  # noqa: FBT001 - the one argument that an option's callback gets
    """Print the version, where it is wanted, and end."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"kubeferry {version('kubeferry')}")
        raise typer.Exit


ForceFinalizers = Annotated[
    bool,
    typer.Option(
        "--force-finalizers",
        show_default=False,
        help="Take finalizers off what does not go in time; what they wait for is then never done.",
    ),
]

Identity = Annotated[
    list[Path] | None,
    typer.Option(
        "--identity",
        envvar="KUBEFERRY_IDENTITY",
        metavar="FILE",
        show_default=False,
        rich_help_panel=PANEL,
        help="File of a secret key that opens an encrypted backup, of age or SSH; may be repeated.",
    ),
]

Modify = Annotated[
    list[Path] | None,
    typer.Option(
        "--modify",
        metavar="FILE",
        show_default=False,
        help="YAML of what to modify on the way: labels, replicas, hosts, rules with patches; or Velero's resource "
        "modifiers, as they are. May be repeated.",
    ),
]

Context = Annotated[
    str,
    typer.Option(
        envvar="KUBEFERRY_CONTEXT",
        autocompletion=completion.contexts,
        metavar="NAME",
        show_default=False,
        rich_help_panel=PANEL,
        help="Context of the kubeconfig; else its current one, or the cluster of the pod that this runs in.",
    ),
]

Kubeconfig = Annotated[
    str,
    typer.Option(
        envvar="KUBEFERRY_KUBECONFIG",
        metavar="PATH",
        show_default=False,
        rich_help_panel=PANEL,
        help="Path of the kubeconfig; else KUBECONFIG, or the user's own.",
    ),
]

StoreUrl = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="KUBEFERRY_STORE",
        metavar="URL",
        show_default=False,
        rich_help_panel=PANEL,
        help="file:///folder or s3://bucket/prefix, with ?endpoint=… and &region=…; else a folder of the user's data.",
    ),
]

Output = Annotated[
    Format,
    typer.Option("-o", "--output", envvar="KUBEFERRY_OUTPUT", rich_help_panel=PANEL, help="How to print the result."),
]

Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        envvar="KUBEFERRY_DEBUG",
        callback=_debug,
        rich_help_panel=PANEL,
        help="Show tracebacks, and what Prefect logs.",
    ),
]
