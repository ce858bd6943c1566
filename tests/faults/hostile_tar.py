"""Tarballs of which something is no plain file, or leads out of the archive."""

import tarfile

from tests.faults.hostile import config, entry, file, forged_header, header, namespace, tar
from tests.faults.hostile_tables import at, both, packed

LINK = "/etc/passwd"
NO_PATH = "a path that is not allowed in an archive"
GARBAGE = bytes(range(256)) * 8

both("no closing blocks", "cut short", tarball=lambda ns: packed(tar([entry(config(ns))], closing=b"")))
both("one closing block", "cut short", tarball=lambda ns: packed(tar([entry(config(ns))], closing=bytes(512))))
both(
    "a block of zeros in the middle",
    "a block of zeros",
    tarball=lambda ns: packed(file(*entry(namespace(ns))) + bytes(512) + tar([entry(config(ns))])),
)
both("a damaged header", "damaged header", lambda ns: [header(at(ns))[:100] + b"x" + header(at(ns))[101:]])
both("a header of garbage", "damaged header", lambda _: [GARBAGE[:512]])

for path in ("../x.json", "/etc/x.json", "resources/../../x.json", "elsewhere/x.json", "x.json", "resources/x.json"):
    both(f"the path {path}", NO_PATH, lambda _, path=path: [(path, b"{}")])
for what, path in {
    "a namespace ..": "resources/configmaps/namespaces/../web.json",
    "a name ..": "resources/configmaps/namespaces/NS/...json",
    "an empty part": "resources//namespaces/NS/web.json",
    "a backslash": "resources/configmaps/namespaces/NS/a\\b.json",
    "a newline": "resources/configmaps/namespaces/NS/a\nb.json",
    "a command of a terminal": "resources/configmaps/namespaces/NS/\x1b]0;x\x07.json",
    "a name of bytes that are no text": "resources/configmaps/namespaces/NS/\udcff.json",
    "a name of 10,000 characters": f"resources/configmaps/namespaces/NS/{'n' * 10_000}.json",
    "a namespace in capitals": "resources/configmaps/namespaces/Shop/web.json",
    "a namespace of 64 characters": f"resources/configmaps/namespaces/{'n' * 64}/web.json",
    "a percent sign": "resources/configmaps/namespaces/NS/a%2e.json",
    "a type in capitals": "resources/ConfigMaps/namespaces/NS/web.json",
}.items():
    both(what, NO_PATH, lambda ns, path=path: [(path.replace("NS", ns), b"{}")])

for what, kind in {
    "a symbolic link": tarfile.SYMTYPE,
    "a hard link": tarfile.LNKTYPE,
    "a device": tarfile.CHRTYPE,
    "a block device": tarfile.BLKTYPE,
    "a pipe": tarfile.FIFOTYPE,
    "a sparse file": tarfile.GNUTYPE_SPARSE,
    "a contiguous file": tarfile.CONTTYPE,
    "a file of unknown type": b"Z",
    "a header for all": tarfile.XGLTYPE,
}.items():
    both(what, "which is", lambda ns, kind=kind: [header(at(ns), kind=kind, link=LINK)])
    if kind != tarfile.XGLTYPE:
        message = "which is|a path that no archive"
        both(f"{what} outside", message, lambda _, kind=kind: [header("../x.json", kind=kind, link=LINK)])
both("a folder outside", NO_PATH, lambda _: [header("../x/", kind=tarfile.DIRTYPE)])
both("an absolute folder", NO_PATH, lambda _: [header("/x/", kind=tarfile.DIRTYPE)])
both(
    "a folder with bytes",
    "a size that it cannot have",
    lambda _: [header("resources/", 512, tarfile.DIRTYPE), b"x" * 512],
)
for version in ("0.0", "0.1", "1.0"):
    major, minor = version.split(".")
    sparse = {"GNU.sparse.major": major, "GNU.sparse.minor": minor, "GNU.sparse.map": "0,2", "GNU.sparse.size": "9"}
    both(f"a sparse file of pax {version}", "a sparse file", lambda ns, h=sparse: [header(at(ns), pax_headers=h)])
for what, size in {"a negative size": "-5", "a huge size": "9" * 30, "no number as size": "0x10"}.items():
    both(what, "a size that no file has", lambda ns, size=size: [header(at(ns), pax_headers={"size": size})])
both("17 MiB", "more than any object has", lambda ns: [(at(ns), b" " * (17 << 20))])
both("two pax headers", "comes twice", lambda ns: [header(at(ns), pax_headers={"comment": "x"})[:1024] * 2])
both(
    "3000 pax headers",
    "comes twice",
    lambda ns: [header(at(ns), pax_headers={"comment": "x"})[:1024] * 3000],
)
both("a pax header of 1 MiB", "a size that none has", lambda ns: [header(at(ns), pax_headers={"comment": "c" * 2**20})])
both("a pax header for nothing", "no entry after it", lambda ns: [header(at(ns), pax_headers={"comment": "x"})[:1024]])


def pax(records):
    """A pax header whose records are these bytes."""
    return header("x", len(records), tarfile.XHDTYPE, form=tarfile.USTAR_FORMAT) + records.ljust(512, b"\0")


for what, records in {
    "a record without length": b"path=x\n",
    "a record that is too short": b"3 path=x\n",
    "a record that is too long": b"99 path=x\n",
    "a record of no length": b"0 path=x\n",
    "a record without a value": b"9 path x\n",
    "a record twice": b"10 path=x\n" * 2,
    "a record of a negative length": b"-9 path=x\n",
}.items():
    both(what, "pax header that cannot be read", lambda ns, r=records: [pax(r), file(*entry(config(ns)))])
both(
    "a pax header that renames to ..",
    NO_PATH,
    lambda ns: [pax(b"20 path=../../x.json\n"[:21].replace(b"20", b"21")), file(*entry(config(ns)))],
)
both(
    "a long name of GNU that leads out",
    NO_PATH,
    lambda ns: [
        header("././@LongLink", 12, tarfile.GNUTYPE_LONGNAME, form=tarfile.GNU_FORMAT),
        b"../../x.json".ljust(512, b"\0"),
        file(*entry(config(ns))),
    ],
)
both(
    "a long link of GNU",
    "which is",
    lambda ns: [
        header("././@LongLink", 12, tarfile.GNUTYPE_LONGLINK, form=tarfile.GNU_FORMAT),
        b"/etc/passwd\0".ljust(512, b"\0"),
        file(*entry(config(ns))),
    ],
)
both(
    "a size in base 256 that is negative",
    "a size that it cannot have",
    lambda ns: [forged_header(header(at(ns))[:124] + b"\xff" * 12 + header(at(ns))[136:])],
)
both("the same twice", "twice", lambda ns: [entry(config(ns)), entry(config(ns, data={"a": "other"}))])
both("the same under ./", "twice", lambda ns: [entry(config(ns)), entry(config(ns), f"./{at(ns)}")])
both("format 2", "is of format '2.0.0'", tarball=lambda ns: packed(tar([entry(config(ns))], version=b"2.0.0\n")))
both("a format of no sense", "is of format", tarball=lambda ns: packed(tar([entry(config(ns))], version=b"\x1b[2J")))
