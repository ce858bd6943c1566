"""What a verification comes to: damage fails it, what cannot be proved is partial, and each backup has its line."""

from datetime import UTC, datetime

import pytest

from kubeferry.tasks.core.models.results import Verified, VerifyResult, page, phase_of, verdict

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PROVED = Verified(name="a", files=4, bytes=900, objects=12, proved=True, levels=5)
READ = Verified(name="b", files=2, bytes=10)
DAMAGED = Verified(name="c", proved=True, error="its tarball is another one")


@pytest.mark.parametrize(
    ("backups", "phase"),
    [
        ([PROVED], "Completed"),
        ([], "Completed"),
        ([PROVED, READ], "Partial"),
        ([READ], "Partial"),
        ([PROVED, DAMAGED], "Failed"),
        ([READ, DAMAGED, PROVED], "Failed"),
    ],
)
def test_the_worst_of_all_decides(backups, phase):
    assert phase_of(backups).value == phase


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (
            PROVED,
            "4 files, 900 bytes, 12 objects one by one: as the manifest says; the order of a restore holds, 5 levels",
        ),
        (READ, "2 files, 10 bytes: readable, without digests"),
        (
            PROVED.model_copy(update={"levels": 0, "objects": 0}),
            "4 files, 900 bytes: as the manifest says; the order of a restore holds, 0 levels",
        ),
        (DAMAGED, "its tarball is another one"),
    ],
)
def test_each_backup_has_its_line(found, line):
    assert verdict(found) == line


def test_a_page_shows_all_of_them_and_which_are_damaged():
    result = VerifyResult(phase="Failed", store="file:///s", started=NOW, completed=NOW, backups=[READ, DAMAGED])
    assert result.damaged == [DAMAGED]
    assert page(result).splitlines() == [
        "# Verification: Failed",
        "",
        "- store: file:\\///s",
        "",
        "- **b**: 2 files, 10 bytes: readable, without digests",
        "- **c**: its tarball is another one",
    ]
