"""The READMEs do what they say: their shell blocks run in order, on a sandbox of their own, as a newcomer would.

A block that cannot be run as it stands says why in the comment before it: `<!-- not run: … -->`.
"""

import os
import re
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.docs.commands import users
from tests.docs.readmes import PATHS, ROOT, TEXTS, TOPS, blocks
from typer.main import get_command

from kubeferry.flows.cli import app

BIN = Path(sys.executable).parent
LIMIT = 1200
"""Seconds for one block, on a busy machine; alone, each takes a few."""

BESIDE = """
kubectl --context kubeferry-a create namespace billing
kubectl --context kubeferry-a -n billing create configmap settings --from-literal=currency=eur
"""
"""What the READMEs take for granted: a second namespace."""


MORE = r"""
kubeferry restore first --map shop=shop3 --owned keep --no-rewrite dns --absent pod-ip=drop --no-wait --subjects all
kubeferry restore first --map shop=shop8 --on-failure rollback --rollback-on-failure
echo '- {kind: ConfigMap, place: /data/*, template: "of {namespace}"}' > rules.yaml
kubeferry plan first --map shop=shop7 --at-rest --rewrite-also base64 --rewrite-rules rules.yaml
echo 'replicas: {web: 2}' > modify.yaml
export SOURCE='--allow-source ConfigMap/billing/settings'
kubeferry restore first --map shop=shop4 --modify modify.yaml --no-rollback --no-bundle --allow-pruned $SOURCE
kubeferry restore first --map shop=shop6 --bundle own --status jobs.batch --finalizers drop
ssh-keygen -q -t ed25519 -N '' -f key
kubeferry restore first --map shop=shop5 --name undone --encrypt-to key.pub --allow-plain
kubeferry undo undone --dry-run -o json > undoing.json
kubeferry undo undone --yes --privileged --force --expect "$(sed -n 's/.*"digest": "\(.*\)".*/\1/p' undoing.json)"
kubeferry populate first --template shop --into tenant-1,tenant-2 --modify modify.yaml
printf 'name,replicas.web\ntenant-3,1\n' > tenants.csv
kubeferry populate first --into-file tenants.csv --name more --side-by-side 2
kubeferry prune --velero --keep-hourly 1 --keep-yearly 1 --dry-run
kubeferry prune --velero --keep-last 1 --dry-run -o json > pruning.json
kubeferry prune --velero --keep-last 1 --yes --expect "$(sed -n 's/.*"digest": "\(.*\)".*/\1/p' pruning.json)"
kubeferry list --verify-with key.pub || test $? = 3
kubeferry backup billing --name signed-too --sign-with key
export SIGNED='--sign-with key --verify-with key.pub'
kubeferry populate signed-too --template billing --into tenant-4 --name signed-more $SIGNED
kubeferry migrate billing --from-context kubeferry-a --to-context kubeferry-b --map billing=billing2 $SIGNED
export BETWEEN='--from-context kubeferry-a --to-context kubeferry-b'
kubeferry migrate billing $BETWEEN --map billing=billing2 --into-existing --on-failure continue
for command in plan diff show; do kubeferry $command signed-too --verify-with key.pub > said || test $? = 3; done
kubeferry export signed-too --as yaml --out - --verify-with key.pub > said
kubeferry prune --keep-last 9 --dry-run --verify-with key.pub || test $? = 3
kubeferry migrate --all-namespaces --exclude-namespace 'shop*' --exclude-namespace billing --name rest $BETWEEN
kubeferry migrate --resume rest $BETWEEN
kubeferry backup shop --keep-completed-jobs --name with-jobs --cluster-wide report
kubeferry deploy shop --type process
kubeferry sandbox up --clusters 2
"""
"""Options that no other test gives to the command line."""

LAST = "kubeferry server stop; kubeferry sandbox down --purge"


BLOCKS = blocks()
RUN = [block for block in BLOCKS if not block.reason]


def test_every_readme_has_its_place_in_the_order():
    there = {path.relative_to(ROOT).as_posix() for top in TOPS for path in (ROOT / top).rglob("README.md")}
    assert {"README.md", *there} == set(PATHS)


def test_every_block_is_run_or_says_why_not():
    assert len(RUN) >= 4
    assert all(len(block.reason) > 10 for block in BLOCKS if block.reason)
    for text in TEXTS.values():
        # Shell in any other clothes would be passed over.
        assert set(re.findall(r"^```(\w+)", text, re.MULTILINE)) <= {"sh", "text", "mermaid", "yaml", "json", "csv"}
        assert not re.findall(r"^(?:```$\n|[ ]{4,}|\$ )(?:kubeferry|kubectl|prefect) ", text, re.MULTILINE)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.reason], ids=str)
def test_a_reason_names_only_what_is_there(block):
    for path in re.findall(r"(?:tests|deployments)/[\w/.-]+", block.reason):
        assert (ROOT / path).exists(), path


