"""What a backup or a restore includes and what it excludes, each with the reason."""
