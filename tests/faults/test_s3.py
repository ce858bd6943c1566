"""Faults of an S3 server: a backup is there whole or not at all, and a restore that cannot read it writes nothing."""

import random

import pytest
from tests.faults.actions import (
    answer,
    cut,
    delay,
    doing,
    in_turn,
    lose,
    send_half,
    send_slowly,
    truncate,
    truncate_silently,
)
from tests.faults.proxy import EVERY, Rule
from tests.support.bench import B, name
from tests.support.tiers import fast

from kubeferry.tasks.core.errors import DamagedError, StoreError, StoreUnavailableError, UsageError
from kubeferry.tasks.ports.records.backups import backups, prove
from kubeferry.tasks.ports.store.open import open_store


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
PASSING["each in turn"] = in_turn(PASSING.values())


@pytest.fixture(scope="module")
def in_bucket(rigged, kiosk):
    """A backup of the kiosk in the bucket."""
    return rigged.bench.backup(kiosk.ns, store=rigged.bucket)


@pytest.mark.parametrize("fault", fast(PASSING, "each in turn"))
def test_a_backup_whose_every_request_meets_a_fault_once_is_right(rig, kiosk, fault):
    rig.s3.rules = [rule := Rule(".*", "", PASSING[fault], each=True)]
    result = rig.backup(kiosk.ns, store=rig.bucket_through)
    assert rule.done == sum(rig.s3.injected.values()) > 15
    rig.same_backup(kiosk.saved, result, rig.bucket)
    assert prove(rig.bucket, result.name, deep=True).proved


@pytest.mark.parametrize(
    "fault", fast(["503 SlowDown", "502, a web page", "cut after", "truncated", SILENT, "each in turn"], "each in turn")
)
def test_a_restore_whose_every_request_meets_a_fault_once_is_right(rig, kiosk, in_bucket, fault):
    """Its journal goes there too."""
    rig.s3.rules = [rule := Rule(".*", "", PASSING[fault], each=True)]
    rig.same_namespace(kiosk, rig.restore(in_bucket, map={kiosk.ns: rig.bench.name()}, store=rig.bucket_through))
    assert rule.done == sum(rig.s3.injected.values()) > 8


BIG = random.Random(1).randbytes(9 * 1024 * 1024)  # noqa: S311 - only bulk, in two parts


@pytest.mark.parametrize(
    "fault",
    fast(["503 SlowDown", "cut after", "truncated", SILENT, "partial upload", "slow upload"], "partial upload", SILENT),
)
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


def refused_backup(rig, kiosk, message, kind):
    asked = name()
    with rig.refused(message, kind):
        rig.backup(kiosk.ns, store=rig.bucket_through, name=asked)
    rig.quiet()
    rig.no_backup(asked, rig.bucket)
    rig.same_backup(kiosk.saved, rig.backup(kiosk.ns, store=rig.bucket_through, name=asked), rig.bucket)


@pytest.mark.parametrize(
    ("key", "fault"),
    fast([("tar.gz", "503"), ("tar.gz", "partial upload"), ("kubeferry-manifest", "cut after")], ("tar.gz", "503")),
)
def test_a_file_that_never_arrives_leaves_no_backup_and_its_name_free(rig, kiosk, key, fault):
    rig.s3.rules = [rule := Rule("PUT", key, BUSY[fault], EVERY)]
    refused_backup(rig, kiosk, rf"^store s3://\S+: \S*{key}\S*: ", StoreUnavailableError)
    assert rule.done > 3


@pytest.mark.parametrize(
    ("key", "fault"),
    fast(
        [("kubeferry-probe", "403"), ("tar.gz", "507, disk full"), ("velero-backup.json", "403")],
        ("tar.gz", "507, disk full"),
    ),
)
def test_a_store_that_says_no_is_asked_once(rig, kiosk, key, fault):
    rig.s3.rules = [rule := Rule("PUT", key, REFUSED[fault], EVERY)]
    refused_backup(rig, kiosk, r"^store s3://\S+: \S+: (AccessDenied|XMinioStorageFull): the proxy says no", StoreError)
    assert rule.done <= 2


METADATA = "velero-backup.json"
UNSURE = {"503, it never arrived": BUSY["503"], "cut after, it arrived": lose}


@pytest.mark.parametrize("fault", UNSURE)
def test_a_last_file_without_an_answer_leaves_a_whole_backup_or_none(rig, kiosk, fault):
    """Neither its writing is answered nor, after the two looks before it, whether it is there."""
    asked, arrived = name(), UNSURE[fault] is lose
    rig.s3.rules = [
        rule := Rule("PUT", METADATA, UNSURE[fault], EVERY),
        look := Rule("GET", METADATA, BUSY["503"], range(3 if arrived else 10**6, 10**9)),
    ]
    with rig.refused(METADATA, StoreUnavailableError):
        rig.backup(kiosk.ns, store=rig.bucket_through, name=asked)
    assert rule.done > 3
    assert bool(look.done) == arrived
    rig.quiet()
    assert (asked in [each.name for each in backups(open_store(rig.bucket))]) == arrived
    if arrived:
        assert prove(rig.bucket, asked, deep=True).proved
    else:
        rig.same_backup(kiosk.saved, rig.backup(kiosk.ns, store=rig.bucket_through, name=asked), rig.bucket)


