"""Which objects a deletion takes and in which order; a bundle takes nothing that does not prove to be its own."""

from datetime import UTC, datetime

import pytest

from kubeferry.tasks.core.deletion.authorization import Authority
from kubeferry.tasks.core.deletion.cascade import NAMELESS, OLDER, REPLACED, UNPROVED, of_bundles, of_selection
from kubeferry.tasks.core.deletion.inventory import Inventory
from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.target.bundle import MEMBERS, Member, bundle, maker, owner, parts
from kubeferry.tasks.core.kube.label_selectors import parse_selector
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.plugins.registry import Registry
from kubeferry.tasks.core.selection.policy import UNKNOWN_CLUSTER, ClusterContext
from kubeferry.tasks.ports.local.plugins import installed

BEFORE, BUNDLED, AFTER = "2026-01-02T03:04:05Z", "2026-01-02T03:05:00Z", "2026-01-02T03:05:09Z"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
MANAGER = "kubeferry-0123456789ab"
UID = "bundle-uid"
OWNER = owner("r", UID)
MINE = {"ownerReferences": [OWNER]}
MADE = {"managedFields": [{"manager": maker(MANAGER, UID)}]}


def obj(kind, name, *, api="v1", namespace="shop", labels=None, created=AFTER, meta=None, **more):
    own = {"name": name, "namespace": namespace, "uid": f"{kind}-{name}", "creationTimestamp": created}
    own = {key: value for key, value in own.items() if value} | ({"labels": labels} if labels else {})
    return {"apiVersion": api, "kind": kind, "metadata": own | (meta or {}), **more}


def deployment(name, *, labels=None, secret="", meta=None):
    env = [{"secretRef": {"name": secret}}] if secret else []
    spec = {"template": {"spec": {"containers": [{"name": "c", "envFrom": env}]}}}
    return obj("Deployment", name, api="apps/v1", labels=labels, meta=meta, spec=spec)


def tied(obj, kind="Deployment", api="apps/v1", **flags):
    """Return metadata that says that `obj` owns it."""
    name = obj["metadata"]["name"]
    return {
        "ownerReferences": [{"apiVersion": api, "kind": kind, "name": name, "uid": obj["metadata"]["uid"], **flags}]
    }


def facts(*objects, selector="", around=UNKNOWN_CLUSTER):
    found = Inventory(installed(), parse_selector(selector))
    for each in objects:
        found.look(each, around)
    return found


def charter(*members, namespace="shop", name="r", uid=UID):
    made = bundle(namespace, name, "b", "file:///s", NOW)
    made["metadata"] |= {"uid": uid, "creationTimestamp": BUNDLED}
    made["status"] = parts(name, "Completed", members)[0][1]
    return Authority.of(made, [])


def listed(live, level=1, **changed):
    ref = Ref.of(live)
    return Member(
        level,
        Ref(**{name: changed.get(name, getattr(ref, name)) for name in ("group", "kind", "namespace", "name")}),
        changed.get("uid", live["metadata"]["uid"]),
    )


def named(group):
    """Return (asked by level, following, stays, refused) with names only."""
    levels = {}
    for each in group.asked:
        levels.setdefault(each.level, []).append(each.ref.name)
    return (
        levels,
        [each.ref.name for each in group.following],
        {ref.name: why.text for ref, why in group.stays},
        dict(group.refused),
    )


# --- bundles


def test_a_bundle_takes_its_members_level_by_level():
    secret, web = obj("Secret", "s", meta=MINE), deployment("web", meta=MINE)
    found = of_bundles([charter(listed(secret, 1), listed(web, 4))], facts(secret, web))
    assert named(found) == ({1: ["s"], 4: ["web"]}, [], {}, {})


SECRET = obj("Secret", "x")
ROLE = obj("ClusterRole", "x", api="rbac.authorization.k8s.io/v1", namespace="")
BOUND = {"Secret": SECRET, "ClusterRole": ROLE}


