"""What the fields, names, labels and annotations of an object refer to."""
