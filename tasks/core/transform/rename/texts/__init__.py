"""Which texts name a namespace: by their keys, as DNS names, in documents, phrases and settings; pure rules."""
