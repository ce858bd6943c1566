"""Many namespaces at once: a migration between clusters, and many copies of one backup.

The steps of a restore restore each namespace; this package begins, dispatches and counts.
"""
