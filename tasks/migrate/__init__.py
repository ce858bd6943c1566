"""Many namespaces at once: a migration between clusters, and many copies of one backup.

Each namespace is restored by the steps of a restore; what is here begins, dispatches and counts.
"""
