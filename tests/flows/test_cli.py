"""The command line without a cluster: what it imports, prints, refuses and exits with."""

import importlib.metadata
import json
import os

import pytest
import yaml
from tests.support.imports import NEVER, PREFECT, imported
from typer.main import get_command

from kubeferry.flows.cli import app
from kubeferry.tasks.core.errors import StoreError
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.ports.store import open as stores

COMMANDS = ["backup", "restore", "plan", "diff", "list", "show", "verify"]


def one_line(stderr):
    """Return an error that is one line, without a traceback."""
    assert stderr.startswith("error: ")
    assert stderr.count("\n") == 1
    assert "Traceback" not in stderr
    return stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["backup", "--help"]])
def test_help_does_not_import_what_only_flows_need(arguments):
    """Pydantic takes 0.05 s; a command's help has it from Typer."""
    heavy = {*PREFECT, *NEVER, "rich.progress", "asyncio"} | ({"pydantic"} if len(arguments) == 1 else set())
    found, out = imported(heavy, arguments, {**os.environ, "COLUMNS": "80"})
    assert found == "[]"
    assert max(map(len, out.splitlines())) <= 80


def test_version(cli):
    assert cli("--version") == (0, f"kubeferry {importlib.metadata.version('kubeferry')}\n", "")


def test_no_command_is_the_help_and_wrong_usage(cli):
    code, out, err = cli()
    assert code == 2
    assert "Usage: kubeferry" in out
    assert err == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_common_options_also_from_the_environment_and_has_examples(name):
    command = get_command(app).commands[name]
    known = {word: option.envvar for option in command.params for word in option.opts}
    expected = {"--store": "STORE", "-o": "OUTPUT", "--debug": "DEBUG"}
    if name in {"backup", "restore", "diff"}:
        expected |= {"--context": "CONTEXT", "--kubeconfig": "KUBECONFIG"}
    assert {word: known[word] for word in expected} == {word: f"KUBEFERRY_{name}" for word, name in expected.items()}
    assert f"kubeferry {name}" in command.epilog


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["sail"], "sail"),
        (["backup"], "NAMESPACE"),
        (["backup", "Shop_1"], "NAMESPACE 'Shop_1'"),
        (["backup", "shop", "--name", "No Name"], "--name 'No Name'"),
        (["backup", "shop", "--frobnicate"], "--frobnicate"),
        (["backup", "shop", "-o", "xml"], "xml"),
        (["restore"], "BACKUP"),
        (["restore", "b", "--map", "shop"], "--map 'shop'"),
        (["restore", "b", "--map", "=shop"], "--map '=shop'"),
        (["restore", "b", "--map", "shop=Shop"], "--map 'Shop'"),
        (["restore", "b", "--map", "a=b", "--map", "a=c"], "a cannot become both b and c"),
        (["restore", "b", "--existing", "perhaps"], "--existing 'perhaps'"),
        (["restore", "b", "--existing", "secrets=perhaps"], "--existing 'perhaps'"),
        (["restore", "b", "--existing", "=skip"], "--existing '=skip'"),
        (["restore", "b", "--existing", "skip", "--existing", "update"], "skip and update"),
        (["restore", "b", "--existing", "secrets=skip", "--existing", "secrets=update"], "both skip and update"),
        (["restore", "b", "--wait-seconds", "0"], "--wait-seconds"),
        (["diff"], "BACKUP"),
        (["diff", "UPPER"], "BACKUP 'UPPER'"),
        (["diff", "b", "--map", "a"], "--map 'a'"),
        (["restore", "b", "--approve-seconds", "0"], "--approve-seconds"),
        (["restore", "--resume", "r", "--approve"], "--approve goes with a new restore"),
        (["approve"], "RESTORE"),
        (["list", "--store", "ftp://here"], "store's URL"),
        (["list", "--store", "file://"], "file:///path"),
        (["backup", "shop", "--store", "ftp://here"], "store's URL"),
        (["show", "../../etc"], "'../../etc'"),
        (["verify", "UPPER"], "'UPPER'"),
    ],
)
def test_wrong_usage_is_one_line_that_names_it_and_exit_2(cli, arguments, named):
    code, out, err = cli(*arguments)
    assert named in one_line(err)
    assert (code, out) == (2, "")


def test_credentials_in_a_store_url_are_refused_and_not_echoed(cli):
    code, out, err = cli("list", "--store", "s3://key:topsecret@bucket")
    assert "credentials" in one_line(err)
    assert "topsecret" not in err + out
    assert code == 2