def test_a_last_file_whose_arrival_is_not_answered_is_found_there(rig, kiosk):
    """The next try finds it, and writes nothing of the backup again."""
    rig.s3.rules = [rule := Rule("PUT", METADATA, lose, EVERY)]
    result = rig.backup(kiosk.ns, store=rig.bucket_through)
    assert rule.done == 4, "those of one try"
    rig.same_backup(kiosk.saved, result, rig.bucket)
    assert prove(rig.bucket, result.name, deep=True).proved


def test_a_backup_that_another_run_finished_meanwhile_is_not_written_over(rig, kiosk):
    """It ended, and let the name go, after this one had seen that the name is free."""
    aside, there, asked = open_store(f"{rig.bucket.replace('?', '-aside?')}"), open_store(rig.bucket), name()
    rig.bench.backup(kiosk.ns, store=aside.url, name=asked)

    def finish():
        for entry in aside.list():
            there.put(entry.key, aside.get(entry.key))

    rig.s3.rules = [rule := Rule("PUT", "kubeferry-writing.json", doing(finish))]
    with rig.refused(f"^backup {asked} exists already in s3://.*: another run finished it meanwhile$", UsageError):
        rig.backup(kiosk.ns, store=rig.bucket_through, name=asked)
    assert rule.done == 1
    assert prove(rig.bucket, asked, deep=True).proved


def test_a_mark_that_cannot_be_taken_away_does_not_spoil_a_backup(rig, kiosk):
    """The mark that holds a backup's name is deleted last; the probes of the store have to go."""
    rig.s3.rules = [rule := Rule("DELETE", "/backups/", BUSY["503"], EVERY)]
    result = rig.backup(kiosk.ns, store=rig.bucket_through)
    assert rule.done > 3
    assert any("remains" in note for note in rig.recorded.notes)
    rig.same_backup(kiosk.saved, result, rig.bucket)


def test_a_step_that_is_tried_again_keeps_the_name_that_it_holds(rig, kiosk):
    """Neither the file nor the taking away of the mark gets through, four times each: as in a short outage."""
    rig.s3.rules = [
        rule := Rule("PUT", "tar.gz", BUSY["503"], range(1, 5)),
        mark := Rule("DELETE", "/backups/", BUSY["503"], range(1, 5)),
    ]
    result = rig.backup(kiosk.ns, store=rig.bucket_through)
    assert (rule.done, mark.done) == (4, 4)
    rig.same_backup(kiosk.saved, result, rig.bucket)


LISTS = {
    "a web page": answer(200, body=b"<html>log in", headers={"Content-Type": "text/html"}),
    "half": truncate_silently,
}


@pytest.mark.parametrize("fault", LISTS)
def test_a_list_that_is_none_is_reported(rig, kiosk, fault):
    rig.s3.rules = [rule := Rule("GET", "list-type=2", LISTS[fault], EVERY)]
    refused_backup(rig, kiosk, r"^store s3://\S+: ", (StoreError, StoreUnavailableError))
    assert rule.done > 0


READS = {"503": xml(503, "SlowDown"), "cut before": cut, "truncated": truncate, "silently": truncate_silently}


@pytest.mark.parametrize(
    ("key", "fault"),
    fast(
        [
            ("tar.gz", "silently"),
            ("tar.gz", "503"),
            ("velero-backup.json", "truncated"),
            ("kubeferry-links", "cut before"),
        ],
        ("tar.gz", "silently"),
        ("velero-backup.json", "truncated"),
    ),
)
def test_a_backup_that_cannot_be_read_is_not_restored(rig, kiosk, in_bucket, key, fault):
    rig.s3.rules, copy = [rule := Rule("GET", key, READS[fault], EVERY)], rig.bench.name()
    with rig.refused(key, (StoreUnavailableError, DamagedError)):
        rig.restore(in_bucket, map={kiosk.ns: copy}, store=rig.bucket_through)
    assert rule.done > 2
    assert not rig.b.seen, "the target was not even asked"


@pytest.mark.parametrize("fault", fast(["503", "cut after"], "cut after"))
def test_a_restore_whose_journal_begins_at_the_second_try_is_right(rig, kiosk, in_bucket, fault):
    """The name that it took at the first try is its own."""
    rig.s3.rules = [rule := Rule("PUT", r"/restores/.*journal", BUSY[fault], range(1, 5))]
    rig.same_namespace(kiosk, rig.restore(in_bucket, map={kiosk.ns: rig.bench.name()}, store=rig.bucket_through))
    assert rule.done == 4


@pytest.mark.parametrize(
    ("fault", "first"),
    fast(
        [("503", 1), ("507, disk full", 1), ("403", 3), ("cut after", 3), ("partial upload", 3)],
        ("507, disk full", 1),
        ("cut after", 3),
    ),
)
def test_a_restore_that_cannot_be_journalled_stops(rig, kiosk, in_bucket, fault, first):
    """`first`: the first segment, before anything is written; or one in the middle."""
    rig.s3.rules = [rule := Rule("PUT", r"/restores/.*journal", (BUSY | REFUSED)[fault], range(first, 10**6))]
    copy = rig.bench.namespace(context=B)
    before = rig.there(copy)
    with rig.refused("journal", (StoreError, StoreUnavailableError)) as caught:
        rig.restore(in_bucket, map={kiosk.ns: copy}, store=rig.bucket_through)
    rig.as_before_or_reported(caught.value, copy, before)
    assert rule.done
    rig.once_more(kiosk, copy)
