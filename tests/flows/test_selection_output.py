"""The options of a selection reach the flows, and what a selection brought along is printed."""

import json
import re

import pytest
import typer

from kubeferry.flows.cli import app
from kubeferry.flows.commands import plan
from kubeferry.flows.console import run
from kubeferry.flows.console.results import finish
from kubeferry.flows.options.common import Format
from kubeferry.tasks.core.formats.manifest import Manifest, Selected
from kubeferry.tasks.core.formats.records import Phase, Problem, PulledIn
from kubeferry.tasks.core.formats.velero_backup import optional_files
from kubeferry.tasks.core.models.options import BackupOptions, Selection
from kubeferry.tasks.core.models.results import BackupResult
from kubeferry.tasks.core.ops.report import summary

TYPED = {
    "--selector": ("app=web", "selector", "app=web"),
    "--annotation-selector": ("tier", "annotation_selector", "tier"),
    "--include": ("cm", "include", ["cm"]),
    "--exclude": ("secrets", "exclude", ["secrets"]),
    "--include-name": ("deploy/web", "include_name", ["deploy/web"]),
    "--exclude-name": ("tmp-*", "exclude_name", ["tmp-*"]),
    "--exclude-namespace": ("test-*", "exclude_namespace", ["test-*"]),
    "--namespace-selector": ("team=x", "namespace_selector", "team=x"),
}


class Asked(Exception):  # noqa: N818 - no error: it ends the command where the flow would begin
    """Holds what a flow was asked for."""


@pytest.fixture
def asked(monkeypatch):
    """Return the options of what a command would start: `asked("backup", "shop")`."""

    def stop(*found, **_):
        raise Asked(next(each for each in found if isinstance(each, Selection)))

    monkeypatch.setattr(run, "run", stop)
    monkeypatch.setattr(plan, "_print", stop)

    def typed(*arguments):
        with pytest.raises(Asked) as caught:
            app(args=arguments, standalone_mode=False)
        return caught.value.args[0]

    return typed


@pytest.mark.parametrize("command", ["backup", "restore", "plan"])
def test_each_option_reaches_the_flow(asked, command):
    words = [word for option, (value, _, _) in TYPED.items() for word in (option, value)]
    found = asked(command, "shop", *words, "--only")
    assert {field: getattr(found, field) for _, field, _ in TYPED.values()} == {
        field: value for _, field, value in TYPED.values()
    }
    assert found.only
    nothing = asked(command, "shop")
    assert {getattr(nothing, field) or None for _, field, _ in TYPED.values()} == {None}
    assert not nothing.only


@pytest.mark.parametrize("command", ["restore", "plan"])
def test_namespaces_of_a_backup_are_an_option_and_those_to_back_up_are_arguments(asked, command):
    assert asked(command, "first", "-n", "shop", "--namespace", "bank").namespaces == ["shop", "bank"]
    assert asked("backup", "shop", "bank").namespaces == ["shop", "bank"]


@pytest.mark.parametrize("command", ["restore", "plan"])
def test_a_namespace_that_is_none_is_wrong_usage(cli, command):
    code, _, err = cli(command, "first", "--namespace", "No_1")
    assert code == 2
    assert "'No_1': a name has lower-case letters" in err


PULLED_IN = PulledIn(type="Secret", namespace="shop", name="db", why="needed by Deployment.apps shop/web: spec.x")
WIDE = PulledIn(type="Namespace", name="shop", why="needed by Secret shop/db: its namespace")
WARNING = Problem(what="ConfigMap shop/a", why="its kind is excluded; needed by Deployment.apps shop/web: spec.y")
LINES = (
    "Selected: label app=web; not kind cm",
    "Included as dependencies",
    "Secret shop/db  needed by Deployment.apps shop/web: spec.x",
    "Namespace shop  needed by Secret shop/db: its namespace",
    "ConfigMap shop/a  its kind is excluded; needed by Deployment.apps shop/web: spec.y",
)


def flat(text):
    """Return text with the columns of its tables two spaces apart."""
    return [re.sub(r" {2,}", "  ", line).strip() for line in text.splitlines()]


def test_a_backup_reports_what_was_pulled_in_and_what_is_missing(capsys, monkeypatch, moment):
    monkeypatch.delenv("KUBEFERRY_STORE", raising=False)
    result = BackupResult(
        name="first",
        phase=Phase.COMPLETED,
        store="file:///store",
        started=moment,
        completed=moment,
        counts={"Deployment.apps": 1},
        cluster="a",
        namespaces=["shop"],
        revision="7",
        bytes=1,
        selection="label app=web; not kind cm",
        pulled_in=[PULLED_IN, WIDE],
        warnings=[WARNING],
    )
    with pytest.raises(typer.Exit) as ended:
        finish(result, BackupOptions(namespaces=["shop"]), Format.TABLE)
    assert ended.value.exit_code == 0
    printed = flat(capsys.readouterr().out)
    assert [each for each in LINES if each not in printed] == []
    assert printed[-1] == "restore it: kubeferry restore first", "it holds no namespace that could be renamed"
    page = summary(result)
    assert "- selected: label app=web; not kind cm" in page
    assert "## Included as dependencies\n- Secret shop/db: needed by Deployment.apps shop/web: spec.x" in page
    assert "## Warnings\n- **ConfigMap shop/a**: its kind is excluded" in page


def test_show_prints_it_of_a_stored_backup_and_nothing_of_one_of_everything(cli, shelf):
    selected = Selected(asked="label app=web; not kind cm", pulled_in=[PULLED_IN, WIDE], warnings=[WARNING])
    shelf.add("some", selection=selected)
    code, out, err = cli("show", "some", "--store", shelf.url)
    assert (code, err) == (0, "")
    printed = flat(out)
    assert [each for each in LINES if each not in printed] == []
    assert json.loads(cli("show", "some", "--store", shelf.url, "-o", "json")[1])["selection"] == selected.model_dump()
    shelf.add("whole")
    assert not {"Selected", "Included", "Warnings"} & set(cli("show", "whole", "--store", shelf.url)[1].split())


def test_velero_finds_warnings_where_it_looks_for_them():
    manifest = Manifest.model_construct(objects={}, problems=[], selection=Selected(asked="x", warnings=[WARNING]))
    assert optional_files(manifest, {})["results"] == {
        "errors": {},
        "warnings": {"namespaces": {}, "cluster": [f"{WARNING.what}: {WARNING.why}"]},
    }
