"""All stored formats: keys and layout, manifest, journal, bundle, lease, Velero's archive.

Whatever is read from a store is untrusted input and is validated here.
"""