@pytest.mark.parametrize("error", [RuntimeError("boom\nand more"), StoreError("boom")])
def test_a_traceback_is_only_for_debug(cli, monkeypatch, error):
    def fail(_url):
        raise error

    monkeypatch.setattr(stores, "open_store", fail)
    code, out, err = cli("list")
    assert "boom" in one_line(err)
    assert ("--debug" in err) == isinstance(error, RuntimeError)
    assert (code, out) == (1, "")
    for arguments in (("list", "--debug"), ("--debug", "list")):
        code, out, err = cli(*arguments)
        assert "Traceback" in err
        assert (code, out) == (1, "")


def test_an_interrupt_is_one_line_and_exit_130(cli, monkeypatch):
    def interrupt(_url):
        raise KeyboardInterrupt

    monkeypatch.setattr(stores, "open_store", interrupt)
    assert cli("list") == (130, "", "interrupted\n")


# --- list, show, verify


def test_an_empty_store_has_no_backups(cli, shelf):
    code, out, err = cli("list", "--store", shelf.url)
    assert (code, err) == (0, "")
    assert shelf.url in out
    assert cli("list", "--store", shelf.url, "-o", "json") == (0, "[]\n", "")


def test_list_shows_our_backups_and_veleros(cli, shelf, monkeypatch):
    shelf.add("ours")
    shelf.add_velero("theirs", includedNamespaces=["a", "b"])
    monkeypatch.setenv("KUBEFERRY_STORE", shelf.url)
    code, out, err = cli("list")
    assert (code, err) == (0, "")
    ours, theirs = (next(row.split() for row in out.splitlines() if name in row) for name in ("ours", "theirs"))
    assert ours == ["ours", "Completed", "kubeferry", "1", "2026-01-02T03:04:05Z", "shop"]
    assert theirs == ["theirs", "Partial", "velero", "0", "a,", "b"]
    code, out, _ = cli("list", "-o", "json")
    assert {row["name"]: row["tool"] for row in json.loads(out)} == {"ours": "kubeferry", "theirs": "velero"}
    code, out, _ = cli("list", "-o", "yaml")
    assert [row["namespaces"] for row in yaml.safe_load(out)] == [["a", "b"], ["shop"]]


def test_a_damaged_backup_is_a_row_with_its_error_and_exit_3(cli, shelf):
    shelf.add("sound")
    shelf.path(shelf.add("spoilt").metadata).write_bytes(b"{")
    code, out, err = cli("list", "--store", shelf.url)
    assert (code, err) == (3, "")
    assert "sound" in out
    assert "backup spoilt: velero-backup.json is not JSON" in out
    code, out, _ = cli("list", "--store", shelf.url, "-o", "json")
    assert code == 3
    assert sorted(row["phase"] for row in json.loads(out)) == ["Completed", "Damaged"]


def test_show_prints_what_is_in_it_and_what_is_not_and_why(cli, shelf, problem):
    shelf.add("first", problems=[problem], phase=Phase.PARTIAL, not_at_revision={"gadgets": "a store of its own"})
    code, out, err = cli("show", "first", "--store", shelf.url)
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert ["ConfigMap", "1"] in rows
    assert ["Pod", "3", "left", "to", "web"] in rows  # grouped by type and reason
    assert ["gadgets", "a", "store", "of", "its", "own"] in rows
    assert ["widgets.example.com", "in", "shop", "forbidden"] in rows
    for text in ("Partial", "shop", "kubeferry-a", "https://127.0.0.1:1", "v1.36.1", "77"):
        assert text in out


def test_show_as_json_is_the_whole_manifest(cli, shelf):
    shelf.add("first")
    code, out, err = cli("show", "first", "--store", shelf.url, "-o", "json")
    assert (code, err) == (0, "")
    shown = json.loads(out)
    assert shown["name"] == "first"
    assert list(shown["objects"]) == ["resources/configmaps/namespaces/shop/web.json"]
    assert len(shown["left_out"]) == 3


def test_show_knows_veleros_backups(cli, shelf):
    shelf.add_velero("theirs", includedNamespaces=["a"])
    code, out, _ = cli("show", "theirs", "--store", shelf.url)
    assert code == 0
    assert ["tool", "velero"] in [line.split() for line in out.splitlines()]


