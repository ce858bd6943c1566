"""Every hostile backup that is tried, by name; each module adds its own to the table."""

from tests.faults import (  # noqa: F401 - they fill the table
    hostile_beside,
    hostile_gzip,
    hostile_manifests,
    hostile_names,
    hostile_objects,
    hostile_tar,
)
from tests.faults.hostile_tables import CASES, Case

__all__ = ["CASES", "Case"]
