"""Names and values of a hostile archive mean nothing to a terminal, a browser, a reader of YAML, bash or kubectl."""

import base64
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
import yaml
from tests.faults.hostile import Forge, config, entry, namespace
from tests.faults.hostile_beside import BINDING

from kubeferry.flows.cli import main
from kubeferry.tasks.core.kube.objects import is_segment

NS = "shop"
RBAC = "rbac.authorization.k8s.io"
TERMINAL = ["\x1b[31mred", "\x1b]0;title\x07", "\x9b2J", "\rback", "two\nlines", "\u202etxt.exe", "\u200bhidden"]
TERMINAL += ["[bold]x[/bold]"]
BASH = ["$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '"; touch pwned; "', "\\'; touch pwned #"]
BASH += ["a&touch pwned&", "|touch pwned", "\nKUBEFERRY\ntouch pwned\nKUBEFERRY_\n", "!!", "*", "~root", "\\", "%s%n"]
BASH += ["${IFS}touch", "<(x)"]
OPTIONS = ["--kubeconfig=pwned", "-f", "--all", "-n", "--context=pwned", "--", "-o=x"]
HTML = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "<!--", "&lt;"]
YAML = ["null", "true", "1e3", "on", "y", "0o17", "1_000", "~", "2026-01-01", "- a", "a: b", "#", "&a", "*a", "!!str"]

NAMES = [text for text in [*BASH, *OPTIONS, *TERMINAL, *YAML] if is_segment(text)]
"""Those of them that an archive takes as the name of a Role."""

KUBECTL = r"""#!/usr/bin/env bash
# Stands for kubectl: writes its arguments down, one run a file, and finds everything that it is asked for.
printf '%s\0' "$@" > "$(mktemp "$OUT/args.XXXXXX")"
case "$1 $*" in
  create\ *) IFS= read -r -d '' got || true; printf '%s' "$got" > "$(mktemp "$OUT/object.XXXXXX")" ;;
  *' -f -'*) IFS= read -r -d '' got || true ;;
  *deletionTimestamp*) printf '%s' 'uid-1|' ;;
  *) printf '%s' "$VALUE" ;;
esac
"""


@pytest.fixture
def forge(tmp_path):
    return Forge(tmp_path / "store")


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    for name in ("CONTEXT", "KUBECONFIG", "STORE", "OUTPUT", "DEBUG"):
        monkeypatch.delenv(f"KUBEFERRY_{name}", raising=False)
    monkeypatch.setenv("KUBEFERRY_HOME", str(tmp_path / "home"))

    def do(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--store", (tmp_path / "store").as_uri()])
        printed = capsys.readouterr()
        assert (ended.value.code, printed.err) == (0, "")
        return printed.out

    return do


def role(name):
    meta = {"name": name, "namespace": NS, "annotations": {"note": name}}
    return {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta, "rules": []}


def gaps(texts):
    """A manifest's change: what was left out, with these names and reasons."""
    listed = [{"type": text, "namespace": text, "name": text, "why": text} for text in texts]
    return lambda found: found.update(left_out=listed, problems=[{"what": text, "why": text} for text in texts])


def links(name, why):
    return {"ref": [RBAC, "Role", NS, name], "uid": "u", "notReady": why}


# --- terminal and documents


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_what_a_manifest_says_does_nothing_to_a_terminal(forge, run, form):
    texts = [*TERMINAL, *YAML, *BASH, *HTML]
    forge.ours("odd", [entry(config(NS))], change=gaps(texts))
    out = run("show", "odd", "-o", form)
    assert out.replace("\n", "").isprintable()
    if form == "table":
        assert "[bold]x[/bold]" in out
    else:
        found = (json.loads if form == "json" else yaml.safe_load)(out)
        assert [each["why"] for each in found["left_out"]] == texts


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_what_a_plan_shows_does_nothing_to_a_terminal(forge, run, form):
    whys = [*TERMINAL, *HTML, *YAML]
    lines = [links(name, whys[at % len(whys)]) for at, name in enumerate(NAMES)]
    forge.ours("odd", [entry(namespace(NS)), *(entry(role(name)) for name in NAMES)], links=lines)
    out = run("plan", "odd", "-o", form)
    assert out.replace("\n", "").isprintable()
    if form != "table":
        found = (json.loads if form == "json" else yaml.safe_load)(out)
        assert {each["name"] for level in found["levels"] for each in level["objects"]} == set(NAMES)
        assert {each["not_ready"] for level in found["levels"] for each in level["objects"]} <= set(whys)


def test_names_of_other_types_in_yaml_are_the_same_in_both_versions_of_yaml(forge, run):
    """YAML 1.2 has more words for numbers than PyYAML, which reads 1.1, knows: they are all in quotes."""
    names = [text for text in YAML if re.fullmatch(r"[a-z0-9_.-]+", text)]
    forge.ours("odd", [entry(namespace(NS)), *(entry(role(name)) for name in names)])
    out = run("plan", "odd", "-o", "yaml")
    assert [name for name in names if f"name: '{name}'\n" not in out] == []


# --- browser


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = set()

    def handle_starttag(self, tag, attrs):
        self.found.add((tag, *sorted(name for name, _ in attrs)))


def tags(text):
    parser = Tags()
    parser.feed(text)
    return parser.found


def test_no_name_and_no_reason_becomes_an_element_of_the_page(forge, run):
    name = "<img src=x onerror=alert(1)>"
    whys = [*HTML, *TERMINAL]
    pages = []
    for texts in (whys, ["plain"] * len(whys)):
        named = [f"{name}{at}" if texts is whys else f"plain{at}" for at in range(len(texts))]
        lines = [links(each, text) for each, text in zip(named, texts, strict=True)]
        forge.ours("odd", [entry(namespace(NS)), *(entry(role(each)) for each in named)], links=lines)
        pages.append(run("plan", "odd", "-o", "html"))
    assert tags(pages[0]) == tags(pages[1])
    assert pages[0].count("<script") == pages[1].count("<script")
    data = re.search(r'<script type="application/json" id="plan">(.*?)</script>', pages[0], re.DOTALL).group(1)
    assert {each["not_ready"] for level in json.loads(data)["levels"] for each in level["objects"]} == set(whys)


# --- bash and kubectl


@pytest.fixture
def bash(tmp_path, run):
    """Run the script of a plan with a stand-in for kubectl; returns it, the arguments of each run, what was created."""
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o700)
    (tmp_path / "out").mkdir()

    def do(name, value="10.0.0.9"):
        path = tmp_path / "restore.sh"
        path.write_text(run("plan", name, "--kubectl"))
        env = {"PATH": os.environ["PATH"], "KUBECTL": str(tmp_path / "kubectl"), "OUT": str(tmp_path / "out")}
        env |= {"VALUE": value, "WAIT_SECONDS": "1"}
        ended = subprocess.run(
            [shutil.which("bash"), str(path)], cwd=tmp_path, env=env, capture_output=True, check=False, timeout=60
        )
        assert not (tmp_path / "pwned").exists()
        runs = [each.read_bytes().decode().split("\0")[:-1] for each in (tmp_path / "out").glob("args.*")]
        made = [json.loads(each.read_text()) for each in (tmp_path / "out").glob("object.*")]
        return ended, runs, {each["metadata"]["name"]: each for each in made}

    return do


