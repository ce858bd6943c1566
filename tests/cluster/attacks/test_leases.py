"""Who may write to a namespace, or happens to have this host's name, neither steals its lease nor keeps it for ever."""

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from tests.support.bench import A, B
from tests.support.limits import LIMIT
from tests.support.objects import config_map
from tests.support.scripted_server import scripted

from kubeferry.tasks.core.errors import KubeferryError, PermanentError
from kubeferry.tasks.core.formats.target.lease import LEASES, Holder, holder_of, lease
from kubeferry.tasks.core.kube.namespace_defaults import LEASE_NAME
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.ports.cluster import leases
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.cluster.leases import Hold, me
from kubeferry.tasks.ports.local import clock, processes

CONFIGS = ResourceType("", "v1", "ConfigMap", "configmaps", namespaced=True)


@pytest.fixture
def cluster(bench):
    return bench.clusters[B]


@pytest.fixture
def ns(bench):
    return bench.namespace("leased", B)


@pytest.fixture
def hold(cluster):
    """Make holds; they are released in the end."""
    made = []

    def of(name="ours", on=cluster):
        made.append(Hold(on, name))
        return made[-1]

    yield of
    for each in made:
        each.release()


@pytest.fixture
def often(monkeypatch):
    """Leases are renewed each 0.2 s; they are good for a minute, as always."""
    monkeypatch.setattr(leases, "RENEW", 0.2)


@pytest.fixture
def hours(monkeypatch):
    """Leases grow older by `hours(seconds)` alone, however long the test takes."""
    now = [leases.since_boot()]
    monkeypatch.setattr(leases, "since_boot", lambda: now[0])

    def grow(seconds):
        now[0] += seconds
        return now[0]

    return grow


def ended():
    """Return a process of this machine that has ended, as it was known."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = processes._stat(child.pid).started
    child.communicate(b"")
    return {"pid": child.pid, "started": started}


def left(cluster, ns, holder, ahead=timedelta(0), **spec):
    """Leave a lease of a holder."""
    obj = lease(ns, holder, clock.now() + ahead)
    obj["spec"] |= spec
    cluster.create(LEASES, ns, obj)


def test_a_process_of_this_machine_that_ended_holds_nothing(cluster, ns, hold):
    left(cluster, ns, replace(me("the-dead"), **ended()))
    hold().take([ns])


def test_a_live_process_of_this_machine_holds_it(cluster, ns, hold):
    left(cluster, ns, me("the-first"))
    with pytest.raises(PermanentError, match="is being worked on by restore the-first"):
        hold().take([ns])


@pytest.mark.parametrize("other", ["machine", "pid namespace", "boot", "0.1.0", "unknown"])
def test_a_process_that_is_not_seen_from_here_may_live_whatever_its_host_is_called(cluster, ns, hold, other):
    """Two containers or two machines of one name: no process here has its pid, and yet it is at work."""
    own = replace(me("the-other"), **ended())
    inside, machine = own.space.split("/")
    holder = {
        "machine": replace(own, space=f"{inside}/another"),
        "pid namespace": replace(own, space=f"pid:[17]/{machine}"),
        "boot": replace(own, started=own.started.replace(own.started[:8], "00000000")),
        "0.1.0": replace(own, space=""),
        "unknown": replace(own, started=""),
    }[other]
    left(cluster, ns, holder)
    with pytest.raises(PermanentError, match="is being worked on by restore the-other"):
        hold().take([ns])
    assert holder_of(cluster.get(LEASES, ns, LEASE_NAME)) == holder.text()


def test_a_container_of_the_same_host_name_keeps_its_lease(ns, hold, bench):
    """A real one: a process in a pid namespace of its own, with the host name of this machine."""
    code = f"""
import sys
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.cluster.leases import Hold
hold = Hold(connect({B!r}, {bench.where["kubeconfig"]!r}), "contained")
hold.take([{ns!r}])
print("held", flush=True)
input()
hold.release()
"""
    argv = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if child.stdout.readline() != "held\n":
            pytest.skip("this machine lets nobody make a pid namespace")
        with pytest.raises(PermanentError, match=r"is being worked on by restore contained \(process \d+ on "):
            hold().take([ns])
    finally:
        child.communicate("\n", timeout=LIMIT)
    hold().take([ns])


@pytest.mark.parametrize(
    ("ahead", "spec"),
    [
        (timedelta(days=36500), {}),
        (timedelta(minutes=3), {}),
        (timedelta(minutes=-2), {"leaseDurationSeconds": 2**31 - 1}),
    ],
)
def test_a_lease_for_ever_is_none(cluster, ns, hold, ahead, spec):
    left(cluster, ns, Holder("thief", "another-host", 17, "x:1"), ahead, **spec)
    hold().take([ns])


def test_a_holder_that_writes_to_the_terminal_is_shown_as_text(cluster, ns, hold):
    left(cluster, ns, Holder("a\n\x1b[2J b", "another-host", 17, "x:1"))
    with pytest.raises(PermanentError) as caught:
        hold().take([ns])
    assert str(caught.value).isprintable()


@pytest.fixture
def viewer(bench, ns):
    """The sandbox's user without rights, who may write in `ns` until `revoke()` is called."""
    role = "{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}"
    user = "{apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}"
    bench.make(
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: works}, "
        f"roleRef: {role}, subjects: [{user}]}}",
        ns,
        B,
    )
    found = connect(f"{B}-viewer", bench.where["kubeconfig"])
    bench.until(lambda: found.allowed("create", LEASES, ns))
    yield found, lambda: bench.delete("RoleBinding", ns, "works", B)
    found.close()


