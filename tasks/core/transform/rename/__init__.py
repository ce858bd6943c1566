"""Write new namespaces and names wherever an object names them, by class of place."""
