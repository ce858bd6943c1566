"""The steps of a backup: discover, fetch, index, strip, upload, and what a selection takes.

They read a cluster and write to a store, never the other way round.
"""
