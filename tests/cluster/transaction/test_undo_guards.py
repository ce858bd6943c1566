"""What is undone from a journal: only what is still the restore's own, in reverse, and each thing once.

The journals are written by hand, as a restore leaves them that was killed at that very moment.
"""

from datetime import timedelta
from threading import Timer

import pytest
from tests.support.bench import B, name

from kubeferry.tasks.core.errors import InvalidError, PermanentError
from kubeferry.tasks.core.formats.journal import Header, Target, changer
from kubeferry.tasks.core.formats.layout import RestoreKeys
from kubeferry.tasks.core.formats.target.lease import LEASES, Holder, lease
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import UndoOptions
from kubeferry.tasks.core.plan.existing import content
from kubeferry.tasks.core.plan.reversal import digest
from kubeferry.tasks.ports.cluster.cached import cluster_uid
from kubeferry.tasks.ports.cluster.client import Cluster
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records.journal import Journal
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.restore.back.undo import _undo

TOKEN = "0123456789ab"
MANAGER = f"kubeferry-{TOKEN}"
CONFIG = "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {0}}}, data: {{a: '{1}'}}}}"


@pytest.fixture(scope="module")
def bench(bench_without_flows):
    """The clusters without Prefect: no flow runs in this process."""
    return bench_without_flows


@pytest.fixture(scope="module")
def ns(bench):
    return bench.namespace("back", B)


class Journalled:
    """A restore of the past: its journal, and what it made."""

    def __init__(self, bench, ns):
        self.bench, self.ns, self.name = bench, ns, name()
        self.store = open_store(bench.where["store"])
        cluster = bench.clusters[B]
        header = Header(
            name=self.name,
            token=TOKEN,
            backup="b",
            target=Target(context=B, host=cluster.host, uid=cluster_uid(cluster)),
            namespaces={ns: ns},
            started=clock.now(),
            options={},
        )
        keys = RestoreKeys(self.name)
        self.store.put_new(keys.header, header.model_dump_json().encode())
        self.journal = Journal(self.store, keys, 0)
        self.journal.begin("somebody")

    def ref(self, named):
        return Ref("", "ConfigMap", self.ns, named)

    def live(self, named):
        return self.bench.find("ConfigMap", self.ns, named, B)

    def make(self, named, value="made", manager=MANAGER):
        """Create a ConfigMap, as the restore did; say nothing of it yet."""
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": named, "namespace": self.ns}}
        kind = self.bench.kind("ConfigMap", context=B)
        made, _ = self.bench.clusters[B].create(kind, self.ns, obj | {"data": {"a": value}}, manager=manager)
        return made["metadata"]["uid"]

    def created(self, named, level=1):
        self.journal.will_create(level, [self.ref(named)])
        self.journal.did(level, "created", self.ref(named), self.make(named))

    def changed(self, named, action="update", level=1):
        """Keep what an object is, and give it other content."""
        live = self.live(named)
        self.journal.keep(level, action, self.ref(named), live)
        kind, cluster = self.bench.kind("ConfigMap", context=B), self.bench.clusters[B]
        now = cluster.patch(kind, self.ns, named, {"data": {"a": "restored"}}, manager=changer(MANAGER))
        self.journal.did(level, f"{action}d", self.ref(named), live["metadata"]["uid"], digest(now))
        return live

    def stored(self):
        return open_restore(self.store, self.name)

    def undo(self, **more):
        """Undo it; return the result, and what is left as object → reason."""
        self.journal.close()
        options = UndoOptions(restore=self.name, context=B, **{**self.bench.where, "wait_seconds": 20, **more})
        result = _undo(options, clock.now())
        return result, {each.what.rpartition("/")[2]: each.why for each in result.taken_back.left}


@pytest.fixture
def journalled(bench, ns):
    made = Journalled(bench, ns)
    yield made
    made.journal.close()
    for each in bench.list("ConfigMap", ns, B):
        if each["metadata"]["name"] != "kube-root-ca.crt":
            bench.patch("ConfigMap", ns, each["metadata"]["name"], {"metadata": {"finalizers": None}}, B)
            if not each["metadata"].get("deletionTimestamp"):
                bench.delete("ConfigMap", ns, each["metadata"]["name"], B)


@pytest.mark.parametrize("force", [False, True])
def test_what_was_announced_and_made_by_others_stays(journalled, force):
    journalled.journal.will_create(1, [journalled.ref("mine"), journalled.ref("theirs"), journalled.ref("never")])
    journalled.make("mine")
    journalled.make("theirs", manager="kubeferry-ba9876543210")
    result, left = journalled.undo(force=force)
    assert (result.phase, left, result.taken_back.deleted) == ("Completed", {}, 1)
    assert journalled.live("mine") is None
    assert journalled.live("theirs")["data"] == {"a": "made"}


