"""On the sandbox: a restore of a hostile backup ends before anything is written, and says in one line why.

The cases are those of tests/faults/test_hostile_archives.py, of which every one is tried without a cluster there.
"""

import re

import pytest
import yaml
from tests.faults.hostile import Forge, config, entry, namespace
from tests.faults.hostile_cases import CASES
from tests.support.bench import A, B, definition, name
from tests.support.tiers import fast

from kubeferry.tasks.core.errors import KubeferryError, NotFoundError, PreflightError
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.kube.schemas.openapi import Schemas

SAMPLE = [*CASES][::17]
"""Of so many cases some: all are read by the two steps of a restore that come before it asks the target."""

TOLD = [
    "a gigabyte of zeros, Velero's",
    "cut in the middle, ours",
    "a namespace .., ours",
    "a symbolic link, Velero's",
    "the same twice, ours",
    "100,000 brackets, Velero's",
    "metadata.labels as a list, ours",
    "spec as null, Velero's",
    "another namespace, ours",
    "a name of a right-to-left override, ours",
    "bindings: a Secret of another namespace",
    "links: owners as a map",
    "manifest: format 2",
    "manifest: a file of ..",
    "Backup: format 2",
]
"""Cases of each kind, for which the command itself is run."""


@pytest.fixture(scope="module")
def forge(bench):
    return Forge(bench.folder)


@pytest.fixture
def untouched(bench, forge):
    """A namespace that must not be there after the test, nor any trace of a restore in the store."""
    ns = bench.name()
    before = {path for path in forge.root.rglob("*") if "backups" not in path.parts}
    yield ns
    assert bench.find("Namespace", "", ns, B) is None
    assert {path for path in forge.root.rglob("*") if "backups" not in path.parts} == before


@pytest.mark.parametrize("case", fast(SAMPLE, *SAMPLE[::6]))
def test_a_restore_writes_nothing(bench, forge, untouched, case):
    saved = name()
    CASES[case].forge(forge, saved, untouched)
    with pytest.raises(KubeferryError) as caught:
        bench.restore(saved)
    message = str(caught.value)
    assert message.startswith(f"backup {saved}: ")
    assert re.search(CASES[case].message, message)
    assert message.isprintable()
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("case", fast(TOLD, *TOLD[::4]))
def test_the_command_reports_it_in_one_line(bench, forge, kubeferry, untouched, case):
    saved = name()
    CASES[case].forge(forge, saved, untouched)
    code, out, err = kubeferry("restore", saved, "--context", B, "--store", bench.where["store"])
    *notes, last = err.splitlines()
    assert (code, out) == (1, "")
    assert last.startswith(f"error: backup {saved}: ")
    assert re.search(CASES[case].message, last)
    assert last.isprintable()
    assert not [line for line in notes if line.startswith(("error", "Traceback", " "))]
    assert len(notes) <= 2, "that it has no digests, and that nothing was written"


# --- what only the target knows


WRONG = {
    "a number as text": ("apps/v1", "Deployment", {"replicas": "three"}, "/spec/replicas"),
    "a map as list": ("apps/v1", "Deployment", {"selector": [], "template": {}}, "/spec/selector"),
    "a list as map": ("v1", "Service", {"ports": {"port": 80}}, "/spec/ports"),
    "a text in a list of maps": ("v1", "Service", {"ports": ["80"]}, "/spec/ports/0"),
    "a text as number": ("v1", "Service", {"type": "ExternalName", "externalName": 7}, "/spec/externalName"),
    "a flag as text": ("batch/v1", "CronJob", {"suspend": "no", "schedule": "@daily"}, "/spec/suspend"),
    "a list as text": ("v1", "PersistentVolumeClaim", {"storageClassName": ["standard"]}, "/spec/storageClassName"),
    "deep in a pod": (
        "v1",
        "Pod",
        {"containers": [{"name": "c", "image": "i", "env": [{"name": "A", "value": {"b": 1}}]}]},
        "/spec/containers/0/env/0/value",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_type_that_its_kind_does_not_have_is_reported_before_anything_is_written(bench, forge, untouched, case):
    version, kind, spec, at = WRONG[case]
    odd = {"apiVersion": version, "kind": kind, "metadata": {"name": "odd", "namespace": untouched}, "spec": spec}
    saved = forge.velero(name(), [entry(namespace(untouched)), entry(config(untouched)), entry(odd)])
    with pytest.raises(PreflightError, match=rf"{kind}\S* {untouched}/odd {re.escape(at)}: "):
        bench.restore(saved)


def test_a_custom_resource_is_judged_by_the_definition_that_the_target_has(bench, forge, untouched):
    group = f"{untouched}.example.com"
    made = yaml.safe_load(definition(group, "Widget"))
    parts = {"size": {"type": "integer"}, "free": {"x-kubernetes-preserve-unknown-fields": True}}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": parts}}}
    made["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": schema}
    bench.make(yaml.safe_dump(made), context=B)
    bench.until(lambda: (group, "Widget") in bench.clusters[B].discover().versions)
    bench.until(lambda: _described(bench, f"{group}/v1"))
    meta = {"name": "odd", "namespace": untouched}
    odd = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": meta, "spec": {"size": "large", "free": ["x"]}}
    saved = forge.velero(name(), [entry(namespace(untouched)), entry(odd)])
    with pytest.raises(PreflightError, match=rf"Widget\.{group} {untouched}/odd /spec/size: Widget has an integer"):
        bench.restore(saved)


def _described(bench, api_version):
    """The server describes a kind somewhat later than it serves it."""
    try:
        return bench.clusters[B].schemas(api_version)
    except NotFoundError:
        return None


def test_every_object_of_a_cluster_fits_the_schemas_of_its_server(bench):
    """What an API server took must never be refused for its types."""
    found = 0
    for context in (A, B):
        cluster = bench.clusters[context]
        for kind in cluster.discover().types:
            if "list" not in kind.verbs or not is_built_in(kind.group):
                continue  # definitions of other tests come and go
            schemas = Schemas(cluster.schemas(kind.api_version))
            for obj in cluster.list(kind):
                assert list(schemas.schema_errors(obj)) == [], f"{kind.group_resource} {obj['metadata']['name']}"
                found += 1
    assert found > 200


def test_a_kind_in_a_place_that_the_target_does_not_have_it(bench, forge, untouched):
    group = f"{untouched}.example.com"
    bench.make(definition(group, "Widget"), context=B)
    bench.until(lambda: (group, "Widget") in bench.clusters[B].discover().versions)
    odd = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "odd"}}
    saved = forge.velero(name(), [entry(namespace(untouched)), entry(odd)])
    with pytest.raises(PreflightError, match=rf"Widget\.{group} odd: the cluster has this kind in namespaces only"):
        bench.restore(saved)


# --- what a backup does not take in


def test_what_could_not_be_read_back_makes_a_backup_partial_and_not_unreadable(bench):
    ns = bench.namespace()
    group = bench.crd(ns)
    nested = []
    for _ in range(230):
        nested = [nested]
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {a: b}}", ns)
    deep = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "deep", "namespace": ns}, "x": nested}
    bench.clusters[A].create(bench.kind("Widget", f"{group}/v1"), ns, deep)
    saved = bench.backup(ns)
    assert saved.phase == "Partial"
    (problem,) = saved.problems
    assert (problem.what, "nested deeper than 200 levels" in problem.why) == (f"Widget.{group} {ns}/deep", True)
    assert bench.restore(saved, map={ns: bench.name()}).actions["created"] >= 2
