"""Check the cluster that a run names against the environment of its worker (`kubeferry.tasks.core.ops.allowed`)."""

from __future__ import annotations

import os
from pathlib import Path

from kubeferry.tasks.core.ops import allowed


def check_cluster(context: str | None, kubeconfig: str | None = None) -> None:
    """Return if this process may use this context and this kubeconfig, as far as they are named.

    Raises:
        UsageError: it may not.
    """
    text = os.environ.get(allowed.CONTEXTS)
    if text is None:
        return
    if context:
        allowed.check_context(context, allowed.listed(text))
    if kubeconfig:
        allowed.check_kubeconfig(_whole(kubeconfig), [_whole(each) for each in _own()])


def _own() -> list[str]:
    """Return the kubeconfigs that the environment names; without any, the default one."""
    named = [os.environ.get("KUBEFERRY_KUBECONFIG", ""), *os.environ.get("KUBECONFIG", "").split(os.pathsep)]
    return [each for each in named if each] or ["~/.kube/config"]


def _whole(path: str) -> str:
    return os.path.realpath(Path(path).expanduser())