def test_what_was_changed_and_is_another_object_by_now_stays_as_it_is(journalled):
    journalled.make("settings", "before", "someone")
    journalled.changed("settings")
    journalled.bench.delete("ConfigMap", journalled.ns, "settings", B)
    journalled.make("settings", "new one", "someone")
    result, left = journalled.undo()
    assert (result.phase, left) == ("Partial", {"settings": "another object has that name now"})
    assert journalled.live("settings")["data"] == {"a": "new one"}


def test_what_was_changed_and_somebody_deleted_is_not_made_again(journalled):
    journalled.make("settings", "before", "someone")
    journalled.changed("settings")
    journalled.bench.delete("ConfigMap", journalled.ns, "settings", B)
    result, left = journalled.undo()
    assert (result.phase, left) == ("Partial", {"settings": "was deleted by somebody since"})
    assert journalled.live("settings") is None


def test_what_was_there_before_and_was_changed_without_a_word_on_it_is_not_deleted(journalled):
    """A level is announced before it is known what is there; the process was killed between a change and its word."""
    journalled.make("settings", "before", "someone")
    journalled.journal.will_create(1, [journalled.ref("settings")])
    live = journalled.live("settings")
    journalled.journal.keep(1, "update", journalled.ref("settings"), live)
    kind, cluster = journalled.bench.kind("ConfigMap", context=B), journalled.bench.clusters[B]
    cluster.patch(kind, journalled.ns, "settings", {"data": {"a": "restored"}}, manager=changer(MANAGER))
    result, left = journalled.undo()
    assert (result.phase, left, result.taken_back.deleted) == ("Completed", {}, 0)
    after = journalled.live("settings")
    assert (after["metadata"]["uid"], after["data"]) == (live["metadata"]["uid"], {"a": "before"})


@pytest.mark.parametrize("action", ["recreate", "link"])
def test_what_was_recreated_is_deleted_and_the_previous_object_made_again_under_a_new_uid(journalled, action):
    journalled.make("settings", "before", "someone")
    before = journalled.live("settings")
    journalled.journal.keep(1, action, journalled.ref("settings"), before)
    journalled.bench.delete("ConfigMap", journalled.ns, "settings", B)
    journalled.journal.did(1, "recreated", journalled.ref("settings"), journalled.make("settings", "restored"))
    result, left = journalled.undo()
    assert (result.phase, left) == ("Completed", {})
    after = journalled.live("settings")
    assert content(after) == content(before)
    assert [each.why for each in result.taken_back.notes] == ["was made again: it has a new uid"]


def test_what_was_recreated_and_replaced_by_somebody_stays(journalled):
    journalled.make("settings", "before", "someone")
    journalled.journal.keep(1, "recreate", journalled.ref("settings"), journalled.live("settings"))
    journalled.bench.delete("ConfigMap", journalled.ns, "settings", B)
    journalled.journal.did(1, "recreated", journalled.ref("settings"), journalled.make("settings", "restored"))
    journalled.bench.delete("ConfigMap", journalled.ns, "settings", B)
    journalled.make("settings", "new one", "someone")
    _, left = journalled.undo()
    assert left == {"settings": "another object has that name now"}
    assert journalled.live("settings")["data"] == {"a": "new one"}


def test_levels_are_undone_in_reverse_and_each_is_journalled_before_the_next_begins(journalled, monkeypatch):
    for level, named in enumerate(("first", "second", "third"), start=1):
        journalled.created(named, level)
    journalled.make("changed", "before", "someone")
    journalled.changed("changed", level=2)
    seen = []
    cluster = journalled.bench.clusters[B]
    monkeypatch.setattr("kubeferry.tasks.restore.back.undo.connect", lambda *_: cluster)
    real_delete, real_apply = cluster.delete, cluster.apply

    def delete(kind, namespace, named, **more):
        seen.append(("delete", named))
        real_delete(kind, namespace, named, **more)

    def apply(kind, namespace, obj, **more):
        seen.append(("give back", obj["metadata"]["name"]))
        return real_apply(kind, namespace, obj, **more)

    monkeypatch.setattr(cluster, "delete", delete)
    monkeypatch.setattr(cluster, "apply", apply)
    result, left = journalled.undo()
    assert (result.phase, left) == ("Completed", {})
    ours = [each for each in seen if each[1] in ("first", "second", "third", "changed")]
    assert ours == [("delete", "third"), ("delete", "second"), ("give back", "changed"), ("delete", "first")]


