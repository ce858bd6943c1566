"""With `--bundle list` nothing has a foreign owner; with `own` the bundle owns it, and the definition is guarded."""

import pytest
from tests.support.bench import B
from tests.support.bundles import SOME, bundle, listed

from kubeferry.tasks.core.errors import ForbiddenError, InvalidError
from kubeferry.tasks.core.formats.target.bundle import DEFINITION

pytestmark = pytest.mark.exclusive

COLLECTED = 120
KINDS = ("ConfigMap", "Secret", "Service", "Deployment")


@pytest.fixture(scope="module")
def saved(bench):
    ns = bench.namespace()
    bench.make(SOME, ns)
    bench.ready("Deployment", ns, "web")
    return ns, bench.backup(ns).name


def owners(bench, ns):
    """Return `Kind name` → kinds of its owners, of what is restored."""
    return {
        f"{kind} {each['metadata']['name']}": [one["kind"] for one in each["metadata"].get("ownerReferences", [])]
        for kind in KINDS
        for each in bench.list(kind, ns, B)
        if each["metadata"]["name"] in {"web", "settings", "token"}
    }


def delete_definition(bench, **query):
    """Delete the definition of bundles; return the answer's error, "" for none."""
    path = f"{bench.kind(DEFINITION.kind, context=B).path('')}/{DEFINITION.name}"
    try:
        bench.clusters[B].request("DELETE", path, query=query)
    except (ForbiddenError, InvalidError) as error:
        return str(error)
    return ""


def test_05_bundle_owns_roots(bench, saved):
    """Nobody owns what nobody owned, and deleting the definition of the tool's own objects deletes nothing else."""
    old, backup = saved
    ns = bench.name()
    name = bench.restore(backup, map={old: ns}).name
    assert set(map(tuple, owners(bench, ns).values())) == {()}
    assert listed(bundle(bench, ns, name)) == {
        1: ["ConfigMap settings", "Secret token", "Service web"],
        2: ["Deployment web"],
    }
    uids = {kind: bench.get(kind, ns, "web", B)["metadata"]["uid"] for kind in ("Deployment", "Service")}
    delete_definition(bench)
    bench.until(lambda: bench.find(DEFINITION.kind, "", DEFINITION.name, B) is None)
    bench.collected(B)
    assert {kind: bench.get(kind, ns, "web", B)["metadata"]["uid"] for kind in uids} == uids


def test_the_definition_is_not_deleted_while_a_bundle_owns_something(bench, saved):
    old, backup = saved
    ns = bench.name()
    name = bench.restore(backup, map={old: ns}, bundle="own").name
    assert owners(bench, ns)["Deployment web"] == ["Bundle"]

    bench.until(lambda: f"bundle {ns}/{name} owns objects" in delete_definition(bench, dryRun="All"))
    uid = bundle(bench, ns, name)["metadata"]["uid"]
    bench.clusters[B].delete(bench.kind("Bundle.kubeferry.io", context=B), ns, name, uid=uid)
    bench.until(lambda: not owners(bench, ns), COLLECTED)
    bench.until(lambda: delete_definition(bench, dryRun="All") == "")
