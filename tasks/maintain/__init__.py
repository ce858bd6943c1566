"""Maintenance of a store: verify, inventory and prune backups, and skip the late runs of a schedule."""
