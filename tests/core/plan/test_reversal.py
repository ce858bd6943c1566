"""What an undo may touch: rows spelled out by hand. What real objects prove is in tests/cluster/attacks."""

import pytest

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.plan.reversal import Mandate, digest, edited_by, is_privileged

OURS = "kubeferry-0123456789ab"
SECRET = Ref("", "Secret", "shop", "token")
MANDATE = Mandate(OURS, frozenset({"shop"}), "r", {"u1": "r", "u2": "other"})


def live(*managers, data="x"):
    """Return a Secret; each manager is its name, or name and second."""
    entries = [each if isinstance(each, tuple) else (each, 1) for each in managers]
    managed = [{"manager": name, "time": f"2026-01-01T00:00:0{second}Z"} for name, second in entries]
    meta = {"name": "token", "namespace": "shop", "managedFields": managed}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": {"a": data}}


@pytest.mark.parametrize(
    ("managers", "may"),
    [
        ([OURS], True),
        ([f"{OURS}@u1"], True),
        ([f"{OURS}@gone"], True),
        ([f"{OURS}@u2"], False),
        (["kubeferry"], False),
        (["kubeferry-ba9876543210"], False),
        ([f"{OURS}c"], False),
        ([], False),
    ],
    ids=["token", "its bundle", "a bundle that is gone", "of another", "generic", "another token", "longer", "nobody"],
)
def test_an_object_proves_by_its_field_managers_whose_it_is(managers, may):
    assert (MANDATE.why_not(SECRET, live(*managers)) == "") is may


@pytest.mark.parametrize(
    ("ref", "may"),
    [
        (SECRET, True),
        (Ref("", "Secret", "bank", "token"), False),
        (Ref("", "Namespace", "", "shop"), True),
        (Ref("", "Namespace", "", "bank"), False),
        (Ref("storage.k8s.io", "StorageClass", "", "fast"), True),
        (Ref("rbac.authorization.k8s.io", "RoleBinding", "shop", "a"), False),
        (Ref("rbac.authorization.k8s.io", "ClusterRoleBinding", "", "a"), False),
        (Ref("apiextensions.k8s.io", "CustomResourceDefinition", "", "a.b"), False),
        (Ref("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "", "a"), False),
        (Ref("example.com", "RoleBinding", "shop", "a"), True),
    ],
)
def test_only_its_namespaces_and_without_a_word_nothing_that_gives_rights(ref, may):
    assert (MANDATE.out_of_reach(ref) == "") is may


def test_who_changed_an_object_may_give_its_former_content_back_and_not_delete_it():
    changed = live(f"{OURS}:changed", "helm")
    assert MANDATE.why_not(SECRET, changed)
    assert MANDATE.why_not(SECRET, changed, former=live("helm")) == ""
    assert MANDATE.why_not(SECRET, live("kubeferry-ba9876543210:changed", "helm"), former=live("helm"))


def test_the_word_of_the_operator_or_the_process_itself_is_enough_for_what_gives_rights():
    role = Ref("rbac.authorization.k8s.io", "Role", "shop", "a")
    assert is_privileged(role)
    assert Mandate(OURS, frozenset({"shop"}), privileged=True).out_of_reach(role) == ""
    assert Mandate(OURS, frozenset({"shop"}), announced={str(role)}).out_of_reach(role) == ""
    elsewhere = Ref("rbac.authorization.k8s.io", "Role", "bank", "a")
    assert Mandate(OURS, frozenset({"shop"}), privileged=True, force=True).out_of_reach(elsewhere)


@pytest.mark.parametrize(
    ("managers", "who"),
    [
        ([OURS], ""),
        ([OURS, ("kubectl-edit", 2)], "kubectl-edit"),
        ([OURS, ("helm", 2), ("argocd", 3)], "argocd, helm"),
        ([(OURS, 2), ("helm", 1)], ""),
        ([OURS, ("kube-controller-manager", 2), ("kubelet", 2)], ""),
        ([OURS, ("kubeferry", 2)], ""),
        ([OURS, ("cube-controller", 2)], "cube-controller"),
        ([OURS, ("helm", 1)], ""),
    ],
)
def test_who_changed_an_object_after_the_restore(managers, who):
    assert edited_by(live(*managers), OURS) == who


def test_within_one_second_the_digest_and_the_former_content_decide():
    wrote = digest(live(OURS))
    assert edited_by(live(OURS, "helm"), OURS, wrote) == ""
    assert edited_by(live(OURS, "helm", data="y"), OURS, wrote) == "helm"
    assert edited_by(live(OURS, "helm", data="y"), OURS, wrote, former=live("helm")) == ""


def test_the_digest_is_of_what_people_write():
    one, other = live(OURS), live("helm")
    other["metadata"] |= {"resourceVersion": "7", "uid": "u"}
    assert digest(one) == digest(other | {"status": {"ready": True}})
    assert digest(one) != digest(live(OURS, data="y"))


def test_only_what_the_process_announced_is_made_again_without_force():
    assert not MANDATE.may_make_again(SECRET)
    assert Mandate(OURS, frozenset({"shop"}), announced={str(SECRET)}).may_make_again(SECRET)
    assert Mandate(OURS, frozenset({"shop"}), force=True).may_make_again(SECRET)
