"""A definition and its object with names of 253 characters, the most that Kubernetes allows, are like any other.

Files are named after types, and a file's name ends at 255 bytes (case 22-long-crd-name; velero#8434).
"""

import os
import tarfile

import pytest
from tests.support.bench import A, B, definition

from kubeferry.flows.export import export
from kubeferry.tasks.core.models.options_export import ExportOptions

pytestmark = pytest.mark.exclusive

GROUP = ".".join(["g" * 63, "g" * 63, "g" * 63, "g" * 39, "example", "com"])
NAME = ".".join(["n" * 63, "n" * 63, "n" * 63, "n" * 61])
BOX = f"""
apiVersion: {GROUP}/v1
kind: Longbox
metadata: {{name: {NAME}}}
spec: {{color: red}}
"""
ROLE = f"{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: {'r' * 300}}}, rules: []}}"
"""Names of roles are any segment of a path, of any length."""


@pytest.fixture(scope="module")
def long_names(bench):
    assert len(f"longboxes.{GROUP}") == len(NAME) == 253
    ns = bench.namespace("pc22")
    bench.make(definition(GROUP, "Longbox", plural="longboxes"))
    bench.until(lambda: (GROUP, "Longbox") in bench.clusters[A].discover().versions)
    bench.make(BOX, ns)
    bench.make(ROLE, ns)
    bench.forget("CustomResourceDefinition", f"longboxes.{GROUP}")
    return ns


@pytest.fixture
def bucket_url(sandbox_env):  # noqa: ARG001 - it sets the environment
    return os.environ["KUBEFERRY_STORE"]


@pytest.fixture(scope="module")
def saved(bench, long_names):
    return bench.backup(long_names, whole=True)


def boxes(bench, ns, context=B):
    return [(each["metadata"]["name"], each["spec"]) for each in bench.list("Longbox", ns, context)]


def test_they_are_backed_up_and_restored_like_any_other(bench, long_names, saved, kubeferry):
    assert saved.phase == "Completed"
    assert bench.restore(saved, whole=True).phase == "Completed"
    assert boxes(bench, long_names) == [(NAME, {"color": "red"})]
    assert bench.get("Role", long_names, "r" * 300, B)
    code, out, _ = kubeferry("show", saved.name, "--store", bench.where["store"], "-o", "json")
    assert code == 0
    assert NAME in out


def test_they_are_found_when_an_object_is_selected_and_needs_its_definition(bench, long_names):
    saved = bench.backup(long_names, include=["longboxes"])
    name = bench.name("copy")
    bench.restore(saved, map={long_names: name})
    assert boxes(bench, name) == [(NAME, {"color": "red"})]


def test_a_bucket_holds_them_as_a_folder_does(bench, long_names, bucket_url):
    saved = bench.backup(long_names, store=bucket_url)
    name = bench.name("copy")
    bench.restore(saved, store=bucket_url, map={long_names: name})
    assert boxes(bench, name) == [(NAME, {"color": "red"})]


def test_an_export_has_files_that_a_file_system_takes(bench, saved, tmp_path):
    asked = ExportOptions(backup=saved.name, out=str(tmp_path / "out"), context=A, **bench.where)
    bench.run_flow(export(asked))
    written = [path for path in (tmp_path / "out").rglob("*.yaml") if f"name: {NAME}" in path.read_text()]
    assert len(written) == 1
    assert all(len(part.encode()) <= 255 for part in written[0].parts)


def test_the_archive_has_them_under_their_full_names(bench, long_names, saved):
    """Velero's layout has the names in paths; pax headers hold them, which Go's archive/tar reads."""
    with tarfile.open(bench.folder / "backups" / saved.name / f"{saved.name}.tar.gz") as archive:
        assert f"resources/longboxes.{GROUP}/namespaces/{long_names}/{NAME}.json" in archive.getnames()
