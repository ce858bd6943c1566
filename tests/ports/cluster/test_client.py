"""The cluster port against a real API server, and against one that a network breaks."""

import base64
import json
import os
import socket
import threading
import time
import types
import uuid
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
import yaml
from tests.support.limits import LIMIT
from tests.support.scripted_server import CUT, LOSE, PASS, scripted

from kubeferry.tasks.core.errors import (
    AlreadyExistsError,
    ConflictError,
    CredentialsError,
    DuplicateKeysError,
    ExpiredError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    PermanentError,
    UnavailableError,
    UnreachableError,
    UntrustedError,
    WebhookError,
)
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.ports.cluster import transport
from kubeferry.tasks.ports.cluster.cancellation import Cancellation
from kubeferry.tasks.ports.cluster.client import PAGE, connect
from kubeferry.tasks.ports.cluster.transport import RETRY, THREADS
from kubeferry.tasks.ports.local.threads import in_threads

pytestmark = pytest.mark.cluster

NAMESPACES = ResourceType("", "v1", "Namespace", "namespaces", namespaced=False)
CONFIGS = ResourceType("", "v1", "ConfigMap", "configmaps", namespaced=True)
SECRETS = ResourceType("", "v1", "Secret", "secrets", namespaced=True)
CRDS = ResourceType(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)


@pytest.fixture(scope="module")
def cluster(sandbox_env):  # noqa: ARG001 - it sets the environment
    found = connect("kubeferry-a")
    yield found
    found.close()


