"""What a person asks to be changed of objects: patches and the shorthands of Velero's resource modifiers."""
