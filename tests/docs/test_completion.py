"""Shell completion, asked as the shells ask it: bash by bash itself, zsh and fish by what their scripts call."""

import os
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

BIN = Path(sys.executable).parent
BASH = shutil.which("bash") or "bash"
HEAVY = {"prefect", "kubernetes", "boto3", "fastapi", "rich.progress"}

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
    done = subprocess.run([BASH, "--norc", "-c", asked], capture_output=True, text=True, check=False, timeout=60)
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
            timeout=120,
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
        [sys.executable, "-c", code], env=environment | asked, capture_output=True, text=True, check=True, timeout=60
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
        began = time.monotonic()
        assert bash("backup", "", KUBECONFIG=str(path), KUBEFERRY_COMPLETION_SECONDS="") == []
    # Two seconds and what a start takes; the cluster port alone would try for half a minute.
    assert time.monotonic() - began < 15


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
        [BIN / "kubeferry"], env=environment | more, capture_output=True, text=True, check=False, timeout=60
    )
    assert "verify" in done.stdout
    assert done.stderr == ""


def test_bash_gets_it_installed(environment, tmp_path):
    script = "kubeferry --install-completion && source ~/.bashrc && complete -p kubeferry"
    argv = ["bash", "--norc", "-c", script]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "-F _kubeferry_completion kubeferry" in done.stdout
    assert [*tmp_path.glob(".bash*")]
