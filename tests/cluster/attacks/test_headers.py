"""Whoever may write to the bucket forges the header of a restore or of a migration: it is a claim, and no order."""

import hashlib
import json
import shutil

import pytest
import yaml
from tests.support.bench import A, B
from tests.support.objects import config_map

from kubeferry.flows.migrate import migrate
from kubeferry.flows.migrate_namespace import migrate_namespace
from kubeferry.flows.populate import populate
from kubeferry.flows.restore import restore
from kubeferry.tasks.core.errors import DamagedError, KubeferryError, PermanentError, UsageError
from kubeferry.tasks.core.models.from_store import FROM_STORE, OF_OPERATOR, from_store
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.core.models.options_migration import MigrateNamespaceOptions, MigrateOptions, PopulateOptions


@pytest.fixture
def trap(tmp_path, bench):
    """A kubeconfig whose credentials come from a program; `trap.sprung()` says whether that ran."""
    mark, path = tmp_path / "ran", tmp_path / "forged.kubeconfig"
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": [str(mark)]}
    run |= {"interactiveMode": "Never"}
    server = {"server": bench.clusters[B].host, "insecure-skip-tls-verify": True}
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": server}],
                "users": [{"name": "u", "user": {"exec": run}}],
                "contexts": [{"name": each, "context": {"cluster": "c", "user": "u"}} for each in (A, B, "forged")],
                "current-context": "forged",
            }
        )
    )
    return str(path), mark.exists


@pytest.fixture
def saved(bench):
    ns = bench.namespace("shop")
    bench.make(config_map("settings", {"a": "1"}), ns)
    return ns, bench.backup(ns)


def forged(bench, path, edit):
    """Change a record in the store as its forger would: from the folder of the store, `edit` returns the new one."""
    file = bench.folder / path
    file.write_text(json.dumps(edit(json.loads(file.read_text()))))


def cut_off(bench, saved, monkeypatch):
    """Return the name of a restore whose process died when its first level was applied."""
    ns, backup = saved
    named = bench.name("cut")

    async def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("kubeferry.flows.restore.wait", dies)
        asked = RestoreOptions(backup=backup.name, name=named, context=B, map={ns: bench.name("copy")}, **bench.where)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever ends a process
            bench.run_flow(restore(asked))
    return named


def test_a_resumed_restore_takes_no_kubeconfig_from_the_store(bench, saved, trap, monkeypatch):
    config, sprung = trap
    named = cut_off(bench, saved, monkeypatch)
    said = {"kubeconfig": config, "context": "forged", "identities": [config]}
    forged(bench, f"restores/{named}/kubeferry-restore.json", lambda it: it | {"options": it["options"] | said})
    result = bench.restore("", resume=named)
    assert (result.phase, result.cluster) == ("Completed", B)
    assert not sprung()


def test_a_resumed_migration_takes_neither_kubeconfig_nor_clusters_from_the_store(bench, saved, trap):
    config, sprung = trap
    ns, _ = saved
    named = bench.name("moved")
    where = {"from_context": A, "to_context": B, "kubeconfig": "", **bench.where}
    bench.run_flow(migrate(MigrateOptions(namespaces=[ns], name=named, map={ns: bench.name("copy")}, **where)))
    said = {"kubeconfig": config, "to_context": "forged", "fan_out": "deployment", "deployment": "evil/one"}
    forged(bench, f"restores/{named}/kubeferry-migration.json", lambda it: it | {"options": it["options"] | said})
    with pytest.raises(UsageError, match="name the target cluster"):
        bench.run_flow(migrate(MigrateOptions(resume=named, **bench.where)))
    again = bench.run_flow(migrate(MigrateOptions(resume=named, **where)))
    assert again.phase == "Completed"
    with pytest.raises(UsageError, match="goes to cluster"):
        bench.run_flow(migrate(MigrateOptions(resume=named, **where | {"to_context": A})))
    with pytest.raises(KubeferryError, match="name the target cluster"):
        bench.run_flow(migrate_namespace(MigrateNamespaceOptions(migration=named, namespace=ns, **bench.where)))
    assert not sprung()


