"""Who may enter a cluster: bearer tokens, made up once per cluster, and the kubeconfigs that hold them."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Any

import yaml

from kubeferry.deployments.sandbox import local as files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MASTERS = "system:masters"

GROUPS = {
    "admin": MASTERS,
    "kwok": MASTERS,
    # What these two may do is bound by Kubernetes itself at start, so RBAC is as it is on a real cluster.
    "system:kube-controller-manager": "",
    "system:kube-scheduler": "",
    # No right is bound to it: tests bind roles to it to see what a restricted user meets.
    "viewer": "",
}
"""User → its group, beside system:authenticated."""


def tokens(path: Path) -> dict[str, str]:
    """Return user → token, read from the token file `path`, which is made when it is absent or incomplete.

    Its format: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#static-token-file
    """
    known = read_tokens(path)
    if set(known) != set(GROUPS):
        known = {user: secrets.token_urlsafe(24) for user in GROUPS}
        lines = [f'{known[user]},{user},{user},"{group}"' for user, group in GROUPS.items()]
        files.write(path, "\n".join(lines) + "\n")
    return known


def read_tokens(path: Path) -> dict[str, str]:
    """Return user → token of the token file `path`; {} when there is none."""
    if not path.exists():
        return {}
    rows = [line.split(",") for line in path.read_text().splitlines()]
    return {row[1]: row[0] for row in rows if len(row) == len(("token", "user", "uid", "group"))}


def cluster_entry(name: str, server: str, ca: Path) -> dict[str, Any]:
    """Return a cluster of a kubeconfig: the CA inside, so that its identity is always verified."""
    data = base64.b64encode(ca.read_bytes()).decode()
    return {"name": name, "cluster": {"server": server, "certificate-authority-data": data}}


def kubeconfig(clusters: list[dict[str, Any]], entries: Iterable[tuple[str, str, str]], current: str) -> str:
    """Return a kubeconfig: one context per entry (context name, cluster name, token), `current` chosen."""
    entries = list(entries)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": clusters,
        "users": [{"name": context, "user": {"token": token}} for context, _, token in entries],
        "contexts": [
            {"name": context, "context": {"cluster": cluster, "user": context}} for context, cluster, _ in entries
        ],
        "current-context": current,
    }
    return yaml.safe_dump(config, sort_keys=False)
