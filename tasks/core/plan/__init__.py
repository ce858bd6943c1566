"""A plan as a document: its parts, what is there already, quota, late values, approval."""
