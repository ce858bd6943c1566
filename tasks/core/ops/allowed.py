"""Which stores and clusters a process may use: two variables of its environment say it, and a worker's bind its runs.

A run names its store and its cluster in its parameters, and whoever reaches the Prefect server starts runs. The
environment of a worker is its operator's alone.

| variable | lists, with commas between |
| --- | --- |
| KUBEFERRY_ALLOWED_STORES | URLs of stores: each with all folders below it, and with the same parameters |
| KUBEFERRY_ALLOWED_CONTEXTS | names of contexts; `*`, `?` and `[…]` are wildcards, a pod's own is `in-cluster` |

One that is not set allows all, an empty list nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

STORES = "KUBEFERRY_ALLOWED_STORES"
CONTEXTS = "KUBEFERRY_ALLOWED_CONTEXTS"


@dataclass(frozen=True)
class StorePlace:
    """Where a store is, without `..` and symbolic links."""

    server: tuple[object, ...]
    """The scheme, the bucket, and all parameters of the URL: another endpoint is another server."""
    folder: tuple[str, ...]
    """The names of the folders from the root."""


def listed(text: str) -> list[str]:
    """Return the entries of a list with commas."""
    return [each.strip() for each in text.split(",") if each.strip()]


def check_store(url: str, asked: StorePlace, allowed: Iterable[StorePlace]) -> None:
    """Check that a store is one of those, or a folder in one.

    Raises:
        UsageError: it is not; `url` names it in the message.
    """
    for each in allowed:
        if asked.server == each.server and asked.folder[: len(each.folder)] == each.folder:
            return
    raise UsageError(f"store {url} is none that runs may use here: {STORES} lists those, with their parameters")


def check_context(name: str, allowed: Iterable[str]) -> None:
    """Check that the name of a context matches one of those.

    Raises:
        UsageError: it does not.
    """
    if not any(fnmatchcase(name, each) for each in allowed):
        raise UsageError(f"context {name} is none that runs may use here: {CONTEXTS} lists those")


def check_kubeconfig(path: str, own: Iterable[str]) -> None:
    """Check that a kubeconfig is the process's own: in another one, a context of an allowed name may be any cluster.

    Raises:
        UsageError: it is not.
    """
    if path not in own:
        raise UsageError(
            f"kubeconfig {path} is not this worker's own, and {CONTEXTS} is set: leave it out, or name it in KUBECONFIG"
        )
