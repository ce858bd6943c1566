"""Links and bindings of an archive of ours that nobody wrote who means well; their digests are right."""

import orjson
from tests.faults.hostile_tables import bomb, ours, packed

OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "u"}
LINK_LINE = {"uid": "u", "owners": [OWNER]}


def links(name, message, value):
    ours(
        f"links: {name}",
        f"its links file, line 1: .*{message}",
        links=lambda ns, _: [value(["", "ConfigMap", ns, "web"])],
    )


links("no JSON", "is not JSON", lambda _: b"{")
links("a key twice", "a duplicate key", lambda _: b'{"ref":1,"ref":2}')
links("a list", "names no object", lambda _: [])
links("no identity", "names no object", lambda _: LINK_LINE)
links("an identity of three", "names no object", lambda ref: LINK_LINE | {"ref": ref[:3]})
links("an identity of numbers", "names no object", lambda _: LINK_LINE | {"ref": [1, 2, 3, 4]})
links("a uid that is a map", "uid", lambda ref: {"ref": ref, "uid": {}})
links("owners as a map", "owners", lambda ref: {"ref": ref, "owners": {}})
links("owners of text", "owner", lambda ref: {"ref": ref, "owners": ["x"]})
links(
    "an owner that is a path",
    "name of owner",
    lambda ref: {"ref": ref, "owners": [OWNER | {"name": ".."}]},
)
links(
    "a flag that is a text",
    "controller",
    lambda ref: {"ref": ref, "owners": [OWNER | {"controller": "x"}]},
)
links("addresses as a list", "addresses", lambda ref: {"ref": ref, "addresses": []})
links("an address that is a number", "addresses", lambda ref: {"ref": ref, "addresses": {"/status/podIP": 7}})
links("an address without a place", "addresses", lambda ref: {"ref": ref, "addresses": {"status": "10.0.0.1"}})
links("a reason that is a map", "notReady", lambda ref: {"ref": ref, "notReady": {}})
links("900 levels", "nested deeper", lambda _: b"[" * 900 + b"]" * 900)
ours("links: the same twice", "its links file, line 2", links=lambda ns, _: [{"ref": ["", "ConfigMap", ns, "web"]}] * 2)
ours("links: no gzip", "its links file: is no sound gzip", links=lambda *_: b"x" * 99)
ours("links: cut", "its links file: is no sound gzip", links=lambda *_: packed(b"{}\n" * 99)[:-9])
ours("links: a gigabyte", "its links file", links=lambda *_: bomb())

SERVICE = ["", "Service", "NS", "web"]
BINDING = {
    "object": ["", "ConfigMap", "NS", "web"],
    "kind": "service-ip",
    "pointer": "/data/a",
    "layers": [],
    "value": "b",
    "form": "whole",
    "source": [SERVICE, "/spec/clusterIP"],
    "chain": [
        {"step": "start", "ref": SERVICE},
        {"step": "read", "what": "clusterIP", "family": "", "index": 0, "path": []},
    ],
}


def bindings(name, message, change):
    """A forged binding; `change` is made to a sound one, in which NS is the namespace."""

    def made(ns, _):
        value = change(orjson.loads(orjson.dumps(BINDING).replace(b'"NS"', orjson.dumps(ns))))
        return [value]

    ours(f"bindings: {name}", f"its bindings file, line 1: .*{message}", bindings=made)


def read(**fields):
    return lambda line: line | {"chain": [line["chain"][0], line["chain"][1] | fields]}


def start(*ref):
    """A chain that reads the content of another object."""
    step = {"step": "read", "what": "path", "family": "", "index": 0, "path": ["data", "token"]}
    return lambda line: line | {"kind": "user", "chain": [{"step": "start", "ref": list(ref)}, step]}


bindings("no JSON", "is not JSON", lambda _: b"{")
bindings("a list", "must be a map", lambda _: [])
bindings("nothing", "must be", lambda _: {})
for what in BINDING:
    for value in (None, 7, "x", [], {}):
        allowed = {"value": ["x"], "layers": [[]]}.get(what, [])
        if value not in allowed:
            message = "bindings: "
            bindings(f"{what} is {value!r}", message, lambda line, what=what, value=value: line | {what: value})
bindings("a Secret of another namespace", "its own namespace may read", start("", "Secret", "kube-system", "admin"))
bindings(
    "a Secret by way of its owner",
    "its own namespace may read",
    lambda line: (
        line
        | {
            "chain": [
                {"step": "start", "ref": ["", "ServiceAccount", "kube-system", "admin"]},
                {"step": "newest", "group": "", "kind": "Secret"},
                {"step": "read", "what": "path", "family": "", "index": 0, "path": ["data", "token"]},
            ]
        }
    ),
)
bindings("a name that is a path", "ref must be", start("", "Service", "shop", "../secrets/x"))
bindings("a name of ..", "ref must be", start("", "Service", "shop", ".."))
bindings("a namespace that is a path", "ref must be", start("", "Service", "../kube-system", "x"))
bindings("a kind that is a path", "ref must be", start("", "../x", "shop", "x"))
bindings("a name with a command of a terminal", "ref must be", start("", "Service", "shop", "\x1b[2J"))
bindings("it reads everything", "unknown field to read", read(what="everything"))
bindings("it reads a method", "unknown field to read", read(what="__class__"))
bindings("a negative index", "index must be", read(index=-1))
bindings("a huge index", "index must be", read(index=2**40))
bindings("a flag as index", "index must be", read(index=True))
bindings("a path of maps", "path must hold", read(what="path", path=[{}]))
bindings("a path of 2000 steps", "path must be", read(what="path", path=["a"] * 2000))
bindings("an unknown family", "unknown address family", read(family="IPv9"))
bindings(
    "a step that runs a command", "unknown step", lambda line: line | {"chain": [{"step": "exec"}, line["chain"][1]]}
)
bindings("two reads", "must go from", lambda line: line | {"chain": [line["chain"][1]] * 2})
bindings("2000 steps", "chain must be", lambda line: line | {"chain": [line["chain"][0]] * 2000})
bindings("a layer that is none", "unknown layer", lambda line: line | {"layers": ["rot13"]})
bindings("a pointer that is none", "pointer must be", lambda line: line | {"pointer": "data/a"})
bindings("a pointer of 200,000 characters", "pointer must be", lambda line: line | {"pointer": "/a" * 100_001})
ours("bindings: no gzip", "its bindings file: is no sound gzip", bindings=lambda *_: b"x" * 99)
ours("bindings: a gigabyte", "its bindings file", bindings=lambda *_: bomb())
ours("bindings: a line of 17 MiB", "a line of more than", bindings=lambda *_: packed(b'"' + b"x" * (17 << 20) + b'"\n'))