class Reader:
    """A person with a shell, who works through the READMEs; what one block exports, the next one has."""

    def __init__(self, folder):
        kept = ("LANG", "TERM", "TMPDIR", "SSL_CERT_FILE", "KUBEFERRY_CACHE", "XDG_CACHE_HOME")
        self.folder = folder
        self.env = {name: os.environ[name] for name in kept if name in os.environ}
        self.env |= {"HOME": str(folder), "PATH": f"{BIN}:{os.environ['PATH']}", "KUBEFERRY_HOME": str(folder / "k")}
        # What is built stays where it is: building takes minutes, and is tested elsewhere.
        self.env.setdefault("KUBEFERRY_CACHE", str(_cache()))

    def does(self, text):
        dump = self.folder / "environment"
        script = f"set -euo pipefail\n{text}\nenv -0 > {dump}\n"
        done = subprocess.run(
            ["bash", "-c", script],  # noqa: S607 - a reader's own
            cwd=self.folder, env=self.env, capture_output=True, text=True, check=False, timeout=LIMIT,
        )  # fmt: skip
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        self.env = dict(each.split("=", 1) for each in dump.read_text().split("\0") if "=" in each)
        return done.stdout


def _cache():
    from kubeferry.tasks.ports.local import paths

    return paths.cache()


@pytest.fixture(scope="module")
def reader():
    with tempfile.TemporaryDirectory(prefix="kf-r-", ignore_cleanup_errors=True) as folder:
        person = Reader(Path(folder))
        try:
            yield person
        finally:
            person.does(LAST)


@pytest.fixture(scope="module")
def read(reader, alone):
    """Whoever has run every block: in one go, since each continues from what those before it made."""
    beside = BESIDE
    for block in RUN:
        with alone if "sandbox up" in block.text else nullcontext():
            reader.does(block.text)
        if beside and "KUBECONFIG" in reader.env:
            reader.does(beside)
            beside = ""
    return reader


@pytest.mark.cluster
def test_every_block_runs(read):
    assert "shop-copy" in read.does("kubectl --context kubeferry-b get namespaces")


@pytest.mark.soak(minutes=3, setup=4)
def test_more_options_of_the_table_run(read):
    for line in MORE.strip().splitlines():
        read.does(line)


# --- tables of commands, and the reference

ROWS = [
    row
    for text in TEXTS.values()
    for row in re.findall(r"^\| (`kubeferry [^|]*(?:\\\|[^|]*)*) \| (.*) \|$", text, re.MULTILINE)
]
SOURCES = [path.read_text() for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]


def commands_of(cell):
    """The command of a row's first cell, as words; of `a` / `b`: the first, and the others of its group."""
    first, *others = re.findall(r"`([^`]+)`", cell)
    words = [word for word in first.split()[1:] if re.fullmatch(r"[a-z]+", word)]
    yield words[:2]
    for other in others:
        if re.fullmatch(r"[a-z]+", other):
            yield [words[0], other]


def options_of(words):
    command = get_command(app)
    for word in words:
        command = command.commands[word]
    return {option for each in command.params for option in (*each.opts, *each.secondary_opts)}


CLAIMS = sorted(
    {
        (" ".join(words), option)
        for cell, text in ROWS
        for words in commands_of(cell)
        for option in ("", *re.findall(r"(?<![\w-])--[a-z][a-z-]+", cell + text))
    }
)


def test_the_table_is_read():
    assert len(ROWS) > 10
    assert ("restore", "--map") in CLAIMS
    assert ("sandbox down", "") in CLAIMS


def is_run(command, options):
    """Return whether a test gives one of these options to the command."""
    quoted = [f'"{word}"' for word in command.split()]
    texts = [text for text in SOURCES if all(word in text for word in quoted)]
    lines = "\n".join([MORE, LAST, *(block.text for block in RUN)]).splitlines()
    texts += [line for line in lines if re.search(rf"kubeferry {command}\b", line)]
    return any(re.search(rf"(?<![\w-]){option}(?![\w-])", text) for option in options for text in texts)


@pytest.mark.parametrize(("command", "option"), CLAIMS)
def test_what_a_table_names_is_there_and_is_run_by_a_test(command, option):
    assert not option or option in options_of(command.split()), f"kubeferry {command} has no {option}"
    assert is_run(command, [option]), f"no test runs kubeferry {command} {option}"


@pytest.mark.parametrize(("option", "commands"), users().items(), ids=lambda each: getattr(each, "spellings", [""])[-1])
def test_every_option_of_the_reference_is_run_by_a_test(option, commands):
    """By one of the commands that share it: they share what it does, too. `-n` and `-l` are kubectl's as well."""
    spelled = [each for each in option.spellings if each.startswith("--") or each == "-o"]
    assert any(is_run(command, spelled) for command in commands)
