"""The difference of two portable objects, and of what was restored from its original, explained."""
