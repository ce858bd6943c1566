"""A restore gives nobody rights who is not restored, and puts no Secret unseen where others read it."""

import json

import pytest
import yaml
from tests.support.bench import A, B, name
from tests.support.objects import documents, secret

from kubeferry.flows.migrate import migrate
from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.models.options_migration import MigrateOptions

RBAC = "rbac.authorization.k8s.io"
READ = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}]


def account(named):
    return json.dumps({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": named}})


def of(kind, named, namespace=""):
    group = {} if kind == "ServiceAccount" else {"apiGroup": RBAC}
    return {"kind": kind, "name": named} | ({"namespace": namespace} if namespace else group)


def binding(named, role, *subjects, kind="ClusterRoleBinding"):
    ref = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
    obj = {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": {"name": named}}
    return json.dumps(obj | {"roleRef": ref, "subjects": list(subjects)})


def role(named, **labels):
    meta = {"name": named, "labels": labels}
    return json.dumps({"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": meta, "rules": READ})


@pytest.fixture
def world(bench):
    """A namespace with an account that reads all Secrets by a binding that it shares with others."""
    ns, other, shared = bench.namespace("tenant"), bench.namespace("bank"), name()
    bench.make(account("api"), ns)
    bench.make(account("teller"), other)
    bench.make(role(shared))
    subjects = [
        of("ServiceAccount", "api", ns),
        of("ServiceAccount", "teller", other),
        of("User", "eve"),
        of("Group", "system:authenticated"),
        of("User", f"system:serviceaccount:{other}:teller"),
        of("Group", f"system:serviceaccounts:{other}"),
        of("Group", f"system:serviceaccounts:{ns}"),
        of("ServiceAccount", "default", ns),
        of("ServiceAccount", "absent", ns),
    ]
    bench.make(binding(shared, shared, *subjects))
    yield ns, other, shared, len(subjects)
    for context in (A, B):
        for kind in ("ClusterRoleBinding", "ClusterRole"):
            for each in bench.list(kind, "", context):
                if each["metadata"]["name"].startswith(shared):
                    bench.delete(kind, "", each["metadata"]["name"], context)


def named_by(obj):
    return {f"{each.get('namespace', '')}/{each['name']}" for each in obj.get("subjects", ())}


def test_a_binding_of_one_account_gives_others_nothing_on_another_cluster(bench, world):
    ns, _, shared, count = world
    result = bench.restore(bench.backup(ns))
    restored = {f"{ns}/api", f"{ns}/default", f"/system:serviceaccounts:{ns}"}
    assert named_by(bench.get("ClusterRoleBinding", "", shared, B)) == restored
    told = [each.why for each in result.warnings if each.what.endswith(shared)]
    assert len(told) == count - len(restored)
    assert "User eve is left out, as it is not restored (--subjects all keeps it)" in told
    assert result.phase == "Completed"


def test_nor_under_a_new_name_on_the_same_cluster(bench, world):
    ns, _, shared, _ = world
    copy = bench.name("copy")
    bench.restore(bench.backup(ns), context=A, map={ns: copy})
    (made,) = [each for each in bench.list("ClusterRoleBinding") if each["metadata"]["name"] == f"{shared}-{copy}"]
    assert named_by(made) == {f"{copy}/api", f"{copy}/default", f"/system:serviceaccounts:{copy}"}
    assert len(named_by(bench.get("ClusterRoleBinding", "", shared))) > 3


def test_what_was_deleted_by_mistake_comes_back_whole_on_its_own_cluster(bench, world):
    ns, _, shared, count = world
    saved = bench.backup(ns)
    bench.delete("ClusterRoleBinding", "", shared)
    bench.restore(saved, context=A)
    assert len(bench.get("ClusterRoleBinding", "", shared)["subjects"]) == count


def test_the_operator_may_take_all_subjects(bench, world):
    ns, _, shared, count = world
    result = bench.restore(bench.backup(ns), subjects="all")
    assert len(bench.get("ClusterRoleBinding", "", shared, B)["subjects"]) == count
    assert [each.why for each in result.warnings if "User eve gets its rights" in each.why]


def test_accounts_that_are_restored_together_keep_their_rights(bench, world):
    ns, other, shared, _ = world
    bench.restore(bench.backup(ns, other))
    found = named_by(bench.get("ClusterRoleBinding", "", shared, B))
    assert {f"{ns}/api", f"{other}/teller", f"/system:serviceaccounts:{other}"} <= found
    assert "/eve" not in found


def test_a_migration_gives_no_others_rights(bench, world):
    ns, other, shared, _ = world
    asked = MigrateOptions(namespaces=[ns, other], from_context=A, to_context=B, name=name(), **bench.where)
    result = bench.run_flow(migrate(asked))
    assert [each for end in result.namespaces for each in end.warnings if "User eve is left out" in each.why]
    found = named_by(bench.get("ClusterRoleBinding", "", shared, B))
    assert {f"{ns}/api", f"{other}/teller"} <= found
    assert not found & {"/eve", "/system:authenticated"}


def test_the_plan_tells_it_before_anything_is_written(bench, world, kubeferry):
    ns, _, shared, _ = world
    saved = bench.backup(ns)
    code, out, err = kubeferry("plan", saved.name, "--store", bench.where["store"], "-o", "yaml")
    assert code == 0, err
    told = {each["why"] for each in yaml.safe_load(out)["grants"] if each["what"].endswith(shared)}
    assert "User eve is left out on another cluster and under a new name (--subjects all keeps it)" in told
    code, out, _ = kubeferry("plan", saved.name, "--store", bench.where["store"])
    assert "Rights of others" in out


def test_what_stays_and_gives_others_a_say_is_told(bench):
    """RoleBindings of the namespace, and a ClusterRole that adds to those that the target has."""
    ns, shared = bench.namespace("tenant"), name()
    bench.make(account("api"), ns)
    bench.make(role(shared, **{f"{RBAC}/aggregate-to-view": "true"}))
    bench.make(binding(shared, shared, of("ServiceAccount", "api", ns)))
    bench.make(binding("readers", "view", of("User", "eve"), of("ServiceAccount", "api", ns), kind="RoleBinding"), ns)
    result = bench.restore(bench.backup(ns))
    told = {each.what: each.why for each in result.warnings}
    assert told[f"RoleBinding.{RBAC} {ns}/readers"] == "gives rights to User eve"
    assert told[f"ClusterRole.{RBAC} {shared}"] == "adds its rules to ClusterRole view"
    assert named_by(bench.get("RoleBinding", ns, "readers", B)) == {"/eve", f"{ns}/api"}
    for context in (A, B):
        bench.delete("ClusterRoleBinding", "", shared, context)
        bench.delete("ClusterRole", "", shared, context)


# --- a namespace that is there already


@pytest.fixture
def taken(bench):
    """A namespace of somebody's on the target, in which some may read Secrets."""
    made = bench.namespace("taken", B)
    rules = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "reader"}, "rules": READ}
    bench.make(json.dumps(rules), made, B)
    ref = {"apiGroup": RBAC, "kind": "Role", "name": "reader"}
    bound = json.loads(binding("readers", "reader", of("User", "mallory"), kind="RoleBinding")) | {"roleRef": ref}
    bench.make(json.dumps(bound), made, B)
    bench.make(binding("viewers", "view", of("User", "harmless"), kind="RoleBinding"), made, B)
    return made


@pytest.fixture(scope="module")
def ns(bench):
    made = bench.namespace("mine")
    bench.make(documents(secret("token", {"a": "b"})), made)
    return made


def test_who_reads_secrets_in_a_namespace_that_was_there_is_told(bench, ns, taken):
    result = bench.restore(bench.backup(ns), map={ns: taken})
    (told,) = [each.why for each in result.warnings if each.what == f"Namespace {taken}"]
    assert told.startswith("was there already; Secrets in it can be read by ")
    assert "User mallory" in told
    assert "harmless" not in told
    fresh = bench.restore(bench.backup(ns), map={ns: bench.name("fresh")})
    assert [each for each in fresh.warnings if each.what.startswith("Namespace")] == []


def test_a_migration_goes_into_no_namespace_that_is_there(bench, ns, taken):
    asked = {"namespaces": [ns], "map": {ns: taken}, "from_context": A, "to_context": B, **bench.where}
    with pytest.raises(UsageError, match=f"has {taken} already, which may be somebody else's"):
        bench.run_flow(migrate(MigrateOptions(**asked, name=name())))
    assert bench.find("Secret", taken, "token", B) is None
    result = bench.run_flow(migrate(MigrateOptions(**asked, name=name(), into_existing=True)))
    assert result.phase == "Completed"
    assert bench.get("Secret", taken, "token", B)
    (told,) = [each.why for end in result.namespaces for each in end.warnings if each.what == f"Namespace {taken}"]
    assert "User mallory" in told
