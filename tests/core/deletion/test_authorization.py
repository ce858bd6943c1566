"""What a bundle's deletion reports besides what it deletes: what needs it, what is unlinked, and all in order."""

from datetime import UTC, datetime

import pytest

from kubeferry.tasks.core.deletion.authorization import Authority
from kubeferry.tasks.core.deletion.cascade import OLDER, UNPROVED, of_bundles, of_selection
from kubeferry.tasks.core.deletion.inventory import Inventory
from kubeferry.tasks.core.formats.target.bundle import Member, bundle, maker, owner, parts
from kubeferry.tasks.core.kube.label_selectors import parse_selector
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.plugins.registry import Registry
from kubeferry.tasks.core.selection.policy import UNKNOWN_CLUSTER

BEFORE, BUNDLED, AFTER = "2026-01-02T03:04:05Z", "2026-01-02T03:05:00Z", "2026-01-02T03:05:09Z"
UID = "bundle-uid"
MADE = {"managedFields": [{"manager": maker("kubeferry-0123456789ab", UID)}]}
MINE = {"ownerReferences": [owner("r", UID)]}


def obj(kind, name, *, api="v1", created=AFTER, meta=None, **more):
    own = {"name": name, "namespace": "shop", "uid": f"{kind}-{name}", "creationTimestamp": created}
    return {"apiVersion": api, "kind": kind, "metadata": own | (meta or {}), **more}


def deployment(name, secret, meta=None):
    container = {"name": "c", "envFrom": [{"secretRef": {"name": secret}}]}
    return obj("Deployment", name, api="apps/v1", meta=meta, spec={"template": {"spec": {"containers": [container]}}})


def owned(*owners, **flags):
    return {
        "ownerReferences": [
            {"apiVersion": each["apiVersion"], "kind": each["kind"], "name": each["metadata"]["name"]}
            | {"uid": each["metadata"]["uid"]}
            | flags
            for each in owners
        ]
    }


def found(*objects, lists=(), selector=""):
    known = Inventory(Registry(()), parse_selector(selector))
    for each in objects:
        known.look(each, UNKNOWN_CLUSTER)
    if selector:
        return of_selection(known)
    made = bundle("shop", "r", "b", "file:///s", datetime(2026, 1, 2, tzinfo=UTC))
    made["metadata"] |= {"uid": UID, "creationTimestamp": BUNDLED}
    members = [Member(level, Ref.of(each), each["metadata"]["uid"]) for level, each in lists]
    made["status"] = parts("r", "Completed", members)[0][1]
    return of_bundles([Authority.of(made, [])], known)


def needed(group):
    return [(edge.target.name, edge.source.name) for edge in group.needed]


def test_what_was_there_before_is_untied_from_what_was_made_for_the_bundle_though_the_bundle_owns_it_not():
    """The garbage collector would take somebody's older Secret along with its new owner."""
    boss = obj("Widget", "boss", api="example.com/v1", meta=MADE)
    old = obj("Secret", "old", created=BEFORE, meta=owned(boss))
    group = found(boss, old, lists=[(1, boss)])
    assert [each.ref.name for each in group.asked] == ["boss"]
    assert group.following == {}
    assert group.stays == [(Ref.of(old), OLDER)]
    assert group.untie == {Ref.of(old): {boss["metadata"]["uid"]}}


def test_what_is_cluster_wide_and_was_there_before_is_untied_too():
    boss = obj("Fleet", "boss", api="example.com/v1", meta=MADE | {"namespace": ""})
    old = obj("ClusterRole", "old", api="rbac.authorization.k8s.io/v1", created=BEFORE, meta=owned(boss))
    old["metadata"]["namespace"] = ""
    group = found(boss, old, lists=[(1, boss)])
    assert [each.ref.name for each in group.asked] == ["boss"]
    assert (group.following, group.stays) == ({}, [(Ref.of(old), OLDER)])
    assert group.untie == {Ref.of(old): {boss["metadata"]["uid"]}}


def test_what_stays_and_needs_what_a_bundle_deletes_is_reported_and_nothing_else():
    mine, other = obj("Secret", "mine", meta=MINE), obj("Secret", "other")
    users = deployment("user", "mine"), deployment("stranger", "other"), deployment("inside", "mine", MINE)
    group = found(mine, other, *users, lists=[(1, mine)])
    assert needed(group) == [("mine", "user")]


def test_what_stays_and_needs_what_is_only_deleted_along_is_reported_too():
    boss = obj("Widget", "boss", api="example.com/v1", meta=MINE)
    key = obj("Secret", "key", meta=owned(boss))
    group = found(boss, key, deployment("user", "key"), lists=[(1, boss)])
    assert [each.ref.name for each in group.following] == ["key"]
    assert needed(group) == [("key", "user")]


def test_a_member_without_proof_that_is_deleted_with_its_owner_is_not_reported_to_stay():
    boss = obj("Widget", "boss", api="example.com/v1", meta=MINE)
    child = obj("Secret", "child", meta=owned(boss))
    assert found(boss, child, lists=[(1, boss), (2, child)]).refused == []
    assert found(child, lists=[(2, child)]).refused == [("Secret shop/child", UNPROVED)]