@pytest.mark.parametrize(
    ("live", "member", "why"),
    [
        # what the object says, what the bundle lists, why it is not taken
        (SECRET, listed(SECRET), UNPROVED),
        (obj("Secret", "x", meta={"managedFields": [{"manager": MANAGER}]}), listed(SECRET), UNPROVED),
        (
            obj("Secret", "x", meta={"managedFields": [{"manager": maker(MANAGER, "another")}]}),
            listed(SECRET),
            UNPROVED,
        ),
        (obj("Secret", "x", meta={"ownerReferences": [owner("r", "another")]}), listed(SECRET), UNPROVED),
        (ROLE, listed(ROLE), UNPROVED),
        (
            obj("Secret", "x", namespace="kube-system"),
            listed(obj("Secret", "x", namespace="kube-system")),
            "is listed, but is in another namespace than the bundle",
        ),
        (
            obj("Secret", "x", namespace="kube-system", meta=MINE | MADE),
            listed(obj("Secret", "x", namespace="kube-system")),
            "is listed, but is in another namespace than the bundle",
        ),
        *(
            (each, listed(each), "is listed, but no restore lists its kind")
            for each in (
                obj("Namespace", "victim", namespace="", meta=MADE),
                obj(
                    "CustomResourceDefinition", "v.example.com", api="apiextensions.k8s.io/v1", namespace="", meta=MADE
                ),
                obj("Bundle", "other", api="kubeferry.io/v1alpha1", meta=MADE | MINE),
            )
        ),
    ],
)
def test_what_proves_nothing_is_refused_whatever_the_bundle_lists(live, member, why):
    found = of_bundles([charter(member)], facts(live))
    assert named(found) == ({}, [], {}, {str(Ref.of(live)): why})
    assert found.untie == {}


@pytest.mark.parametrize(
    "live",
    [
        obj("Secret", "x", meta=MADE),
        obj("Secret", "x", meta=MINE),
        obj("Secret", "x", meta=MADE, created=BEFORE),  # clocks of API servers may differ: the uid was known to it
        obj("ClusterRole", "x", api="rbac.authorization.k8s.io/v1", namespace="", meta=MADE),
    ],
)
@pytest.mark.parametrize("lists", [True, False])
def test_what_proves_to_be_its_own_is_taken_listed_or_not(live, lists):
    """A restore that was killed had no time to list what it created."""
    found = of_bundles([charter(*([listed(live)] if lists else []))], facts(live))
    assert named(found) == ({1: ["x"]}, [], {}, {})


def test_a_cluster_wide_object_is_never_proved_by_an_owner():
    """A namespaced owner is one that Kubernetes does not allow there."""
    live = obj("ClusterRole", "x", api="rbac.authorization.k8s.io/v1", namespace="", meta=MINE)
    found = of_bundles([charter(listed(live))], facts(live))
    assert [each.ref.name for each in found.asked] == []


def test_an_object_that_took_the_name_stays():
    found = of_bundles([charter(listed(SECRET, uid="former"))], facts(SECRET))
    assert named(found) == ({}, [], {"x": REPLACED.text}, {})


def test_what_is_gone_is_not_reported():
    assert named(of_bundles([charter(listed(SECRET))], facts())) == ({}, [], {}, {})


def test_what_could_not_be_read_is_not_taken_for_gone():
    known = facts()
    known.unread["", "Secret"] = "forbidden"
    assert named(of_bundles([charter(listed(SECRET))], known))[3] == {"Secret shop/x": "forbidden"}
    known = facts()
    known.unread["apps", ""] = "its API server does not answer"
    web = deployment("web")
    assert named(of_bundles([charter(listed(web))], known))[3] == {
        "Deployment.apps shop/web": "its API server does not answer"
    }


def test_a_list_that_names_nothing_is_reported():
    made = charter()
    found = of_bundles([Authority("shop", "r", UID, BUNDLED, (), ("nonsense",), made.parts)], facts())
    assert found.refused == [("nonsense", NAMELESS)]


