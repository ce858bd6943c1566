"""All that is stored: keys and layout, manifest, journal, bundle, lease, Velero's archive.

What comes from a store is untrusted input and is validated here.
"""
