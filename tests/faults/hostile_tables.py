"""How hostile backups are written down, each with its name, how it is forged, and what the error has to say of it.

An archive is forged twice, as Velero's (no digests) and as ours (digests that fit, so that the reader behind them is
reached); what only ours has, or only Velero's, once.
"""

import gzip
import zlib
from dataclasses import dataclass, field
from functools import cache

import orjson
from tests.faults.hostile import config, entry, namespace, tar


@dataclass(frozen=True)
class Case:
    """One hostile backup: `forge(forge, name, ns)` stores it, `message` is in the line that refuses it."""

    forge: object = field(repr=False)
    message: str


CASES = {}


def both(name, message, entries=None, tarball=None):
    """Store it as Velero's and as ours; `entries(ns)` are added to a namespace and a ConfigMap, `tarball(ns)` is it."""

    def kept(ns):
        return [entry(namespace(ns)), *([entry(config(ns))] if entries is None else entries(ns))]

    def given(ns):
        return {} if tarball is None else {"tarball": tarball(ns)}

    CASES[f"{name}, Velero's"] = Case(lambda forge, b, ns: forge.velero(b, kept(ns), **given(ns)), message)
    CASES[f"{name}, ours"] = Case(lambda forge, b, ns: forge.ours(b, kept(ns), **given(ns)), message)


def ours(name, message, **parts):
    """Store a sound archive with other parts that are not; each part is made of the namespace and the backup's name."""

    def forge(at, b, ns):
        at.ours(b, [entry(namespace(ns)), entry(config(ns))], **{key: part(ns, b) for key, part in parts.items()})

    CASES[name] = Case(forge, message)


def velero(name, message, change):
    """Store a sound archive of Velero's with another Backup object."""
    CASES[name] = Case(
        lambda at, b, ns: at.velero(b, [entry(namespace(ns)), entry(config(ns))], change=change), message
    )


def at(ns, name="web", kind="configmaps"):
    return f"resources/{kind}/namespaces/{ns}/{name}.json"


def body(name, message, value, place=at):
    """One object that is not what it must be, as a value or as bytes."""

    def entries(ns):
        data = value(ns)
        return [(place(ns), data if isinstance(data, bytes) else orjson.dumps(data))]

    both(name, f"{message}", entries)


def changed(path, value):
    """A ConfigMap with one field of another value."""

    def make(ns):
        obj = config(ns)
        place = obj
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        return obj

    return make


def packed(raw):
    return gzip.compress(raw, 1)


def sound(ns):
    return packed(tar([entry(namespace(ns)), entry(config(ns))]))


def zeros(size):
    """Gzip of `size` bytes of zeros, put together without holding them."""
    body = zlib.compressobj(9, wbits=31)
    return b"".join([*(body.compress(bytes(2**20)) for _ in range(size // 2**20)), body.flush()])


@cache
def bomb():
    """Return a gigabyte in a megabyte. To make it takes seconds, so it is made for the first test that needs it."""
    return zeros(2**30)