@pytest.fixture
def namespace(cluster):
    name = f"port-{uuid.uuid4().hex[:8]}"
    made, _ = cluster.create(NAMESPACES, "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    cluster.delete(NAMESPACES, "", name, uid=made["metadata"]["uid"])


@pytest.fixture(scope="module")
def things(cluster):
    """A custom resource type of this module's own. It stays: others list all types of the cluster just then."""
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    cluster.create(
        CRDS,
        "",
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"things.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"plural": "things", "singular": "thing", "kind": "Thing", "shortNames": ["th"]},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
            },
        },
    )
    deadline = time.monotonic() + LIMIT
    while not cluster.discover().by_kind(group, "Thing"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return cluster.discover().by_kind(group, "Thing")


def config(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def names(pages):
    return sorted(item["metadata"]["name"] for page in pages for item in page.items)


# --- reading


def test_discovery_finds_core_groups_and_custom_resources(cluster, things):
    found = cluster.discover()
    pods, deployments = found.by_kind("", "Pod"), found.by_kind("apps", "Deployment")
    assert (pods.resource, pods.namespaced, "po" in pods.names, "log" in pods.subresources) == (
        "pods",
        True,
        True,
        True,
    )
    assert (deployments.version, deployments.path("x")) == ("v1", "/apis/apps/v1/namespaces/x/deployments")
    assert found.by_kind("", "Node").namespaced is False
    assert {"list", "create", "watch", "delete"} <= things.verbs
    assert "th" in things.names
    assert found.problems == {}
    assert found.versions["autoscaling", "HorizontalPodAutoscaler"][0] == "v2"


def test_all_kinds_are_read_at_one_revision_whatever_is_written_later(cluster, namespace, things):
    thing = {"apiVersion": things.api_version, "kind": "Thing", "metadata": {"name": "t1"}}
    cluster.create(things, namespace, thing)
    cluster.create(CONFIGS, namespace, config("c1", a="1"))
    cluster.create(CONFIGS, namespace, config("c2"))
    revision = cluster.revision()
    gone = cluster.get(CONFIGS, namespace, "c2")["metadata"]["uid"]
    cluster.create(CONFIGS, namespace, config("c3"))
    cluster.create(things, namespace, thing | {"metadata": {"name": "t2"}})
    cluster.patch(CONFIGS, namespace, "c1", {"data": {"a": "2"}})
    cluster.delete(CONFIGS, namespace, "c2", uid=gone)
    configs = list(cluster.pages(CONFIGS, namespace, revision=revision))
    assert {"c1", "c2"} <= set(names(configs))
    assert "c3" not in names(configs)
    assert next(item["data"] for item in configs[0].items if item["metadata"]["name"] == "c1") == {"a": "1"}
    assert names(cluster.pages(things, namespace, revision=revision)) == ["t1"]
    assert {page.revision for page in (*configs, *cluster.pages(things, namespace, revision=revision))} == {revision}
    assert names(cluster.pages(things, namespace)) == ["t1", "t2"]


def test_a_list_at_least_as_new_as_what_was_written_shows_it_at_once(cluster, namespace):
    """Each time: a server's cache lags behind what it stored."""
    for number in range(30):
        cluster.create(CONFIGS, namespace, config(f"c{number}"))
        assert f"c{number}" in names(cluster.pages(CONFIGS, namespace, at_least=cluster.written(CONFIGS)))
    cluster.patch(CONFIGS, namespace, "c0", {"data": {"a": "2"}})
    shown = list(cluster.pages(CONFIGS, namespace, at_least=cluster.written(CONFIGS)))
    assert next(item["data"] for item in shown[0].items if item["metadata"]["name"] == "c0") == {"a": "2"}
    assert int(shown[0].revision) >= int(cluster.written(CONFIGS)) > 0


def test_what_was_written_to_a_cluster_that_was_put_back_is_forgotten(cluster, namespace, monkeypatch):
    """Its server waits for a revision that never comes, and says so."""
    monkeypatch.setattr(transport, "RETRY", RETRY.new(total=0))
    cluster.create(CONFIGS, namespace, config("c1"))
    cluster._newest["configmaps"] = 10**15
    assert "c1" in names(cluster.pages(CONFIGS, namespace, at_least=cluster.written(CONFIGS)))
    assert cluster.written(CONFIGS) == ""


def test_items_say_what_they_are(cluster, namespace):
    cluster.create(CONFIGS, namespace, config("c1"))
    found = cluster.list(CONFIGS, namespace)
    assert {(item["apiVersion"], item["kind"]) for item in found} == {("v1", "ConfigMap")}


def test_a_list_of_many_pages_is_whole_and_of_one_revision(cluster, namespace):
    """One more than a page; objects made after the first page are not on the second."""
    wanted = [f"c{number:04}" for number in range(PAGE + 20)]
    list(in_threads(lambda name: cluster.create(CONFIGS, namespace, config(name)), wanted, THREADS))
    pages = cluster.pages(CONFIGS, namespace, query={"labelSelector": ""})
    first = next(pages)
    assert len(first.items) == PAGE
    cluster.create(CONFIGS, namespace, config("z-later"))
    rest = list(pages)
    found = names([first, *rest])
    assert [name for name in found if name.startswith("c")] == wanted
    assert "z-later" not in found
    assert {page.revision for page in rest} == {first.revision}


def test_what_is_not_there_is_named(cluster, namespace):
    with pytest.raises(NotFoundError, match=f"^get ConfigMap {namespace}/nothing: "):
        cluster.get(CONFIGS, namespace, "nothing")
    assert cluster.find(CONFIGS, namespace, "nothing") is None


# --- writing


def test_create_and_again(cluster, namespace):
    made, retried = cluster.create(CONFIGS, namespace, config("c1", a="1"))
    assert (made["data"], retried) == ({"a": "1"}, False)
    with pytest.raises(AlreadyExistsError, match=f"create ConfigMap {namespace}/c1: .*already exists"):
        cluster.create(CONFIGS, namespace, config("c1"))


def test_a_dry_run_creates_nothing(cluster, namespace):
    cluster.create(CONFIGS, namespace, config("c1"), dry_run=True)
    assert cluster.find(CONFIGS, namespace, "c1") is None


def test_apply_owns_its_fields_and_keeps_the_others(cluster, namespace):
    cluster.create(CONFIGS, namespace, config("c1", theirs="1", both="1"))
    applied = cluster.apply(CONFIGS, namespace, config("c1", both="2", ours="2"))
    assert applied["data"] == {"theirs": "1", "both": "2", "ours": "2"}
    managers = {each["manager"]: each["operation"] for each in applied["metadata"]["managedFields"]}
    assert managers["kubeferry"] in ("Apply", "Update")
    assert cluster.apply(CONFIGS, namespace, config("c1", both="2"))["data"] == {"theirs": "1", "both": "2"}


@pytest.mark.parametrize("character", ["\x07", "\x7f", "\x80", "\x85", "\x9f", "\u2028", "\ufeff", "\uffff", "é🛒"])
def test_apply_sends_each_character_as_it_is(cluster, namespace, character):
    """The API server reads an apply patch as YAML, in which some characters of JSON are none, or a line break."""
    text = f"a{character}b"
    assert cluster.apply(CONFIGS, namespace, config("c1", a=text))["data"] == {"a": text}


def test_apply_creates_and_conflicts_unless_forced(cluster, namespace):
    cluster.apply(CONFIGS, namespace, config("c1", a="1"))
    other = {"query": {"fieldManager": "other", "force": "true"}, "content_type": "application/apply-patch+yaml"}
    cluster.request("PATCH", CONFIGS.path(namespace, "c1"), body=json.dumps(config("c1", a="2")).encode(), **other)
    with pytest.raises(ConflictError, match="other"):
        cluster.apply(CONFIGS, namespace, config("c1", a="3"), force=False)
    assert cluster.apply(CONFIGS, namespace, config("c1", a="3"))["data"] == {"a": "3"}


def test_patch_merges(cluster, namespace):
    cluster.create(CONFIGS, namespace, config("c1", a="1", b="1"))
    assert cluster.patch(CONFIGS, namespace, "c1", {"data": {"a": None, "c": "é"}})["data"] == {"b": "1", "c": "é"}


def test_a_refused_object_names_its_field(cluster, namespace):
    with pytest.raises(InvalidError, match=r"data\[not a key\]: Invalid value"):
        cluster.create(CONFIGS, namespace, config("c1", **{"not a key": "1"}))


def test_a_refused_secret_does_not_show_its_values(cluster, namespace):
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s1"},
        "data": {"a": "marked value, not base64"},
    }
    with pytest.raises(InvalidError) as caught:
        cluster.create(SECRETS, namespace, secret)
    assert "marked" not in str(caught.value)
    assert f"create Secret {namespace}/s1" in str(caught.value)


def test_delete_with_another_uid_is_a_conflict_and_deletes_nothing(cluster, namespace):
    made, _ = cluster.create(CONFIGS, namespace, config("c1"))
    with pytest.raises(ConflictError, match=f"delete ConfigMap {namespace}/c1"):
        cluster.delete(CONFIGS, namespace, "c1", uid=str(uuid.uuid4()))
    assert cluster.get(CONFIGS, namespace, "c1")["metadata"]["uid"] == made["metadata"]["uid"]
    cluster.delete(CONFIGS, namespace, "c1", uid=made["metadata"]["uid"])
    with pytest.raises(NotFoundError):
        cluster.delete(CONFIGS, namespace, "c1", uid=made["metadata"]["uid"])


# --- watching


def test_a_watch_sees_what_happens(cluster, namespace):
    revision = cluster.revision()
    made, _ = cluster.create(CONFIGS, namespace, config("c1", a="1"))
    cluster.patch(CONFIGS, namespace, "c1", {"data": {"a": "2"}})
    cluster.delete(CONFIGS, namespace, "c1", uid=made["metadata"]["uid"])
    seen = []
    for event, obj in cluster.watch(CONFIGS, namespace, revision=revision, seconds=300):
        if obj["metadata"]["name"] == "c1":
            seen.append((event, obj["data"]["a"]))
        if event == "DELETED":
            break
    assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]