def test_names_and_values_are_no_commands(forge, bash):
    values = [*BASH, *OPTIONS, *TERMINAL, *HTML, *YAML, "\x00", "\x7f"]
    odd = config(NS, "odd", data={text: text for text in values})
    whys = [links(name, "\n$(touch pwned)\n") for name in NAMES]
    forge.ours("odd", [entry(namespace(NS)), entry(odd), *(entry(role(name)) for name in NAMES)], links=whys)
    ended, runs, made = bash("odd")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert made["odd"]["data"] == odd["data"]
    assert {name for name, obj in made.items() if obj["kind"] == "Role"} == set(NAMES)
    assert all(made[name] == role(name) for name in NAMES)
    assert ended.stdout.decode().replace("\n", "").isprintable()
    assert {run[0] for run in runs} <= {"create", "get", "wait"}


VALUES = [*BASH, *TERMINAL, *HTML, '"', "\\n", "a\tb", "\x01\x1f\x7f", "é🛒", "@@KUBEFERRY-0@@"]


OWN = {"-n", "-o", "-f", "-", "--validate", "--for", "--timeout", "--ignore-not-found"}
"""Options that the script itself gives kubectl."""


def bound(name, kind="Service", path=("data", "x")):
    """A binding of the ConfigMap `odd` to the content of an object of that name."""
    line = json.loads(json.dumps(BINDING).replace('"NS"', f'"{NS}"'))
    chain = [{"step": "start", "ref": ["", kind, NS, name]}, line["chain"][1] | {"what": "path", "path": list(path)}]
    return line | {"object": ["", "ConfigMap", NS, "odd"], "kind": "user", "chain": chain, "value": ""}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_chain_is_no_option_and_no_command(forge, bash, name):
    odd = config(NS, "odd", data={"a": "old"})
    lines = [bound(name), bound("plain", kind=name), bound("plain", path=(name, "'] }{range .items[*]}"))]
    for line in lines:
        forge.ours("odd", [entry(namespace(NS)), entry(odd)], bindings=[line])
        ended, runs, made = bash("odd", value="found")
        assert ended.returncode == 0, ended.stderr
        for run in runs:
            ahead = run[: run.index("--")] if "--" in run else run
            assert {each.partition("=")[0] for each in ahead if each.startswith("-")} <= OWN, run
        assert made["odd"]["data"] == {"a": "found"}
        assert ended.stdout.decode().replace("\n", "").isprintable()


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_a_looked_up_value_is_written_as_it_is_and_never_run_or_shown(forge, bash, value, kind):
    data = {"a": "old"} if kind == "ConfigMap" else {"a": "b2xk"}
    odd = config(NS, "odd", kind=kind, data=data)
    line = bound("web") | {"object": ["", kind, NS, "odd"], "layers": [] if kind == "ConfigMap" else ["base64"]}
    forge.ours("odd", [entry(namespace(NS)), entry(odd)], bindings=[line])
    ended, _, made = bash("odd", value=value)
    assert ended.returncode == 0, ended.stderr
    written = made["odd"]["data"]["a"]
    if kind == "Secret":
        written = base64.b64decode(written).decode()
    assert written == value
    assert value not in ended.stdout.decode()
