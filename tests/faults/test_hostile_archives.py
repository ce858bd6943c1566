"""A hostile backup is refused in one clear line by all that reads one, at once, and nothing is written anywhere.

No cluster is needed: `verify` and `plan` run the steps `download` and `plan` of a restore. That a restore stops there,
too, is shown on the sandbox by tests/cluster/restore/test_hostile_archives.py, with the same cases.
"""

import gzip
import re
import tracemalloc

import pytest
from tests.faults.hostile import Forge, config, digest, entry, file, header, namespace, tar
from tests.faults.hostile_cases import CASES
from tests.faults.hostile_tables import packed

from kubeferry.flows.cli import main
from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.plan.offline import planned
from kubeferry.tasks.ports.archive import tarball
from kubeferry.tasks.ports.archive.spool import Spool

NS = "shop"
COMMANDS = [
    line.split() for line in ("verify", "verify --deep", "plan", "plan --kubectl", "plan -o html", "plan -o yaml")
]
LONGEST = 700
"""Characters of a line that says what is wrong: it stays readable, whatever the archive holds."""


@pytest.fixture
def forge(tmp_path):
    return Forge(tmp_path / "store")


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run a command on that store: `run("plan", "first")` returns its exit code, stdout and stderr."""
    for name in ("CONTEXT", "KUBECONFIG", "STORE", "OUTPUT", "DEBUG"):
        monkeypatch.delenv(f"KUBEFERRY_{name}", raising=False)
    monkeypatch.setenv("KUBEFERRY_HOME", str(tmp_path / "home"))

    def do(command, *arguments):
        with pytest.raises(SystemExit) as ended:
            main([command, *arguments, "--store", (tmp_path / "store").as_uri()])
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return do


def written(folder):
    """Every file below a folder with its content, but locks, which are empty."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def one_line(err, name):
    """The line on stderr that refuses a backup, without `error: `."""
    assert re.fullmatch(rf"error: backup {name}: [^\n]+\n", err), err
    assert err[:-1].isprintable(), err
    assert len(err) < LONGEST, len(err)
    assert "unexpected" not in err, err
    assert "Traceback" not in err
    return err.removeprefix("error: ")[:-1]


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_in_one_line_and_nothing_is_written(case, forge, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBEFERRY_HOME", str(tmp_path / "home"))
    CASES[case].forge(forge, "bad", NS)
    before = written(tmp_path)
    asked = RestoreOptions(backup="bad", store=(tmp_path / "store").as_uri())
    with pytest.raises(DamagedError) as caught, planned(asked):
        pass
    assert re.search(CASES[case].message, one_line(f"error: {caught.value}\n", "bad")), caught.value
    assert written(tmp_path) == before


@pytest.mark.parametrize("case", [*CASES][::40])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_that_reads_a_backup_refuses_it(case, command, forge, run, tmp_path):
    CASES[case].forge(forge, "bad", NS)
    before = written(tmp_path)
    code, out, err = run(command[0], "bad", *command[1:])
    assert re.search(CASES[case].message, one_line(err, "bad")), err
    assert (code, out) == (1, "")
    assert written(tmp_path) == before


def test_the_list_goes_on_after_hostile_ones(forge, run):
    forge.ours("good", [entry(config(NS))])
    for number, case in enumerate(case for case in CASES if case.startswith("Backup: ")):
        CASES[case].forge(forge, f"bad-{number}", NS)
    code, out, err = run("list")
    assert (code, err) == (3, "")
    assert out.replace("\n", "").isprintable()
    (good,) = [line.split() for line in out.splitlines() if line.startswith("good")]
    assert good[:3] == ["good", "Completed", "kubeferry"]


# --- every cut, every bit

TARBALL = packed(tar([entry(namespace(NS)), *(entry(config(NS, f"c{n}")) for n in range(3))]))


def objects(path):
    return [(member.path, data) for member, _, data in tarball.read(path, "bad")]


def refused(path):
    with pytest.raises(DamagedError, match=r"^backup bad: its archive is damaged: it [^\n]+$"):
        objects(path)


def test_cut_anywhere_it_is_refused(tmp_path):
    path = tmp_path / "t.gz"
    raw = gzip.decompress(TARBALL)
    for size in range(len(TARBALL)):
        path.write_bytes(TARBALL[:size])
        refused(path)
    for size in range(0, len(raw), 64):
        path.write_bytes(packed(raw[:size]))
        refused(path)


def test_no_flipped_bit_changes_what_is_read(tmp_path):
    path = tmp_path / "t.gz"
    path.write_bytes(TARBALL)
    sound = objects(path)
    kept = 0
    for bit in range(8 * len(TARBALL)):
        at = bit // 8
        path.write_bytes(TARBALL[:at] + bytes([TARBALL[at] ^ 1 << bit % 8]) + TARBALL[at + 1 :])
        try:
            assert objects(path) == sound, bit
            kept += 1
        except DamagedError:
            continue
    assert kept < len(TARBALL), "one bit in eight: fields that mean nothing, and zeros copied from other zeros"


def test_no_flipped_bit_of_a_header_is_unseen_behind_a_right_gzip_checksum(tmp_path):
    """What an object holds, only a digest proves then."""
    raw = gzip.decompress(TARBALL)
    path = tmp_path / "t.gz"
    for at in range(512):
        for bit in (1, 128) if at != 155 else ():  # the last byte of the checksum's own field, which nobody reads
            path.write_bytes(packed(raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]))
            refused(path)


