"""Rename namespaces wherever an object refers to them, by class of reference."""
