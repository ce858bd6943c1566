"""Compare a backup with a cluster, or with another backup."""
