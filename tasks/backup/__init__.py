"""The steps of a backup: discover, fetch, index, strip, upload, and what a selection takes.

They read from a cluster and write to a store, and never write to the cluster.
"""
