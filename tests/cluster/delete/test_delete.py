"""`kubeferry delete`: a group is deleted in reverse order with waits, others are named, nothing else is touched."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.support.bench import PATIENCE, SECONDS, B, rested, touch
from tests.support.bundles import ALWAYS, DENIED, OWNED, SOME, bundle, bundles, listed, names
from tests.support.objects import MINE

from kubeferry.flows.delete import delete
from kubeferry.tasks.core.errors import ConflictError, NotFoundError, PermanentError, UsageError
from kubeferry.tasks.core.formats.target import bundle as bundle_format
from kubeferry.tasks.core.formats.target.bundle import maker
from kubeferry.tasks.core.formats.target.lease import LEASES
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.models.options import DeleteOptions
from kubeferry.tasks.delete import gather
from kubeferry.tasks.delete.execute import found
from kubeferry.tasks.delete.remove import Removal
from kubeferry.tasks.delete.state import Deleting
from kubeferry.tasks.delete.wait_gone import DeletionWait
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.cluster.leases import Hold
from kubeferry.tasks.ports.local import clock

HOLD = {"metadata": {"finalizers": ["example.com/hold"]}}
FREE = {"metadata": {"finalizers": None}}


@pytest.fixture(scope="module")
def saved(bench):
    ns = bench.namespace()
    bench.make(SOME, ns)
    bench.ready("Deployment", ns, "web")
    return ns, bench.backup(ns).name


@pytest.fixture
def restored(bench, saved):
    """A namespace of B that a restore made, and the name of its bundle."""
    old, backup = saved
    ns = bench.name("d")
    return ns, bench.restore(backup, map={old: ns}).name


def asked(bench, context=B, **options):
    return DeleteOptions(
        **{"context": context, "kubeconfig": bench.where["kubeconfig"], "wait_seconds": SECONDS, **options}
    )


def deleted(bench, **options):
    return bench.run_flow(delete(asked(bench, **options)))


def looked(bench, **options):
    return found(Deleting(asked(bench, dry_run=True, **options)), clock.now())


def reasons(problems):
    return {each.what: each.why for each in problems}


# --- bundles


def test_a_bundle_is_deleted_with_all_that_it_owns_the_highest_level_first(bench, restored):
    ns, name = restored
    cluster = bench.clusters[B]
    kinds = [bench.kind("Secret", context=B), bench.kind("Deployment", context=B)]
    before = next(cluster.pages(kinds[0], ns)).revision
    with ThreadPoolExecutor() as pool:
        watches = [pool.submit(_deletion, cluster, kind, ns, before) for kind in kinds]
        result = deleted(bench, bundle=name, namespaces=[ns])
        gone = {kind.kind: each.result() for kind, each in zip(kinds, watches, strict=True)}
    assert (result.phase, result.left, result.refused, result.needed) == ("Completed", [], [], [])
    assert result.counts["Deployment.apps"] == result.counts["ReplicaSet.apps"] == result.counts["Secret"] == 1
    assert result.counts["Pod"] == 2
    assert (names(bench, ns), bundles(bench, ns)) == (ALWAYS, [])
    assert gone["Deployment"] < gone["Secret"]
    with pytest.raises(NotFoundError, match=f"no bundle {name} in namespace {ns}"):
        deleted(bench, bundle=name, namespaces=[ns])


def _deletion(cluster, kind, ns, since):
    """Return the revision of the first deletion of a kind in a namespace."""
    events = cluster.watch(kind, ns, revision=since, seconds=PATIENCE)
    return next(int(live["metadata"]["resourceVersion"]) for event, live in events if event == "DELETED")


def test_a_bundle_is_found_without_its_namespace_where_there_is_one_only(bench, saved, restored):
    old, backup = saved
    ns, name = restored
    seen = looked(bench, bundle=name)
    assert (seen.namespaces, seen.dry_run) == ([ns], True)
    assert [each.object for each in seen.members if not each.follows] == [
        f"Deployment.apps {ns}/web",
        f"ConfigMap {ns}/settings",
        f"Secret {ns}/token",
        f"Service {ns}/web",
    ]
    assert {each.object.split()[0] for each in seen.members if each.follows} == {
        "ReplicaSet.apps",
        "Pod",
        "EndpointSlice.discovery.k8s.io",
    }
    other = bench.name("d")
    with pytest.raises(NotFoundError, match="no bundle nowhere on cluster kubeferry-b"):
        looked(bench, bundle="nowhere")
    bench.restore(backup, map={old: other}, name=f"{name}-x")
    bench.make(f"{{apiVersion: kubeferry.io/v1alpha1, kind: Bundle, metadata: {{name: {name}}}}}", other, B)
    with pytest.raises(UsageError, match="say which, or all, with -n"):
        looked(bench, bundle=name)
    assert names(bench, ns) != ALWAYS


def test_what_was_there_before_stays(bench, saved):
    old, backup = saved
    ns = bench.namespace("d", B)
    bench.make(MINE, ns, B)
    name = bench.restore(backup, map={old: ns}, existing="update").name
    before = {
        ref: seen for ref, seen in touch(bench, B, ns).items() if ref.name in ("mine", "settings", "token", "default")
    }
    result = deleted(bench, bundle=name, namespaces=[ns])
    assert result.phase == "Completed"
    assert names(bench, ns) == sorted([*ALWAYS, "ConfigMap mine", "ConfigMap settings", "Secret token"])
    bench.collected(B)
    assert {ref: touch(bench, B, ns)[ref] for ref in before} == before


def test_an_object_that_took_the_name_of_a_member_stays(bench, restored):
    ns, name = restored
    bench.delete("Secret", ns, "token", B)
    (theirs,) = bench.make(
        "{apiVersion: v1, kind: Secret, metadata: {name: token}, stringData: {password: theirs}}", ns, B
    )
    result = deleted(bench, bundle=name, namespaces=[ns])
    assert (result.phase, [(each.name, each.why) for each in result.left_out]) == (
        "Completed",
        [("token", "another object has that name now")],
    )
    assert names(bench, ns) == sorted([*ALWAYS, "Secret token"])
    bench.collected(B)
    assert bench.get("Secret", ns, "token", B) == theirs


def test_what_was_there_and_got_an_owner_in_the_bundle_is_untied(bench):
    ns = bench.namespace()
    group = bench.crd(ns)
    bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: boss}}}}", ns)
    saved = bench.backup(ns)
    target = bench.namespace("d", B)
    bench.forget("CustomResourceDefinition", f"widgets.{group}")
    bench.make("{apiVersion: v1, kind: Secret, metadata: {name: child}, stringData: {a: b}}", target, B)
    name = bench.restore(saved, map={ns: target}).name
    boss = bench.get(f"Widget.{group}", target, "boss", B)["metadata"]["uid"]
    tie = {"apiVersion": f"{group}/v1", "kind": "Widget", "name": "boss", "uid": boss}
    bench.patch("Secret", target, "child", {"metadata": {"ownerReferences": [tie]}}, B)
    result = deleted(bench, bundle=name, namespaces=[target])
    assert (result.phase, reasons(result.untied)) == (
        "Completed",
        {f"Secret {target}/child": "was linked to what goes"},
    )
    assert bench.find(f"Widget.{group}", target, "boss", B) is None
    bench.collected(B)
    live = bench.get("Secret", target, "child", B)
    assert ("ownerReferences" in live["metadata"], live["data"]) == (False, {"a": "Yg=="})


def test_a_bundle_in_parts_is_deleted_whole(bench, saved, monkeypatch):
    old, backup = saved
    ns = bench.name("d")
    with monkeypatch.context() as small:
        small.setattr(bundle_format, "MEMBERS", 1)
        name = bench.restore(backup, map={old: ns}).name
    assert len(bundles(bench, ns)) == 4
    with pytest.raises(UsageError, match=f"{name}-part-2 is a part of bundle {name}"):
        deleted(bench, bundle=f"{name}-part-2", namespaces=[ns])
    result = deleted(bench, bundle=name, namespaces=[ns])
    assert (result.phase, names(bench, ns), bundles(bench, ns)) == ("Completed", ALWAYS, [])


def test_the_bundles_of_a_restore_of_two_namespaces_are_deleted_in_one_order(bench, saved):
    first, _ = saved
    second = bench.namespace()
    bench.make(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: late, annotations: {kubeferry.io/level: '7'}}}", second
    )
    targets = {first: bench.name("d"), second: bench.name("d")}
    name = bench.restore(bench.backup(first, second), map=targets).name
    seen = looked(bench, bundle=name, namespaces=list(targets.values()))
    assert [each.object for each in seen.members if not each.follows][:2] == [
        f"ConfigMap {targets[second]}/late",
        f"Deployment.apps {targets[first]}/web",
    ]
    result = deleted(bench, bundle=name, namespaces=list(targets.values()))
    assert (result.phase, result.namespaces) == ("Completed", sorted(targets.values()))
    assert [names(bench, ns) for ns in targets.values()] == [ALWAYS, ALWAYS]
    assert [bundles(bench, ns) for ns in targets.values()] == [[], []]


def test_the_bundle_of_a_restore_that_was_killed_lists_nothing_and_is_deleted_whole(bench, restored):
    ns, name = restored
    status = {"phase": "Restoring", "members": 0, "levels": []}
    bench.patch("Bundle.kubeferry.io", ns, name, {"status": status}, B, subresource="status")
    seen = looked(bench, bundle=name, namespaces=[ns])
    assert seen.members[0].object == f"Pod {ns}/{seen.members[0].object.split('/')[1]}"
    assert [each.level for each in seen.members if each.object == f"Deployment.apps {ns}/web"] == [2]
    assert deleted(bench, bundle=name, namespaces=[ns]).phase == "Completed"
    assert (names(bench, ns), bundles(bench, ns)) == (ALWAYS, [])


def test_what_is_cluster_wide_and_listed_is_deleted_and_who_uses_it_elsewhere_is_reported(bench):
    ns = bench.namespace()
    urgent = f"{ns}-urgent"
    bench.make(f"{{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {{name: {urgent}}}, value: 7}}", ns)
    pod = "{{apiVersion: v1, kind: Pod, metadata: {{name: web}}, spec: {{priorityClassName: {0}, {1}}}}}"
    bench.make(pod.format(urgent, "containers: [{name: web, image: web}]"), ns)
    saved = bench.backup(ns)
    bench.forget("PriorityClass", urgent)
    name = bench.restore(saved).name
    assert listed(bundle(bench, ns, name))[1] == [f"PriorityClass {urgent}"]
    other = bench.namespace("d", B)
    bench.make(pod.format(urgent, "containers: [{name: web, image: web}]"), other, B)
    result = deleted(bench, bundle=name, namespaces=[ns])
    assert [(each.object, each.by) for each in result.needed] == [
        (f"PriorityClass.scheduling.k8s.io {urgent}", f"Pod {other}/web")
    ]
    assert (result.phase, result.counts["PriorityClass.scheduling.k8s.io"]) == ("Completed", 1)
    assert bench.find("PriorityClass", "", urgent, B) is None


# --- bundles that lie


def test_a_forged_list_deletes_nothing_that_is_not_the_bundles_own(bench, saved, restored):
    old, backup = saved
    ns, name = restored
    victim, mine = bench.namespace("v", B), bench.name("d")
    secret = "{apiVersion: v1, kind: Secret, metadata: {name: x}, stringData: {password: y}}"
    bench.make(secret, victim, B)
    bench.make(secret, ns, B)
    (role,) = bench.make(
        f"{{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {{name: {victim}}}}}", context=B
    )
    other = bench.restore(backup, map={old: mine}).name  # what another restore made is no better
    theirs = [
        (member.ref.type, mine, member.ref.name) for member in bundle_format.members_of(bundle(bench, mine, other))[0]
    ]
    wanted = [
        ("Secret", victim, "x"),
        ("Secret", ns, "x"),
        ("ServiceAccount", ns, "default"),
        ("ClusterRole.rbac.authorization.k8s.io", "", victim),
        ("Namespace", "", victim),
        ("CustomResourceDefinition.apiextensions.k8s.io", "", "bundles.kubeferry.io"),
        *theirs,
    ]
    lies = [
        {
            "object": str(Ref.parse(f"{kind} {namespace}/{named}" if namespace else f"{kind} {named}")),
            "uid": uid(bench, kind, namespace, named),
        }
        for kind, namespace, named in wanted
    ]
    lies += [{"object": "nonsense", "uid": "u"}, {"object": "Secret ../../x", "uid": "u"}]
    levels = [*bundle(bench, ns, name)["status"]["levels"], {"level": 9, "objects": lies}]
    bench.patch("Bundle.kubeferry.io", ns, name, {"status": {"levels": levels}}, B, subresource="status")
    before = rested(bench, B, victim, mine)
    result = deleted(bench, bundle=name, namespaces=[ns])
    assert result.phase == "Partial"
    assert set(reasons(result.refused)) == {each["object"] for each in lies}
    assert names(bench, ns) == sorted([*ALWAYS, "Secret x"])
    assert touch(bench, B, victim, mine) == before
    assert bench.get("ClusterRole", "", victim, B) == role
    assert bundles(bench, mine) == [other]
    assert bundles(bench, ns) == []  # what was its own is gone, and nothing else will ever be


def uid(bench, kind, namespace, named):
    return bench.get(kind, namespace, named, B)["metadata"]["uid"]


def test_a_bundle_that_no_restore_made_deletes_nothing(bench, restored):
    """Not even with the field manager of one: what a restore creates names the uid of its own bundle."""
    ns, name = restored
    real = bundle(bench, ns, name)
    manager = next(each["manager"] for each in real["metadata"]["managedFields"] if each["manager"] != "kubeferry")
    kind = bench.kind("Bundle.kubeferry.io", context=B)
    fake = {"apiVersion": "kubeferry.io/v1alpha1", "kind": "Bundle", "metadata": {"name": f"{name}-x", "namespace": ns}}
    made, _ = bench.clusters[B].create(kind, ns, fake, manager=maker(manager, real["metadata"]["uid"]))
    bench.patch("Bundle.kubeferry.io", ns, f"{name}-x", {"status": real["status"]}, B, subresource="status")
    before = rested(bench, B, ns)
    result = deleted(bench, bundle=f"{name}-x", namespaces=[ns])
    assert (result.phase, result.counts, len(result.refused)) == ("Partial", {}, 4)
    del before[Ref.of(made)]
    assert touch(bench, B, ns) == before


# --- finalizers


def test_what_a_finalizer_keeps_is_reported_keeps_what_it_needs_and_the_next_run_goes_on(bench, restored, monkeypatch):
    ns, name = restored
    bench.patch("Deployment", ns, "web", HOLD, B)
    patience = {("apps", "Deployment"): 2}  # for all else, however busy its controllers are, there is time
    monkeypatch.setattr(Removal, "_patience", lambda _, kind: patience.get(kind, SECONDS))
    result = deleted(bench, bundle=name, namespaces=[ns], wait_seconds=2)
    assert result.phase == "Partial"
    assert reasons(result.left) == {
        f"Deployment.apps {ns}/web": "is being deleted and still exists after 2 s: it waits for example.com/hold",
        f"Secret {ns}/token": f"is needed by Deployment.apps {ns}/web, which is still there",
    }
    assert {"ConfigMap", "Service"} <= result.counts.keys()
    assert "Secret" not in result.counts
    assert (bundles(bench, ns), bench.find("Secret", ns, "token", B)["data"]) == ([name], {"password": "Zmlyc3Q="})
    assert result.counts["ReplicaSet.apps"] == 1, "its controllers had the time"
    bench.patch("Deployment", ns, "web", FREE, B)
    bench.until(lambda: bench.find("Deployment", ns, "web", B) is None)
    result = deleted(bench, bundle=name, namespaces=[ns])
    assert (result.phase, result.counts) == ("Completed", {"Secret": 1})
    assert (names(bench, ns), bundles(bench, ns)) == (ALWAYS, [])


def test_finalizers_are_removed_only_by_force_and_that_is_reported(bench, restored, monkeypatch):
    ns, name = restored
    pod = next(each["metadata"]["name"] for each in bench.list("Pod", ns, B))
    bench.patch("Pod", ns, pod, HOLD, B)
    bench.patch("ConfigMap", ns, "settings", HOLD, B)
    seen = looked(bench, bundle=name, namespaces=[ns])
    assert {each.object: each.finalizers for each in seen.members if each.finalizers} == {
        f"ConfigMap {ns}/settings": ["example.com/hold"],
        f"Pod {ns}/{pod}": ["example.com/hold"],
    }
    result = deleted(bench, bundle=name, namespaces=[ns], wait_seconds=2)
    left = reasons(result.left)
    assert (result.phase, result.forced) == ("Partial", [])
    assert left[f"Deployment.apps {ns}/web"].endswith(f"it waits for Pod {ns}/{pod} (example.com/hold)")
    assert left[f"ConfigMap {ns}/settings"].endswith("it waits for example.com/hold")
    force, until_gone, forced = Removal._force, DeletionWait.until_gone, []

    def noted(self, *args):
        forced.append(self)
        force(self, *args)

    def patient(self, members):
        """The wait before the force is in vain, and short; what goes after it may take its time."""
        return until_gone(replace(self, patience=lambda _: SECONDS) if forced and forced.pop() else self, members)

    monkeypatch.setattr(Removal, "_force", noted)
    monkeypatch.setattr(DeletionWait, "until_gone", patient)
    result = deleted(bench, bundle=name, namespaces=[ns], wait_seconds=2, force_finalizers=True)
    assert (result.phase, reasons(result.forced)) == (
        "Completed",
        {
            f"ConfigMap {ns}/settings": "its finalizers were removed: example.com/hold",
            f"Pod {ns}/{pod}": "its finalizers were removed: example.com/hold",
        },
    )
    assert (names(bench, ns), bundles(bench, ns)) == (ALWAYS, [])


def test_what_the_api_server_refuses_to_delete_is_reported_and_the_bundle_stays(bench, restored):
    ns, name = restored
    bench.make(DENIED.format(name=ns, ns=ns, group="''", verb="DELETE", what="configmaps"), context=B)
    kind = bench.kind("ConfigMap", context=B)
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: probe}}", ns, B)

    def denied():
        live = (
            bench.find("ConfigMap", ns, "probe", B)
            or bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: probe}}", ns, B)[0]
        )
        with contextlib.suppress(NotFoundError):
            try:
                bench.clusters[B].delete(kind, ns, "probe", uid=live["metadata"]["uid"])
            except PermanentError as error:
                return "no more" in str(error)
        return False

    bench.until(denied)
    result = deleted(bench, bundle=name, namespaces=[ns])
    assert result.phase == "Partial"
    (problem,) = result.left
    assert (problem.what, "no more" in problem.why) == (f"ConfigMap {ns}/settings", True)
    assert bundles(bench, ns) == [name]


# --- labels


def test_labels_choose_a_group_its_owned_objects_are_garbage_collected_and_others_stay(bench):
    ns, other = bench.namespace("d", B), bench.namespace("d", B)
    group = bench.crd(ns, B)
    bench.make(SOME, ns, B)
    bench.make(SOME.replace("app: web", "app: db"), other, B)
    (boss,) = bench.make(
        f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: boss, labels: {{app: web}}}}}}", ns, B
    )
    bench.make(OWNED.format(group=group, uid=boss["metadata"]["uid"]), ns, B)
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}", ns, B)
    bench.ready("Deployment", ns, "web", B)
    before = {
        ref: seen for ref, seen in touch(bench, B, ns, other).items() if ref.name == "mine" or ref.type == "ConfigMap"
    }
    seen = looked(bench, selector="app=web", namespaces=[ns, other])
    assert (seen.phase, seen.needed) == ("Completed", [])
    follows = {each.object: each.follows for each in seen.members}
    assert (follows[f"Secret {ns}/owned"], follows[f"Secret {ns}/token"]) == (True, False)
    result = deleted(bench, selector="app=web", namespaces=[ns, other], expect=seen.digest)
    assert (result.phase, result.left, result.digest) == ("Completed", [], seen.digest)
    assert (result.counts["Secret"], result.counts[f"Widget.{group}"], result.counts["Deployment.apps"]) == (2, 1, 1)
    assert names(bench, ns) == sorted([*ALWAYS, "ConfigMap mine"])
    assert bench.find(f"Widget.{group}", ns, "boss", B) is None
    after = touch(bench, B, ns, other)
    kept = {
        ref: seen for ref, seen in before.items() if ref.namespace == other or ref.name in ("mine", "kube-root-ca.crt")
    }
    assert {ref: after[ref] for ref in kept} == kept
    again = deleted(bench, selector="app=web", namespaces=[ns, other])
    assert (again.phase, again.counts) == ("Completed", {})


def test_what_stays_and_needs_what_is_deleted_is_reported_before(bench):
    ns = bench.namespace("d", B)
    bench.make(SOME.replace("{name: web, labels: {app: web}}", "{name: web}"), ns, B)
    account = "{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: runner, labels: {{app: web}}}}}}"
    bench.make(account.format(), ns, B)
    bench.make(
        f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {ns}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}
subjects: [{{kind: ServiceAccount, name: runner, namespace: {ns}}}]
""",
        context=B,
    )
    seen = looked(bench, selector="app=web", namespaces=[ns])
    assert [(each.object, each.by, each.why) for each in seen.needed] == [
        (
            f"Secret {ns}/token",
            f"Deployment.apps {ns}/web",
            "spec.template.spec.containers[].envFrom[].secretRef.name",
        ),
        (f"ServiceAccount {ns}/runner", f"ClusterRoleBinding.rbac.authorization.k8s.io {ns}", "subjects[]"),
    ]
    assert "Secret token" in names(bench, ns)  # it was only looked at