def test_a_watch_ends_by_itself(cluster, namespace):
    events = list(cluster.watch(CONFIGS, namespace, revision=cluster.revision(), seconds=1))
    assert {obj["metadata"]["name"] for _, obj in events} <= {"kube-root-ca.crt"}, "which comes into each namespace"


def test_a_watch_hears_of_what_happens_while_it_waits(cluster, namespace):
    events = cluster.watch(CONFIGS, namespace, revision=cluster.revision(), seconds=300)
    timer = threading.Timer(0.2, lambda: cluster.create(CONFIGS, namespace, config("late", text="x" * 100_000)))
    timer.start()
    found = next(obj for _, obj in events if obj["metadata"].get("name") == "late")
    assert len(found["data"]["text"]) == 100_000
    events.close()
    timer.join()


def test_a_watch_that_hears_nothing_is_ended_by_another_thread_at_once(cluster, namespace):
    stop, begun = Cancellation(), threading.Event()

    def follow():
        begun.set()
        list(cluster.watch(CONFIGS, namespace, revision=cluster.revision(), seconds=300, stop=stop))

    threads = [threading.Thread(target=follow, daemon=True) for _ in range(2)]
    for each in threads:
        each.start()
    begun.wait(LIMIT)
    time.sleep(0.5)  # one that is not under way yet has to end as well
    stop.set()
    for each in threads:
        each.join(LIMIT / 10)
    assert [each.is_alive() for each in threads] == [False, False]
    assert list(cluster.watch(CONFIGS, namespace, revision=cluster.revision(), seconds=300, stop=stop)) == []
    assert cluster.version(), "its connections are of use still"


