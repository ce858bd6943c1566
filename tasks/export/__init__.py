"""The steps of an export: the objects of a plan, written into a folder as files."""
