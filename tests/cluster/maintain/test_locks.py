"""`kubeferry backup --lock-until`, `list` and `prune` as a person uses them, on a bucket with Object Lock."""

import json
import uuid
from datetime import timedelta

import pytest
from tests.support.versioned_s3 import versioned

from kubeferry.tasks.ports.local import clock


@pytest.fixture(scope="module")
def server(unset, tmp_path_factory):  # noqa: ARG001 - its program is built, and the environment is set before this
    with pytest.MonkeyPatch.context() as patch, versioned(tmp_path_factory.mktemp("versioned"), patch) as running:
        yield running


@pytest.fixture(scope="module")
def ns(sandbox_env, kubectl):
    name = f"locks-{uuid.uuid4().hex[:6]}"
    kubectl(sandbox_env, "create", "namespace", name)
    yield name
    kubectl(sandbox_env, "delete", "namespace", name, "--wait=false")


def test_a_locked_backup_is_listed_as_such_and_stays(kubeferry, server, ns):
    store = server.store("locked", "whole")
    day = f"{clock.now() + timedelta(days=9):%Y-%m-%d}"
    for name, more in [
        ("first", ["--lock-until", day]),
        ("second", ["--ttl", "30d"]),
        ("third", ["--lock-until", "12h"]),
    ]:
        code, _, err = kubeferry("backup", ns, "--name", name, "--store", store, *more)
        assert code == 0, err
    for key in server.versions("locked", "whole/backups/first/")[0]:
        kept = server.client.get_object_retention(Bucket="locked", Key=key)["Retention"]
        assert (kept["Mode"], f"{kept['RetainUntilDate']:%Y-%m-%d %H:%M}") == ("GOVERNANCE", f"{day} 00:00"), key
    code, out, _ = kubeferry("list", "--store", store, "-o", "json")
    found = {each["name"]: each["locked"] for each in json.loads(out)}
    assert (code, found["first"], found["second"]) == (0, f"until {day} 00:00 UTC (GOVERNANCE)", "")
    assert found["third"].startswith("until ")
    code, out, err = kubeferry("prune", "--keep-within", "1h", "--restores-within", "1h", "--yes", "--store", store)
    assert (code, "0 removed" in out) == (0, True), err
    code, out, err = kubeferry("backup", ns, "--name", "fourth", "--store", store)
    assert code == 0, err
    code, out, err = kubeferry("prune", "--keep-last", "1", "--yes", "-o", "json", "--store", store)
    assert code == 0, err
    result = json.loads(out)
    assert {each["what"] for each in result["left"]} == {"backup first", "backup third"}
    assert {each["name"]: each["keep"] for each in result["judged"]} == dict.fromkeys(
        ("first", "second", "third", "fourth"), True
    )
    assert kubeferry("verify", "first", "--deep", "--store", store)[0] == 0
    assert "Left alone" in kubeferry("prune", "--keep-last", "1", "--yes", "--store", store)[1]


def test_in_a_versioned_bucket_a_prune_says_that_it_frees_nothing(kubeferry, server, ns):
    store = server.store("kept", "whole")
    for name in ("one", "two"):
        code, _, err = kubeferry("backup", ns, "--name", name, "--store", store)
        assert code == 0, err
    code, out, err = kubeferry("prune", "--keep-last", "1", "--dry-run", "--store", store)
    assert (code, "1 would be removed (no bytes freed: the bucket keeps versions)" in out) == (0, True), out + err
    code, out, err = kubeferry("prune", "--keep-last", "1", "--yes", "-o", "json", "--store", store)
    result = json.loads(out)
    assert (code, result["removed"], result["freed"], result["versions_stay"]) == (0, 1, 0, True), err
    assert [each["name"] for each in json.loads(kubeferry("list", "--store", store, "-o", "json")[1])] == ["two"]
    assert server.versions("kept", "whole/backups/one/")[0]


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (("2020-01-31", "locked"), 2, "--lock-until 2020-01-31 is over"),
        (("90m", "locked"), 2, "--lock-until '90m': write a duration, such as 30d"),
        (("2027-13-31", "locked"), 2, "'2027-13-31' is no time"),
        (("30d", "kept"), 1, "the bucket has no Object Lock"),
        (("30d", ""), 2, "a folder has no Object Lock"),
    ],
)
def test_a_lock_that_cannot_be_is_refused_before_anything_is_written(
    kubeferry, server, ns, tmp_path, asked, code, message
):
    until, where = asked
    store = server.store(where, "none") if where else tmp_path.as_uri()
    found, _, err = kubeferry("backup", ns, "--lock-until", until, "--store", store)
    assert (found, message in err, err.strip().count("\n")) == (code, True, 0), err
    assert not (where and server.versions(where, "none")[0])
    assert not list(tmp_path.iterdir())
