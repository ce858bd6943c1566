"""Delete objects in the reverse order of a restore, and wait until each level is gone."""