def test_a_watch_from_a_revision_before_the_servers_memory_is_expired(cluster, namespace, things):
    """The type is younger than the revision, so its cache cannot know."""
    with pytest.raises(ExpiredError, match=f"watch {things.group_resource} in {namespace}: too old"):
        list(cluster.watch(things, namespace, revision="1", seconds=5))


def test_a_revision_that_etcd_compacted_away_is_expired(compact, namespace):
    """API servers since 1.34 answer from snapshots until they notice, so the test asks until it is gone."""
    cluster, compacted = compact
    cluster.create(NAMESPACES, "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    try:
        cluster.create(CONFIGS, namespace, config("c1"))
        revision = cluster.revision()
        cluster.create(CONFIGS, namespace, config("c2"))
        assert "c1" in names(cluster.pages(CONFIGS, namespace, revision=revision))
        compacted()
        with pytest.raises(ExpiredError, match=f"list configmaps in {namespace}: "):
            asked_for_20_seconds(cluster, namespace, revision)
    finally:
        cluster.delete(NAMESPACES, "", namespace, uid=cluster.get(NAMESPACES, "", namespace)["metadata"]["uid"])


def asked_for_20_seconds(cluster, namespace, revision):
    for _ in range(200):
        list(cluster.pages(CONFIGS, namespace, revision=revision))
        time.sleep(0.1)


@pytest.fixture
def compact(sandbox_env):
    """The other cluster, and a function that forgets all its previous revisions, as the API server does every 5 min."""
    cluster = connect("kubeferry-b")
    ports = json.loads((sandbox_env.home / "kubeferry-b" / "ports.json").read_text())

    def ask(path, **body):
        request = Request(f"http://127.0.0.1:{ports['etcd']}{path}", json.dumps(body).encode(), method="POST")
        urlopen(request, timeout=LIMIT).close()  # noqa: S310 - as above

    def compacted():
        revision = cluster.revision()
        key, value = (base64.b64encode(text.encode()).decode() for text in ("compact_rev_key", revision))
        ask("/v3/kv/put", key=key, value=value)  # by which API servers know each other
        ask("/v3/kv/compaction", revision=revision, physical=True)

    yield cluster, compacted
    cluster.close()


# --- credentials and connections


def kubeconfig(tmp_path, *, server=None, token=None, trusted=None, name="broken"):
    """Write a kubeconfig that is the sandbox's but for what is given."""
    real = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text(encoding="utf-8"))
    target = dict(next(each["cluster"] for each in real["clusters"] if each["name"] == "kubeferry-a"))
    user = dict(next(each["user"] for each in real["users"] if each["name"] == "kubeferry-a"))
    target |= {"server": server} if server else {}
    target |= {"certificate-authority-data": trusted} if trusted else {}
    user |= {"token": token} if token else {}
    path = tmp_path / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": name,
                "clusters": [{"name": "c", "cluster": target}],
                "users": [{"name": "u", "user": user}],
                "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    return str(path)


