"""Find and load the installed plug-ins: entry points `kubeferry.rules` (tasks/core/plugins/interface.py).

A plug-in that cannot be loaded is an error that names it, and is never skipped: without its rules a restore could do
harm. To disable plug-ins, list their names, separated by commas, in KUBEFERRY_WITHOUT_RULES.
"""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import PluginError
from kubeferry.tasks.core.plugins.interface import GROUP, INTERFACE, Plugin
from kubeferry.tasks.core.plugins.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterable

WITHOUT = "KUBEFERRY_WITHOUT_RULES"

OURS = ("cert-manager", "cluster-api")
"""The plug-ins that ship with Kubeferry, declared in its pyproject.toml."""


def installed() -> Registry:
    """Return the rules of all installed plug-ins, Kubeferry's own included, except the disabled ones.

    Raises:
        PluginError: a plug-in cannot be loaded, has another version of the interface, or contradicts another plug-in.
    """
    found = list(entry_points(group=GROUP))
    for name in OURS:
        # An editable install keeps the entry points from when it was installed.
        if name not in {point.name for point in found}:
            raise PluginError(f"Kubeferry's own plug-in {name} is not installed: reinstall Kubeferry")
    return load(found, os.environ.get(WITHOUT, ""))


def load(found: Iterable[EntryPoint], without: str = "") -> Registry:
    """Return the rules of the entry points `found`, except those that the comma-separated list `without` names.

    Raises:
        PluginError: as above, or `without` names a plug-in that is not installed.
    """
    points = sorted(found, key=lambda point: point.name)
    off = {name.strip() for name in without.split(",") if name.strip()}
    for name in sorted(off - {point.name for point in points}):
        raise PluginError(f"{WITHOUT} names {name!r}, but no such plug-in is installed")
    rules: dict[str, Plugin] = {}
    for point in points:
        if point.name in rules:
            raise PluginError(f"two plug-ins are called {point.name}; {_from(point)} is one of them")
        if point.name not in off:
            rules[point.name] = _loaded(point)
    return Registry(rules.values())


def _loaded(point: EntryPoint) -> Plugin:
    what = f"plug-in {point.name} ({_from(point)})"
    try:
        rules = point.load()
    except Exception as error:  # a third-party module may raise anything on import
        raise PluginError(f"{what} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(rules, Plugin):
        raise PluginError(f"{what} is not a Plugin but a {type(rules).__name__}")
    if rules.interface != INTERFACE:
        raise PluginError(f"{what} is for version {rules.interface} of {GROUP}; this Kubeferry has version {INTERFACE}")
    if rules.name != point.name:
        raise PluginError(f"{what} calls itself {rules.name}")
    return rules


def _from(point: EntryPoint) -> str:
    return f"{point.value} of {point.dist.name}" if point.dist else point.value
