"""How a restore is reverted: rollback after a failure, and undo."""