@pytest.fixture
def connected(sandbox_env, tmp_path):  # noqa: ARG001 - it sets the environment
    """Connect by a kubeconfig that is the sandbox's but for what is given."""
    opened = []

    def to(**changes):
        opened.append(connect(None, kubeconfig(tmp_path, **changes)))
        return opened[-1]

    yield to
    for each in opened:
        each.close()


@pytest.fixture
def quick(monkeypatch):
    """Retries that do not wait; what they would have waited for, in seconds."""
    waited = []
    clock = types.SimpleNamespace(**{name: getattr(time, name) for name in dir(time) if not name.startswith("_")})
    clock.sleep = waited.append
    monkeypatch.setattr("urllib3.util.retry.time", clock)
    return waited


def test_a_wrong_token_is_one_line_that_says_what_to_do(connected):
    with pytest.raises(CredentialsError) as caught:
        connected(token="marked-token").revision()
    assert str(caught.value) == "list namespaces: the credentials were refused (401): expired or wrong, log in again"


def test_a_viewer_may_read_and_not_write(cluster, namespace):
    bindings = cluster.discover().by_kind("rbac.authorization.k8s.io", "RoleBinding")
    role = {"apiGroup": bindings.group, "kind": "ClusterRole", "name": "view"}
    subject = {"apiGroup": bindings.group, "kind": "User", "name": "viewer"}
    binding = {"apiVersion": bindings.api_version, "kind": "RoleBinding", "metadata": {"name": "view"}}
    cluster.create(bindings, namespace, binding | {"roleRef": role, "subjects": [subject]})
    viewer = connect("kubeferry-a-viewer")
    try:
        deadline = time.monotonic() + LIMIT
        while not viewer.allowed("list", CONFIGS, namespace):  # until the authorizer has seen the binding
            assert time.monotonic() < deadline
        # The root certificate comes into a namespace a moment after it, maybe between two lists.
        while not (found := viewer.list(CONFIGS, namespace)):
            assert time.monotonic() < deadline
        assert found == cluster.list(CONFIGS, namespace)
        assert not viewer.allowed("create", CONFIGS, namespace)
        with pytest.raises(ForbiddenError, match=rf"create ConfigMap {namespace}/c1: .*viewer.* cannot create"):
            viewer.create(CONFIGS, namespace, config("c1"))
        with pytest.raises(ForbiddenError, match=f"list secrets in {namespace}: "):
            viewer.list(SECRETS, namespace)
    finally:
        viewer.close()


def test_a_closed_port_is_out_of_reach_and_named(connected, quick):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        broken = connected(server=f"https://127.0.0.1:{port}")
        with pytest.raises(UnreachableError) as caught:
            broken.version()
    assert (
        str(caught.value)
        == f"cluster broken (https://127.0.0.1:{port}) is out of reach: [Errno 111] Connection refused"
    )
    assert len(quick) == RETRY.connect - 1, "urllib3 does not wait before the first retry"


def test_another_authoritys_certificate_is_refused(connected, sandbox_env, quick):  # noqa: ARG001 - no waiting
    other = (sandbox_env.home / "kubeferry-b" / "pki" / "ca.crt").read_bytes()
    broken = connected(trusted=base64.b64encode(other).decode())
    with pytest.raises(UntrustedError, match=r"cluster broken \(https://127\.0\.0\.1:\d+\) is not trusted: "):
        broken.version()


@pytest.mark.parametrize("context", ["nothing", ""])
def test_a_context_that_is_not_there_is_named(sandbox_env, tmp_path, context):  # noqa: ARG001 - it sets the environment
    path = kubeconfig(tmp_path) if context else str(tmp_path / "missing")
    with pytest.raises(CredentialsError) as caught:
        connect(context or None, path)
    assert path in str(caught.value)
    assert (context or "current") in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "a: [", "clusters: 7\ncontexts: 7\ncurrent-context: x", "[]", "just text"])
