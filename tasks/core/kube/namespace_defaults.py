"""What is in a namespace without anybody's doing: what every cluster makes there, and what a restore at work leaves.

Such objects say nothing about whether somebody uses the namespace.
"""

from __future__ import annotations

LEASE = ("coordination.k8s.io", "Lease")
LEASE_NAME = "kubeferry-restore"
"""The name of our own Lease in every namespace in which we work (lease.py). It is never backed up (carry.py)."""

IN_EVERY_NAMESPACE = {("", "ServiceAccount", "default"), ("", "ConfigMap", "kube-root-ca.crt"), (*LEASE, LEASE_NAME)}
"""(group, kind, name) of what is made in a namespace as soon as it is there, or by a restore at work."""
