"""What a worker's environment lets its runs name, with no store and no cluster."""

import pytest

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.ops.allowed import StorePlace, check_context, check_kubeconfig, check_store, listed


def test_a_list_has_commas():
    assert listed(" a, b,,c ") == ["a", "b", "c"]
    assert listed("") == []


@pytest.mark.parametrize(("name", "patterns"), [("prod", ["prod"]), ("prod-eu", ["test", "prod-*"]), ("a", ["[ab]"])])
def test_a_context_that_matches_may_be_used(name, patterns):
    check_context(name, patterns)


@pytest.mark.parametrize(
    ("name", "patterns"), [("prod", []), ("prod-eu", ["prod"]), ("PROD", ["prod"]), ("my-prod", ["prod*"]), ("", ["a"])]
)
def test_any_other_may_not(name, patterns):
    with pytest.raises(UsageError, match="KUBEFERRY_ALLOWED_CONTEXTS"):
        check_context(name, patterns)


BUCKET = ("s3", "backups")


@pytest.mark.parametrize("folder", [("prod",), ("prod", "shop")])
def test_a_store_and_its_folders_may_be_used(folder):
    check_store("", StorePlace(BUCKET, folder), [StorePlace(BUCKET, ("test",)), StorePlace(BUCKET, ("prod",))])


@pytest.mark.parametrize(
    ("server", "folder"),
    [(BUCKET, ()), (BUCKET, ("prod-evil",)), (BUCKET, ("evil", "prod")), (("s3", "backups-evil"), ("prod",))],
)
def test_what_only_looks_like_it_may_not(server, folder):
    with pytest.raises(UsageError, match="KUBEFERRY_ALLOWED_STORES"):
        check_store("", StorePlace(server, folder), [StorePlace(BUCKET, ("prod",))])


def test_a_kubeconfig_has_to_be_the_workers():
    check_kubeconfig("/a", ["/b", "/a"])
    with pytest.raises(UsageError, match="KUBECONFIG"):
        check_kubeconfig("/c", ["/b", "/a"])
