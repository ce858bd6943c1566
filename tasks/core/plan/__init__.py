"""A plan as a document: its parts, existing objects, quota, late values, approval."""
