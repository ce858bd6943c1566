"""What is written down before it is done, what is of another restore, and look-ups whose lists end in the middle."""

import pytest
from tests.support.bench import A, B
from tests.support.steps import CONFIG, do, expiring_once, levels, make_namespaces

from kubeferry.tasks.core.errors import ConflictError, KubeferryError
from kubeferry.tasks.core.kube.objects import Ref, owners_of
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.diff.compare import compared
from kubeferry.tasks.ports.cluster.client import Cluster
from kubeferry.tasks.preflight.lookup import follow
from kubeferry.tasks.restore import bundle
from kubeferry.tasks.restore import existing as existing_objects
from kubeferry.tasks.restore.bundle import BUNDLES

MANY = [f"owner-{number}" for number in range(8)]


@pytest.fixture(scope="module")
def some(steps, bench):
    """A namespace with a ConfigMap, and an account that has a label; its backup."""
    ns = bench.namespace("some")
    bench.make(CONFIG.format("a", 1), ns)
    bench.patch("ServiceAccount", ns, "default", {"metadata": {"labels": {"app": "web"}}})
    return ns, steps.backup(ns)


@pytest.fixture(scope="module")
def many(steps, bench):
    """A namespace in which one ConfigMap holds the uids of eight others; its backup."""
    ns = bench.namespace("many")
    uids = [bench.make(CONFIG.format(named, 1), ns)[0]["metadata"]["uid"] for named in MANY]
    held = ", ".join(f"{named}: {uid}" for named, uid in zip(MANY, uids, strict=True))
    bench.make(f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: holder}}, data: {{{held}}}}}", ns)
    return ns, steps.backup(ns)


# --- first it is written down


def spied(monkeypatch, cluster, look):
    """Have `look` called with each object right before it is first written; return what it returned, by name."""
    seen = {}

    def spy(real):
        def written(kind, namespace, what, *args, **options):
            named = what["metadata"]["name"] if isinstance(what, dict) else what
            if kind.kind in ("ConfigMap", "ServiceAccount") and named not in seen:
                seen[named] = look(Ref("", kind.kind, namespace, named))
            return real(kind, namespace, what, *args, **options)

        return written

    for method in ("create", "apply", "patch", "delete"):
        monkeypatch.setattr(cluster, method, spy(getattr(cluster, method)))
    return seen


def test_a_create_is_in_the_journal_before_the_api_server_hears_of_it(steps, bench, cluster, some, monkeypatch):
    old, backup = some
    ns = bench.name("some")
    with steps.restore(backup, map={old: ns}) as restoring:
        make_namespaces(restoring)
        look = spied(monkeypatch, cluster, lambda ref: ref in steps.stored(restoring.source.name).state.doubtful)
        levels(restoring)
    assert look["a"] is True


@pytest.mark.parametrize(("existing", "action"), [("update", "update"), ("recreate", "recreate")])
def test_what_is_changed_is_kept_before_the_api_server_hears_of_it(
    steps, bench, cluster, some, monkeypatch, existing, action
):
    old, backup = some
    ns = bench.namespace("some", B)
    bench.make(CONFIG.format("a", "other"), ns, B)
    with steps.restore(backup, map={old: ns}, existing=existing) as restoring:
        make_namespaces(restoring)
        look = spied(monkeypatch, cluster, lambda ref: former(steps, restoring, ref))
        levels(restoring)
    assert look == {"a": (action, {"a": "other"}), "default": ("merge", None)}


def former(steps, restoring, ref):
    stored = steps.stored(restoring.source.name)
    kept = stored.state.formers.get(ref)
    return kept and (kept.action, stored.former(kept, restoring.source.backup.opener).get("data"))


# --- of others


def test_a_bundle_of_the_name_that_another_restore_made_is_not_taken(steps, bench, cluster, some):
    old, backup = some
    ns = bench.namespace("some", B)
    with steps.restore(backup, map={old: ns}) as restoring:
        do(bundle._define, restoring)
        cluster.create(BUNDLES, ns, do(bundle._of, restoring, ns), manager="kubeferry-ba9876543210")
        with pytest.raises(
            ConflictError, match=f"namespace {ns} has a bundle {restoring.source.name} of another restore"
        ):
            do(bundle._make, restoring)
        assert steps.stored(restoring.source.name).state.created == {}


