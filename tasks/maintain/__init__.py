"""What keeps a store in order: verify, inventory, prune, and runs that were missed."""