def test_a_kubeconfig_that_is_none_is_one_line(tmp_path, text):
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(CredentialsError) as caught:
        connect(None, str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


# --- a network that breaks


@pytest.fixture
def between(cluster, connected):
    """A cluster that is reached through a server that breaks things, and that server."""
    with scripted(cluster) as server:
        found = connected(server=server.url)
        yield found, server
        found.close()


def busy(status, after=None):
    return status, {"Retry-After": after} if after else {}, b'{"kind":"Status","message":"busy"}'


def test_a_busy_server_is_asked_again_when_it_says(between, quick):
    broken, server = between
    server.plan = [busy(429, "1"), busy(429, "2")]
    assert broken.version().startswith("v1.")
    assert len(server.seen) == 3
    assert quick == [1, 2]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_each_verb_is_sent_again_after_a_server_error(between, quick, status, method):
    broken, server = between
    server.plan = [busy(status), (200, {}, b"{}")]
    answer = broken.request(method, "/x", body=b"{}")
    assert (answer.retried, [verb for verb, _ in server.seen]) == (True, [method, method])
    assert len(quick) <= 1


def test_a_server_that_stays_busy_is_reported_after_a_bounded_number_of_tries(between, quick):
    broken, server = between
    server.plan = [busy(503)] * 50
    with pytest.raises(UnavailableError, match="busy"):
        broken.version()
    assert len(server.seen) == RETRY.total + 1
    assert sum(quick) < 60


@pytest.mark.parametrize(
    ("message", "error", "tries"),
    [
        ('failed calling webhook "g.example.com": connection refused', WebhookError, 5),
        ('failed calling webhook "g.example.com": context deadline exceeded', WebhookError, 2),
        (".spec.ports: duplicate entries for key [port=80]", DuplicateKeysError, 1),
    ],
)
def test_a_server_error_that_does_not_pass_is_asked_again_a_few_times_or_never(between, quick, message, error, tries):
    broken, server = between
    body = {"kind": "Status", "code": 500, "reason": "InternalError", "message": f"Internal error occurred: {message}"}
    server.plan = [(500, {}, json.dumps(body).encode())] * 50
    with pytest.raises(error):
        broken.create(CONFIGS, "default", config("c1"))
    assert len(server.seen) == tries
    assert sum(quick) < 5


def test_a_wait_of_an_hour_is_cut_short(between, quick):
    broken, server = between
    server.plan = [busy(429, "3600")]
    broken.version()
    assert quick == [RETRY.retry_after_max]
    assert quick[0] <= 30


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422])
def test_a_refusal_is_not_asked_again(between, quick, status):
    broken, server = between
    server.plan = [busy(status)]
    with pytest.raises((PermanentError, ExpiredError)):
        broken.version()
    assert (len(server.seen), quick) == (1, [])


def test_a_conflict_of_a_new_object_is_one_of_its_quota_and_passes(between, namespace, monkeypatch):
    """Admission counts it in a ResourceQuota that others change at the same time; what exists is AlreadyExists."""
    broken, server = between
    body = {"kind": "Status", "code": 409, "reason": "Conflict", "message": 'resourcequotas "shop": modified'}
    conflict = (409, {}, json.dumps(body).encode())
    monkeypatch.setattr(transport, "CONFLICT_PAUSES", (0, 0))
    server.plan = [conflict] * 3
    with pytest.raises(UnavailableError, match="resourcequotas"):
        broken.create(CONFIGS, namespace, config("c1"))
    server.plan = [conflict] * 2
    assert broken.create(CONFIGS, namespace, config("c1"))[0]["metadata"]["name"] == "c1"
    with pytest.raises(AlreadyExistsError):
        broken.create(CONFIGS, namespace, config("c1"))


