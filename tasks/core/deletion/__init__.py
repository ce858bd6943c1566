"""What a deletion takes, in which order, and by what right."""
