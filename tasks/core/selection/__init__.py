"""What is in a backup or a restore and what is not, each with the reason."""
