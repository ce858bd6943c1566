"""Tarballs whose gzip is damaged, too large, or not all of them."""

from tests.faults.hostile import CLOSING, config, entry, header, tar
from tests.faults.hostile_tables import at, bomb, both, packed, sound

GARBAGE = bytes(range(256)) * 8

both("cut in the middle", "its archive is damaged", tarball=lambda ns: sound(ns)[: len(sound(ns)) // 2])
both("cut before the checksum", "its archive is damaged", tarball=lambda ns: sound(ns)[:-8])
both("a wrong checksum", "no sound gzip", tarball=lambda ns: sound(ns)[:-8] + b"\0" * 4 + sound(ns)[-4:])
both("a wrong length", "no sound gzip", tarball=lambda ns: sound(ns)[:-1] + b"\x7f")
both("garbage after the end", "no sound gzip", tarball=lambda ns: sound(ns) + GARBAGE)
both("no gzip", "no sound gzip", tarball=lambda ns: tar([entry(config(ns))]))
both("no bytes", "cut short", tarball=lambda _: b"")
both("an empty gzip member", "cut short", tarball=lambda _: packed(b""))
both("another tar in a second member", "goes on after its end", tarball=lambda ns: sound(ns) * 2)
both("more in a second member", "goes on after its end", tarball=lambda ns: sound(ns) + packed(GARBAGE))


both("a gigabyte of zeros", "goes on after its end", tarball=lambda _: bomb())
both("a gigabyte after the end", "goes on after its end", tarball=lambda ns: sound(ns) + bomb())
both(
    "a gigabyte in one entry",
    "more than any object has",
    tarball=lambda ns: packed(header(at(ns), 2**30)) + bomb() + packed(CLOSING),
)
both(
    "a gigabyte in an entry that is passed over",
    "unpacks to more than 512 MiB",
    tarball=lambda _: packed(header("metadata/more", 2**30)) + bomb() + packed(CLOSING),
)
