"""`kubeferry backup --ttl` and `prune` as a person uses them, on the sandbox's clusters."""

import json
import uuid
from datetime import datetime, timedelta

import orjson
import pytest

from kubeferry.tasks.ports.store.open import open_store


@pytest.fixture
def ns(sandbox_env, kubectl):
    name = f"prune-{uuid.uuid4().hex[:6]}"
    kubectl(sandbox_env, "create", "namespace", name)
    yield name
    kubectl(sandbox_env, "delete", "namespace", name, "--wait=false")


def test_backups_are_pruned_and_an_expiration_is_velero_s(kubeferry, ns, tmp_path):
    store = (tmp_path / "store").as_uri()
    for name, more in [("one", []), ("two", []), ("kept", ["--ttl", "30d"]), ("four", [])]:
        code, _, err = kubeferry("backup", ns, "--name", name, "--store", store, *more)
        assert code == 0, err
    status = orjson.loads(open_store(store).get("backups/kept/velero-backup.json"))
    started, expires = (datetime.fromisoformat(status["status"][field]) for field in ("startTimestamp", "expiration"))
    assert (status["spec"]["ttl"], expires - started) == ("720h0m0s", timedelta(days=30))
    code, out, err = kubeferry("prune", "--keep-last", "1", "--yes", "-o", "json", "--store", store)
    assert code == 0, err
    found = json.loads(out)
    assert {each["name"] for each in found["judged"] if each["removed"]} == {"one", "two"}
    assert open_store(store).folders("backups/") == ["four", "kept"]
    assert kubeferry("verify", "kept", "--deep", "--store", store)[0] == 0


def test_a_bad_ttl_is_refused_before_anything_is_read(kubeferry, ns):
    code, _, err = kubeferry("backup", ns, "--ttl", "90m")
    assert (code, "--ttl" in err) == (2, True)


def test_a_namespace_that_is_new_tonight_is_in_the_same_series(kubeferry, sandbox_env, kubectl, ns, tmp_path):
    store, label = (tmp_path / "store").as_uri(), f"team={ns}"
    kubectl(sandbox_env, "label", "namespace", ns, label)
    for name, new in [("one", ""), ("two", f"{ns}-b"), ("three", "")]:
        if new:
            kubectl(sandbox_env, "create", "namespace", new)
            kubectl(sandbox_env, "label", "namespace", new, label)
        code, _, err = kubeferry("backup", "--namespace-selector", label, "--name", name, "--store", store)
        assert code == 0, err
    kubectl(sandbox_env, "delete", "namespace", f"{ns}-b", "--wait=false")
    code, out, err = kubeferry("prune", "--keep-last", "1", "--yes", "-o", "json", "--store", store)
    assert code == 0, err
    (kept,) = [each for each in json.loads(out)["judged"] if not each["removed"]]
    assert (kept["name"], kept["series"].partition(" of ")[0]) == ("three", f"namespaces with {label}")
