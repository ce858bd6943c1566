"""Cluster-wide objects that are read by name: what is asked for, at which revision, and what could not be read."""

from types import SimpleNamespace

import pytest

from kubeferry.tasks.backup import named
from kubeferry.tasks.backup.state import CLUSTER, Scope
from kubeferry.tasks.core.errors import ExpiredError, ForbiddenError
from kubeferry.tasks.core.formats.manifest import Source
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.models.options import BackupOptions

GROUP = "certs.example"
ISSUERS = ResourceType(GROUP, "v1", "ClusterIssuer", "clusterissuers", namespaced=False)
ACCOUNTS = ResourceType(GROUP, "v1", "Account", "accounts", namespaced=False)


class Cluster:
    """Answers lists of names; records what was asked for."""

    def __init__(self, objects, error=None):
        self.objects, self.error, self.asked = objects, error, []

    def pages(self, kind, *, revision, query):
        self.asked.append((kind.resource, revision, query.get("fieldSelector", "")))
        if self.error and self.error(kind, revision):
            raise self.error(kind, revision)
        wanted = query.get("fieldSelector", "").removeprefix("metadata.name=")
        there = [each for each in self.objects if each["kind"] == kind.kind]
        there = [each for each in there if not wanted or each["metadata"]["name"] == wanted]
        yield SimpleNamespace(empty=not there, items=there)


@pytest.fixture
def scope(tmp_path, monkeypatch):
    def made(cluster):
        monkeypatch.setattr(Scope, "cluster", lambda _: cluster)
        (tmp_path / CLUSTER / "pages").mkdir(parents=True)
        return Scope(
            name="b",
            options=BackupOptions(namespaces=["shop"]),
            work=str(tmp_path),
            namespaces=("shop",),
            source=Source(uid="u", version="v1.36.1", context="a", host="h"),
            revision="7",
            types=(),
            related=(),
            indexed=(),
            everywhere=(),
            own_revisions=frozenset(),
            problems=(),
            named=(ACCOUNTS, ISSUERS),
        )

    return made


def issuer(name, account):
    spec = {"accountRef": {"kind": "Account", "name": account}}
    return {"apiVersion": f"{GROUP}/v1", "kind": "ClusterIssuer", "metadata": {"name": name}, "spec": spec}


def account(name):
    return {"apiVersion": f"{GROUP}/v1", "kind": "Account", "metadata": {"name": name}}


def part(*names):
    user = (Ref(GROUP, "Certificate", "shop", "web"), "spec.issuerRef")
    wants = {Ref(GROUP, "ClusterIssuer", "", name): user for name in names}
    return SimpleNamespace(kinds={(GROUP, "Certificate")}, wants=wants)


def held(scope):
    return [obj["metadata"]["name"] for obj in scope.objects(CLUSTER, scope.related)]


def test_what_is_named_is_read_and_what_that_names_and_nothing_else(scope):
    cluster = Cluster([issuer("acme", "me"), issuer("other", "you"), account("me"), account("you")])
    after, fetched = named._fetch_named(scope(cluster), [part("acme")])
    assert held(after) == ["acme", "me"] or held(after) == ["me", "acme"]
    assert cluster.asked == [("clusterissuers", "7", "metadata.name=acme"), ("accounts", "7", "metadata.name=me")]
    assert (fetched.problems, fetched.not_at_revision) == ((), ())


def test_many_names_are_one_list(scope):
    listed = [f"i{number}" for number in range(9)]
    cluster = Cluster([issuer(name, "me") for name in [*listed, "other"]])
    after, _ = named._fetch_named(scope(cluster), [part(*listed)])
    assert sorted(held(after)) == listed
    assert cluster.asked[0] == ("clusterissuers", "7", "")


def test_nothing_named_asks_for_nothing(scope):
    cluster = Cluster([issuer("acme", "me")])
    after, fetched = named._fetch_named(scope(cluster), [part()])
    assert (cluster.asked, after.related, fetched.pages) == ([], (), 0)


def test_what_exists_nowhere_is_no_problem_of_the_backup(scope):
    after, fetched = named._fetch_named(scope(Cluster([])), [part("nowhere")])
    assert (held(after), fetched.problems) == ([], ())


def test_what_may_not_be_read_makes_the_backup_partial_and_says_who_needs_it(scope):
    error = ForbiddenError("list clusterissuers: forbidden")
    _, fetched = named._fetch_named(scope(Cluster([], lambda *_: error)), [part("acme")])
    (problem,) = fetched.problems
    assert problem.what == f"ClusterIssuer.{GROUP} acme"
    assert problem.why == (
        "it is needed and could not be read: list clusterissuers: forbidden; "
        f"Certificate.{GROUP} shop/web names it (spec.issuerRef)"
    )


def test_a_compacted_revision_is_told_and_does_not_begin_the_backup_again(scope):
    cluster = Cluster([issuer("acme", "me")], lambda _, revision: ExpiredError("gone") if revision else None)
    after, fetched = named._fetch_named(scope(cluster), [part("acme")])
    assert held(after) == ["acme"]
    assert fetched.not_at_revision == ((f"clusterissuers.{GROUP}", named.LATER),)


def test_a_name_that_no_object_can_have_is_not_asked_for(scope):
    cluster = Cluster([])
    named._fetch_named(scope(cluster), [part("a,metadata.name!=b", "$(name)")])
    assert cluster.asked == []
