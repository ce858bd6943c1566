"""Plug-ins are found by their entry points, ours like any other; one that is broken is reported in one line."""

import sys
import types
from importlib.metadata import EntryPoint

import pytest

from kubeferry.tasks.core.errors import PluginError
from kubeferry.tasks.core.plugins.interface import GROUP, Plugin
from kubeferry.tasks.ports.local import plugins


@pytest.fixture
def module(monkeypatch):
    made = types.ModuleType("their_rules")
    made.RULES = Plugin(name="theirs", interface=1)
    made.OLD = Plugin(name="theirs", interface=0)
    made.OTHER = Plugin(name="other", interface=1)
    made.NONE = {"name": "theirs"}
    monkeypatch.setitem(sys.modules, "their_rules", made)
    return made


def point(value, name="theirs"):
    return EntryPoint(name, value, GROUP)


def test_ours_are_installed_like_any_other():
    assert [each.name for each in plugins.installed().rules] == ["cert-manager", "cluster-api"]


def test_an_old_install_is_not_taken_for_one_without_knowledge(monkeypatch):
    monkeypatch.setattr(
        plugins, "entry_points", lambda group: [point("kubeferry.tasks.core.plugins.cluster_api:RULES", group)]
    )
    with pytest.raises(PluginError, match=r"^Kubeferry's own plug-in cert-manager is not installed: reinstall"):
        plugins.installed()


def test_one_can_be_switched_off(monkeypatch):
    monkeypatch.setenv(plugins.WITHOUT, " cluster-api ,")
    assert [each.name for each in plugins.installed().rules] == ["cert-manager"]


def test_switching_off_what_is_not_there_is_reported():
    with pytest.raises(PluginError, match=r"^KUBEFERRY_WITHOUT_RULES names 'clusterapi', but no such plug-in"):
        plugins.load([], "clusterapi")


def test_a_plugin_is_loaded(module):
    assert plugins.load([point("their_rules:RULES")]).rules == (module.RULES,)


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_rules:RULES", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_rules'"),
        ("their_rules:MISSING", "cannot be loaded: AttributeError"),
        ("their_rules:NONE", "is not a Plugin but a dict"),
        ("their_rules:OLD", "is for version 0 of kubeferry.rules; this Kubeferry has version 1"),
        ("their_rules:OTHER", "calls itself other"),
    ],
)
def test_a_broken_plugin_is_one_line_that_names_it(value, message):
    with pytest.raises(PluginError) as refused:
        plugins.load([point(value)])
    assert str(refused.value).startswith(f"plug-in theirs ({value}) {message}")
    assert "\n" not in str(refused.value)


@pytest.mark.usefixtures("module")
def test_a_broken_plugin_that_is_switched_off_breaks_nothing():
    assert plugins.load([point("no_such_rules:RULES")], "theirs").rules == ()


@pytest.mark.usefixtures("module")
def test_two_of_one_name_are_refused():
    with pytest.raises(PluginError, match=r"^two plug-ins are called theirs; their_rules:RULES is one of them$"):
        plugins.load([point("their_rules:RULES"), point("their_rules:RULES")])
