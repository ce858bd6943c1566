"""A restore is a transaction: its journal, what is rolled back when it fails, and what is resumed."""

import pytest
import yaml
from tests.support.bench import B
from tests.support.bundles import DENIED
from tests.support.objects import web_with_settings

from kubeferry.flows.undo import undo
from kubeferry.tasks.core.errors import ForbiddenError, InvalidError, KubeferryError
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import UndoOptions
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.open import open_store

SOME = web_with_settings({"a": "1"}, "hunter2")


@pytest.fixture
def saved(bench):
    ns = bench.namespace()
    bench.make(SOME, ns)
    return ns, bench.backup(ns)


def stored(bench, name):
    return open_restore(open_store(bench.where["store"]), name)


def undone(bench, name, context=B):
    return bench.run_flow(undo(UndoOptions(restore=name, context=context, **bench.where)))


def test_the_journal_says_what_was_created(bench, saved):
    ns, backup = saved
    result = bench.restore(backup)
    found = stored(bench, result.name)
    assert found.state.end == "Completed"
    assert not found.state.doubtful
    web = Ref("apps", "Deployment", ns, "web")
    assert found.state.created[web].uid == bench.get("Deployment", ns, "web", B)["metadata"]["uid"]
    assert found.state.created[Ref("", "Namespace", "", ns)].level == -1


def test_undo_undoes_it_all_and_again_is_nothing(bench, saved):
    ns, backup = saved
    result = bench.restore(backup)
    first = undone(bench, result.name)
    assert first.phase == "Completed"
    assert first.taken_back.left == []
    assert bench.find("Namespace", "", ns, B) is None
    again = undone(bench, result.name)
    assert (again.phase, again.taken_back.deleted) == ("Completed", 0)


def test_a_failure_rolls_back_what_was_done(bench, saved):
    ns, backup = saved
    bench.namespace_named(ns, B)
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}", ns, B)
    bench.make(DENIED.format(name=ns, ns=ns, group="apps", verb="CREATE", what="deployments"), context=B)
    bench.until(lambda: denied(bench, ns))
    with pytest.raises(KubeferryError) as failed:
        bench.restore(backup, name=f"{ns}-r")
    result = failed.value.result
    assert (result.phase, result.taken_back.left) == ("Failed", [])
    assert result.taken_back.deleted == 4  # with the bundle
    assert stored(bench, f"{ns}-r").state.end == "RolledBack"
    assert bench.find("Secret", ns, "token", B) is None
    assert bench.find("ConfigMap", ns, "settings", B) is None
    assert bench.find("ConfigMap", ns, "mine", B)


def denied(bench, ns):
    """Return whether the policy is in force; the API server takes a moment to compile it."""
    deployment = next(each for each in yaml.safe_load_all(SOME) if each["kind"] == "Deployment")
    deployment["metadata"] |= {"namespace": ns, "name": "probe"}
    try:
        bench.clusters[B].create(bench.kind("Deployment", context=B), ns, deployment, dry_run=True)
    except (InvalidError, ForbiddenError):
        return True
    return False
