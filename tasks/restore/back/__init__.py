"""How a restore is taken back: rollback after a failure, and undo."""