def test_what_is_undone_once_is_not_undone_again(journalled):
    """An undo that left something is run again: what others did meanwhile with the rest stays."""
    journalled.created("gone")
    journalled.created("held")
    journalled.make("settings", "before", "someone")
    journalled.changed("settings")
    journalled.bench.patch("ConfigMap", journalled.ns, "held", {"metadata": {"finalizers": ["example.com/held"]}}, B)
    result, left = journalled.undo(wait_seconds=1)
    assert (result.phase, list(left), journalled.live("settings")["data"]) == ("Partial", ["held"], {"a": "before"})
    state = journalled.stored().state
    assert ([ref.name for ref in state.created], state.formers, state.end) == (["held"], {}, "Failed")
    journalled.bench.patch("ConfigMap", journalled.ns, "settings", {"data": {"a": "changed since"}}, B)
    journalled.bench.patch("ConfigMap", journalled.ns, "held", {"metadata": {"finalizers": None}}, B)
    journalled.bench.until(lambda: journalled.live("held") is None)
    result, left = journalled.undo()
    assert (result.phase, left, result.taken_back.deleted, result.taken_back.restored) == ("Completed", {}, 1, 0)
    assert journalled.live("settings")["data"] == {"a": "changed since"}
    assert journalled.stored().state.end == "Undone"


@pytest.mark.parametrize("what", ["created", "changed", "announced"])
def test_undo_takes_every_namespace_in_which_the_restore_did_anything(bench, journalled, what):
    if what == "created":
        journalled.created("a")
    elif what == "announced":
        journalled.journal.will_create(1, [journalled.ref("a")])
        journalled.make("a")
    else:
        journalled.make("a", "before", "someone")
        journalled.changed("a")
    taken = lease(journalled.ns, Holder("another", "another-host", 17, "x:1"), clock.now() + timedelta(seconds=50))
    held, _ = bench.clusters[B].create(LEASES, journalled.ns, taken)
    try:
        with pytest.raises(PermanentError, match="is being worked on by restore another"):
            journalled.undo()
        assert journalled.live("a")
    finally:
        bench.clusters[B].delete(LEASES, journalled.ns, held["metadata"]["name"], uid=held["metadata"]["uid"])


def test_many_of_a_kind_are_looked_at_together_and_each_proves_itself(journalled):
    names = [f"many-{number:02}" for number in range(30)]
    for named in names[:-1]:
        journalled.created(named)
    journalled.make(names[-1], manager="someone")
    journalled.journal.will_create(1, [journalled.ref(names[-1])])
    journalled.journal.did(1, "created", journalled.ref(names[-1]), journalled.live(names[-1])["metadata"]["uid"])
    result, left = journalled.undo()
    assert (result.taken_back.deleted, list(left)) == (29, [names[-1]])
    assert journalled.live(names[-1])
    assert journalled.live(names[0]) is None


def test_the_lease_of_a_killed_restore_goes_where_it_had_no_time_to_write_anything(journalled):
    """It takes one in each of its namespaces first: one that stays tells others that the namespace is worked on."""
    ended = clock.now() - timedelta(hours=1)
    left = lease(journalled.ns, Holder(journalled.name, "another-host", 17, "x:1"), ended)
    cluster = journalled.bench.clusters[B]
    cluster.create(LEASES, journalled.ns, left)
    result, _ = journalled.undo()
    assert result.phase == "Completed"
    assert cluster.find(LEASES, journalled.ns, left["metadata"]["name"]) is None


# --- owners that are gone, and what goes with them


@pytest.fixture
def child(bench, journalled):
    """Make an owner and its child; return how the child was before its owner was deleted."""
    uid = journalled.make("owner", "before", "someone")
    journalled.make("child", "before", "someone")
    tie = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    return bench.patch("ConfigMap", journalled.ns, "child", {"metadata": {"ownerReferences": [tie]}}, B)


def test_a_child_comes_back_also_when_the_garbage_collector_is_about_to_take_it(bench, journalled, child, monkeypatch):
    """The restore re-creates its owner and fails at once: now the child is there, and a moment later it is not."""
    journalled.journal.keep(2, "link", journalled.ref("child"), child)
    journalled.journal.keep(1, "recreate", journalled.ref("owner"), journalled.live("owner"))
    find = Cluster.find

    def late(self, kind, namespace, named):
        found = find(self, kind, namespace, named)
        if named == "child":
            monkeypatch.setattr(Cluster, "find", find)
            bench.delete("ConfigMap", journalled.ns, "owner", B)
        return found

    monkeypatch.setattr(Cluster, "find", late)
    result, left = journalled.undo(force=True)
    assert (result.phase, left) == ("Completed", {})
    bench.collected(B)
    now, owner = journalled.live("child"), journalled.live("owner")
    assert (now["data"], now["metadata"].get("deletionTimestamp")) == ({"a": "before"}, None)
    assert [each["uid"] for each in now["metadata"]["ownerReferences"]] == [owner["metadata"]["uid"]]


