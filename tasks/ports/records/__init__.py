"""The records in a store: backups, restores and their journals, migrations, reservations.

The only package that joins the formats of `core` with a store.
"""
