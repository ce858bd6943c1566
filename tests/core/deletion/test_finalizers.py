"""What keeps an object that is being deleted is named: its own finalizers, or those of what it owns."""

import pytest

from kubeferry.tasks.core.deletion.finalizers import (
    MOST,
    by_owner,
    finalizers_of,
    held_up,
    own_finalizers,
    still_there,
    waits_for_dependents,
)


def obj(kind, name, finalizers=(), owners=(), *, deleted=True, **more):
    meta = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "finalizers": list(finalizers)}
    meta["ownerReferences"] = [{"kind": "K", "name": each, "uid": f"uid-{each}"} for each in owners]
    meta |= {"deletionTimestamp": "2026-01-02T03:04:05Z"} if deleted else {}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta, **more}


WEB = obj("Deployment", "web", ["foregroundDeletion"])
SET = obj("ReplicaSet", "web-1", ["foregroundDeletion"], ["web"])
POD = obj("Pod", "web-1-a", ["example.com/drain"], ["web-1"])
IDLE = obj("Pod", "web-1-b", [], ["web-1"])
OTHER = obj("Pod", "other", ["example.com/drain"], ["other-1"])
OWNED = by_owner([SET, POD, IDLE, OTHER])


def test_the_garbage_collectors_finalizers_are_nobodys_own():
    assert own_finalizers(obj("X", "x", ["orphan", "a.example.com/b", "foregroundDeletion"])) == ["a.example.com/b"]
    assert [waits_for_dependents(each) for each in (WEB, POD, IDLE)] == [True, False, False]


def test_a_finalizer_two_owners_down_is_found():
    assert finalizers_of(WEB, OWNED) == [POD]


def test_what_waits_for_itself_only_is_kept_by_nothing_that_it_owns():
    own = obj("Widget", "w", ["example.com/a"])
    assert finalizers_of(own, by_owner([obj("Pod", "p", ["example.com/b"], ["w"])])) == []


def test_owners_in_a_circle_end():
    first, second = obj("X", "a", ["orphan"], ["b"]), obj("X", "b", ["example.com/f"], ["a"])
    assert finalizers_of(first, by_owner([first, second])) == [second]


@pytest.mark.parametrize(
    ("live", "blocking", "message"),
    [
        (POD, [], "is being deleted and still exists after 5 s: it waits for example.com/drain"),
        (
            WEB,
            [POD],
            "is being deleted and still exists after 5 s: it waits for Pod shop/web-1-a (example.com/drain)",
        ),
        (WEB, [], "is being deleted and still exists after 5 s: it waits for foregroundDeletion"),
        (IDLE, [], "is being deleted and still exists after 5 s"),
        (obj("Secret", "s", deleted=False), [], "was to be deleted with its owner and still exists after 5 s"),
    ],
)
def test_what_is_still_there_says_for_what_it_waits(live, blocking, message):
    assert still_there(live, 5, blocking) == message


def test_of_many_blockers_some_are_named():
    many = [obj("Pod", f"p{number}", ["example.com/drain"]) for number in range(MOST + 2)]
    message = still_there(WEB, 5, many)
    assert message.endswith("2 more")
    assert message.count("example.com/drain") == MOST


def test_a_namespace_says_what_holds_it_up():
    conditions = [
        {"type": "NamespaceContentRemaining", "status": "True", "message": "some resources are remaining"},
        {"type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "no"},
        {"type": "Ready", "status": "True", "message": "no"},
    ]
    live = obj("Namespace", "shop", status={"conditions": conditions})
    assert still_there(live, 5) == "is being deleted and still exists after 5 s: some resources are remaining"


def space(*conditions, meta=None, finalizers=("kubernetes",)):
    status = {"conditions": [{"type": kind, "status": state, "message": text} for kind, state, text in conditions]}
    return {"metadata": {"name": "shop", **(meta or {})}, "spec": {"finalizers": [*finalizers]}, "status": status}


REMAINING = "Some content in the namespace has finalizers remaining: example.com/held in 1 resource instances"


def test_a_namespace_that_goes_says_what_it_waits_for():
    """The sentences are those of the namespace controller."""
    conditions = (
        ("NamespaceDeletionDiscoveryFailure", "False", "All resources successfully discovered"),
        ("NamespaceFinalizersRemaining", "True", REMAINING),
    )
    assert held_up(space(*conditions)) == REMAINING
    assert held_up(space()) == ""
    own = held_up(space(meta={"finalizers": ["a/b"]}, finalizers=["kubernetes", "c/d"]))
    assert own == "finalizer a/b of the namespace itself; finalizer c/d of the namespace itself"
