"""Object in, object out: strip what a cluster assigned, rename, modify. No input is changed in place."""
