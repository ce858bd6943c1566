"""An undo of --existing recreate gives back what the re-created object owned, linked to it; nothing is collected."""

import pytest
from tests.support.bench import A, B
from tests.support.objects import claim, config_map, documents

from kubeferry.tasks.core.errors import InvalidError
from kubeferry.tasks.ports.cluster.client import Cluster


def tie(obj):
    return {key: obj[key] for key in ("apiVersion", "kind")} | {key: obj["metadata"][key] for key in ("name", "uid")}


def own(bench, ns, child, owner, context=B, kind="ConfigMap"):
    owners = {"metadata": {"ownerReferences": [tie(bench.get("ConfigMap", ns, owner, context))]}}
    return bench.patch(kind, ns, child, owners, context)


@pytest.fixture
def family(bench):
    """Make an owner, a child and a grandchild, of which the target has others of the same names."""
    ns = bench.namespace()
    bench.namespace_named(ns, B)
    for context, words in ((A, "saved"), (B, "other")):
        every = [config_map(name, {"is": words}) for name in ("owner", "child", "grandchild")]
        bench.make(documents(*every), ns, context)
        own(bench, ns, "child", "owner", context)
        own(bench, ns, "grandchild", "child", context)
    bench.make(config_map("last"), ns)
    own(bench, ns, "last", "grandchild", A)
    return ns, bench.backup(ns)


def undo(bench, kubeferry, named, *more):
    where = ("--context", B, "--store", bench.where["store"], "--kubeconfig", bench.where["kubeconfig"])
    return kubeferry("undo", named, "--yes", *where, *more)


def is_whole(bench, ns, words):
    """Assert that the three are there, each with its owner, also after the garbage collector has looked."""
    bench.collected(B)
    owner, child, grandchild = (bench.get("ConfigMap", ns, name, B) for name in ("owner", "child", "grandchild"))
    assert {each["data"]["is"] for each in (owner, child, grandchild)} == {words}
    assert "deletionTimestamp" not in child["metadata"]
    assert child["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
    assert grandchild["metadata"]["ownerReferences"][0]["uid"] == child["metadata"]["uid"]


@pytest.mark.parametrize("alike", [True, False], ids=["children-alike", "children-differ"])
def test_what_the_garbage_collector_took_with_a_re_created_owner_comes_back_with_it(bench, kubeferry, family, alike):
    (ns, saved), named = family, bench.name()
    if alike:
        for name in ("child", "grandchild"):
            bench.patch("ConfigMap", ns, name, {"data": {"is": "saved"}}, B)
    bench.restore(saved, existing="recreate", name=named)
    is_whole(bench, ns, "saved")
    code, out, err = undo(bench, kubeferry, named)
    assert code == 0, out + err
    if alike:
        for name in ("child", "grandchild"):
            assert bench.get("ConfigMap", ns, name, B)["data"] == {"is": "saved"}
            bench.patch("ConfigMap", ns, name, {"data": {"is": "other"}}, B)
    is_whole(bench, ns, "other")


def test_a_failed_restore_gives_back_what_went_with_a_re_created_owner(bench, family, monkeypatch):
    (ns, saved), create = family, Cluster.create

    def refuse(self, kind, namespace, obj, **options):
        if obj["metadata"]["name"] == "last" and not options.get("dry_run"):
            raise InvalidError("no more of these")
        return create(self, kind, namespace, obj, **options)

    monkeypatch.setattr(Cluster, "create", refuse)
    with pytest.raises(InvalidError, match="no more of these") as failed:
        bench.restore(saved, existing="recreate")
    assert failed.value.result.taken_back.left == []
    is_whole(bench, ns, "other")


def test_a_claim_that_no_backup_has_stays_when_its_owner_is_re_created_and_at_the_undo(bench, kubeferry):
    ns, named = bench.namespace(), bench.name()
    bench.make(config_map("owner", {"is": "saved"}), ns)
    saved = bench.backup(ns)
    bench.namespace_named(ns, B)
    bench.make(documents(config_map("owner", {"is": "other"}), claim()), ns, B)
    before = own(bench, ns, "data", "owner", kind="PersistentVolumeClaim")["metadata"]["uid"]
    bench.restore(saved, existing="recreate", name=named)
    bench.collected(B)
    _, out, err = undo(bench, kubeferry, named)
    assert f"PersistentVolumeClaim {ns}/data" in out + err  # nothing proves that the restore took its owner away
    bench.collected(B)
    after = bench.get("PersistentVolumeClaim", ns, "data", B)["metadata"]
    assert (after["uid"], after.get("deletionTimestamp")) == (before, None)
    assert bench.get("ConfigMap", ns, "owner", B)["data"] == {"is": "other"}
