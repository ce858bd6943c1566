"""What a deletion leaves alone since somebody was there between its look and its act; whole lists; leases."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from tests.support.bench import B

from kubeferry.tasks.core.errors import ConflictError, ExpiredError, PermanentError
from kubeferry.tasks.core.formats.target.bundle import Member
from kubeferry.tasks.core.formats.target.lease import LEASES, Holder, holder_of, lease
from kubeferry.tasks.core.kube.namespace_defaults import LEASE_NAME
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import DeleteOptions
from kubeferry.tasks.delete import execute
from kubeferry.tasks.delete.gather import look
from kubeferry.tasks.delete.in_use import in_use
from kubeferry.tasks.delete.remove import Removal
from kubeferry.tasks.delete.state import Deleting
from kubeferry.tasks.ports.cluster import client, transport
from kubeferry.tasks.ports.cluster.leases import Hold
from kubeferry.tasks.ports.local import clock

CONFIG = "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {0}, labels: {{app: {0}}}}}}}"
HOLD = {"metadata": {"finalizers": ["example.com/hold"]}}
FREE = {"metadata": {"finalizers": None}}


@pytest.fixture(scope="module")
def bench(bench_without_flows):
    """The clusters without Prefect: no flow runs in this process."""
    return bench_without_flows


@pytest.fixture
def ns(bench):
    return bench.namespace("d", B)


@pytest.fixture
def cluster(bench):
    return bench.clusters[B]


@pytest.fixture
def discovery(cluster):
    return cluster.discover()


def config(bench, ns, named):
    (made,) = bench.make(CONFIG.format(named), ns, B)
    return Member(1, Ref.of(made), made["metadata"]["uid"])


def between(monkeypatch, port, method, act, times=1):
    """Have somebody act, right after `method` of the cluster has answered, the first `times` times."""
    real, done = getattr(port, method), []

    def answered(*args, **options):
        found = real(*args, **options)
        if len(done) < times:
            done.append(True)
            act()
        return found

    monkeypatch.setattr(port, method, answered)
    return done


def asked(bench, ns, **options):
    where = {"context": B, "kubeconfig": bench.where["kubeconfig"], "namespaces": [ns]}
    return Deleting(DeleteOptions(**where, wait_seconds=5, **options))


# --- untied


def owner(bench, ns, named):
    live = bench.get("ConfigMap", ns, named, B)
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": named, "uid": live["metadata"]["uid"]}


@pytest.fixture
def tied(bench, cluster, ns, discovery, monkeypatch):
    """A deletion that is to unlink `kept` from `deleted`; `stays` is somebody else's."""
    for named in ("deleted", "stays", "kept"):
        config(bench, ns, named)
    bench.patch("ConfigMap", ns, "kept", {"metadata": {"ownerReferences": [owner(bench, ns, "deleted")]}}, B)
    live = bench.get("ConfigMap", ns, "kept", B)
    made = asked(bench, ns, selector="app=deleted")
    made.discovery = discovery
    made.facts.objects[Ref.of(live)] = SimpleNamespace(uid=live["metadata"]["uid"])
    monkeypatch.setattr(made, "target", lambda: cluster)
    return made, Ref.of(live), frozenset({owner(bench, ns, "deleted")["uid"]})


def test_an_owner_that_somebody_gives_an_object_while_it_is_untied_stays(bench, cluster, ns, tied, monkeypatch):
    both = [owner(bench, ns, "deleted"), owner(bench, ns, "stays")]
    change = {"metadata": {"ownerReferences": both}}
    done = between(monkeypatch, cluster, "find", lambda: bench.patch("ConfigMap", ns, "kept", change, B))
    execute._untie(*tied)
    owners = bench.get("ConfigMap", ns, "kept", B)["metadata"]["ownerReferences"]
    assert (done, [each["name"] for each in owners]) == ([True], ["stays"])


def test_what_others_write_seven_times_meanwhile_is_untied(bench, cluster, ns, tied, monkeypatch):
    def write():
        note = {"metadata": {"annotations": {"example.com/turn": str(len(done))}}}
        bench.patch("ConfigMap", ns, "kept", note, B)

    done = between(monkeypatch, cluster, "find", write, times=7)
    execute._untie(*tied)
    assert (len(done), bench.get("ConfigMap", ns, "kept", B)["metadata"].get("ownerReferences")) == (7, None)


def test_what_others_write_all_the_time_is_named(bench, cluster, ns, tied, monkeypatch):
    def write():
        note = {"metadata": {"annotations": {"example.com/turn": str(len(done))}}}
        bench.patch("ConfigMap", ns, "kept", note, B)

    monkeypatch.setattr(transport, "CONFLICT_PAUSES", (0,) * 3)
    done = between(monkeypatch, cluster, "find", write, times=100)
    with pytest.raises(ConflictError, match=r"kept existed before and cannot be untied .*: it changes all the time$"):
        execute._untie(*tied)
    assert len(done) == 4