def test_a_group_that_is_another_one_by_now_is_not_deleted(bench):
    ns = bench.namespace("d", B)
    one = "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {0}, labels: {{app: web}}}}}}"
    bench.make(one.format("first"), ns, B)
    seen = looked(bench, selector="app=web", namespaces=[ns])
    bench.make(one.format("second"), ns, B)
    with pytest.raises(ConflictError, match="the objects have changed since you looked"):
        deleted(bench, selector="app=web", namespaces=[ns], expect=seen.digest)
    assert names(bench, ns) == sorted([*ALWAYS, "ConfigMap first", "ConfigMap second"])
    assert bench.clusters[B].find(LEASES, ns, "kubeferry-restore") is None


def test_a_dry_run_as_a_flow_deletes_nothing_and_says_so(bench, restored):
    ns, name = restored
    before = rested(bench, B, ns)
    result = deleted(bench, bundle=name, namespaces=[ns], dry_run=True)
    assert (result.phase, result.dry_run, result.counts["Deployment.apps"]) == ("Completed", True, 1)
    assert touch(bench, B, ns) == before


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"selector": "app in web", "namespaces": ["default"]}, UsageError, "is not a selector"),
        (
            {"selector": "app=web", "namespaces": ["no-such-namespace"]},
            NotFoundError,
            "no-such-namespace does not exist",
        ),
        ({"bundle": "web", "namespaces": ["no-such-namespace"]}, NotFoundError, "no-such-namespace does not exist"),
    ],
)
def test_what_is_asked_wrongly_is_refused(bench, options, error, text):
    with pytest.raises(error, match=text):
        deleted(bench, **options)


