"""What Kubernetes itself defines: objects, kinds, types, selectors, schemas, immutable fields.

It knows nothing of backups and restores.
"""