def test_a_file_of_the_manifest_that_is_missing_is_found_by_verify(forge, run):
    forge.ours("bad", [entry(config(NS))], change=lambda found: found["files"].update({"backups/bad/x": digest(b"")}))
    assert "backups/bad/x is missing" in one_line(run("verify", "bad")[2], "bad")


# --- bombs


def test_a_bomb_of_many_objects_fills_neither_memory_nor_disk(forge, run, monkeypatch):
    monkeypatch.setattr(tarball, "ROOM", 64 << 20)
    spooled = []
    real = Spool.append
    monkeypatch.setattr(Spool, "append", lambda self, data: spooled.append(len(data)) or real(self, data))
    names = (f"resources/configmaps/namespaces/{NS}/c{n}.json" for n in range(40))
    forge.velero("bad", tarball=packed(b"".join(file(name, bytes(8 << 20)) for name in names)))
    tracemalloc.start()
    try:
        _, _, err = run("plan", "bad")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "unpacks to more than" in one_line(err, "bad")
    assert sum(spooled) < 40 * (8 << 20)
    assert peak < 40 << 20, "an object at a time, of 8 MiB"


def test_what_a_user_grants_is_taken(forge, run, monkeypatch):
    monkeypatch.setattr(tarball, "ROOM", 2000)
    forge.velero("large", [entry(config(NS, data={"a": "a" * 10**6}))])
    assert "unpacks to more than 0 MiB" in one_line(run("plan", "large")[2], "large")
    monkeypatch.setenv("KUBEFERRY_MAX_UNPACKED", "1")
    assert run("plan", "large")[0] == 0
    monkeypatch.setenv("KUBEFERRY_MAX_UNPACKED", "1 GiB")
    assert run("plan", "large") == (2, "", "error: KUBEFERRY_MAX_UNPACKED must be a number of GiB, not '1 GiB'\n")


def test_a_real_archive_is_far_from_the_limits(forge, run):
    """5,000 small objects that are all but equal shrink as much as anything that is real."""
    forge.velero("many", [entry(config(NS, f"config-{n}")) for n in range(5000)])
    code, out, err = run("verify", "many")
    assert (code, err) == (3, "")
    assert "5000 objects" in out


# --- what is odd, and right


@pytest.mark.parametrize("name", ["null", "true", "1e3", "on", "0x1f", "0", "1.5", "yes", "n" * 253])
def test_odd_names_are_restored(forge, run, name):
    forge.ours("odd", [entry(namespace(NS)), entry(config(NS, name))])
    for command in COMMANDS:
        code, out, err = run(command[0], "odd", *command[1:])
        assert (code, err) == (0, "")
        assert command[0] == "verify" or name in out.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("name", ["system:shop", "Shop", "\u202egnp", "a b", "$(touch x)", "-f", "<b>", "[red]x", "🛒"])
def test_roles_may_have_any_name_and_none_reaches_a_terminal_raw(forge, run, name):
    api = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": {"name": name, "namespace": NS}, "rules": None}
    forge.ours("odd", [entry(namespace(NS)), entry(role)])
    for command in COMMANDS:
        code, out, err = run(command[0], "odd", *command[1:])
        assert (code, err) == (0, "")
        if "html" not in command and "--kubectl" not in command:
            assert out.replace("\n", "").isprintable()
        if command == ["plan"] and name.isprintable():
            assert name in out


def test_names_that_differ_by_case_are_two_where_their_kind_has_such_names(forge, run):
    api = "rbac.authorization.k8s.io"
    metas = [{"name": name, "namespace": NS} for name in ("Web", "web")]
    roles = [{"apiVersion": f"{api}/v1", "kind": "Role", "metadata": meta} for meta in metas]
    forge.ours("odd", [entry(namespace(NS)), *map(entry, roles)])
    assert run("verify", "odd", "--deep")[0] == 0


@pytest.mark.parametrize("form", ["pax", "gnu", "folders", "dots", "padding"])
def test_sound_archives_of_every_program_are_read(forge, run, form):
    long = config(NS, "n" * 200)
    made = {
        "pax": tar([entry(config(NS)), entry(long)]),
        "gnu": file("metadata/version", b"1\n") + file(*entry(long), form=1) + tar([], version=None),
        "folders": tar([header("./", kind=b"5"), header("./resources/", kind=b"5"), entry(config(NS))]),
        "dots": tar([(f"./{path}", data) for path, data in [entry(config(NS)), entry(namespace(NS))]]),
        "padding": tar([entry(config(NS))]) + bytes(10240),
    }[form]
    forge.velero("odd", tarball=packed(made))
    assert run("plan", "odd")[::2] == (0, "")