def test_a_child_whose_owner_does_not_come_back_stays_without_it_and_that_is_said(bench, journalled, child):
    journalled.journal.keep(1, "link", journalled.ref("child"), child)
    bench.delete("ConfigMap", journalled.ns, "owner", B)
    result, left = journalled.undo(force=True)
    assert (result.phase, left) == ("Partial", {"child": "is there again without its owner ConfigMap owner"})
    bench.collected(B)
    now = journalled.live("child")
    assert (now["data"], now["metadata"].get("ownerReferences")) == ({"a": "before"}, None)


def test_a_child_that_is_refused_is_left_with_one_reason_and_nothing_of_its_name_gets_its_owner(
    bench, journalled, child, monkeypatch
):
    journalled.journal.keep(2, "link", journalled.ref("child"), child)
    journalled.journal.keep(1, "recreate", journalled.ref("owner"), journalled.live("owner"))
    for named in ("child", "owner"):
        bench.delete("ConfigMap", journalled.ns, named, B)
    create = Cluster.create

    def refuse(self, kind, namespace, obj, **options):
        if obj["metadata"]["name"] == "child":
            monkeypatch.setattr(Cluster, "create", create)
            journalled.make("child", "new one", "someone")
            raise InvalidError("no more of these")
        return create(self, kind, namespace, obj, **options)

    monkeypatch.setattr(Cluster, "create", refuse)
    result, left = journalled.undo(force=True)
    assert [(each.what.rpartition("/")[2], each.why) for each in result.taken_back.left] == [
        ("child", "no more of these")
    ]
    assert (left, result.taken_back.restored) == ({"child": "no more of these"}, 1)
    now = journalled.live("child")
    assert (now["data"], now["metadata"].get("ownerReferences")) == ({"a": "new one"}, None)
    assert [ref.name for ref in journalled.stored().state.formers] == ["child"]


def going(journalled, named, value="before"):
    """Make an object that is being deleted, which its finalizer holds; return how it was."""
    journalled.make(named, value, "someone")
    held = {"metadata": {"finalizers": ["example.com/held"]}}
    before = journalled.bench.patch("ConfigMap", journalled.ns, named, held, B)
    kind = journalled.bench.kind("ConfigMap", context=B)
    journalled.bench.clusters[B].delete(kind, journalled.ns, named, uid=before["metadata"]["uid"])
    return before


def test_what_is_on_its_way_out_is_made_again_when_it_is_gone(bench, journalled):
    journalled.journal.keep(1, "link", journalled.ref("child"), going(journalled, "child"))
    free = {"metadata": {"finalizers": None}}
    timer = Timer(1, bench.patch, ("ConfigMap", journalled.ns, "child", free, B))
    timer.start()
    result, left = journalled.undo(force=True)
    timer.join()
    assert (result.phase, left, result.taken_back.restored) == ("Completed", {}, 1)
    now = journalled.live("child")
    assert (now["data"], now["metadata"].get("deletionTimestamp")) == ({"a": "before"}, None)


@pytest.mark.parametrize("action", ["link", "update"])
def test_what_is_on_its_way_out_and_stays_is_reported(journalled, action):
    journalled.journal.keep(1, action, journalled.ref("child"), going(journalled, "child"))
    result, left = journalled.undo(wait_seconds=1, force=True)
    assert (result.phase, list(left), result.taken_back.restored) == ("Partial", ["child"], 0)
    assert left["child"].startswith("is being deleted")


def test_another_object_that_gets_in_between_is_not_given_the_former_content(bench, journalled, monkeypatch):
    journalled.make("settings", "before", "someone")
    journalled.changed("settings")
    apply = Cluster.apply

    def late(self, kind, namespace, obj, **options):
        if obj["metadata"]["name"] == "settings":
            bench.delete("ConfigMap", journalled.ns, "settings", B)
            journalled.make("settings", "new one", "someone")
        return apply(self, kind, namespace, obj, **options)

    monkeypatch.setattr(Cluster, "apply", late)
    result, left = journalled.undo()
    assert (result.phase, list(left)) == ("Partial", ["settings"])
    assert left["settings"].startswith("cannot be given its former content: ")
    assert journalled.live("settings")["data"] == {"a": "new one"}


def test_owners_that_a_store_made_up_are_refused(journalled):
    journalled.make("settings", "before", "someone")
    live = journalled.live("settings")
    bad = live["metadata"] | {"ownerReferences": [{"kind": "ConfigMap", "name": 1}]}
    journalled.journal.keep(1, "link", journalled.ref("settings"), live | {"metadata": bad})
    result, left = journalled.undo(force=True)
    assert (result.phase, left) == ("Partial", {"settings": "what was kept of it was changed in the store"})
