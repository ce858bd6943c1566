"""How long tests wait before they take something for what never ends."""

LIMIT = 1200
"""Seconds for a process or a request. How long one takes says nothing: a busy machine is ten times slower."""
