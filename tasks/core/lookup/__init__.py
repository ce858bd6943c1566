"""Values that a cluster assigns (addresses, uids): where objects use them, and how to find the new ones."""
