"""Archives are read by everyone's tools, and a damaged or hostile one is a DamagedError and nothing else."""

import contextlib
import gzip as reference
import io
import subprocess
import tarfile
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.ports.archive import tar
from kubeferry.tasks.ports.archive.tarball import FragmentWriter, join, read

WEB = "resources/deployments.apps/namespaces/shop/web.json"
DB = "resources/secrets/namespaces/shop/db.json"
ROLE = "resources/clusterroles.rbac.authorization.k8s.io/cluster/system:shop.json"
# A file name on disk ends at 255 bytes.
LONG = f"resources/configmaps/namespaces/shop/{'n' * 250}.json"
CONTENT = {WEB: b'{"kind":"Deployment"}', DB: b"{}", ROLE: b"x" * 2000, LONG: b"y" * 512}


@pytest.fixture
def tarball(tmp_path):
    """Three fragments (one of them empty), joined."""
    parts = [dict(list(CONTENT.items())[:2]), {}, dict(list(CONTENT.items())[2:])]
    paths = []
    for number, part in enumerate(parts):
        paths.append(tmp_path / f"{number}.part")
        with FragmentWriter(paths[-1]) as fragment:
            for path, data in part.items():
                fragment.add(path, data)
    target = tmp_path / "backup.tar.gz"
    join(paths, target)
    return target


def packed(tmp_path, raw):
    """A gzip file of these bytes, whatever they are."""
    path = tmp_path / "packed.tar.gz"
    path.write_bytes(reference.compress(raw, 1))
    return path