def test_what_others_write_in_between_is_read_and_written_again_at_growing_pauses(monkeypatch):
    """A Deployment's controller was seen to write five times within the time of five tries one after the other."""
    pauses, answers = [], iter([ConflictError("changed")] * 7)
    monkeypatch.setattr(transport.time, "sleep", pauses.append)

    def attempt():
        if error := next(answers, None):
            raise error
        return "written"

    assert transport.retry_on_conflict(attempt) == "written"
    assert len(pauses) == 7
    assert pauses == sorted(pauses)
    assert 1 < sum(pauses) < 10


@pytest.mark.parametrize(("error", "tries"), [(ConflictError("changed"), 4), (AlreadyExistsError("is there"), 1)])
def test_what_does_not_pass_is_raised(monkeypatch, error, tries):
    monkeypatch.setattr(transport, "CONFLICT_PAUSES", (0,) * 3)
    made = []

    def attempt():
        made.append(True)
        raise error

    with pytest.raises(type(error), match=str(error)):
        transport.retry_on_conflict(attempt)
    assert len(made) == tries


def test_a_connection_that_is_cut_is_opened_again(between, quick):  # noqa: ARG001 - no waiting
    broken, server = between
    server.plan = [CUT, PASS, CUT, CUT, PASS]
    assert broken.version().startswith("v1.")
    assert broken.version().startswith("v1.")
    assert len(server.seen) == 5


def test_a_connection_that_is_always_cut_is_out_of_reach(between, quick):  # noqa: ARG001 - no waiting
    broken, server = between
    server.plan = [CUT] * 50
    with pytest.raises(UnreachableError, match=r"cluster broken \(http://127\.0\.0\.1:\d+\) is out of reach: ."):
        broken.version()
    assert len(server.seen) == RETRY.read + 1


def test_a_create_whose_answer_is_lost_meets_its_own_object(between, cluster, namespace, quick):  # noqa: ARG001 - no waiting
    broken, server = between
    server.plan = [LOSE]
    with pytest.raises(AlreadyExistsError):
        broken.create(CONFIGS, namespace, config("c1", a="1"))
    assert [verb for verb, _ in server.seen] == ["POST", "POST"]
    assert cluster.get(CONFIGS, namespace, "c1")["data"] == {"a": "1"}


def test_a_create_that_never_arrived_is_reported_as_retried(between, namespace, quick):  # noqa: ARG001 - no waiting
    broken, server = between
    server.plan = [CUT]
    made, retried = broken.create(CONFIGS, namespace, config("c1"))
    assert (made["metadata"]["name"], retried) == ("c1", True)


def test_a_page_that_is_no_api_server_is_one_line(between):
    broken, server = between
    server.plan = [(200, {"Content-Type": "text/html"}, b"<html>log in</html>")] * 2
    with pytest.raises(PermanentError, match="is this the address of an API server"):
        broken.version()
    with pytest.raises(PermanentError, match="is this the address of an API server"):
        broken.discover()


def test_a_group_that_the_server_no_longer_describes_has_no_schemas(between):
    """An API server answers 200 with nothing while a group is deleted that it has just listed."""
    broken, server = between
    server.plan = [(200, {}, b"")]
    with pytest.raises(NotFoundError, match=r"schemas of gone\.example\.com/v1"):
        broken.schemas("gone.example.com/v1")


def test_a_redirect_is_not_followed(between, quick):  # noqa: ARG001 - no waiting
    """It could lead a token elsewhere."""
    broken, server = between
    server.plan = [(302, {"Location": "http://127.0.0.1:9/elsewhere"}, b"")]
    with pytest.raises((UnreachableError, PermanentError)):
        broken.version()
    assert len(server.seen) == 1


def test_connections_are_used_again(between):
    """A connection takes longer than a request."""
    broken, server = between
    together = threading.Barrier(THREADS)

    def ask(_):
        together.wait(20)
        return broken.version()

    assert len(list(in_threads(ask, range(THREADS * 3), THREADS))) == THREADS * 3
    assert len(server.seen) == THREADS * 3
    assert len(server.open) <= THREADS
