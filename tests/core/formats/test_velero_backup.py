"""The Backup object is one that Velero's sync takes in, and hostile ones can be listed."""

from datetime import UTC, datetime

import pytest

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.manifest import Manifest, Source
from kubeferry.tasks.core.formats.records import Phase, Problem
from kubeferry.tasks.core.formats.velero_backup import Summary, backup_object, resource_list

STARTED, COMPLETED = datetime(2026, 11, 23, 15, tzinfo=UTC), datetime(2026, 11, 23, 15, 0, 9, tzinfo=UTC)
WEB = "resources/deployments.apps/namespaces/shop/web.json"
API = "resources/deployments.apps/namespaces/shop/api.json"
ROLE = "resources/clusterroles.rbac.authorization.k8s.io/cluster/system:shop.json"


def manifest(phase=Phase.COMPLETED, problems=()):
    return Manifest(
        name="shop-1",
        kubeferry="0.1.0",
        created=STARTED,
        source=Source(uid="u", version="v1.36.1", context="a", host="h"),
        revision="7",
        namespaces=["shop", "bank"],
        phase=phase,
        counts={"Deployment.apps": 2},
        objects=dict.fromkeys([WEB, API, ROLE], "0" * 64),
        files={},
        problems=list(problems),
    )


@pytest.mark.parametrize(
    ("phase", "expected"),
    [(Phase.COMPLETED, "Completed"), (Phase.PARTIAL, "PartiallyFailed"), (Phase.FAILED, "Failed")],
)
def test_it_is_what_velero_takes_in(phase, expected):
    """velero-format.md: sync takes a backup in when..."""
    backup = backup_object(manifest(phase), "f" * 64, STARTED, COMPLETED)
    assert (backup["apiVersion"], backup["kind"]) == ("velero.io/v1", "Backup")
    assert backup["metadata"]["name"] == "shop-1"
    status = backup["status"]
    assert (status["phase"], status["version"], status["formatVersion"]) == (expected, 1, "1")
    assert (status["startTimestamp"], status["completionTimestamp"]) == ("2026-11-23T15:00:00Z", "2026-11-23T15:00:09Z")
    assert status["progress"] == {"totalItems": 3, "itemsBackedUp": 3}
    assert backup["spec"]["includedNamespaces"] == ["shop", "bank"]
    known = {"includedNamespaces", "snapshotVolumes", "storageLocation", "hooks", "metadata"}
    assert set(backup["spec"]) <= known, "a field that the CRD does not have is pruned or refused"


@pytest.mark.parametrize("phase", Phase)
def test_our_own_is_read_back(phase):
    backup = backup_object(manifest(phase, [Problem(what="events", why="no")]), "f" * 64, STARTED, COMPLETED)
    found = Summary(backup, "shop-1")
    assert (found.name, found.phase, found.tool, found.manifest_sha256) == ("shop-1", str(phase), "kubeferry", "f" * 64)
    assert (found.namespaces, found.items, found.errors, found.expires) == (["shop", "bank"], 3, 1, "")


def test_velero_lists_objects_by_type():
    kinds = {WEB: "apps/v1/Deployment", API: "apps/v1/Deployment", ROLE: "rbac.authorization.k8s.io/v1/ClusterRole"}
    assert resource_list(manifest(), kinds) == {
        "apps/v1/Deployment": ["shop/api", "shop/web"],
        "rbac.authorization.k8s.io/v1/ClusterRole": ["system:shop"],
    }


def test_veleros_own_is_read():
    backup = {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {"name": "v", "annotations": {"velero.io/source-cluster-k8s-gitversion": "v1.36.1"}},
        "spec": {"ttl": "720h0m0s"},
        "status": {"phase": "FinalizingPartiallyFailed", "expiration": "2026-12-23T15:00:00Z"},
    }
    found = Summary(backup, "v")
    assert (found.tool, found.phase, found.manifest_sha256) == ("velero", "FinalizingPartiallyFailed", None)
    assert (found.namespaces, found.items, found.expires) == (["*"], 0, "2026-12-23T15:00:00Z")


@pytest.mark.parametrize(
    "backup",
    [
        None,
        [],
        "Backup",
        {},
        {"kind": "Backup"},
        {"kind": "Backup", "metadata": None},
        {"kind": "Backup", "metadata": ["v"]},
        {"kind": "Backup", "metadata": {"name": "w"}},
        {"kind": "Backup", "metadata": {"name": ["v"]}},
        {"kind": "Restore", "metadata": {"name": "v"}},
    ],
)
def test_what_is_not_the_backup_object_is_damaged(backup):
    with pytest.raises(DamagedError, match=r"backup v: velero-backup\.json is not the Backup object"):
        Summary(backup, "v")


ODD = {
    "spec": "map",
    "spec/includedNamespaces": "list",
    "status": "map",
    "status/phase": "text",
    "status/startTimestamp": "text",
    "status/expiration": "text",
    "status/progress": "map",
    "status/progress/itemsBackedUp": "number",
    "status/errors": "number",
    "metadata/annotations": "map",
}
VALUES = {"map": {}, "list": ["x"], "text": "x", "number": 7, "flag": True}


@pytest.mark.parametrize("where", ODD)
@pytest.mark.parametrize("given", [*VALUES, "nothing"])
def test_a_field_of_a_wrong_type_is_named_and_none_is_needed(where, given):
    backup = {"kind": "Backup", "metadata": {"name": "v"}, "spec": {}, "status": {"progress": {}}}
    *steps, last = where.split("/")
    at = backup
    for step in steps:
        at = at[step]
    at[last] = VALUES.get(given)
    if given in (ODD[where], "nothing"):
        assert Summary(backup, "v").tool == "velero"
    else:
        with pytest.raises(DamagedError, match=rf"^backup v: velero-backup\.json is damaged at '{where}"):
            Summary(backup, "v")


@pytest.mark.parametrize("status", [{"formatVersion": "2.0.0"}, {"formatVersion": "2"}, {"version": 2}])
def test_another_format_is_refused_with_ours(status):
    with pytest.raises(DamagedError, match=r"is of format .*, this Kubeferry reads 1"):
        Summary({"kind": "Backup", "metadata": {"name": "v"}, "status": status}, "v")


@pytest.mark.parametrize("status", [{"formatVersion": "1.1.0"}, {"formatVersion": "1"}, {"version": 1}, {}])
def test_formats_that_are_read(status):
    assert Summary({"kind": "Backup", "metadata": {"name": "v"}, "status": status}, "v").name == "v"
