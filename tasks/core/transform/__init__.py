"""Object in, object out: strip what a cluster assigned, rename, modify. Every input survives."""