def test_all_that_is_reported_is_in_order_whatever_order_the_cluster_answers_in():
    made = [obj("Secret", name, meta=MINE) for name in "cab"]
    old = [obj("ConfigMap", name, created=BEFORE, meta=MINE) for name in "zxy"]
    group = found(*old, *made, lists=[(2, made[0]), (1, made[2]), (1, made[1])])
    assert [(each.level, each.ref.name) for each in group.asked] == [(1, "a"), (1, "b"), (2, "c")]
    assert [ref.name for ref, _ in group.stays] == ["x", "y", "z"]


@pytest.mark.parametrize("turn", [1, -1])
def test_all_that_a_selection_reports_is_in_order_too(turn):
    label = {"labels": {"app": "web"}}
    chosen = [obj("Secret", name, meta=label) for name in "ab"]
    users = [deployment(name, secret) for name, secret in (("one", "b"), ("two", "a"), ("three", "a"))]
    group = found(*[*chosen, *users][::turn], selector="app=web")
    assert [each.ref.name for each in group.asked] == ["a", "b"]
    assert needed(group) == [("a", "three"), ("a", "two"), ("b", "one")]


def test_a_digest_does_not_depend_on_the_order_of_members():
    one, other = (obj("Secret", name, meta=MINE) for name in "ab")
    first = found(one, other, lists=[(1, one), (1, other)])
    second = found(other, one, lists=[(1, other), (2, one)])
    assert first.digest == second.digest


def test_what_was_made_for_the_bundle_is_not_older_than_it_whatever_the_clocks_say():
    mine = obj("Secret", "mine", created=BEFORE, meta=MINE | MADE)
    group = found(mine, lists=[(1, mine)])
    assert [each.ref.name for each in group.asked] == ["mine"]
    assert (group.stays, group.untie) == ([], {})


def test_an_author_says_by_annotation_what_goes_first():
    """A selection is deleted in the reverse of the order in which a restore would make it."""
    label = {"labels": {"app": "web"}}
    late = {"annotations": {"kubeferry.io/category": "traffic"}}
    secret, web = obj("Secret", "s", meta=label | late), deployment("web", "other", label)
    group = found(secret, web, selector="app=web")
    assert [(each.level, each.ref.name) for each in group.asked] == [(1, "web"), (2, "s")]


def test_of_what_has_the_same_turn_the_lower_level_is_the_earlier_one():
    label = {"labels": {"app": "web"}}
    notes = [{"annotations": {"kubeferry.io/level": level}} for level in ("2", "-1")]
    first, second = (obj("Secret", name, meta=label | note) for name, note in zip("ab", notes, strict=True))
    group = found(first, second, selector="app=web")
    assert [(each.level, each.ref.name) for each in group.asked] == [(1, "b"), (2, "a")]


def test_facts_that_are_collected_object_by_object_are_the_same_facts():
    """Kinds are read side by side; what each part saw is added up, whatever it is."""
    label = {"labels": {"app": "web"}}
    web = deployment("web", "s", label | {"annotations": {"kubeferry.io/category": "traffic"}})
    replicas = obj("ReplicaSet", "web-1", api="apps/v1", meta=label | owned(web, controller=True))
    subject = {"kind": "ServiceAccount", "name": "runner"}
    rights = obj("RoleBinding", "runs", api="rbac.authorization.k8s.io/v1", meta=label, subjects=[subject], roleRef={})
    odd = obj("ConfigMap", "odd", meta={"annotations": {"kubeferry.io/depends-on": "what?"}})
    kept = obj("Secret", "kept", meta={"labels": {"app": "web", "kubeferry.io/exclude": "true"}})
    secret, account = obj("Secret", "s", meta=label), obj("ServiceAccount", "runner")
    every = [web, replicas, rights, odd, kept, secret, account]
    together, apart = (Inventory(Registry(()), parse_selector("app=web")) for _ in range(2))
    for each in every:
        together.look(each, UNKNOWN_CLUSTER)
        one = Inventory(Registry(()), parse_selector("app=web"))
        one.look(each, UNKNOWN_CLUSTER)
        one.unread[each["kind"], ""] = "forbidden"
        apart.add(one)
    for name in ("objects", "hints", "selected", "stays", "unclear"):
        assert getattr(apart, name) == getattr(together, name) != type(getattr(together, name))(), name
    assert set(apart.needs()) == set(together.needs())
    assert apart.unread.keys() == {(each["kind"], "") for each in every}
    assert apart.controller(Ref.of(replicas)) == Ref.of(web)
    assert of_selection(apart) == of_selection(together)


def test_what_its_author_keeps_needs_what_is_deleted_all_the_same():
    secret = obj("Secret", "s", meta={"labels": {"app": "web"}})
    kept = deployment("kept", "s", {"labels": {"kubeferry.io/exclude": "true"}})
    group = found(secret, kept, selector="app=web")
    assert needed(group) == [("s", "kept")]


def test_what_has_to_be_done_before_an_object_is_gone_is_known():
    known = Inventory(Registry(()), parse_selector(""))
    known.look(obj("Secret", "s", meta={"finalizers": ["example.com/hold", "foregroundDeletion"]}), UNKNOWN_CLUSTER)
    known.look(obj("Secret", "t"), UNKNOWN_CLUSTER)
    assert [each.finalizers for each in known.objects.values()] == [("example.com/hold", "foregroundDeletion"), ()]
