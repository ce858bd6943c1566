"""Objects as files that people keep in Git: content, names, YAML, Secrets, kustomizations. It knows no folder."""
