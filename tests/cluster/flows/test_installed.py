"""What users install: a wheel of one package, `kubeferry`, that works beside others' `flows`, `tasks`, `deployments`.

It is built of what git tracks, and installed where nothing else is but what it needs, and packages of these names that
nobody may import.
"""

import subprocess
import sys
import uuid
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.planted.planting import Copy
from tests.support.desk import DONE, Desk, environment
from tests.support.limits import until

pytestmark = pytest.mark.exclusive  # its deployments have the names that others would use

OTHERS = ("deployments", "flows", "tasks")
SOURCES_ONLY = ("deployments/Dockerfile", "deployments/constraints.txt")
"""With `deployments/kubernetes` and pictures: what is there to build, install and run Kubeferry, not for it to read."""


def pip(*arguments):
    """Run this environment's pip, which asks no registry."""
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def others_in(folder):
    """Make packages of other people there, which say so when they are imported."""
    for name in OTHERS:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f'raise RuntimeError("{name} is a package of other people")\n')


@pytest.fixture(scope="module")
def tree():
    with Copy() as made:
        yield made.root


@pytest.fixture(scope="module")
def wheel(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, tree)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory):
    """The folder of the programs of an environment with the wheel, and with the packages that it needs from here."""
    made = tmp_path_factory.mktemp("environment")
    venv.create(made, symlinks=True)
    pip("--python", made, "install", "--no-deps", "--no-index", wheel)
    (packages,) = made.glob("lib/python*/site-packages")
    others_in(packages)
    # After the installation, which would else find that of this repository there. `.pth` files of these folders, and
    # with them the links of editable installations, are not read.
    needed = [path for path in sys.path if path.endswith("-packages")]
    (packages / "needed.pth").write_text("\n".join(needed) + "\n")
    return made / "bin"


@pytest.fixture(scope="module")
def desk(bench, prefect_server, programs, tmp_path_factory):
    """The command of that environment, in a folder with packages of other people, as on a user's machine."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("project")
    others_in(folder)
    where = {"KUBEFERRY_HOME": str(home), "KUBECONFIG": bench.where["kubeconfig"]}
    env = environment(PREFECT_API_URL=prefect_server, **where)
    env.pop("PYTHONPATH", None)
    pool = f"installed-{uuid.uuid4().hex[:6]}"
    return Desk(env, pool, bench.where["store"], command=programs / "kubeferry", folder=folder)


@pytest.fixture(scope="module")
def ns(bench):
    made = bench.namespace("wheel")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: '1'}}", made)
    return made


def test_the_wheel_has_one_package_at_the_top(wheel):
    with ZipFile(wheel) as opened:
        tops = {name.partition("/")[0] for name in opened.namelist()}
    assert [top for top in tops if not top.endswith(".dist-info")] == ["kubeferry"]


def test_the_wheel_has_all_code_and_all_that_code_reads(wheel, tree):
    files = [path for top in OTHERS for path in (tree / top).rglob("*") if path.is_file()]
    wanted = {path.relative_to(tree).as_posix() for path in files if path.suffix not in {".md", ".png", ".pyc"}}
    wanted = {each for each in wanted if each not in SOURCES_ONLY and not each.startswith("deployments/kubernetes/")}
    assert {"deployments/prefect.yaml", "deployments/pools/process.yaml", "flows/console/html/plan.html.j2"} < wanted
    with ZipFile(wheel) as opened:
        there = set(opened.namelist())
    assert {f"kubeferry/{each}" for each in wanted} - there == set()
    assert "kubeferry/py.typed" in there
    assert any(each.endswith(".dist-info/licenses/LICENSE") for each in there)


def test_the_others_are_found_and_kubeferry_is_that_of_the_wheel(desk, programs):
    def imports(name):
        """As a command does: the folder in which it is started is not looked at."""
        argv = [programs / "python", "-P", "-c", f"import {name}; print({name}.__file__)"]
        return subprocess.run(argv, env=desk.env, capture_output=True, text=True, check=False, timeout=60)

    assert programs.parent in Path(imports("kubeferry").stdout).parents
    assert all(f"{name} is a package of other people" in imports(name).stderr for name in OTHERS)


def test_the_installed_command_makes_a_backup(desk, ns):
    assert desk.does("backup", ns, "--name", "by-command")["phase"] == "Completed"
    assert "by-command" in desk.saved()


def test_a_worker_in_a_folder_with_such_packages_runs_a_backup(desk, ns):
    desk.deploy(ns)
    try:
        desk.worker()
        run = desk.api.start(desk.api.deployment("backup/on-demand")["id"], namespaces=[ns], name="by-worker")
        until(lambda: desk.states([run["id"]])[0]["type"] in DONE)
        (state,) = desk.states([run["id"]])
        assert state["name"] == "Completed", state["message"]
        assert "by-worker" in desk.saved()
    finally:
        desk.clear()
