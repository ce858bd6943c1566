"""Find and load the plug-ins that are installed: entry points `kubeferry.rules` (tasks/core/plugins/interface.py).

One that cannot be loaded is an error that names it, never skipped: without its knowledge a restore could do harm. Who
wants to go without one names it in KUBEFERRY_WITHOUT_RULES, a comma list.
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
"""The plug-ins that Kubeferry brings along, declared in its pyproject.toml."""


def installed() -> Registry:
    """Return the rules of all plug-ins that are installed, ours among them, but for those switched off.

    Raises:
        PluginError: a plug-in cannot be loaded, is of another version of the interface, or contradicts another one.
    """
    found = list(entry_points(group=GROUP))
    for name in OURS:
        # An editable install keeps the entry points of the day it was made.
        if name not in {point.name for point in found}:
            raise PluginError(f"Kubeferry's own plug-in {name} is not installed: install Kubeferry anew")
    return load(found, os.environ.get(WITHOUT, ""))


def load(found: Iterable[EntryPoint], without: str = "") -> Registry:
    """Return the rules of the entry points `found`, but for those that the comma list `without` names.

    Raises:
        PluginError: as above, or nothing is called as `without` says.
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
    except Exception as error:  # somebody else's module may raise anything when it is imported
        raise PluginError(f"{what} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(rules, Plugin):
        raise PluginError(f"{what} is no Rules object but of type {type(rules).__name__}")
    if rules.interface != INTERFACE:
        raise PluginError(f"{what} is for version {rules.interface} of {GROUP}; this Kubeferry has version {INTERFACE}")
    if rules.name != point.name:
        raise PluginError(f"{what} calls itself {rules.name}")
    return rules


def _from(point: EntryPoint) -> str:
    return f"{point.value} of {point.dist.name}" if point.dist else point.value
