"""How a user changes objects during a restore: patches and parameters, and Velero's resource modifiers."""