def tar_of(*entries, form=tarfile.PAX_FORMAT):
    """A tar of (TarInfo, content) pairs; a str stands for a plain file of that name."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for info, data in entries:
            entry = tarfile.TarInfo(info) if isinstance(info, str) else info
            entry.size = len(data) if entry.isreg() else 0
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def entry(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def refused(path):
    with pytest.raises(DamagedError) as caught:
        list(read(path, "shop"))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


def test_what_was_written_is_read_back_in_order(tarball):
    assert [(path, data) for _, path, data in read(tarball, "shop")] == list(CONTENT.items())
    assert [member.path for member, _, _ in read(tarball, "shop")] == list(CONTENT)


def test_python_reads_the_joined_fragments(tarball):
    with tarfile.open(tarball, "r:gz") as tar:
        found = {info.name: tar.extractfile(info).read() for info in tar}
    assert found == {"metadata/version": b"1\n", **CONTENT}
    with reference.open(tarball) as plain:
        assert len(plain.read()) % tarfile.BLOCKSIZE == 0


def test_the_tar_command_reads_the_joined_fragments(tarball, tmp_path):
    (tmp_path / "out").mkdir()
    command = ["tar", "-xzf", str(tarball), "-C", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path: (tmp_path / "out" / path).read_bytes() for path in CONTENT} == CONTENT


def test_unicode_names_and_directories_are_read(tmp_path):
    path = "resources/things.example.com/namespaces/shop/café-数.json"
    raw = tar_of((entry("resources/", tarfile.DIRTYPE), b""), (path, b"{}"))
    assert [found for _, found, _ in read(packed(tmp_path, raw), "shop")] == [path]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_each_format_of_tar_is_read(tmp_path, form):
    path = f"resources/configmaps/namespaces/{'s' * 60}/{'n' * 60}.json"
    assert [found for _, found, _ in read(packed(tmp_path, tar_of((path, b"{}"), form=form)), "shop")] == [path]


def test_copies_that_velero_keeps_by_version_are_passed_over(tmp_path):
    copy = "resources/deployments.apps/v1-preferredversion/namespaces/shop/web.json"
    raw = tar_of(("metadata/version", b"1.1.0\n"), (copy, b"{}"), (WEB, b"{}"))
    assert [found for _, found, _ in read(packed(tmp_path, raw), "shop")] == [WEB]


def test_cut_at_every_block_it_is_damaged(tarball, tmp_path):
    """Also where a whole entry has just ended: only the closing blocks say that nothing is missing."""
    raw = reference.decompress(tarball.read_bytes())
    end = len(raw) - 2 * tarfile.BLOCKSIZE
    for size in range(0, end + 1, tarfile.BLOCKSIZE):
        refused(packed(tmp_path, raw[:size]))
    for size in range(1, end, 97):
        refused(packed(tmp_path, raw[:size]))


def test_cut_packed_bytes_are_damaged(tarball, tmp_path):
    whole, cut = tarball.read_bytes(), tmp_path / "cut.tar.gz"
    for size in range(len(whole) - 30):
        cut.write_bytes(whole[:size])
        refused(cut)


def test_each_flipped_bit_of_the_content_is_noticed(tarball, tmp_path):
    """Some fields of a gzip header mean nothing (time, system): a flip there may go unnoticed, and changes nothing."""
    whole, flipped = tarball.read_bytes(), tmp_path / "flipped.tar.gz"
    for at in range(len(whole)):
        flipped.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        try:
            found = [(path, data) for _, path, data in read(flipped, "shop")]
        except DamagedError:
            continue
        assert found == list(CONTENT.items())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5 * 512 - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_bytes_written_over_headers_are_read_or_refused(tmp_path_factory, changes):
    raw = bytearray(tar_of((WEB, b"{}"), (LONG, b"{}"), form=tarfile.GNU_FORMAT))
    for at, byte in changes:
        raw[at] = byte
    for at in range(0, len(raw) - 1024, 512):  # with checksums that are right, so that more than the checksum is tested
        block = bytes(raw[at : at + 512])
        if block[257:262] == b"ustar":
            total = sum(block[:148]) + 8 * 32 + sum(block[156:])
            raw[at + 148 : at + 156] = b"%06o\0 " % total
    path = tmp_path_factory.mktemp("fuzz") / "t.tar.gz"
    path.write_bytes(reference.compress(bytes(raw), 1))
    with contextlib.suppress(DamagedError):
        list(read(path, "shop"))


@pytest.mark.parametrize(
    "content",
    [b"", b"not gzip", b"\x1f\x8b", reference.compress(b"", mtime=0), reference.compress(b"x" * 5000, mtime=0)],
)
def test_what_is_no_archive_is_damaged(tmp_path, content):
    path = tmp_path / "t.tar.gz"
    path.write_bytes(content)
    refused(path)


def test_more_after_the_end_must_be_gzip(tarball):
    tarball.write_bytes(tarball.read_bytes() + b"and more")
    refused(tarball)


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE],
)
def test_only_plain_files_are_taken(tmp_path, kind):
    refused(packed(tmp_path, tar_of((WEB, b"{}"), (entry(DB, kind, "/etc/passwd"), b""))))


def test_sparse_files_of_the_pax_kind_are_refused(tmp_path):
    info = entry(DB)
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.size": "9",
        "GNU.sparse.map": "0,2",
    }
    refused(packed(tmp_path, tar_of((info, b"{}"))))


@pytest.mark.parametrize(
    "path",
    [
        "../secrets.json",
        "/etc/passwd",
        "resources/secrets/namespaces/../db.json",
        "resources/secrets/namespaces/shop/../../x.json",
        "resources//namespaces/shop/db.json",
        "resources/secrets/namespaces/shop/a\\b.json",
        "resources/secrets/namespaces/shop/a\nb.json",
        "resources/secrets/namespaces/shop/db.yaml",
        "resources/secrets/shop/db.json",
        f"resources/secrets/namespaces/shop/{'n' * 600}.json",
        "elsewhere/db.json",
        "db.json",
    ],
)
def test_paths_outside_the_layout_are_refused(tmp_path, path):
    refused(packed(tmp_path, tar_of((WEB, b"{}"), (path, b"{}"))))


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    raw = tar_of((DB.replace("db", "dX"), b"{}"), form=tarfile.USTAR_FORMAT)
    header = bytearray(raw.replace(b"/dX.json", b"/d\xff.json", 1))
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:512]))
    refused(packed(tmp_path, bytes(header)))


@pytest.mark.parametrize("second", [WEB, f"./{WEB}"])
def test_an_object_that_comes_twice_is_refused(tmp_path, second):
    assert "twice" in refused(packed(tmp_path, tar_of((WEB, b"{}"), (second, b'{"other":1}'))))


@pytest.mark.parametrize("size", ["67108865", "9" * 18, "-5"])
def test_a_size_that_no_object_has_is_refused_unread(tmp_path, size):
    info = entry(WEB)
    info.pax_headers = {"size": size}
    refused(packed(tmp_path, tar_of((info, b"{}"))))


def test_a_huge_extended_header_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(tar, "MAX_HEADER", 4096)
    info = entry(WEB)
    info.pax_headers = {"comment": "c" * 20_000_000}
    path = packed(tmp_path, tar_of((info, b"{}")))
    tracemalloc.start()
    try:
        refused(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_row_of_extended_headers_ends_in_an_error(tmp_path):
    header = tar_of((entry("global", tarfile.XGLTYPE), b""))[:512]
    refused(packed(tmp_path, header * 3000 + tar_of((WEB, b"{}"))))


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path):
    raw = bytearray(tar_of((WEB, b"{}"), (DB, b"{}")))
    raw[1024 + 10] ^= 1
    assert "header" in refused(packed(tmp_path, bytes(raw)))