def test_a_bundle_whose_first_answer_was_lost_is_the_restore_s_own(steps, bench, cluster, some):
    old, backup = some
    ns = bench.namespace("some", B)
    with steps.restore(backup, map={old: ns}) as restoring:
        do(bundle._define, restoring)
        made, _ = cluster.create(BUNDLES, ns, do(bundle._of, restoring, ns), manager=restoring.transaction.manager)
        do(bundle._make, restoring)
        assert restoring.transaction.bundles == {ns: made["metadata"]["uid"]}


def test_another_object_of_the_name_is_not_linked_to_an_owner_that_was_recreated(steps, bench, some, monkeypatch):
    """It came in the place of the one that was looked at: the garbage collector took that with its previous owner."""
    monkeypatch.setattr(existing_objects, "GONE_SECONDS", 1)
    old, backup = some
    ns = bench.namespace("some", B)
    (looked_at,) = bench.make(CONFIG.format("a", 1), ns, B)
    bench.delete("ConfigMap", ns, "a", B)
    bench.make(CONFIG.format("a", 1), ns, B)
    (boss,) = bench.make(CONFIG.format("boss", 1), ns, B)
    link = {"apiVersion": "v1", "kind": "ConfigMap", "name": "boss", "uid": boss["metadata"]["uid"]}
    obj = looked_at | {"metadata": {"name": "a", "namespace": ns, "ownerReferences": [link]}}
    with steps.restore(backup, map={old: ns}, existing="recreate") as restoring, pytest.raises(KubeferryError):
        do(existing_objects._follow, restoring, bench.kind("ConfigMap", context=B), obj, looked_at["metadata"]["uid"])
    assert owners_of(bench.get("ConfigMap", ns, "a", B)) == []


def test_an_object_that_others_write_is_linked_and_not_taken_for_one_that_is_gone(steps, bench, some, monkeypatch):
    """The API server gives up a patch after five others got in between."""
    old, backup = some
    ns = bench.namespace("some", B)
    made, boss = (bench.make(CONFIG.format(each, 1), ns, B)[0] for each in ("a", "boss"))
    link = {"apiVersion": "v1", "kind": "ConfigMap", "name": "boss", "uid": boss["metadata"]["uid"]}
    obj = made | {"metadata": {"name": "a", "namespace": ns, "ownerReferences": [link]}}
    patch, refused = Cluster.patch, []

    def busy(self, *args, **options):
        if len(refused) < 7:
            refused.append(args)
            raise ConflictError("it was written five times meanwhile")
        return patch(self, *args, **options)

    with steps.restore(backup, map={old: ns}, existing="recreate") as restoring:
        monkeypatch.setattr(Cluster, "patch", busy)
        kind, uid = bench.kind("ConfigMap", context=B), made["metadata"]["uid"]
        decision, stays, _ = do(existing_objects._follow, restoring, kind, obj, uid)
    assert (decision.action, stays, len(refused)) == ("linked", uid, 7)
    assert [each["uid"] for each in owners_of(bench.get("ConfigMap", ns, "a", B))] == [link["uid"]]


# --- lists


def test_a_list_that_expires_while_values_are_looked_up_is_begun_again(steps, bench, cluster, many, monkeypatch):
    old, backup = many
    ns = bench.name("many")
    with steps.restore(backup, map={old: ns}) as restoring:
        make_namespaces(restoring)
        levels(restoring)
        chains = {each.chain for item in restoring.plan.items.values() for each in item.bindings}
        done = expiring_once(monkeypatch, cluster, 3)
        values = do(follow, restoring, chains, 0)
    uids = {bench.get("ConfigMap", ns, named, B)["metadata"]["uid"] for named in MANY}
    assert (done, set(values.values())) == ([True], uids)
    assert set(bench.get("ConfigMap", ns, "holder", B)["data"].values()) == uids


def test_a_list_that_expires_while_a_backup_is_compared_is_begun_again(steps, bench, many, monkeypatch):
    ns, backup = many
    done = expiring_once(monkeypatch, bench.clusters[A], 3)
    found = compared(RestoreOptions(backup=backup, context=A, **steps.where))
    assert (done, found.objects, found.problems) == ([True], [], [])
    assert found.counts["same"] > len(MANY)
    bench.patch("ConfigMap", ns, MANY[-1], {"data": {"a": "changed"}})
    found = compared(RestoreOptions(backup=backup, context=A, **steps.where))
    assert [each.name for each in found.objects] == [MANY[-1]]
    bench.patch("ConfigMap", ns, MANY[-1], {"data": {"a": "1"}})
