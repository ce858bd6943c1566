"""`kubeferry plan` and the order that `verify` checks: from an archive alone."""

import json
import os
import stat

import pytest
import yaml
from tests.support.imports import NEVER, PREFECT, SHOWN, imported

from kubeferry.tasks.core.graph.order import Order
from kubeferry.tasks.core.plan.document import PlanDocument

LOOK = [
    ["plan", "first"],
    ["plan", "first", "-o", "json"],
    ["plan", "first", "-o", "html"],
    ["plan", "first", "--kubectl"],
    ["verify", "first"],
    ["list"],
    ["list", "-o", "json"],
    ["show", "first"],
    ["show", "first", "-o", "yaml"],
]
"""Commands that read a store and no cluster."""


@pytest.mark.parametrize("command", LOOK, ids=" ".join)
def test_what_reads_a_store_imports_neither_prefect_nor_a_cluster(shelf, tmp_path, command):
    shelf.add("first")
    env = {**os.environ, "KUBEFERRY_HOME": str(tmp_path / "home"), "KUBEFERRY_STORE": shelf.url}
    heavy = {*PREFECT, *NEVER, *SHOWN, "httpx", "kubeferry.tasks.ports.cluster.transport"}
    assert imported(heavy, command, env)[0] == "[]"


def test_json_and_yaml_are_the_document(cli, shelf):
    shelf.add("first")
    code, out, err = cli("plan", "first", "--store", shelf.url, "-o", "json")
    assert (code, err) == (0, "")
    plan = PlanDocument.model_validate(json.loads(out))
    assert [(one.type, one.namespace, one.name) for one in plan.levels[0].objects] == [("ConfigMap", "shop", "web")]
    code, out, _ = cli("plan", "first", "--store", shelf.url, "-o", "yaml")
    assert yaml.safe_load(out) == plan.model_dump(mode="json")


def test_the_table_is_for_80_columns(cli, shelf):
    shelf.add("first")
    code, out, err = cli("plan", "first", "--store", shelf.url)
    assert (code, err) == (0, "")
    assert "Level 1 of 1 (config)\n  ConfigMap web\n" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_velero_archive_is_planned_too(cli, shelf):
    shelf.add_velero("theirs")
    assert "ConfigMap web" in cli("plan", "theirs", "--store", shelf.url)[1]


def test_an_owner_in_another_namespace_is_refused_with_the_reason(cli, shelf):
    """The one of that name in the object's own namespace is another one, and no owner."""
    tie = {"apiVersion": "v1", "kind": "ConfigMap", "name": "boss", "uid": "u-1"}
    child = config("shop", "child", ownerReferences=[tie])
    shelf.add_velero("theirs", [child, config("bank", "boss", uid="u-1"), config("shop", "boss", uid="u-2")])
    code, out, err = cli("plan", "theirs", "--store", shelf.url)
    assert (code, err) == (0, "")
    assert "not owned by ConfigMap boss, which is in another namespace, bank" in out
    plan = PlanDocument.model_validate(json.loads(cli("plan", "theirs", "--store", shelf.url, "-o", "json")[1]))
    (planned,) = [one for level in plan.levels for one in level.objects if one.name == "child"]
    assert [*planned.unowned] == ["ConfigMap boss, which is in another namespace, bank"]
    assert [*planned.needs] == []


def config(namespace, name, **meta):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, **meta}}


def test_a_file_is_its_owners_only_and_whole_or_not_at_all(cli, shelf, tmp_path):
    shelf.add("first")
    path = tmp_path / "restore.sh"
    assert cli("plan", "first", "--store", shelf.url, "--kubectl", "--file", str(path)) == (0, "", "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("#!/usr/bin/env bash\n")
    assert path.read_text().endswith("\nfinish\n")
    missing = tmp_path / "none" / "restore.sh"
    code, out, err = cli("plan", "first", "--store", shelf.url, "--kubectl", "--file", str(missing))
    assert (code, out) == (2, "")
    assert err == f"error: --file {missing}: No such file or directory\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "no backup none"),
        (["first", "--map", "other=x"], "holds no namespace other"),
        (["first", "--include", "secrets"], "holds no kind 'secrets'"),
    ],
)
def test_what_does_not_fit_is_one_line(cli, shelf, arguments, message):
    shelf.add("first")
    code, out, err = cli("plan", *arguments, "--store", shelf.url)
    assert message in err
    assert err.count("\n") == 1
    assert (out, code) == ("", 1 if arguments == ["none"] else 2)


def test_verify_reports_the_order(cli, shelf):
    shelf.add("first")
    code, out, _ = cli("verify", "first", "--store", shelf.url)
    assert code == 0
    assert "order of a restore: holds, 1 levels\n" in out
    assert json.loads(cli("verify", "first", "--store", shelf.url, "-o", "json")[1])["levels"] == 1


def test_verify_finds_an_order_that_does_not_hold(cli, shelf, monkeypatch):
    shelf.add("first")
    monkeypatch.setattr("kubeferry.tasks.plan.build.order", lambda *_, **__: Order([]))
    code, out, err = cli("verify", "first", "--store", shelf.url)
    assert (code, out) == (1, "")
    assert err == ("error: backup first: the order of a restore does not hold: ConfigMap shop/web is in no level\n")


def test_the_plan_shows_what_is_modified(cli, shelf, tmp_path):
    shelf.add()
    (tmp_path / "m.yaml").write_text("rules: [{kind: cm, merge_patches: [{data: {a: other}}]}]")
    code, out, err = cli("plan", "first", "--modify", str(tmp_path / "m.yaml"), "-o", "json", "--store", shelf.url)
    assert code == 0, err
    assert '"new": "other"' in out
    (tmp_path / "m.yaml").write_text("rules: [{kind: cm, patches: [{op: remove, path: /data/b}]}]")
    code, _, err = cli("plan", "first", "--modify", str(tmp_path / "m.yaml"), "--store", shelf.url)
    assert (code, "modify: rule 1 does not apply to ConfigMap shop/web: there is no /data/b" in err) == (2, True)
