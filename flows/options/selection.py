"""The options that choose among namespaces and objects, in the same way for backup, restore and plan."""

from __future__ import annotations

from typing import Annotated

import typer

WHAT = "What of it"
"""The group of the options that choose among the objects, in each command's help."""

Selector = Annotated[
    str,
    typer.Option(
        "-l",
        "--selector",
        metavar="LABELS",
        show_default=False,
        rich_help_panel=WHAT,
        help="Only objects with these labels, as kubectl's -l takes them.",
    ),
]

AnnotationSelector = Annotated[
    str,
    typer.Option(
        metavar="ANNOTATIONS",
        show_default=False,
        rich_help_panel=WHAT,
        help="Only objects with these annotations, in the same language.",
    ),
]

Include = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND",
        show_default=False,
        rich_help_panel=WHAT,
        help="Only this kind, such as deployments.apps; may be repeated.",
    ),
]

Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND", show_default=False, rich_help_panel=WHAT, help="Not this kind; may be repeated."),
]

IncludeName = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[KIND/]NAME",
        show_default=False,
        rich_help_panel=WHAT,
        help="Only objects of this name, such as deployments/web or 'secrets/tmp-*'; may be repeated.",
    ),
]

ExcludeName = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[KIND/]NAME",
        show_default=False,
        rich_help_panel=WHAT,
        help="Not the objects of this name, written in the same way; may be repeated.",
    ),
]

Only = Annotated[
    bool,
    typer.Option(
        "--only", rich_help_panel=WHAT, show_default=False, help="Only what is selected, without what it needs."
    ),
]

OneNamespace = Annotated[
    list[str] | None,
    typer.Option(
        "-n",
        "--namespace",
        metavar="NAMESPACE",
        rich_help_panel=WHAT,
        show_default=False,
        help="Only this namespace of the backup, by its old name; may be repeated.",
    ),
]

AllNamespaces = Annotated[
    bool,
    typer.Option(
        "-A",
        "--all-namespaces",
        rich_help_panel=WHAT,
        show_default=False,
        help="All namespaces, but for kube-*, which have to be named.",
    ),
]

NamespaceSelector = Annotated[
    str,
    typer.Option(
        metavar="LABELS", rich_help_panel=WHAT, show_default=False, help="Also the namespaces with these labels."
    ),
]

ExcludeNamespace = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAMESPACE",
        rich_help_panel=WHAT,
        show_default=False,
        help="Not this namespace; 'test-*' means all that are called so; may be repeated.",
    ),
]
