"""Shell completion, asked as the shells ask it: bash by bash itself, zsh and fish by what their scripts call."""

import contextlib
import os
import pty
import shutil
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
import yaml
from tests.support.bench import B
from tests.support.imports import NEVER, PREFECT
from tests.support.limits import LIMIT

BIN = Path(sys.executable).parent
BASH = shutil.which("bash") or "bash"
HEAVY = {*PREFECT, *NEVER, "rich.progress"}

ASK = """
source "$SCRIPT"
declare -F _kubeferry_completion > /dev/null || exit 9
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_kubeferry_completion kubeferry
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def environment(tmp_path):
    """A user's own home, and a shell that finds `kubeferry`."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("KUBEFERRY_", "PREFECT_", "AWS_"))
    }
    kept.pop("KUBECONFIG", None)
    path = f"{BIN}:{os.environ['PATH']}"
    patient = {"KUBEFERRY_COMPLETION_SECONDS": "60"}  # the machine may be busy; a person would not wait so long
    return kept | patient | {"PATH": path, "HOME": str(tmp_path), "KUBEFERRY_HOME": str(tmp_path / "home")}


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """What `kubeferry --show-completion` prints in bash."""
    path = tmp_path_factory.mktemp("script") / "completion.bash"
    asked = f'export PATH="{BIN}:$PATH"; kubeferry --show-completion > "{path}"; exit $?'
    done = subprocess.run([BASH, "--norc", "-c", asked], capture_output=True, text=True, check=False, timeout=LIMIT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return path


@pytest.fixture
def bash(environment, script):
    """What bash offers after these words, of which the last is not complete; nothing may come on stderr."""

    def offered(*words, **more):
        argv = ["bash", "--norc", "-c", ASK, "bash", "kubeferry", *words]
        done = subprocess.run(
            argv,
            env=environment | {"SCRIPT": str(script)} | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    return offered


def test_bash_offers_commands_and_options(bash):
    assert bash("re") == ["restore"]
    assert {"up", "down", "status", "env"} == set(bash("sandbox", ""))
    assert set(bash("verify", "--de")) == {"--deep", "--debug"}
    assert set(bash("list", "-o", "")) == {"table", "json", "yaml"}


@pytest.mark.parametrize("words", [["re"], ["verify", "--d"]])
def test_what_needs_no_answer_from_anywhere_is_quick(environment, words):
    """It imports nothing that costs: 0.3 s is what the command line itself takes to start."""
    code = f"""
import sys
from kubeferry.flows.cli import main
try:
    main([])
except SystemExit as ended:
    assert not ended.code, ended.code
print("HEAVY", sorted({HEAVY!r} & set(sys.modules)))
"""
    asked = {
        "_KUBEFERRY_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["kubeferry", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment | asked, capture_output=True, text=True, check=True, timeout=LIMIT
    )
    *offered, last = done.stdout.splitlines()
    assert offered
    assert last == "HEAVY []"


@pytest.fixture
def store(tmp_path):
    for name in ("backups/before-upgrade", "backups/nightly-1", "restores/nightly-1-restore"):
        (tmp_path / "store" / name).mkdir(parents=True)
        (tmp_path / "store" / name / "file").touch()
    return (tmp_path / "store").as_uri()


def test_bash_offers_backups_and_restores(bash, store):
    assert bash("restore", "", KUBEFERRY_STORE=store) == ["before-upgrade", "nightly-1"]
    assert bash("verify", "--store", store, "b") == ["before-upgrade"]
    assert bash("show", "n", KUBEFERRY_STORE=store) == ["nightly-1", "nightly-1-restore"]
    assert bash("populate", "n", KUBEFERRY_STORE=store) == ["nightly-1"]
    assert bash("undo", "", KUBEFERRY_STORE=store) == ["nightly-1-restore"]


def test_bash_offers_contexts(bash, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text(yaml.safe_dump({"contexts": [{"name": f"prod-{name}"}, {"name": "else"}]}))
    found = bash("backup", "shop", "--context", "prod", KUBECONFIG=f"{tmp_path / 'one'}:{tmp_path / 'two'}")
    assert found == ["prod-one", "prod-two"]
    for option in ("--from-context", "--to-context"):
        assert bash("migrate", "shop", option, "prod", KUBECONFIG=str(tmp_path / "one")) == ["prod-one"]


def test_what_cannot_be_read_offers_nothing_and_says_nothing(bash, tmp_path):
    (tmp_path / "broken").write_text("{a: [")
    for words in (["backup", "--context", ""], ["restore", ""]):
        assert bash(*words, KUBECONFIG=str(tmp_path / "broken"), KUBEFERRY_STORE="ftp://nowhere") == []


def test_a_cluster_that_does_not_answer_is_not_waited_for(bash, tmp_path):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        address = f"https://127.0.0.1:{deaf.getsockname()[1]}"
        path = tmp_path / "kubeconfig"
        path.write_text(
            yaml.safe_dump(
                {
                    "current-context": "deaf",
                    "clusters": [{"name": "deaf", "cluster": {"server": address}}],
                    "users": [{"name": "deaf", "user": {"token": "t"}}],
                    "contexts": [{"name": "deaf", "context": {"cluster": "deaf", "user": "deaf"}}],
                }
            )
        )
        assert bash("backup", "", KUBECONFIG=str(path), KUBEFERRY_COMPLETION_SECONDS="") == []
        # It was asked once, for two seconds; the cluster port alone would try again for half a minute.
        assert connections(deaf) <= 1


def connections(listener):
    """Return how many were made to a socket that has accepted none yet."""
    listener.settimeout(0)
    made = []
    with contextlib.suppress(BlockingIOError):
        while True:
            made.append(listener.accept()[0])
    for each in made:
        each.close()
    return len(made)


EVIL = [
    "evil$(touch${IFS}ran)",
    "evil`touch${IFS}ran`",
    "evil;touch ran",
    "evil&touch ran",
    "evil|touch ran",
    "evil\ntouch ran",
    "evil ran",
    "evil'ran",
    'evil"ran',
    "evil>ran",
    "evil*",
    "evil{a,b}",
    "evil\\ran",
    "evil!1",
    "evil#",
    "evil~",
    "evil\x1b[2J",
    "-evil",
    "--force",
    "=evil",
]


@pytest.fixture
def evil(tmp_path):
    """A store whose backups and restores have evil names, beside a good one."""
    for root in ("backups", "restores"):
        for name in [*EVIL, "evil-good"]:
            (tmp_path / "store" / root / name).mkdir(parents=True)
            (tmp_path / "store" / root / name / "file").touch()
    return (tmp_path / "store").as_uri()


def test_names_that_a_shell_would_execute_are_not_offered(bash, evil, tmp_path):
    for words in (["verify", ""], ["verify", "evil"], ["undo", ""], ["show", "ev"], ["verify", "-"]):
        offered = [each for each in bash(*words, KUBEFERRY_STORE=evil) if words[1] != "-" or "evil" in each]
        assert offered == ([] if words[1] == "-" else ["evil-good"]), words
    contexts = [*EVIL, "evil-good", "jane@evil:6443", "arn:aws:eks:eu-west-1:1:cluster/evil", "gke_a_b_c"]
    (tmp_path / "config").write_text(yaml.safe_dump({"contexts": [{"name": each} for each in contexts]}))
    assert bash("backup", "--context", "evil", KUBECONFIG=str(tmp_path / "config")) == ["evil-good"]
    for good in contexts[-3:]:
        assert bash("backup", "--context", good[:4], KUBECONFIG=str(tmp_path / "config")) == [good]


def test_an_evil_name_does_not_run_when_a_user_of_bash_presses_tab(environment, script, tmp_path):
    """A real terminal: a user types the beginning of a name, Tab and Enter."""
    (tmp_path / "store" / "backups" / EVIL[0]).mkdir(parents=True)
    (tmp_path / "store" / "backups" / EVIL[0] / "file").touch()
    env = environment | {"KUBEFERRY_STORE": (tmp_path / "store").as_uri(), "PS1": "ready> ", "TERM": "dumb"}
    ours, theirs = pty.openpty()
    argv = ["bash", "--norc", "--noprofile", "-i"]
    with subprocess.Popen(
        argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=tmp_path, close_fds=True
    ) as shell:
        os.close(theirs)
        typed(ours, f"source {script}; kubeferry_version() {{ :; }}; echo set-$((1 + 1))\n", "set-2")
        typed(ours, "kubeferry verify evi\t", "")
        time.sleep(5)  # until it was completed, or not
        typed(ours, "\necho done-$((1 + 1))\n", "done-2")
        typed(ours, "exit\n", "")
        shell.wait(LIMIT)
    os.close(ours)
    assert not (tmp_path / "ran").exists()


def typed(terminal, text, answer):
    """Type a text, and read until the answer is shown."""
    os.write(terminal, text.encode())
    shown = b""
    limit = time.monotonic() + LIMIT
    while answer.encode() not in shown:
        assert time.monotonic() < limit, shown
        shown += os.read(terminal, 4096)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_what_zsh_evaluates_and_fish_inserts_holds_no_evil_name(environment, evil, shell):
    more = {"_KUBEFERRY_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "kubeferry verify evil"}
    more |= {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "KUBEFERRY_STORE": evil}
    done = subprocess.run(
        [BIN / "kubeferry"], env=environment | more, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    assert "evil-good" in done.stdout
    assert "ran" not in done.stdout


@pytest.mark.cluster
def test_bash_offers_namespaces_and_backups_of_a_bucket(bash, bench, sandbox_env, tmp_path):  # noqa: ARG001 - the environment
    from kubeferry.tasks.ports.store.open import open_store

    name = f"tab-{uuid.uuid4().hex[:6]}"
    bucket = os.environ["KUBEFERRY_STORE"]
    aws = {key: value for key, value in os.environ.items() if key.startswith("AWS_")}
    opened = open_store(bucket)
    key = f"backups/{name}/file"
    opened.put(key, b"x")
    try:
        assert bash("verify", name[:9], KUBEFERRY_STORE=bucket, **aws) == [name]
    finally:
        opened.delete([key])
    config = {"KUBECONFIG": str(sandbox_env.kubeconfig)}
    assert bash("backup", "--context", "kubeferry-b", "kube-sy", **config) == ["kube-system"]
    # The kubeconfig's current context is the other cluster: a migration offers what its source has.
    only = bench.namespace("tab", B)
    assert bash("migrate", "--from-context", "kubeferry-b", only[:-1], **config) == [only]
    assert bash("migrate", "--from-context", "kubeferry-a", only[:-1], **config) == []


@pytest.mark.parametrize(("shell", "asked"), [("zsh", "kubeferry ver"), ("fish", "kubeferry ver")])
def test_zsh_and_fish_are_answered(environment, shell, asked):
    more = {"_KUBEFERRY_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": asked}
    more |= {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run(
        [BIN / "kubeferry"], env=environment | more, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    assert "verify" in done.stdout
    assert done.stderr == ""


def test_bash_gets_it_installed(environment, tmp_path):
    script = "kubeferry --install-completion && source ~/.bashrc && complete -p kubeferry"
    argv = ["bash", "--norc", "-c", script]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "-F _kubeferry_completion kubeferry" in done.stdout
    assert [*tmp_path.glob(".bash*")]