def test_another_object_of_the_name_is_not_untied(bench, ns, tied):
    bench.delete("ConfigMap", ns, "kept", B)
    config(bench, ns, "kept")
    both = [owner(bench, ns, "deleted"), owner(bench, ns, "stays")]
    bench.patch("ConfigMap", ns, "kept", {"metadata": {"ownerReferences": both}}, B)
    execute._untie(*tied)
    assert bench.get("ConfigMap", ns, "kept", B)["metadata"]["ownerReferences"] == both


# --- deleted


def test_a_deletion_that_has_lost_its_namespace_deletes_no_more(bench, ns):
    config(bench, ns, "deleted")
    deleting = asked(bench, ns, selector="app=deleted")
    look(deleting)
    deleting.hold._lost = f"namespace {ns} was taken over by restore thief"
    with pytest.raises(PermanentError, match="taken over by restore thief"):
        execute._remove(deleting)
    assert "deletionTimestamp" not in bench.get("ConfigMap", ns, "deleted", B)["metadata"]


def test_what_cannot_be_asked_for_is_not_taken_for_gone(cluster, discovery):
    """The API server of its group does not answer just now: nobody knows whether the object is there."""
    away = replace(discovery, problems={"away.example.com/v1": "stale: no endpoints"})
    member = Member(1, Ref("away.example.com", "Gadget", "x", "one"), "u")
    removed = Removal(cluster, away, "delete").run([member])
    assert (removed.gone, [each.why for each in removed.left]) == ([], ["stale: no endpoints"])
    removed = Removal(cluster, discovery, "delete").run([member])  # of a kind that is known to be no more
    assert (removed.gone, removed.left) == ([member], [])


def test_by_force_too_what_nobody_deletes_keeps_its_finalizers(bench, cluster, ns, discovery):
    """It was to go with its owner, and somebody has given it another one since."""
    member = config(bench, ns, "kept")
    bench.patch("ConfigMap", ns, "kept", HOLD, B)
    removal = Removal(cluster, discovery, "delete", force_finalizers=True, seconds=1)
    removed = removal.run([], {member: frozenset({"uid-of-an-owner"})})
    assert (removed.gone, removed.forced) == ([], [])
    assert removed.left[0].why == "was to be deleted with its owner and still exists after 1 s"
    assert bench.get("ConfigMap", ns, "kept", B)["metadata"]["finalizers"] == ["example.com/hold"]
    bench.patch("ConfigMap", ns, "kept", FREE, B)


def test_by_force_too_another_object_of_the_name_keeps_its_finalizers(bench, cluster, ns, discovery, monkeypatch):
    first = config(bench, ns, "held")
    bench.patch("ConfigMap", ns, "held", HOLD, B)
    removal = Removal(cluster, discovery, "delete", force_finalizers=True, seconds=1)

    def replaced():
        bench.patch("ConfigMap", ns, "held", FREE, B)
        bench.until(lambda: bench.find("ConfigMap", ns, "held", B) is None)
        config(bench, ns, "held")
        bench.patch("ConfigMap", ns, "held", HOLD, B)

    # The last look before the finalizers are taken off.
    between(monkeypatch, removal, "_owned", replaced)
    removed = removal.run([first])
    assert (removed.gone, removed.forced) == ([first], [])
    assert bench.get("ConfigMap", ns, "held", B)["metadata"]["finalizers"] == ["example.com/hold"]
    bench.patch("ConfigMap", ns, "held", FREE, B)


# --- pages


@pytest.fixture
def paged(bench, ns, monkeypatch):
    """ConfigMaps a to e, of which a list has three pages; `kube-root-ca.crt` is one more."""
    found = {named: config(bench, ns, named) for named in "abcde"}
    bench.until(lambda: bench.find("ConfigMap", ns, "kube-root-ca.crt", B))
    monkeypatch.setattr(client, "PAGE", 2)
    return found


def test_a_stranger_on_the_last_page_keeps_a_namespace(cluster, ns, discovery, paged):
    namespace = Ref("", "Namespace", "", ns)
    ours = [paged[named] for named in "abcd"]
    assert in_use(cluster, discovery, namespace, ours) == f"ConfigMap {ns}/e is in it and is not of this restore"
    assert in_use(cluster, discovery, namespace, [*ours, paged["e"]]) == ""


