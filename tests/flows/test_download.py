"""What a download leaves behind when it fails."""

from contextlib import suppress
from pathlib import Path

import pytest
from tests.flows.conftest import CONFIG, place

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.manifest import digest
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.plan.download import _download


def test_a_backup_that_cannot_be_unpacked_leaves_no_file_open(shelf, tmp_path):
    """A worker lives long, and an open file keeps its disk full."""
    shelf.add("first", claimed={place(CONFIG): digest(b"something else").sha256})
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(DamagedError) as kept:  # its traceback keeps what was open from being collected
        _download(RestoreOptions(backup="first", store=shelf.url), work)
    links = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # another thread has closed it meanwhile
            links.append(each.readlink())
    assert [each for each in links if work in each.parents] == []
    assert kept.value