def test_one_who_works_in_the_namespace_is_named_and_nothing_is_deleted(bench, saved, restored):
    old, backup = saved
    ns, name = restored
    before = rested(bench, B, ns)
    hold = Hold(bench.clusters[B], "another")
    hold.take([ns])
    try:
        with pytest.raises(PermanentError, match=f"namespace {ns} is being worked on by restore another"):
            deleted(bench, bundle=name, namespaces=[ns])
    finally:
        hold.release()
    assert touch(bench, B, ns) == before
    hold = Hold(bench.clusters[B], f"delete bundle {name}")
    hold.take([ns])
    try:
        with pytest.raises(PermanentError, match=f"is being worked on by delete bundle {name}"):
            bench.restore(backup, map={old: ns})
    finally:
        hold.release()


@pytest.mark.parametrize(
    ("kind", "unread"),
    [
        (ResourceType("gone.example.com", "v1", "Widget", "widgets", namespaced=True), set()),
        (ResourceType("", "v9", "ConfigMap", "configmaps", namespaced=True), {("", "ConfigMap")}),
    ],
)
def test_a_kind_that_went_while_it_was_looked_at_holds_nothing(bench, kind, unread):
    """With its CRD, all of its objects went; what is served and answers 404 all the same is not known."""
    deleting = Deleting(asked(bench, selector="app=web", namespaces=["default"]))
    assert gather._read(deleting, gather._Place(kind, "default")).unread.keys() == unread


VIEWER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: viewer}}
rules:
- {{apiGroups: [""], resources: [configmaps], verbs: [get, list, watch, delete]}}
- {{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, patch, delete]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: viewer}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: viewer}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}}]
"""


def test_who_may_not_see_all_gets_a_warning_and_deletes_what_he_may(bench):
    ns = bench.namespace("d", B)
    bench.make(VIEWER.format() + "---" + SOME, ns, B)
    bench.until(lambda: allowed(bench, ns))
    result = deleted(bench, selector="app=web", namespaces=[ns], context=f"{B}-viewer")
    assert (result.phase, result.counts, result.left) == ("Partial", {"ConfigMap": 1}, [])
    assert "forbidden" in reasons(result.warnings)["Secret"]
    assert "Secret token" in names(bench, ns)
    assert "ConfigMap settings" not in names(bench, ns)


def allowed(bench, ns):
    viewer = connect(f"{B}-viewer", bench.where["kubeconfig"])
    return viewer.allowed("delete", bench.kind("ConfigMap", context=B), ns)