TOKEN = """
apiVersion: v1
kind: Secret
metadata: {name: web, annotations: {kubernetes.io/service-account.name: default}}
type: kubernetes.io/service-account-token
"""
FOLLOWERS = [
    (Ref("", "Service", "", "web"), "{apiVersion: v1, kind: Endpoints, metadata: {name: web}}"),
    (Ref("", "ServiceAccount", "", "default"), TOKEN),
]
"""What a controller deletes after something else, without a reference to it."""


@pytest.mark.parametrize(("before", "text"), FOLLOWERS)
def test_what_a_controller_has_still_to_delete_keeps_no_namespace(bench, cluster, ns, discovery, before, text):
    (made,) = bench.make(text, ns, B)
    namespace, deleted = Ref("", "Namespace", "", ns), Member(1, before._replace(namespace=ns), "its uid")
    stays = f"{Ref.of(made)} is in it and is not of this restore"
    assert in_use(cluster, discovery, namespace, [deleted]) == ""
    assert in_use(cluster, discovery, namespace, []) == stays
    assert in_use(cluster, discovery, namespace, [replace(deleted, ref=deleted.ref._replace(name="x"))]) == stays


def test_a_namespace_goes_with_its_service_however_late_the_endpoints_controller_is(bench, cluster, ns, discovery):
    """It deletes the Endpoints of a Service that it saw; here there was none, and so it is as late as can be."""
    bench.make(FOLLOWERS[0][1], ns, B)
    space = bench.get("Namespace", "", ns, B)
    service = Member(2, Ref("", "Service", ns, "web"), "its uid")
    removed = Removal(cluster, discovery, "undo").run([Member(1, Ref.of(space), space["metadata"]["uid"]), service])
    assert (removed.left, len(removed.gone)) == ([], 2)
    assert bench.find("Namespace", "", ns, B) is None


def test_what_is_still_there_on_any_page_is_not_gone(bench, cluster, ns, discovery, paged, monkeypatch):
    monkeypatch.setattr(client, "PAGE", 1)
    for named in "ae":
        bench.patch("ConfigMap", ns, named, HOLD, B)
    removed = Removal(cluster, discovery, "delete", seconds=1).run(paged.values())
    assert [each.what for each in removed.left] == [f"ConfigMap {ns}/a", f"ConfigMap {ns}/e"]
    assert {each.ref.name for each in removed.gone} == set("bcd")
    for named in "ae":
        bench.patch("ConfigMap", ns, named, FREE, B)


def expiring(monkeypatch, cluster, of="configmaps"):
    """Have the first list of a type expire after its first page."""
    real, done = cluster.pages, []

    def pages(kind, *args, **options):
        for page in real(kind, *args, **options):
            yield page
            if kind.resource == of and page.next and not done:
                done.append(True)
                raise ExpiredError("the token is too old")

    monkeypatch.setattr(cluster, "pages", pages)
    return done


def test_a_list_that_expires_while_a_group_is_looked_for_is_begun_again(bench, cluster, ns, paged, monkeypatch):
    deleting = asked(bench, ns, selector="app in (a, e)")
    monkeypatch.setattr(deleting, "target", lambda: cluster)
    done = expiring(monkeypatch, cluster)
    look(deleting)
    assert done
    assert sorted(each.ref.name for each in deleting.group.asked) == ["a", "e"]
    assert {each.uid for each in deleting.group.asked} == {paged["a"].uid, paged["e"].uid}


def test_a_list_that_expires_while_objects_are_deleted_is_begun_again(
    bench, cluster, ns, discovery, paged, monkeypatch
):
    monkeypatch.setattr(client, "PAGE", 1)  # what stays is two
    bench.patch("ConfigMap", ns, "e", HOLD, B)
    done = expiring(monkeypatch, cluster)
    removed = Removal(cluster, discovery, "delete", seconds=1).run(paged.values())
    assert done
    assert [each.what for each in removed.left] == [f"ConfigMap {ns}/e"]
    bench.patch("ConfigMap", ns, "e", FREE, B)


# --- leases


def test_of_two_that_take_an_expired_lease_at_once_one_is_refused(bench, cluster, ns, monkeypatch):
    old = Holder("the-dead", "another-host", 17, "x:1")
    cluster.create(LEASES, ns, lease(ns, old, clock.now() - timedelta(seconds=100)))
    other = Holder("the-faster", "another-host", 18, "x:2")
    spec = lease(ns, other, clock.now())["spec"]
    lease_of = ("Lease.coordination.k8s.io", ns, LEASE_NAME)
    between(monkeypatch, cluster, "get", lambda: bench.patch(*lease_of, {"spec": spec}, B))
    hold = Hold(cluster, "the-slower")
    with pytest.raises(PermanentError, match="is being worked on by restore the-faster"):
        hold.take([ns])
    hold.release()
    assert holder_of(bench.get(*lease_of, B)) == other.text()
