"""The options of an earlier run that a store may say, for whoever resumes it: all doors use this one list.

A store is not trusted (.github/SECURITY.md): what it says is a claim about what the earlier run was asked for. What
names something of this machine (a kubeconfig runs programs, a context chooses the cluster, an identity is a file, a
deployment chooses who works) comes from the operator alone, every time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Mapping

FROM_STORE = frozenset(
    {
        "absent",
        "all_namespaces",
        "allow_pruned",
        "annotation_selector",
        "approve",
        "at_rest",
        "approve_seconds",
        "backup",
        "bundle",
        "cluster_wide",
        "exclude",
        "exclude_name",
        "exclude_namespace",
        "existing",
        "existing_kinds",
        "finalizers",
        "from_bundle",
        "include",
        "include_name",
        "map",
        "modify",
        "namespace_selector",
        "namespaces",
        "no_rewrite",
        "on_failure",
        "only",
        "owned",
        "rewrite_also",
        "rewrite_rules",
        "rollback",
        "rollback_on_failure",
        "selector",
        "status",
        "wait",
        "wait_seconds",
    }
)
"""Options that say what is restored, and how."""

EACH_RUN = frozenset(
    {
        "identities",
        "encrypt_to",
        "allow_plain",
        "allow_sources",
        "subjects",
        "wait_seconds",
        "on_failure",
        "rollback_on_failure",
    }
)
"""Options of how to restore that whoever resumes a run gives anew, besides those that say where."""

OF_OPERATOR = frozenset(
    {
        "allow_plain",
        "allow_sources",
        "context",
        "deployment",
        "encrypt_to",
        "fan_out",
        "from_context",
        "identities",
        "into_existing",
        "kubeconfig",
        "name",
        "resume",
        "side_by_side",
        "store",
        "subjects",
        "to_context",
    }
)
"""Options that name things of this machine, its clusters and workers, or the run itself, or decide who can read what:
never from a store."""


def to_store(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a header holds."""
    return {name: value for name, value in options.items() if name in FROM_STORE}


def from_store(stored: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return the options of a header that may be used; `what` names its run in an error.

    Headers of earlier versions have the operator's as well: these are ignored.

    Raises:
        DamagedError: it has an option that this version does not know.
    """
    unknown = sorted(stored.keys() - FROM_STORE - OF_OPERATOR)
    if unknown:
        raise DamagedError(f"{what}: the options in its header are damaged: {unknown[0][:80]!r} is none")
    return to_store(stored)
