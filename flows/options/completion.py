"""Shell completion: names of backups, restores, contexts and namespaces.

The user waits meanwhile, in the middle of a line: what does not answer in time offers nothing, and nothing is printed.
Typer itself completes options and commands.
"""

from __future__ import annotations

import os
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

Names = list[str]


def contexts(incomplete: str) -> Names:
    """Offer the contexts of the kubeconfig."""
    return _within(_contexts, incomplete)


def backups(ctx: typer.Context, incomplete: str) -> Names:
    """Offer the backups of the store."""
    return _within(lambda: _folders(ctx, "backups"), incomplete)


def restores(ctx: typer.Context, incomplete: str) -> Names:
    """Offer the restores of the store."""
    return _within(lambda: _folders(ctx, "restores"), incomplete)


def both(ctx: typer.Context, incomplete: str) -> Names:
    """Offer the backups and the restores of the store."""
    return _within(lambda: [*_folders(ctx, "backups"), *_folders(ctx, "restores")], incomplete)


def namespaces(ctx: typer.Context, incomplete: str) -> Names:
    """Offer the namespaces of the cluster."""
    return _within(lambda: _namespaces(ctx), incomplete)


def _within(ask: Callable[[], Iterable[str]], incomplete: str) -> Names:
    """Return the names that start with `incomplete`, if they arrive in time."""
    answer: Queue[Names] = Queue()
    # A daemon thread instead of a pool: nothing waits for it at exit.
    Thread(target=lambda: answer.put(_answer(ask)), daemon=True).start()
    try:
        names = answer.get(timeout=_seconds())
    except Empty:
        return []
    return sorted(name for name in names if name.startswith(incomplete))


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
