"""Remove what the cluster assigned, kind by kind, so that an object can be created elsewhere."""
