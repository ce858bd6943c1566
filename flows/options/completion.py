"""Shell completion: names of backups, restores, contexts and namespaces.

The user waits meanwhile, in the middle of a line: what does not answer in time offers nothing, and nothing is printed.
Typer itself completes options and commands.

A shell puts what is offered on the line as it is, and zsh evaluates it at once: `$(…)` in a name would run. Anyone who
may write to the store names its folders, so that only names are offered that the rule for their kind allows.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002 - Typer reads the annotations when the program runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SECONDS = 2.0
"""How long a store or a cluster has to answer; KUBEFERRY_COMPLETION_SECONDS overrides it."""

CONTEXT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/@+-]{0,252}")
"""The contexts that are offered. Any text names a context; these characters are those of `user@cluster`, of the ARN of
EKS, of GKE and of OpenShift, and mean nothing to bash, zsh and fish. A first `-` would be an option."""

Names = list[str]


def contexts(incomplete: str) -> Names:
    """Offer the contexts of the kubeconfig."""
    return _within(_contexts, incomplete, _context)


def backups(ctx: typer.Context, incomplete: str) -> Names:
    """Offer the backups of the store."""
    return _within(lambda: _folders(ctx, "backups"), incomplete, _stored)


def restores(ctx: typer.Context, incomplete: str) -> Names:
    """Offer the restores of the store."""
    return _within(lambda: _folders(ctx, "restores"), incomplete, _stored)


def both(ctx: typer.Context, incomplete: str) -> Names:
    """Offer the backups and the restores of the store."""
    return _within(lambda: [*_folders(ctx, "backups"), *_folders(ctx, "restores")], incomplete, _stored)


def namespaces(ctx: typer.Context, incomplete: str) -> Names:
    """Offer the namespaces of the cluster."""
    return _within(lambda: _namespaces(ctx), incomplete, _namespace)


def _context(name: str) -> bool:
    return CONTEXT.fullmatch(name) is not None


def _namespace(name: str) -> bool:
    from kubeferry.tasks.core.kube.objects import NAMESPACE

    return NAMESPACE.fullmatch(name) is not None


def _stored(name: str) -> bool:
    """Return whether a backup or a restore can have this name."""
    from kubeferry.tasks.core.errors import UsageError
    from kubeferry.tasks.core.formats.layout import check_name

    try:
        return check_name(name) == name
    except UsageError:
        return False


def _within(ask: Callable[[], Iterable[str]], incomplete: str, legal: Callable[[str], bool]) -> Names:
    """Return the legal names that start with `incomplete`, if they arrive in time."""
    answer: Queue[Names] = Queue()
    # A daemon thread instead of a pool: nothing waits for it at exit.
    Thread(target=lambda: answer.put(_answer(ask)), daemon=True).start()
    try:
        names = answer.get(timeout=_seconds())
    except Empty:
        return []
    return sorted({name for name in names if name.startswith(incomplete) and legal(name)})


def _answer(ask: Callable[[], Iterable[str]]) -> Names:
    try:
        return list(ask())
    except Exception:  # noqa: BLE001 - completion cannot report it: the command itself will
        return []


def _seconds() -> float:
    with suppress(ValueError):
        return float(os.environ.get("KUBEFERRY_COMPLETION_SECONDS") or SECONDS)
    return SECONDS


def _option(ctx: typer.Context, name: str) -> str:
    """Return the value of an option from the command line, else from its environment variable."""
    return str(ctx.params.get(name) or os.environ.get(f"KUBEFERRY_{name.upper()}") or "")


def _contexts() -> Iterable[str]:
    import yaml

    paths = os.environ.get("KUBEFERRY_KUBECONFIG") or os.environ.get("KUBECONFIG") or "~/.kube/config"
    for path in paths.split(os.pathsep):
        with suppress(OSError), Path(path).expanduser().open(encoding="utf-8") as file:
            config: Any = yaml.load(file, yaml.CSafeLoader)
            yield from (str(each["name"]) for each in config["contexts"])


def _folders(ctx: typer.Context, root: str) -> Iterable[str]:
    from kubeferry.tasks.ports.store.open import open_store

    return open_store(_option(ctx, "store")).folders(f"{root}/")


def _namespaces(ctx: typer.Context) -> Iterable[str]:
    from kubeferry.tasks.ports.cluster.client import connect

    context = _option(ctx, "context") or _option(ctx, "from_context")  # a migration has two clusters
    cluster = connect(context or None, _option(ctx, "kubeconfig") or None)
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    found = cluster.request("GET", "/api/v1/namespaces", query={"limit": "500"}, accept=accept).json()
    return [str(each["metadata"]["name"]) for each in found["items"]]