@pytest.mark.usefixtures("often")
def test_a_lease_that_cannot_be_renewed_is_lost_and_nothing_more_is_written(viewer, ns, hold, hours, bench, cluster):
    other, revoke = viewer
    held = hold("ours", other)
    held.take([ns])
    guarded = cluster.guarded(held.check)  # its writes would succeed
    for _ in range(2):  # together longer than a lease
        now = hours(40)
        bench.until(lambda now=now: held._good[ns] == now)
    guarded.create(CONFIGS, ns, yaml.safe_load(config_map("first", {})))
    revoke()
    bench.until(lambda: not other.allowed("get", LEASES, ns))
    hours(61)
    bench.until(lambda: lost(held, "was not renewed for 60 s"))
    with pytest.raises(PermanentError, match=f"namespace {ns}: its lease was not renewed for 60 s"):
        guarded.create(CONFIGS, ns, yaml.safe_load(config_map("second", {})))
    assert cluster.find(CONFIGS, ns, "first")
    assert cluster.find(CONFIGS, ns, "second") is None


def lost(held, why):
    try:
        held.check()
    except PermanentError as error:
        return why in str(error)
    return False


def test_a_process_that_slept_knows_it_before_its_next_write(cluster, ns, hold, monkeypatch):
    """Its thread may not have run since; and a renewal that hangs says nothing."""
    held = hold()
    held.take([ns])
    now = leases.since_boot()
    monkeypatch.setattr(leases, "since_boot", lambda: now + 61)
    with pytest.raises(PermanentError, match="was not renewed for 60 s"):
        cluster.guarded(held.check).create(CONFIGS, ns, yaml.safe_load(config_map("late", {})))
    assert cluster.find(CONFIGS, ns, "late") is None


def test_what_was_lost_stays_lost(cluster, ns, hold, monkeypatch):
    """A machine that slept for longer than its lease finds it as it left it: meanwhile others worked and went."""
    held = hold()
    held.take([ns])
    now = leases.since_boot()
    monkeypatch.setattr(leases, "since_boot", lambda: now + 61)
    held._renew_one(ns)
    monkeypatch.setattr(leases, "since_boot", lambda: now + 62)
    assert lost(held, "was not renewed for 60 s")
    monkeypatch.setattr(leases, "since_boot", lambda: now)
    assert lost(held, "was not renewed for 60 s")
    assert cluster.get(LEASES, ns, LEASE_NAME)["spec"]["holderIdentity"] == me("ours").text()


@pytest.mark.usefixtures("often")
def test_a_lease_that_a_tenant_deletes_is_made_again(cluster, ns, hold, bench):
    held = hold()
    held.take([ns])
    old = cluster.get(LEASES, ns, LEASE_NAME)["metadata"]["uid"]
    cluster.delete(LEASES, ns, LEASE_NAME, uid=old)
    bench.until(lambda: (live := cluster.find(LEASES, ns, LEASE_NAME)) and live["metadata"]["uid"] != old)
    held.check()
    with pytest.raises(PermanentError, match="is being worked on by restore ours"):
        hold("theirs").take([ns])


@pytest.mark.usefixtures("often")
def test_who_takes_a_deleted_lease_first_has_it(cluster, ns, hold, bench):
    held = hold()
    held.take([ns])
    lease_of = ("Lease.coordination.k8s.io", ns, LEASE_NAME)
    cluster.delete(LEASES, ns, LEASE_NAME, uid=bench.get(*lease_of, B)["metadata"]["uid"])
    try:
        left(cluster, ns, Holder("theirs", "another-host", 17, "x:1"))
    except KubeferryError:  # ours was faster: take it by force
        bench.patch(*lease_of, {"spec": {"holderIdentity": "theirs@another-host/17/x:1"}}, B)
    bench.until(lambda: lost(held, "was taken over by restore theirs"))


def test_a_write_that_is_tried_again_stops_too(bench, tmp_path, monkeypatch):
    """A busy server may keep a write waiting for minutes."""
    ns = bench.namespace()
    found = yaml.safe_load(Path(bench.where["kubeconfig"]).read_text(encoding="utf-8"))
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda _: None)
    with scripted(bench.clusters[A]) as server:
        next(each for each in found["clusters"] if each["name"] == A)["cluster"]["server"] = server.url
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(found))
        between = connect(A, str(tmp_path / "kubeconfig"))
        server.plan = [(503, {}, b"{}")] * 3
        asked = []

        def check():
            asked.append(1)
            if len(asked) > 2:
                raise PermanentError("lost")

        with pytest.raises(PermanentError, match="lost"):
            between.guarded(check).create(CONFIGS, ns, yaml.safe_load(config_map("late", {})))
        assert [verb for verb, _ in server.seen] == ["POST", "POST"]
        assert between.guarded(check).version(), "what is only read is read"
        between.close()
    assert bench.find("ConfigMap", ns, "late") is None
