"""Which texts name a namespace: in documents, phrases, settings and shapes of references; pure rules."""