def test_what_depends_on_members_is_left_to_the_garbage_collector():
    web = deployment("web", meta=MINE)
    replicas = obj("ReplicaSet", "web-1", api="apps/v1", meta=tied(web, controller=True) | MADE)
    pod = obj("Pod", "web-1-a", meta=tied(replicas, "ReplicaSet", controller=True))
    found = of_bundles([charter(listed(web, 3), listed(replicas, 4))], facts(web, replicas, pod))
    assert named(found)[:2] == ({3: ["web"]}, ["web-1-a", "web-1"])
    assert {each.level for each in found.following} == {3}
    assert set(found.following.values()) == {frozenset([web["metadata"]["uid"]])}


def test_a_member_whose_owner_was_there_before_is_deleted_by_itself():
    boss = obj("Widget", "boss", api="example.com/v1", created=BEFORE)
    child = obj("Secret", "child", meta=tied(boss, "Widget", "example.com/v1") | MADE)
    found = of_bundles([charter(listed(child, 2))], facts(boss, child))
    assert named(found) == ({2: ["child"]}, [], {}, {})


def test_what_was_there_before_is_untied_and_stays():
    boss = obj("Widget", "boss", api="example.com/v1", meta=MINE)
    tie = tied(boss, "Widget", "example.com/v1")
    old = obj("Secret", "old", created=BEFORE, meta=tie)
    adopted = obj("Secret", "adopted", created=BEFORE, meta=MINE)
    below = obj("Secret", "below", created=BEFORE, meta=tied(old, "Secret", "v1"))
    found = of_bundles([charter(listed(boss))], facts(boss, old, adopted, below))
    assert named(found)[:2] == ({1: ["boss"]}, [])
    assert named(found)[2] == dict.fromkeys(["old", "adopted", "below"], OLDER.text)
    assert {ref.name: owners for ref, owners in found.untie.items()} == {
        "old": {boss["metadata"]["uid"]},
        "adopted": {UID},
    }


@pytest.mark.parametrize(
    ("created", "controller", "stays"),
    [
        (BEFORE, True, True),
        (BEFORE, False, True),
        (BUNDLED, True, False),
        (BUNDLED, False, True),
        (AFTER, False, False),
    ],
)
def test_of_what_came_in_the_second_of_the_bundle_only_what_a_controller_made_is_newer(created, controller, stays):
    boss = obj("Widget", "boss", api="example.com/v1", meta=MINE)
    child = obj("Secret", "child", created=created, meta=tied(boss, "Widget", "example.com/v1", controller=controller))
    found = of_bundles([charter(listed(boss))], facts(boss, child))
    assert (named(found)[1], named(found)[2]) == (([], {"child": OLDER.text}) if stays else (["child"], {}))


def test_what_was_there_before_and_has_another_owner_is_left_alone():
    boss, other = obj("Widget", "boss", api="example.com/v1", meta=MINE), obj("ConfigMap", "other", created=BEFORE)
    ties = [
        *tied(boss, "Widget", "example.com/v1")["ownerReferences"],
        *tied(other, "ConfigMap", "v1")["ownerReferences"],
    ]
    old = obj("Secret", "old", created=BEFORE, meta={"ownerReferences": ties})
    found = of_bundles([charter(listed(boss))], facts(boss, other, old))
    assert (named(found)[1:3], found.untie) == (([], {}), {})


def test_what_was_added_since_is_deleted_first_in_its_own_order():
    listed_one = obj("ConfigMap", "listed", meta=MINE)
    web, secret = deployment("web", secret="s", meta=MINE), obj("Secret", "s", meta=MINE)
    found = of_bundles([charter(listed(listed_one, 5))], facts(listed_one, web, secret))
    assert named(found)[0] == {5: ["listed"], 6: ["s"], 7: ["web"]}


