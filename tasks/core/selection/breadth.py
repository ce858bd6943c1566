"""Whether to read many namespaces at once: one LIST of a type for all of the cluster, or one for each namespace.

A request costs a round trip and some milliseconds of an API server, an object that is read in vain some microseconds.
All of a cluster is read where that saves most of the requests and not most of the objects are read in vain.
"""

from __future__ import annotations

FEW = 4
"""Up to so many namespaces are read each on their own: two rounds of lists side by side."""

SHARE = 4
"""All of the cluster is read where at least one of so many of its namespaces is asked for."""


def at_once(asked: int, there: int | None) -> bool:
    """Return whether `asked` namespaces of `there` are read by lists of all of the cluster; None is not known."""
    return there is not None and asked > FEW and asked * SHARE >= there
