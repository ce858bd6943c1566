"""What a deletion includes, in which order, and with what authority."""
