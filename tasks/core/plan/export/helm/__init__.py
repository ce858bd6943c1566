"""A Helm chart of a namespace: templates, values with their schema, notes. It knows no folder and no Helm."""
