"""Look at this installation for `kubeferry doctor`: Python, and the packages that Kubeferry was tested with."""

from __future__ import annotations

import sys
from importlib.metadata import distributions, requires
from typing import TYPE_CHECKING

from kubeferry.tasks.core.ops import health as health_versions

if TYPE_CHECKING:
    from kubeferry.tasks.core.models.options_maintenance import DoctorOptions
    from kubeferry.tasks.core.ops.health import Finding


def versions(_asked: DoctorOptions) -> Finding:
    """Compare what is installed with what Kubeferry's metadata wants."""
    installed = {each.name: each.version for each in distributions()}
    return health_versions.versions(tuple(sys.version_info[:3]), requires("kubeferry") or (), installed)