def test_a_part_is_not_the_bundle():
    part = bundle("shop", "r-part-2", "b", "s", NOW)
    part["metadata"] |= {"uid": "u", "creationTimestamp": AFTER, "ownerReferences": [OWNER]}
    with pytest.raises(UsageError, match="r-part-2 is a part of bundle r: name that bundle"):
        Authority.of(part, [])


def test_parts_are_those_that_the_first_owns_and_the_first_is_deleted_last():
    first, second, stranger = (bundle("shop", name, "b", "s", NOW) for name in ("r", "r-part-2", "r-part-3"))
    first["metadata"] |= {"uid": UID, "creationTimestamp": BUNDLED}
    second["metadata"] |= {"uid": "u2", "creationTimestamp": AFTER, "ownerReferences": [OWNER]}
    stranger["metadata"] |= {"uid": "u3", "creationTimestamp": AFTER}
    for each, live in ((second, SECRET), (stranger, obj("Secret", "y"))):
        each["status"] = parts("r", "Completed", [listed(live)])[0][1]
    found = Authority.of(first, [second, stranger])
    assert [ref.name for ref, _ in found.parts] == ["r-part-2", "r"]
    assert [member.ref.name for member in found.members] == ["x"]


def test_a_bundle_of_twelve_thousand_members():
    live = [obj("Secret", f"s{number:05}", meta=MINE if number % 2 else MADE) for number in range(12_000)]
    first, *further = parts("r", "Completed", [listed(each, number % 5 + 1) for number, each in enumerate(live)])
    made = []
    for name, status in (first, *further):
        part = bundle("shop", name, "b", "s", NOW)
        part["metadata"] |= {"uid": UID if name == "r" else name, "creationTimestamp": BUNDLED}
        part["metadata"] |= {} if name == "r" else {"ownerReferences": [OWNER]}
        made.append(part | {"status": status})
    assert len(made) == -(-12_000 // MEMBERS)
    found = of_bundles([Authority.of(made[0], made)], facts(*live))
    assert (len(found.asked), found.refused, found.stays) == (12_000, [], [])
    assert {each.level for each in found.asked} == {1, 2, 3, 4, 5}
    assert found.asked == sorted(found.asked)


# --- labels

APP = {"app": "web"}


def test_labels_choose_what_a_backup_would_include_in_the_order_of_a_restore():
    web = deployment("web", labels=APP, secret="s")
    replicas = obj("ReplicaSet", "web-1", api="apps/v1", labels=APP, meta=tied(web, controller=True))
    pod = obj("Pod", "web-1-a", labels=APP, meta=tied(replicas, "ReplicaSet", controller=True))
    secret, other = obj("Secret", "s", labels=APP), obj("Secret", "other", labels={"app": "db"})
    found = of_selection(facts(web, replicas, pod, secret, other, selector="app=web"))
    assert named(found) == ({1: ["s"], 2: ["web"]}, ["web-1-a", "web-1"], {}, {})


def test_what_needs_something_that_is_deleted_with_its_owner_is_deleted_before_that_owner():
    boss = obj(
        "Widget", "boss", api="example.com/v1", labels=APP, meta={"annotations": {"kubeferry.io/category": "config"}}
    )
    secret = obj("Secret", "s", labels=APP, meta=tied(boss, "Widget", "example.com/v1"))
    web = deployment("web", labels=APP, secret="s")
    found = of_selection(facts(boss, secret, web, selector="app=web"))
    assert named(found)[:2] == ({1: ["boss"], 2: ["web"]}, ["s"])
    assert found.users == {
        boss["metadata"]["uid"]: {web["metadata"]["uid"], secret["metadata"]["uid"]} - {secret["metadata"]["uid"]}
    }


@pytest.mark.parametrize(
    ("live", "around", "why"),
    [
        (
            obj("ConfigMap", "kube-root-ca.crt", labels=APP),
            UNKNOWN_CLUSTER,
            "every cluster publishes its own root certificate",
        ),
        (obj("ServiceAccount", "default", labels=APP), UNKNOWN_CLUSTER, "every namespace has one"),
        (
            obj("Secret", "s", labels=APP | {"kubeferry.io/exclude": "true"}),
            UNKNOWN_CLUSTER,
            "labelled kubeferry.io/exclude=true",
        ),
        (
            obj("Endpoints", "web", labels=APP),
            ClusterContext(selecting_services=frozenset({"web"})),
            "the endpoints controller creates it from the Service's pods",
        ),
        (
            obj(
                "Pod", "p", labels=APP, meta=tied(obj("ReplicaSet", "r", api="apps/v1"), "ReplicaSet", controller=True)
            ),
            UNKNOWN_CLUSTER,
            "left to its controller, ReplicaSet r",
        ),
    ],
)
def test_what_no_backup_includes_stays_with_the_reason(live, around, why):
    found = of_selection(facts(live, selector="app=web", around=around))
    assert named(found) == ({}, [], {live["metadata"]["name"]: why}, {})


def test_what_a_live_controller_would_make_again_stays():
    web = deployment("web")
    replicas = obj("ReplicaSet", "web-1", api="apps/v1", labels=APP, meta=tied(web, controller=True))
    found = of_selection(facts(web, replicas, selector="app=web"))
    assert named(found)[2] == {"web-1": "left to its controller, Deployment web"}
    assert found.asked == []


def test_what_holds_state_is_deleted_though_something_owns_it():
    boss = obj("Widget", "boss", api="example.com/v1")
    secret = obj("Secret", "s", labels=APP, meta=tied(boss, "Widget", "example.com/v1", controller=True))
    assert named(of_selection(facts(boss, secret, selector="app=web")))[0] == {1: ["s"]}


@pytest.mark.parametrize(
    "live",
    [
        obj("Pod", "done", labels=APP, status={"phase": "Succeeded"}),
        obj("Job", "done", api="batch/v1", labels=APP, status={"conditions": [{"type": "Complete", "status": "True"}]}),
    ],
)
def test_what_has_finished_is_deleted_with_the_rest(live):
    assert named(of_selection(facts(live, selector="app=web")))[0] == {1: ["done"]}


def test_what_is_being_deleted_is_deleted_with_the_rest_but_not_what_would_stay():
    """So the same command goes on where a finalizer held up the one before."""
    going = obj("Secret", "s", labels=APP, meta={"deletionTimestamp": AFTER})
    kept = obj("Secret", "k", labels=APP | {"kubeferry.io/exclude": "true"}, meta={"deletionTimestamp": AFTER})
    found = of_selection(facts(going, kept, selector="app=web"))
    assert named(found) == ({1: ["s"]}, [], {"k": "labelled kubeferry.io/exclude=true"}, {})


def test_what_is_cluster_wide_is_not_chosen_by_labels():
    role = obj("ClusterRole", "x", api="rbac.authorization.k8s.io/v1", namespace="", labels=APP)
    assert named(of_selection(facts(role, selector="app=web"))) == ({}, [], {}, {})


def test_endpoints_of_a_service_that_is_deleted_are_not_reported_to_stay():
    service = obj("Service", "web", labels=APP, spec={"selector": APP})
    ends = obj("Endpoints", "web", labels=APP)
    found = facts(service, ends, selector="app=web", around=ClusterContext(selecting_services=frozenset({"web"})))
    assert named(of_selection(found)) == ({1: ["web"]}, [], {}, {})


def test_endpoints_that_their_author_keeps_stay_though_their_service_is_deleted():
    service = obj("Service", "web", labels=APP, spec={"selector": APP})
    ends = obj("Endpoints", "web", labels=APP | {"kubeferry.io/exclude": "true"})
    found = facts(service, ends, selector="app=web", around=ClusterContext(selecting_services=frozenset({"web"})))
    assert named(of_selection(found))[2] == {"web": "labelled kubeferry.io/exclude=true"}


# --- who needs what


def test_of_a_bundle_too_it_is_reported_what_in_it_needs_what_in_it():
    """A deletion of one level waits for what still uses it."""
    secret, web = obj("Secret", "s", meta=MINE), deployment("web", secret="s", meta=MINE)
    found = of_bundles([charter(listed(secret, 1), listed(web, 2))], facts(secret, web))
    assert found.users == {secret["metadata"]["uid"]: {web["metadata"]["uid"]}}


def test_what_stays_and_needs_what_is_deleted_is_reported_with_the_field():
    secret, web = obj("Secret", "s", labels=APP), deployment("web", secret="s")
    replicas = obj("ReplicaSet", "web-1", api="apps/v1", meta=tied(web, controller=True), spec=web["spec"])
    pod = obj("Pod", "p", meta=tied(replicas, "ReplicaSet", controller=True), spec=web["spec"]["template"]["spec"])
    account = obj("ServiceAccount", "runner")
    subject = {"kind": "ServiceAccount", "name": "runner", "namespace": "shop"}
    rights = obj("RoleBinding", "runs", api="rbac.authorization.k8s.io/v1", labels=APP, subjects=[subject], roleRef={})
    found = of_selection(facts(secret, web, replicas, pod, account, rights, selector="app=web"))
    assert [(edge.target.name, str(edge.source), edge.why) for edge in found.needed] == [
        ("s", "Deployment.apps shop/web", "spec.template.spec.containers[].envFrom[].secretRef.name"),
        ("runs", "ServiceAccount shop/runner", "its rights"),
    ]


def test_what_is_deleted_too_is_not_reported_and_an_owned_object_does_not_need_its_owner():
    secret, web = obj("Secret", "s", labels=APP), deployment("web", labels=APP, secret="s")
    shared = obj(
        "ConfigMap",
        "c",
        meta={
            "ownerReferences": [
                *tied(web)["ownerReferences"],
                {"apiVersion": "v1", "kind": "Secret", "name": "z", "uid": "Secret-z"},
            ]
        },
    )
    found = of_selection(facts(secret, web, shared, obj("Secret", "z"), selector="app=web"))
    assert found.needed == []
    assert found.users == {secret["metadata"]["uid"]: {web["metadata"]["uid"]}}


def test_a_need_that_cannot_be_read_is_reported_and_the_others_count():
    odd = deployment("odd", secret="s", meta={"annotations": {"kubeferry.io/depends-on": "what is this?"}})
    found = facts(obj("Secret", "s", labels=APP), odd, selector="app=web")
    assert [edge.source.name for edge in of_selection(found).needed] == ["odd"]
    assert "kubeferry.io/depends-on" in found.unclear[Ref.of(odd)]


def test_facts_collected_apart_are_the_same_facts():
    web, secret = deployment("web", labels=APP, secret="s"), obj("Secret", "s", labels=APP)
    together, first, second = (facts(*some, selector="app=web") for some in ((web, secret), (web,), (secret,)))
    first.add(second)
    assert of_selection(first) == of_selection(together)


def test_another_group_has_another_digest():
    one, other = (of_selection(facts(obj("Secret", name, labels=APP), selector="app=web")) for name in ("a", "b"))
    again = of_selection(facts(obj("Secret", "a", labels=APP), obj("Secret", "z"), selector="app=web"))
    assert one.digest == again.digest != other.digest


def test_an_object_recreated_under_the_same_name_is_another_group():
    """Who approved the deletion of one object did not approve that of its successor."""
    one, anew = (
        of_selection(facts(obj("Secret", "a", labels=APP, meta={"uid": uid}), selector="app=web")) for uid in "12"
    )
    assert [each.ref for each in one.asked] == [each.ref for each in anew.asked]
    assert one.digest != anew.digest


def test_without_plug_ins_too():
    assert of_selection(Inventory(Registry(()))).asked == []