def test_a_terminals_commands_in_a_strangers_backup_are_shown_not_obeyed(cli, shelf):
    shelf.add_velero("theirs", includedNamespaces=["\x1b[2Jgone", "[red]b[/red]"])
    _, out, _ = cli("list", "--store", shelf.url)
    assert "\\x1b[2Jgone, [red]b[/red]" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("command", ["show", "verify"])
def test_a_backup_that_is_not_there(cli, shelf, command):
    shelf.add("first")
    code, out, err = cli(command, "second", "--store", shelf.url)
    assert one_line(err) == f"error: no backup second in {shelf.url}\n"
    assert (code, out) == (1, "")


def test_verify_proves_a_sound_backup(cli, shelf):
    shelf.add("first")
    code, out, err = cli("verify", "first", "--store", shelf.url)
    assert (code, err) == (0, "")
    assert "as the manifest says" in out
    code, out, err = cli("verify", "first", "--store", shelf.url, "--deep", "-o", "json")
    assert (code, err) == (0, "")
    proof = json.loads(out)
    assert (proof["objects"], proof["proved"]) == (1, True)


def test_verify_reads_veleros_archive_and_says_that_nothing_is_proved(cli, shelf):
    shelf.add_velero("theirs")
    code, out, _ = cli("verify", "theirs", "--store", shelf.url)
    assert code == 3
    assert "without digests" in out


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("damage", [flip, cut])
@pytest.mark.parametrize("deep", [[], ["--deep"]])
def test_a_damaged_archive_is_named(cli, shelf, damage, deep):
    keys = shelf.add("first")
    damage(shelf.path(keys.tarball))
    code, out, err = cli("verify", "first", "--store", shelf.url, *deep)
    expected = f"error: backup first: {keys.tarball} is not what the manifest says (SHA-256 differs)\n"
    assert one_line(err) == expected
    assert (code, out) == (1, "")


@pytest.mark.parametrize("damage", [flip, cut])
def test_a_damaged_archive_of_velero_is_named(cli, shelf, damage):
    damage(shelf.path(shelf.add_velero("theirs").tarball))
    code, out, err = cli("verify", "theirs", "--store", shelf.url)
    assert "backup theirs: its archive is damaged" in one_line(err)
    assert (code, out) == (1, "")


def test_a_missing_archive_is_named(cli, shelf):
    keys = shelf.add("first")
    shelf.path(keys.tarball).unlink()
    code, _, err = cli("verify", "first", "--store", shelf.url)
    assert f"{keys.tarball} is missing" in one_line(err)
    assert code == 1


@pytest.mark.parametrize("command", ["show", "verify"])
def test_a_manifest_of_another_digest_is_named(cli, shelf, command):
    flip(shelf.path(shelf.add("first").manifest))
    code, out, err = cli(command, "first", "--store", shelf.url)
    assert "backup first: its manifest is not what velero-backup.json says" in one_line(err)
    assert (code, out) == (1, "")


@pytest.mark.parametrize("deep", [[], ["--deep"]])
def test_an_object_that_is_not_what_the_manifest_says_is_found(cli, shelf, deep):
    path = "resources/configmaps/namespaces/shop/web.json"
    shelf.add("first", claimed={path: "0" * 64})
    code, _, err = cli("verify", "first", "--store", shelf.url, *deep)
    assert f"backup first: {path} is not what the manifest says" in one_line(err)
    assert code == 1


@pytest.mark.parametrize(
    ("typed", "message"),
    {
        "backup shop --ttl xx": "--ttl 'xx': write a duration, such as 30d",
        "backup shop --lock-until tomorrow": "--lock-until 'tomorrow': write a duration, such as 30d, or a day",
        "prune --expect 12ab": "--expect '12ab': write the digest that --dry-run prints",
        "delete shop --expect 12ab": "--expect '12ab': write the digest that --dry-run prints",
        "deploy shop --notify ops": "--notify 'ops': write TYPE/NAME of a Prefect block",
        "populate first --into ,": "--into: give at least one",
        "restore first --name A_b": "--name 'A_b': a name has lower-case letters",
        "migrate a --to-context b --fan-out deployment --deployment x": "--deployment 'x': write FLOW/NAME",
        "backup Shop_1": "NAMESPACE 'Shop_1': a name has lower-case letters",
    }.items(),
)
def test_a_value_of_the_wrong_form_is_answered_with_the_form_of_its_option(cli, typed, message):
    code, _, err = cli(*typed.split())
    assert code == 2
    assert message in err
