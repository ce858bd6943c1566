"""Differences between two portable objects, and between restored objects and their originals, explained."""