def test_a_repeated_populate_takes_no_kubeconfig_from_the_store(bench, saved, trap, monkeypatch):
    config, sprung = trap
    _, backup = saved
    into, named = bench.name("tenant"), bench.name("run")

    async def fails(*_):
        raise PermanentError("no more")

    asked = PopulateOptions(
        backup=backup.name, into=[{"name": into}], name=named, context=B, rollback=False, **bench.where
    )
    with monkeypatch.context() as patch:
        patch.setattr("kubeferry.flows.restore.wait", fails)
        assert bench.run_flow(populate(asked)).phase == "Failed"
    said = {"kubeconfig": config, "context": "forged"}
    name = f"{named}.{into}"
    forged(bench, f"restores/{name}/kubeferry-restore.json", lambda it: it | {"options": it["options"] | said})
    assert bench.run_flow(populate(asked)).phase == "Completed"
    assert not sprung()


def test_another_backup_under_the_name_is_not_what_a_restore_goes_on_with(bench, saved, monkeypatch):
    ns, backup = saved
    named = cut_off(bench, saved, monkeypatch)
    bench.make(config_map("other", {"a": "1"}), ns)
    shutil.rmtree(bench.folder / "backups" / backup.name)
    bench.backup(ns, name=backup.name)
    with pytest.raises(DamagedError, match="began with another backup"):
        bench.restore("", resume=named)


def test_a_header_that_does_not_say_which_backup_it_was_is_not_resumed(bench, saved, monkeypatch):
    named = cut_off(bench, saved, monkeypatch)
    forged(bench, f"restores/{named}/kubeferry-restore.json", lambda it: it | {"manifest": ""})
    with pytest.raises(DamagedError, match="does not say which backup"):
        bench.restore("", resume=named)
    forged(bench, f"restores/{named}/kubeferry-restore.json", lambda it: it | {"manifest": "0" * 64})
    with pytest.raises(DamagedError, match="began with another backup"):
        bench.restore("", resume=named)


@pytest.mark.parametrize(
    "said",
    [{"uid": ""}, {"uid": "0"}, {"host": "https://elsewhere", "authority": ""}, {"host": "https://elsewhere"}],
    ids=["no uid", "another uid", "another address", "another address of the same authority"],
)
def test_a_cluster_is_known_by_its_uid_and_its_certificates_or_address(bench, saved, monkeypatch, said):
    named = cut_off(bench, saved, monkeypatch)
    forged(bench, f"restores/{named}/kubeferry-restore.json", lambda it: it | {"target": it["target"] | said})
    if list(said) == ["host"]:
        assert bench.restore("", resume=named).phase == "Completed"
        return
    with pytest.raises(UsageError, match=r"uid of namespace kube-system|was made on cluster"):
        bench.restore("", resume=named)


def test_every_option_is_said_by_the_store_or_by_the_operator():
    """A new option has to be decided: what names things of this machine never comes from a store."""
    fields = {name for model in (RestoreOptions, MigrateOptions) for name in model.model_fields}
    assert fields <= FROM_STORE | OF_OPERATOR
    assert not FROM_STORE & OF_OPERATOR
    assert {"context", "kubeconfig", "identities", "store", "deployment", "fan_out"} <= OF_OPERATOR


def test_an_option_that_is_none_is_refused():
    with pytest.raises(DamagedError, match="'exec' is none"):
        from_store({"backup": "b", "exec": "sh"}, "restore r")


def test_what_is_recorded_holds_nothing_of_this_machine(bench, saved):
    ns, backup = saved
    result = bench.restore(backup, map={ns: bench.name("copy")})
    header = json.loads((bench.folder / f"restores/{result.name}/kubeferry-restore.json").read_text())
    assert not header["options"].keys() & {"context", "kubeconfig", "store", "identities"}
    manifest = (bench.folder / f"backups/{backup.name}/kubeferry-manifest.json.gz").read_bytes()
    assert header["manifest"] == hashlib.sha256(manifest).hexdigest()
