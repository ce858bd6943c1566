"""How large what a store holds may be: a small file that unpacks to a huge one must fill neither memory nor disk.

Each limit is some times what a real backup needs; a file is refused as soon as it passes one, not after.
"""

from __future__ import annotations

MIB = 2**20

MAX_OBJECT = 16 * MIB
"""Bytes of one object's JSON, and of one line of our own files.

kube-apiserver reads at most 3 MiB of a request (apiserver: MaxRequestBodyBytes), etcd takes 1.5 MiB; what was sent as
protobuf may be some times that as JSON.
"""

MAX_READ = 256 * MIB
"""Bytes of a file that is held in memory while it is read: the manifest of a million objects, packed, has 100 MiB."""

MAX_DEPTH = 200
"""Maps and lists inside each other. The deepest schemas of CRDs have some 60; orjson writes at most 254."""

MAX_HEADER = 64 * 2**10
"""Bytes of a tar's extended header: it holds a path, so a long one is there only to fill the memory."""

MAX_PADDING = 1 * MIB
"""Bytes of zeros after a tar's end; tar programs fill up a block of 10 KiB or what they are told to."""

MAX_RATIO = 200
"""How many times larger than packed a file may be. Thousands of equal small objects come to 120; a bomb to 1000."""

LISTED_RATIO = 20
"""The same for our manifest, which is held in memory: half of it are digests, which do not shrink."""

ROOM = 512 * MIB
"""Bytes to which a tarball may unpack whatever its size: a few huge objects of one letter pass the ratio."""

SIDE_ROOM = 64 * MIB
"""The same for the files beside the tarball, which list uids and digests: those hardly shrink at all."""


def most_unpacked(packed: int, room: int, ratio: int = MAX_RATIO) -> int:
    """Return how many bytes a file of `packed` bytes may unpack to; `room` are granted to any."""
    return max(room, packed * ratio)
