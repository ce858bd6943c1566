"""JSON, YAML and text as data: edit, patch, encode, compare. It knows nothing of Kubernetes."""
