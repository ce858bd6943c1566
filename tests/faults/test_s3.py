"""Faults of an S3 server: a backup is there whole or not at all, and a restore that cannot read it writes nothing."""

import random

import pytest

from tasks.core.errors import StoreError, StoreUnavailableError
from tasks.ports.backups import backups
from tasks.ports.proof import prove
from tasks.ports.store import open_store
from tests.cluster.restores import name
from tests.faults.actions import answer, cut, delay, lose, send_half, send_slowly, truncate, truncate_silently
from tests.faults.proxy import EVERY, Rule


def xml(status, code, **more):
    """Answer as an S3 server says no ("Error responses" of the Amazon S3 API reference)."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>the proxy says no</Message></Error>"
    return answer(status, body=body.encode(), headers={"Content-Type": "application/xml"}, **more)


SILENT = "truncated without length"
PASSING = {
    "503 SlowDown": xml(503, "SlowDown"),
    "503 with Retry-After": xml(503, "SlowDown", after=1),
    "500 InternalError": xml(500, "InternalError"),
    "429": xml(429, "TooManyRequests"),
    "502, a web page": answer(502, body=b"<html>bad gateway</html>", headers={"Content-Type": "text/html"}),
    "cut before": cut,
    "cut after": lose,
    "truncated": truncate,
    SILENT: truncate_silently,
    "partial upload": send_half,
    "slow upload": send_slowly,
    "slow": delay(0.02),
}
"""What happens once to each request."""


@pytest.fixture(scope="module")
def in_bucket(rigged, kiosk):
    """A backup of the kiosk in the bucket."""
    return rigged.bench.backup(kiosk.ns, store=rigged.bucket)


@pytest.mark.parametrize("fault", PASSING)
def test_a_backup_whose_every_request_meets_a_fault_once_is_right(rig, kiosk, fault):
    rig.s3.rules = [rule := Rule(".*", "", PASSING[fault], each=True)]
    result = rig.backup(kiosk.ns, store=rig.bucket_through)
    assert rule.done == sum(rig.s3.injected.values()) > 15
    rig.same_backup(kiosk.saved, result, rig.bucket)
    assert prove(rig.bucket, result.name, deep=True).proved


@pytest.mark.parametrize("fault", ["503 SlowDown", "502, a web page", "cut after", "truncated", SILENT])
def test_a_restore_whose_every_request_meets_a_fault_once_is_right(rig, kiosk, in_bucket, fault):
    """Its journal goes there too."""
    rig.s3.rules = [rule := Rule(".*", "", PASSING[fault], each=True)]
    rig.same_namespace(kiosk, rig.restore(in_bucket, map={kiosk.ns: rig.bench.name()}, store=rig.bucket_through))
    assert rule.done == sum(rig.s3.injected.values()) > 8


BIG = random.Random(1).randbytes(9 * 1024 * 1024)  # noqa: S311 - only bulk, in two parts


@pytest.mark.parametrize("fault", ["503 SlowDown", "cut after", "truncated", SILENT, "partial upload", "slow upload"])
def test_a_large_file_arrives_whole(rig, fault, tmp_path):
    (tmp_path / "big").write_bytes(BIG)
    rig.s3.rules = [rule := Rule(".*", "", PASSING[fault], each=True)]
    store = open_store(rig.bucket_through)
    store.put_file(f"large/{fault.split()[-1]}", tmp_path / "big")
    store.get_file(f"large/{fault.split()[-1]}", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == BIG
    assert rule.done > 4


# --- what does not pass

BUSY = {"503": xml(503, "SlowDown"), "cut before": cut, "cut after": lose, "partial upload": send_half}
REFUSED = {"403": xml(403, "AccessDenied"), "507, disk full": xml(507, "XMinioStorageFull")}


def refused_backup(rig, kiosk, told, kind):
    asked = name()
    with rig.refused(told, kind):
        rig.backup(kiosk.ns, store=rig.bucket_through, name=asked)
    rig.quiet()
    rig.no_backup(asked, rig.bucket)
    rig.same_backup(kiosk.saved, rig.backup(kiosk.ns, store=rig.bucket_through, name=asked), rig.bucket)


@pytest.mark.parametrize(
    ("key", "fault"), [("tar.gz", "503"), ("tar.gz", "partial upload"), ("kubeferry-manifest", "cut after")]
)
def test_a_file_that_never_arrives_leaves_no_backup_and_its_name_free(rig, kiosk, key, fault):
    rig.s3.rules = [rule := Rule("PUT", key, BUSY[fault], EVERY)]
    refused_backup(rig, kiosk, rf"^store s3://\S+: \S*{key}\S*: ", StoreUnavailableError)
    assert rule.done > 3


@pytest.mark.parametrize(
    ("key", "fault"), [("kubeferry-probe", "403"), ("tar.gz", "507, disk full"), ("velero-backup.json", "403")]
)
def test_a_store_that_says_no_is_asked_once(rig, kiosk, key, fault):
    rig.s3.rules = [rule := Rule("PUT", key, REFUSED[fault], EVERY)]
    refused_backup(rig, kiosk, r"^store s3://\S+: \S+: (AccessDenied|XMinioStorageFull): the proxy says no", StoreError)
    assert rule.done <= 2


@pytest.mark.parametrize("fault", ["503"])
def test_a_last_file_that_is_never_answered_leaves_a_whole_backup_or_none(rig, kiosk, fault):
    """It may have arrived: then everything that it names is there as it says."""
    asked = name()
    rig.s3.rules = [rule := Rule("PUT", "velero-backup.json", BUSY[fault], EVERY)]
    with rig.refused("velero-backup.json", StoreUnavailableError):
        rig.backup(kiosk.ns, store=rig.bucket_through, name=asked)
    assert rule.done > 3
    rig.quiet()
    there = asked in [each.name for each in backups(open_store(rig.bucket))]
    assert there == (fault == "cut after")
    if there:
        assert prove(rig.bucket, asked, deep=True).proved
    else:
        rig.same_backup(kiosk.saved, rig.backup(kiosk.ns, store=rig.bucket_through, name=asked), rig.bucket)


def test_a_mark_that_cannot_be_taken_away_does_not_spoil_a_backup(rig, kiosk):
    """The mark that holds a backup's name goes last; the probes of the store have to go."""
    rig.s3.rules = [rule := Rule("DELETE", "/backups/", BUSY["503"], EVERY)]
    result = rig.backup(kiosk.ns, store=rig.bucket_through)
    assert rule.done > 3
    assert any("stays" in note for note in rig.heard.notes)
    rig.same_backup(kiosk.saved, result, rig.bucket)
