"""Limits on the size of what a store holds: a decompression bomb must fill neither memory nor disk.

Each limit is several times what a real backup needs. A file is refused as soon as it passes a limit, not after.
"""

from __future__ import annotations

MIB = 2**20

MAX_OBJECT = 16 * MIB
"""Bytes of one object's JSON, and of one line of Kubeferry's own files.

kube-apiserver reads at most 3 MiB of a request (apiserver: MaxRequestBodyBytes), etcd accepts 1.5 MiB; what was sent as
protobuf may be several times as large in JSON.
"""

MAX_READ = 256 * MIB
"""Bytes of a file that is read into memory: the compressed manifest of a million objects has 100 MiB."""

MAX_DEPTH = 200
"""Nesting of maps and lists. The deepest schemas of CRDs have some 60 levels; orjson writes at most 254."""

MAX_HEADER = 64 * 2**10
"""Bytes of a tar's extended header: it holds a path, so a longer one serves only to fill the memory."""

MAX_PADDING = 1 * MIB
"""Bytes of zeros after a tar's end; tar programs pad to a block of 10 KiB, or of a size that is set."""

MAX_RATIO = 200
"""The highest compression ratio. Thousands of equal small objects reach 120; a bomb reaches 1000."""

LISTED_RATIO = 20
"""The same for the manifest, which is held in memory: half of it are digests, which do not compress."""

ROOM = 512 * MIB
"""Bytes that any tarball may decompress to, whatever its size: a few huge objects of one letter exceed the ratio."""

SIDE_ROOM = 64 * MIB
"""The same for the files beside the tarball, which list uids and digests: those hardly compress."""


def most_unpacked(packed: int, room: int, ratio: int = MAX_RATIO) -> int:
    """Return how many bytes a file of `packed` bytes may decompress to: at least `room`."""
    return max(room, packed * ratio)
