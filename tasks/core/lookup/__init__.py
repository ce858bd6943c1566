"""Values that a cluster hands out (addresses, uids): where they are used, and how to find the new ones."""
